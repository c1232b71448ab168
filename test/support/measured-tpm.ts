/** A software TPM whose PCRs are those of a recorded boot: every event of its logs is extended again. */
import { readBootLog } from '../../src/boot-log/boot-log.ts';
import { EVENT_TYPES } from '../../src/boot-log/tcg/event-types.ts';
import { hex } from '../../src/bytes/bytes.ts';
import { type SoftwareTpm, startSwtpm } from './swtpm.ts';

/** PCRs a command of tpm2-tools takes at once. */
const BATCH = 32;

/** @param firmware log whose PCR 0 starts at zero */
export async function startMeasuredTpm(firmware: Uint8Array, userspace?: Uint8Array): Promise<SoftwareTpm> {
  const tpm = await startSwtpm({ templates: ['L-1'], persistentEks: true });
  const measurements = readBootLog(firmware, { userspace }).events.flatMap(({ event }) => {
    const digest = event.digests.find(({ bank }) => bank.name === 'sha256')?.digest;
    const isMeasured = event.log === 'userspace' || event.type !== EVENT_TYPES.EV_NO_ACTION;
    return isMeasured && event.pcr !== undefined && digest !== undefined ? [`${event.pcr}:sha256=${hex(digest)}`] : [];
  });
  for (let i = 0; i < measurements.length; i += BATCH)
    await tpm.tpm2('tpm2_pcrextend', measurements.slice(i, i + BATCH));
  return tpm;
}
