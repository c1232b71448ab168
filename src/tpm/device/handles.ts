/**
 * ESYS_TR: the handles of the ESYS layer. They differ from TPM handles, and ESYS never reuses one within a context.
 *
 * Each kind has a type of its own, so that a session cannot be passed as a key.
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
/** Stands for an optional handle that is left out. */
export type NoHandle = number & { readonly [kind]: 'none' };

/** An entity with an authorization value. */
export type EntityHandle = KeyHandle | NvHandle | HierarchyHandle;

/** The fixed handles (`tss2_esys.h` of tpm2-tss 3.2). */
export const ESYS_TR = {
  NONE: 0xfff as NoHandle,
  /** The password session: it sends the entity's authValue in clear over the bus. */
  PASSWORD: 0x0ff as SessionHandle,
  RH_OWNER: 0x101 as HierarchyHandle,
  RH_NULL: 0x107 as HierarchyHandle,
  RH_LOCKOUT: 0x10a as HierarchyHandle,
  RH_ENDORSEMENT: 0x10b as HierarchyHandle,
  RH_PLATFORM: 0x10c as HierarchyHandle,
} as const;
