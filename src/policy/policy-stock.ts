/** Lists the files of a policy, except the deny list, with sizes and times, without reading them. */

import { fileFailure } from '../files/file-failure.ts';
import { type FileState, stateOf } from '../files/file-state.ts';
import type { Steps } from '../files/steps.ts';
import type { ServerSettings } from './server-settings.ts';
import { trustFilesAt } from './trust-files.ts';

/** The files at the path of an option, by name, or the error of listing them. */
export type Place = { readonly files: ReadonlyMap<string, FileState> } | { readonly failure: unknown };

export interface PolicyStock {
  /** In the order of the settings. */
  readonly bundles: readonly Place[];
  readonly crls: Place;
  readonly hashes: Place;
  /** Names, sizes and times of all files. It differs when any file has changed. */
  readonly stamp: string;
  /** Whether any file is young: see `FileState`. */
  readonly isYoung: boolean;
}

const NOWHERE: Place = { files: new Map() };

/** A folder of hashes is listed without its files: each attestation looks at them itself. */
export function* takeStock({ bundles, crlPath, hashPath }: ServerSettings): Steps<PolicyStock> {
  const ofBundles: Place[] = [];
  for (const { caPath } of bundles) ofBundles.push(yield* placeAt(caPath, trustFilesAt));
  const crls = crlPath === undefined ? NOWHERE : yield* placeAt(crlPath, trustFilesAt);
  const hashes =
    hashPath === undefined
      ? NOWHERE
      : yield* placeAt(hashPath, function* only(path) {
          return new Map([[path, yield* stateOf(path)]]);
        });
  const places = [...ofBundles, crls, hashes];
  const stamp = places.map(stampOf).join('\n\n');
  return { bundles: ofBundles, crls, hashes, stamp, isYoung: places.some(isYoung) };
}

function* placeAt(path: string, look: (path: string) => Steps<ReadonlyMap<string, FileState>>): Steps<Place> {
  try {
    return { files: yield* look(path) };
  } catch (failure) {
    return { failure };
  }
}

function isYoung(place: Place): boolean {
  return 'files' in place && [...place.files.values()].some((state) => state.isYoung);
}

function stampOf(place: Place): string {
  if ('failure' in place) return fileFailure(place.failure);
  return Array.from(place.files, ([path, { stamp }]) => `${path} ${stamp}`).join('\n');
}
