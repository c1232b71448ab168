/** Finds out why the device of a TPM cannot be opened, and gives the remedy. tpm2-tss has one error for all reasons. */
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from 'node:fs';

export interface Surroundings {
  /**
   * The error code of opening the device for reading and writing (`ENOENT`, `EACCES`, `EBUSY`); undefined on success.
   */
  readonly failureOf: (path: string) => string | undefined;
  readonly isContainer: () => boolean;
  readonly userId: () => number;
}

/** One instruction for the operator of the machine. */
export function deviceRemedy(path: string, around: Surroundings = HERE): string {
  const failure = around.failureOf(path);
  // An unusual name that does not exist is more often a typing error than a sign of a missing TPM.
  const isMistyped = failure === 'ENOENT' && !USUAL.test(path);
  if ((failure === 'ENOENT' || failure === 'EPERM') && around.isContainer())
    return (
      `${isMistyped ? `${path} does not exist, and ` : ''}` +
      'this process runs in a container that was not given a TPM: start it with --device /dev/tpmrm0 and, unless it runs ' +
      "as root, with --group-add for the device's group (in Kubernetes by a device plugin)"
    );
  if (isMistyped) return `${path} does not exist: give the device of the TPM; "ls /dev/tpm*" lists them`;
  switch (failure) {
    case 'ENOENT':
    case 'ENXIO':
    case 'ENODEV':
      return 'no TPM is there: enable it in the firmware setup (TPM, PTT or fTPM), or add a virtual TPM to a virtual machine; then check with "ls /dev/tpm*"';
    case 'EACCES':
    case 'EPERM':
      return `this user (UID ${around.userId()}) may not open the device: add it to the device's group, mostly group tss ("usermod -aG tss USER"), and start its service or session again`;
    case 'EBUSY':
      return `other software holds the device: use device:/dev/tpmrm0, which programs can share, or end the program that "fuser -v ${path}" names`;
    default:
      return 'the device exists but fails: read the messages of its driver with "dmesg | grep -i tpm"';
  }
}

/** `/dev/tpm0` and `/dev/tpmrm0`, the names on every machine with one TPM. */
const USUAL = /^\/dev\/tpm(rm)?0$/;

const HERE: Surroundings = {
  failureOf,
  /**
   * Docker and Podman create a file, systemd-nspawn and LXC set a variable, Kubernetes sets the address of its service.
   */
  isContainer: () =>
    ['/.dockerenv', '/run/.containerenv', '/run/systemd/container'].some((path) => existsSync(path)) ||
    process.env['container'] !== undefined ||
    process.env['KUBERNETES_SERVICE_HOST'] !== undefined,
  userId: () => process.geteuid?.() ?? 0,
};

/** Opens the path only if it is a character device. Sends nothing. */
function failureOf(path: string): string | undefined {
  const { R_OK, W_OK, O_RDWR, O_NONBLOCK } = constants;
  try {
    accessSync(path, R_OK | W_OK);
    if (statSync(path).isCharacterDevice()) closeSync(openSync(path, O_RDWR | O_NONBLOCK));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
