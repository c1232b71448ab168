/**
 * ESYS_TR: how the ESYS layer names what it knows about. Not TPM handles; never reused within one context.
 *
 * Each kind is its own type, so that a session cannot be passed where a key is wanted.
 */
declare const kind: unique symbol;

/** A key or another object, loaded or persistent. */
export type KeyHandle = number & { readonly [kind]: 'key' };
/** An authorization session, or the password pseudo-session. */
export type SessionHandle = number & { readonly [kind]: 'session' };
/** An NV index. */
export type NvHandle = number & { readonly [kind]: 'nv' };
/** A hierarchy. */
export type HierarchyHandle = number & { readonly [kind]: 'hierarchy' };
/** "No object here": an optional handle left out. */
export type NoHandle = number & { readonly [kind]: 'none' };

/** What can carry an authorization value. */
export type EntityHandle = KeyHandle | NvHandle | HierarchyHandle;

/** The fixed handles (`tss2_esys.h` of tpm2-tss 3.2). */
export const ESYS_TR = {
  NONE: 0xfff as NoHandle,
  /** Authorizes with the entity's authValue in clear on the bus. */
  PASSWORD: 0x0ff as SessionHandle,
  RH_OWNER: 0x101 as HierarchyHandle,
  RH_NULL: 0x107 as HierarchyHandle,
  RH_LOCKOUT: 0x10a as HierarchyHandle,
  RH_ENDORSEMENT: 0x10b as HierarchyHandle,
  RH_PLATFORM: 0x10c as HierarchyHandle,
} as const;
