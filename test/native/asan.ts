// Only node runs under the sanitizers: swtpm and tpm2-tools, which the tests start, would be slow and leak.
// Children that load the addon get the preload back in native-child.ts.
process.env['ADDON_PRELOAD'] ??= process.env['LD_PRELOAD'];
delete process.env['LD_PRELOAD'];
