/** Tags of EV_EVENT_TAG that systemd and the kernel's EFI stub write. No digest covers them or their labels. */
export const EVENT_TAGS = {
  loaderConf: 0xf5bc582a,
  linuxInitrd: 0x8f3b22ec,
  loadOptions: 0x8f3b22ed,
} as const;
