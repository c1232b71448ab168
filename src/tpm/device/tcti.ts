/** Checks the file that a TCTI string names, because tpm2-tss would write TPM commands into any file. */
import { readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import { TctiError } from './errors.ts';

/** tpm2-tss opens these devices when the string names none. */
const DEFAULT_DEVICES: readonly string[] = ['/dev/tpmrm0', '/dev/tpm0'];

/**
 * Subsystems in sysfs of character devices that may be a TPM; swtpm can be one through CUSE. Opening others may do
 * harm.
 */
const TPM_SUBSYSTEMS: readonly string[] = ['tpm', 'tpmrm', 'cuse'];

interface Target {
  readonly path: string;
  readonly kind: 'device' | 'socket' | 'file';
}

/**
 * Refuses a string that names a file which cannot be a TPM, before anything is opened. A file that is missing, or that
 * this user may not inspect, is left to tpm2-tss.
 *
 * @throws TctiError
 */
export function refuseOtherFiles(tcti: string): void {
  for (const { path, kind } of targetsOf(tcti)) {
    const found = lookAt(path);
    if (found === undefined || IS_RIGHT[kind](found)) continue;
    throw new TctiError(`the TCTI string ${tcti} leads to ${path}, which is ${nameOf(found)}: ${REMEDIES[kind]}`);
  }
}

const IS_RIGHT: Readonly<Record<Target['kind'], (found: Stats) => boolean>> = {
  device: (found) => found.isCharacterDevice() && !isOtherDevice(found),
  socket: (found) => found.isSocket(),
  file: (found) => found.isFile(),
};

const REMEDIES: Readonly<Record<Target['kind'], string>> = {
  device: 'a TPM is a character device, and nothing was opened; give the device of the TPM, such as device:/dev/tpmrm0',
  socket: 'nothing was opened; give the socket on which the software TPM listens, such as swtpm:path=/run/tpm.sock',
  file: 'nothing was opened; give the file in which the TPM of libtpms keeps its state',
};

/** The TCTI module that talks to the TPM, and its configuration. `pcap` only records the traffic of another module. */
export function transportOf(tcti: string): { readonly module: string; readonly conf: string } {
  const colon = tcti.indexOf(':');
  const module = moduleOf(colon < 0 ? tcti : tcti.slice(0, colon));
  const conf = colon < 0 ? '' : tcti.slice(colon + 1);
  return module === 'pcap' ? transportOf(conf) : { module, conf };
}

function targetsOf(tcti: string): readonly Target[] {
  const { module, conf } = transportOf(tcti);
  const defaults = DEFAULT_DEVICES.map((path): Target => ({ path, kind: 'device' }));
  switch (module) {
    case '':
      return defaults;
    case 'device':
      return conf === '' ? defaults : [{ path: conf, kind: 'device' }];
    case 'swtpm':
    case 'mssim':
      return conf
        .split(',')
        .filter((pair) => pair.startsWith('path='))
        .map((pair) => ({ path: pair.slice('path='.length), kind: 'socket' }));
    case 'libtpms':
      return conf === '' ? [] : [{ path: conf, kind: 'file' }];
    default:
      return [];
  }
}

/** tctildr accepts `device`, the file name of the library, and its path. A link to the library may have any name. */
function moduleOf(name: string): string {
  const library = name.includes('/') ? basename(realPathOf(name)) : name;
  return /^libtss2-tcti-(\w+)(?:\.so(?:\..*)?)?$/.exec(library)?.[1] ?? library;
}

/** The path itself when it does not exist. */
export function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** True when sysfs names a subsystem that is not a TPM's; false when sysfs does not tell. */
function isOtherDevice({ rdev }: Stats): boolean {
  // glibc's layout of dev_t.
  const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
  try {
    return !TPM_SUBSYSTEMS.includes(basename(readlinkSync(`/sys/dev/char/${major}:${minor}/subsystem`)));
  } catch {
    return false;
  }
}

function nameOf(found: Stats): string {
  if (found.isFile()) return 'a regular file';
  if (found.isDirectory()) return 'a folder';
  if (found.isBlockDevice()) return 'a block device';
  if (found.isFIFO()) return 'a pipe';
  return found.isSocket() ? 'a socket' : 'another character device';
}
