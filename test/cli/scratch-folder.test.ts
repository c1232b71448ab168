import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { makeScratchFolder, removeScratchFolder } from '../../src/files/scratch-folder.ts';
import { preparePluginSocket } from '../../src/spire/plugin/plugin-socket.ts';

const base = mkdtempSync('/tmp/root-');
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

test('in the longest TMPDIR that is used a plugin has room for its socket; one byte more gives way to /tmp', async () => {
  for (const [bytes, used] of [
    [55, true],
    [56, false],
  ] as const) {
    const root = join(base, 'x'.repeat(bytes - base.length - 1));
    mkdirSync(root, { recursive: true });
    vi.stubEnv('TMPDIR', root);
    const folder = makeScratchFolder('spire-server-');
    try {
      expect(dirname(folder)).toBe(used ? root : '/tmp');
      const { path } = await preparePluginSocket({ PLUGIN_UNIX_SOCKET_DIR: folder });
      expect(path.length).toBeLessThanOrEqual(107);
    } finally {
      await removeScratchFolder(folder);
    }
  }
});
