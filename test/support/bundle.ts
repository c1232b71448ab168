/** The types of scripts/bundle.mjs, which is plain JavaScript. */
export interface Executable {
  /** Relative to the root, like `outfile`. */
  readonly entry: string;
  readonly outfile: string;
  /** Whether SPIRE runs it. */
  readonly plugin: boolean;
  /** Input files that must not be in the bundle. */
  readonly forbidden: readonly RegExp[];
}

export interface Bundler {
  readonly EXECUTABLES: readonly Executable[];
  /** Returns the executable's text without writing it. Rejects if it would contain a forbidden input. */
  bundle(executable: Executable, root?: string): Promise<string>;
}

export const bundler: Bundler = (await import(new URL('../../scripts/bundle.mjs', import.meta.url).href)) as Bundler;
