/** The server plugin as SPIRE loads it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../spire/logger.ts';
import type { PluginDefinition } from '../spire/plugin-definition.ts';
import { attest } from './attestation.ts';
import { InvalidConfig, readServerConfig, type ServerConfig } from './config.ts';
import { OpenChallenges } from './open-challenges.ts';

/** With the answer `spire-server validate` ends, whatever of the log it has not read by then. */
const LOG_READ_MS = 100;

export function serverPlugin(logger: Logger): PluginDefinition<'server', ServerConfig> {
  const challenges = new OpenChallenges();
  return {
    config: {
      configure: async ({ trustDomain }, hcl) => {
        const config = readServerConfig(trustDomain, hcl);
        for (const warning of config.warnings) logger.warn(warning);
        const { policy } = config;
        logger.info('configured', {
          trust_domain: policy.trustDomain,
          id_segment: policy.pluginName,
          cas: policy.anchors?.certificates.length ?? 0,
          hash_path: policy.isListed !== undefined,
          pcrs: policy.pcrs.map(({ bank, indices }) => `${bank}:${indices.join(',')}`).join(' '),
        });
        return config;
      },
      validate: async ({ trustDomain }, hcl) => {
        try {
          // Not as notes: SPIRE takes every note for a mistake.
          const { warnings } = readServerConfig(trustDomain, hcl);
          for (const warning of warnings) logger.warn(warning);
          if (warnings.length > 0) await delay(LOG_READ_MS);
          return [];
        } catch (error) {
          if (error instanceof InvalidConfig) return error.problems;
          throw error;
        }
      },
    },
    limits: ({ maxConcurrent, attestTimeoutMs, maxMessageBytes }) => ({
      maxConcurrent,
      attestTimeoutMs,
      maxMessageBytes,
    }),
    attest: (stream, config) => attest(stream, config, logger, challenges),
  };
}
