/** The server plugin: its configuration, its attestation handler, and its logs of reloaded files. */
import { setTimeout as delay } from 'node:timers/promises';
import { type LivePolicy, openLivePolicy, type ReloadReport } from '../policy/live-policy.ts';
import { errorFields, type LogFields, type Logger } from '../spire/log/logger.ts';
import type { PluginDefinition } from '../spire/plugin/plugin-definition.ts';
import { LinkedKeys } from '../verifier/linked-keys.ts';
import type { OperatorLists } from '../verifier/operator-lists.ts';
import { type Policy, stepsOf } from '../verifier/policy.ts';
import { attest } from './attestation.ts';
import { OpenChallenges } from './open-challenges.ts';
import { Tolerances } from './tolerance-counts.ts';

/** Time for `spire-server validate` to read the log: it ends with the answer. */
const LOG_READ_MS = 100;
const UNHEARD: ReloadReport = {
  reloaded: () => {},
  denied: () => {},
  failed: () => {},
  unanswered: () => {},
  fault: () => {},
};

export function serverPlugin(logger: Logger): PluginDefinition<'server', LivePolicy> {
  const challenges = new OpenChallenges();
  const collections = new OpenChallenges();
  const tolerances = new Tolerances();
  const linked = new LinkedKeys();
  let latest: LivePolicy | undefined;
  return {
    config: {
      configure: async ({ trustDomain }, hcl) => {
        const live = await openLivePolicy(trustDomain, hcl, reloadReport(logger));
        for (const warning of live.warnings) logger.warn(warning);
        const { policy } = live.current();
        logger.info('configured', {
          trust_domain: policy.trustDomain,
          id_segment: policy.pluginName,
          mode: policy.mode,
          public_key_steps: stepsOf(policy).name,
          ...trusted(policy),
          pcrs: policy.pcrs.map(({ bank, indices }) => `${bank}:${indices.join(',')}`).join(' '),
        });
        // Some files may have changed during loading, and the earlier configuration may already use their new contents.
        await live.look();
        latest?.end();
        live.watch();
        latest = live;
        return live;
      },
      validate: async ({ trustDomain }, hcl) => {
        // Logged, not returned as notes: SPIRE treats every note as an error.
        const { warnings } = await openLivePolicy(trustDomain, hcl, UNHEARD);
        for (const warning of warnings) logger.warn(warning);
        if (warnings.length > 0) await delay(LOG_READ_MS);
        return [];
      },
    },
    limits: ({ settings: { maxConcurrent, attestTimeoutMs, maxMessageBytes } }) => ({
      maxConcurrent,
      attestTimeoutMs,
      maxMessageBytes,
    }),
    attest: (stream, live) => {
      // tooth open-challenges [latest ?? live -> live]: an attestation keeps the lists that it began with
      const lists = (): OperatorLists => (latest ?? live).lists;
      const { maxMessageBytes } = live.settings;
      return attest(stream, live.current(), logger, {
        ...{ lists, challenges, collections, tolerances, linked, maxMessageBytes },
      });
    },
  };
}

function reloadReport(logger: Logger): ReloadReport {
  return {
    reloaded: (policy, warnings) => {
      for (const warning of warnings) logger.warn(warning);
      logger.info('files of the configuration changed and are in force', trusted(policy));
    },
    denied: (entries, warnings) => {
      for (const warning of warnings) logger.warn(warning);
      logger.info('deny_path changed and is in force', { denied: entries });
    },
    failed: (problems) => {
      for (const problem of problems)
        logger.error(
          `files of the configuration changed and are not used, those from before stay in force: ${problem}`,
        );
    },
    unanswered: (what, ms) =>
      logger.error(
        `${what} cannot be looked at, what was read before stays in force: no answer of the file system for ${ms / 1000} s`,
      ),
    fault: (error) => logger.error('files of the configuration could not be looked at', errorFields(error)),
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
