/** Opens a live policy like the server plugin, for tests that ignore its reports. */
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
