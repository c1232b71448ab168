/** The policy of a configuration as the server plugin opens it, for tests that do not ask what it tells. */
import { type LivePolicy, openLivePolicy, type ReloadReport } from '../../src/policy/live-policy.ts';

export const UNHEARD: ReloadReport = {
  reloaded: () => {},
  denied: () => {},
  failed: () => {},
  unanswered: () => {},
  fault: (error) => {
    throw error;
  },
};

export function openPolicy(hcl: string): Promise<LivePolicy> {
  return openLivePolicy('example.org', hcl, UNHEARD);
}
