/** Executable: `tpm-attestor-demo`, which shows an attestation, attacks on it, and one through genuine SPIRE. */
import { runCommand } from '../terminal/run-command.ts';
import { demoCommand } from './demo.ts';
import { demoSpireCommand } from './demo-spire.ts';
import { tamperingAgentCommand } from './tampering-agent.ts';

runCommand(
  demoCommand()
    // Both commands have --json: what stands behind `spire` is its own.
    .enablePositionalOptions()
    .addCommand(demoSpireCommand())
    // The demo starts it by itself.
    .addCommand(tamperingAgentCommand(), { hidden: true }),
);
