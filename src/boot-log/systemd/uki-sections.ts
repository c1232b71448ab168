/** Sections of a unified kernel image in the order in which systemd-stub measures them (src/fundamental/uki.c, release 258). */
export const UKI_SECTIONS: readonly string[] = [
  ...['.linux', '.osrel', '.cmdline', '.initrd', '.ucode', '.splash', '.dtb'],
  ...['.uname', '.sbat', '.pcrpkey', '.profile', '.dtbauto', '.hwids', '.efifw'],
];
