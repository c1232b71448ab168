/**
 * Executable: `tpm-attestor-demo`, which shows an attestation, attacks on it, and an attestation through genuine SPIRE.
 */
import { runCommand } from '../terminal/run-command.ts';
import { demoCommand } from './demo.ts';
import { demoSpireCommand } from './demo-spire.ts';
import { tamperingAgentCommand } from './tampering-agent.ts';

runCommand(
  demoCommand()
    // Both commands have --json: options after `spire` belong to `spire`.
    .enablePositionalOptions()
    .addCommand(demoSpireCommand())
    // Hidden: only the demo itself starts this command.
    .addCommand(tamperingAgentCommand(), { hidden: true }),
);
