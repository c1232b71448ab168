/**
 * Secure Boot as PCR 7 has it (PC Client Platform Firmware Profile 1.06, 3.3.4.8): the variables in a fixed order, a
 * separator, then what verified each image. The grammar is closed: an event that is not in it withholds every claim.
 */
import type { BootView, Measured, PcrEvents } from '../replay/boot-view.ts';
import type { FirmwareEvent } from '../tcg/event.ts';
import { EVENT_TYPES } from '../tcg/event-types.ts';
import { GUID_BYTES, GUIDS, guidText } from '../tcg/guid.ts';
import { readSignatureLists } from '../tcg/signature-list.ts';
import { readUefiVariable, SHIM_STRAY_BYTES, type UefiVariable } from '../tcg/uefi-variable.ts';
import { type Claim, following, isWithheld } from './claim.ts';
import { actionText, fromPcr, unexpected } from './prerequisites.ts';
import { certificateSignature, type Signature, signatureOf } from './signature.ts';

/** Modes of UEFI 2.10, 32.3, and what weakens them. */
export interface SecureBootMode {
  /** No platform key is enrolled: anybody may enrol keys. */
  readonly setup: boolean;
  /** Undefined where the firmware does not measure the variable. */
  readonly audit: boolean | undefined;
  readonly deployed: boolean | undefined;
  /** "UEFI Debug Mode" was measured. */
  readonly debug: boolean;
  /** "DMA Protection Disabled" was measured. */
  readonly dmaProtectionDisabled: boolean;
}

/** What allowed an image, or what shim measured of its own settings. */
export interface Authority {
  /** `db`, `Shim`, `MokListRT`, `SbatLevel`, … */
  readonly variable: string;
  readonly guid: string;
  /** Undefined for data that are no certificate or hash. */
  readonly signature: Signature | undefined;
  /** Of SbatLevel. */
  readonly text: string | undefined;
}

/** Claims of PCR 7. */
export interface SecureBootClaims {
  readonly secureBoot: Claim<'enabled' | 'disabled'>;
  readonly secureBootMode: Claim<SecureBootMode>;
  readonly pk: Claim<readonly Signature[]>;
  readonly kek: Claim<readonly Signature[]>;
  readonly db: Claim<readonly Signature[]>;
  readonly dbx: Claim<readonly Signature[]>;
  readonly authorities: Claim<readonly Authority[]>;
}

const PCR = 7;
/** In this order, each once. */
const REQUIRED = ['SecureBoot', 'PK', 'KEK', 'db', 'dbx'];
const OPTIONAL = ['dbt', 'dbr', 'DeployedMode', 'AuditMode', 'SetupMode'];
const DATABASES = ['db', 'dbx', 'dbt', 'dbr'];
const DMA = 'DMA Protection Disabled';
const DEBUG = 'UEFI Debug Mode';

interface Contents {
  readonly actions: ReadonlySet<string>;
  readonly variables: ReadonlyMap<string, Uint8Array>;
  readonly authorities: readonly Measured<FirmwareEvent>[];
}

export function secureBootClaims(view: BootView): SecureBootClaims {
  const contents = fromPcr(view, PCR, readContents);
  const list = (name: string): Claim<readonly Signature[]> =>
    following(contents, ({ variables }) => signaturesIn(name, variables.get(name)));
  const pk = list('PK');
  return {
    secureBoot: following(contents, stateOf),
    secureBootMode: following(contents, (read) => modeOf(read, pk)),
    pk,
    kek: list('KEK'),
    db: list('db'),
    dbx: list('dbx'),
    authorities: following(contents, ({ authorities }) => authoritiesOf(authorities)),
  };
}

function readContents({ firmware }: PcrEvents): Claim<Contents> {
  const actions = new Set<string>();
  const variables = new Map<string, Uint8Array>();
  const authorities: Measured<FirmwareEvent>[] = [];
  let isSeparated = false;
  for (const measured of firmware) {
    const { type } = measured.event;
    if (type === EVENT_TYPES.EV_SEPARATOR) isSeparated = true;
    else if (type === EVENT_TYPES.EV_EFI_ACTION) {
      const text = actionText(measured);
      if (text !== DMA && text !== DEBUG) return unexpected(PCR, measured);
      actions.add(text);
    } else if (type === EVENT_TYPES.EV_EFI_VARIABLE_DRIVER_CONFIG) {
      // Whoever runs after the boot can append one (A40).
      if (isSeparated) return { withheld: 'PCR 7 has a variable after its separator' };
      const variable = measured.binding?.rule === 'whole' ? readUefiVariable(measured.event.data) : undefined;
      if (variable === undefined || !isKnown(variable)) return unexpected(PCR, measured);
      if (variables.has(variable.name)) return { withheld: `PCR 7 has the variable ${variable.name} twice` };
      variables.set(variable.name, variable.data);
    } else if (type === EVENT_TYPES.EV_EFI_VARIABLE_AUTHORITY && isSeparated) authorities.push(measured);
    else return unexpected(PCR, measured);
  }
  if (!isSeparated) return { withheld: 'PCR 7 has no separator' };
  const order = [...variables.keys()].filter((name) => REQUIRED.includes(name));
  if (order.join() !== REQUIRED.join())
    return { withheld: `PCR 7 does not have ${REQUIRED.join(', ')} in this order: it has ${order.join(', ')}` };
  return { value: { actions, variables, authorities } };
}

/** By its GUID as well: anybody may make a variable of any name (A47). */
function isKnown({ guid, name }: UefiVariable): boolean {
  if (!REQUIRED.includes(name) && !OPTIONAL.includes(name)) return false;
  return guid === (DATABASES.includes(name) ? GUIDS.imageSecurityDatabase : GUIDS.globalVariable);
}

function stateOf({ variables, authorities }: Contents): Claim<'enabled' | 'disabled'> {
  const isOn = flagIn('SecureBoot', variables.get('SecureBoot'));
  if (isWithheld(isOn)) return isOn;
  if (!isOn.value) return { value: 'disabled' };
  if (authorities.length === 0) return { withheld: 'SecureBoot is on, and nothing has verified an image' };
  return { value: 'enabled' };
}

function flagIn(name: string, data: Uint8Array | undefined): Claim<boolean> {
  const [flag = -1] = data ?? [];
  if (data?.length === 0) return { withheld: `the variable ${name} is empty: its state is unknown` };
  if (data?.length !== 1 || flag > 1) return { withheld: `the variable ${name} is not one byte of 0 or 1` };
  return { value: flag === 1 };
}

function modeOf({ variables, actions }: Contents, pk: Claim<readonly Signature[]>): Claim<SecureBootMode> {
  if (isWithheld(pk)) return pk;
  const flags = new Map<string, boolean>();
  for (const name of ['SetupMode', 'AuditMode', 'DeployedMode']) {
    const data = variables.get(name);
    const flag = data === undefined ? undefined : flagIn(name, data);
    if (flag === undefined) continue;
    if (isWithheld(flag)) return flag;
    flags.set(name, flag.value);
  }
  // Setup and audit mode are those without a platform key (UEFI 2.10, 32.3).
  const setup = pk.value.length === 0;
  if ((flags.get('SetupMode') ?? setup) !== setup) return { withheld: 'SetupMode and PK contradict each other' };
  return {
    value: {
      setup,
      audit: flags.get('AuditMode'),
      deployed: flags.get('DeployedMode'),
      debug: actions.has(DEBUG),
      dmaProtectionDisabled: actions.has(DMA),
    },
  };
}

function signaturesIn(name: string, data: Uint8Array | undefined): Claim<readonly Signature[]> {
  const entries = readSignatureLists(data ?? new Uint8Array());
  return typeof entries === 'string'
    ? { withheld: `the variable ${name} cannot be read: ${entries}` }
    : { value: entries.map(signatureOf) };
}

function authoritiesOf(events: readonly Measured<FirmwareEvent>[]): Claim<readonly Authority[]> {
  const authorities: Authority[] = [];
  for (const measured of events) {
    const { binding, event } = measured;
    if (binding === undefined) return unexpected(PCR, measured);
    const variable = readUefiVariable(event.data, binding.rule === 'minus-last-byte' ? SHIM_STRAY_BYTES : 0);
    if (variable === undefined) return { withheld: 'an authority in PCR 7 is no UEFI variable' };
    authorities.push(authorityOf(variable));
  }
  return { value: authorities };
}

function authorityOf({ guid, name, data }: UefiVariable): Authority {
  const isText = guid === GUIDS.shimLock && name === 'SbatLevel';
  return {
    variable: name,
    guid,
    signature: isText ? undefined : signatureIn(data),
    text: isText ? Buffer.from(data).toString('latin1') : undefined,
  };
}

const SHA256_BYTES = 32;

/** EFI_SIGNATURE_DATA of firmware, or the bare certificate of shim. */
function signatureIn(data: Uint8Array): Signature | undefined {
  if (isDer(data)) return certificateSignature(undefined, data);
  if (data.length <= GUID_BYTES) return undefined;
  const owner = guidText(data.subarray(0, GUID_BYTES));
  const rest = data.subarray(GUID_BYTES);
  if (isDer(rest)) return certificateSignature(owner, rest);
  return rest.length === SHA256_BYTES ? signatureOf({ type: 'sha256', owner, data: rest }) : undefined;
}

/** Whether it is a SEQUENCE of that very length, as a certificate is: two octets of length. */
function isDer(data: Uint8Array): boolean {
  const [tag, form, high = 0, low = 0] = data;
  return tag === 0x30 && form === 0x82 && data.length === 4 + high * 256 + low;
}
