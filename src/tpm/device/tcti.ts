/** What a TCTI string of tpm2-tss opens. Its modules write TPM commands into whatever they are given. */
import { readlinkSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import { TctiError } from './errors.ts';

/** What tpm2-tss opens by itself where the string names no device. */
const DEFAULT_DEVICES: readonly string[] = ['/dev/tpmrm0', '/dev/tpm0'];

/** Kinds of character devices that may be a TPM, by sysfs; swtpm can be one through CUSE. Opening others may do harm. */
const TPM_SUBSYSTEMS: readonly string[] = ['tpm', 'tpmrm', 'cuse'];

interface Target {
  readonly path: string;
  readonly kind: 'device' | 'socket' | 'file';
}

/**
 * Refuses a string that leads to a file which cannot be a TPM, before anything is opened. What is not there, or may not
 * be looked at, is left to tpm2-tss.
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

/** The module that talks to the TPM, and what it is given. `pcap` records what another module sends. */
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

/** tctildr takes `device`, the name of the library and its path; a link to the library may have any name. */
function moduleOf(name: string): string {
  const library = name.includes('/') ? basename(realPathOf(name)) : name;
  return /^libtss2-tcti-(\w+)(?:\.so(?:\..*)?)?$/.exec(library)?.[1] ?? library;
}

/** The path itself where nothing is there. */
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

/** By the kernel's own word for it, where sysfs is there to ask. */
function isOtherDevice({ rdev }: Stats): boolean {
  // As glibc takes a dev_t apart.
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
