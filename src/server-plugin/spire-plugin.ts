/** The server plugin as SPIRE loads it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogFields, Logger } from '../spire/logger.ts';
import type { PluginDefinition } from '../spire/plugin-definition.ts';
import type { OperatorLists } from '../verifier/operator-lists.ts';
import type { Policy } from '../verifier/policy.ts';
import { attest } from './attestation.ts';
import { InvalidConfig } from './config.ts';
import { type LivePolicy, type ReloadReport, readLivePolicy } from './live-policy.ts';
import { OpenChallenges } from './open-challenges.ts';
import { Tolerances } from './tolerances.ts';

/** With the answer `spire-server validate` ends, whatever of the log it has not read by then. */
const LOG_READ_MS = 100;
const UNHEARD: ReloadReport = { reloaded: () => {}, failed: () => {} };

export function serverPlugin(logger: Logger): PluginDefinition<'server', LivePolicy> {
  const challenges = new OpenChallenges();
  const tolerances = new Tolerances();
  let latest: LivePolicy | undefined;
  return {
    config: {
      configure: async ({ trustDomain }, hcl) => {
        const live = readLivePolicy(trustDomain, hcl, reloadReport(logger));
        for (const warning of live.warnings) logger.warn(warning);
        const { policy } = live.current();
        logger.info('configured', {
          trust_domain: policy.trustDomain,
          id_segment: policy.pluginName,
          mode: policy.mode,
          ...trusted(policy),
          pcrs: policy.pcrs.map(({ bank, indices }) => `${bank}:${indices.join(',')}`).join(' '),
        });
        latest = live;
        return live;
      },
      validate: async ({ trustDomain }, hcl) => {
        try {
          // Not as notes: SPIRE takes every note for a mistake.
          const { warnings } = readLivePolicy(trustDomain, hcl, UNHEARD);
          for (const warning of warnings) logger.warn(warning);
          if (warnings.length > 0) await delay(LOG_READ_MS);
          return [];
        } catch (error) {
          if (error instanceof InvalidConfig) return error.problems;
          throw error;
        }
      },
    },
    limits: ({ settings: { maxConcurrent, attestTimeoutMs, maxMessageBytes } }) => ({
      maxConcurrent,
      attestTimeoutMs,
      maxMessageBytes,
    }),
    attest: (stream, live) => {
      const lists = (): OperatorLists => (latest ?? live).current().policy;
      return attest(stream, live.current(), logger, { lists, challenges, tolerances });
    },
  };
}

function reloadReport(logger: Logger): ReloadReport {
  return {
    reloaded: (policy, warnings) => {
      for (const warning of warnings) logger.warn(warning);
      logger.info('files of the configuration changed and are in force', trusted(policy));
    },
    failed: (problems) => {
      for (const problem of problems)
        logger.error(
          `files of the configuration changed and are not used, those from before stay in force: ${problem}`,
        );
    },
  };
}

function trusted({ bundles, crls, isListed, isDenied }: Policy): LogFields {
  return {
    cas: bundles.reduce((sum, { anchors }) => sum + anchors.certificates.length, 0),
    bundles: bundles.map(({ name }) => name).join(' '),
    crls: crls.lists.length,
    hash_path: isListed !== undefined,
    deny_path: isDenied !== undefined,
  };
}
