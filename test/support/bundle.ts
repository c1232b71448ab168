/** What scripts/bundle.mjs exports, which plain JavaScript cannot say. */
export interface Executable {
  /** Relative to the root, as `outfile` is. */
  readonly entry: string;
  readonly outfile: string;
  /** SPIRE runs it. */
  readonly plugin: boolean;
  /** Input files that must not be in the bundle. */
  readonly forbidden: readonly RegExp[];
}

export interface Bundler {
  readonly EXECUTABLES: readonly Executable[];
  /** The executable's text, without writing it; rejects when it would hold a forbidden input. */
  bundle(executable: Executable, root?: string): Promise<string>;
}

export const bundler: Bundler = (await import(new URL('../../scripts/bundle.mjs', import.meta.url).href)) as Bundler;
