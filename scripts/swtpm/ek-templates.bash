# The default EK templates of the TCG EK Credential Profile v2.6, annex B, as bytes. Sourced, never run.
# shellcheck shell=bash disable=SC2034

policy_a_sha256=837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa
policy_b_sha256=ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0
policy_b_sha384=b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12
policy_b_sha512=b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea

# zeros COUNT: prints COUNT zero bytes in hexadecimal.
zeros() { printf '%0*d' "$(($1 * 2))" 0; }

# sized HEX: prints a TPM2B with these bytes, in hexadecimal.
sized() { printf '%04x%s' "$((${#1} / 2))" "$1"; }

# ek_template NAME sets, for one row of the table:
#   ek_nv, ek_handle            NV index of the certificate; persistent handle (0x81010000 + the low byte of the index; L-1: 0x81010001)
#   ek_algorithm, ek_name_alg   as options of tpm2_createprimary
#   ek_attributes, ek_policy    the attributes likewise; the policy digest in hexadecimal
#   ek_unique_file              the unique field in the layout that tpm2_createprimary -u reads (that of tpm2-tss), or empty
#   ek_public, ek_unique        TPMT_PUBLIC without its unique field, and the unique field, both marshalled
ek_template() {
  local low='fixedtpm|fixedparent|sensitivedataorigin|adminwithpolicy|restricted|decrypt'
  local high="$low|userwithauth"
  local aes128=000600800043 aes256=000601000043 null=0010
  ek_unique_file=
  case $1 in
    L-1)
      ek_nv=0x01c00002 ek_handle=0x81010001 ek_algorithm=rsa2048:null:aes128cfb ek_name_alg=sha256
      ek_attributes=$low ek_policy=$policy_a_sha256
      ek_unique_file=0001$(zeros 256)
      ek_public=0001000b000300b2$(sized "$ek_policy")${aes128}${null}080000000000 ek_unique=$(sized "$(zeros 256)")
      ;;
    L-2)
      ek_nv=0x01c0000a ek_handle=0x8101000a ek_algorithm=ecc256:null:aes128cfb ek_name_alg=sha256
      ek_attributes=$low ek_policy=$policy_a_sha256
      ek_unique_file=2000$(zeros 128)2000$(zeros 128)
      ek_public=0023000b000300b2$(sized "$ek_policy")${aes128}${null}0003${null}
      ek_unique=$(sized "$(zeros 32)")$(sized "$(zeros 32)")
      ;;
    H-1)
      ek_nv=0x01c00012 ek_handle=0x81010012 ek_algorithm=rsa2048:null:aes128cfb ek_name_alg=sha256
      ek_attributes=$high ek_policy=$policy_b_sha256
      ek_public=0001000b000300f2$(sized "$ek_policy")${aes128}${null}080000000000 ek_unique=0000
      ;;
    H-2)
      ek_nv=0x01c00014 ek_handle=0x81010014 ek_algorithm=ecc256:null:aes128cfb ek_name_alg=sha256
      ek_attributes=$high ek_policy=$policy_b_sha256
      ek_public=0023000b000300f2$(sized "$ek_policy")${aes128}${null}0003${null} ek_unique=00000000
      ;;
    H-3)
      ek_nv=0x01c00016 ek_handle=0x81010016 ek_algorithm=ecc384:null:aes256cfb ek_name_alg=sha384
      ek_attributes=$high ek_policy=$policy_b_sha384
      ek_public=0023000c000300f2$(sized "$ek_policy")${aes256}${null}0004${null} ek_unique=00000000
      ;;
    H-4)
      ek_nv=0x01c00018 ek_handle=0x81010018 ek_algorithm=ecc521:null:aes256cfb ek_name_alg=sha512
      ek_attributes=$high ek_policy=$policy_b_sha512
      ek_public=0023000d000300f2$(sized "$ek_policy")${aes256}${null}0005${null} ek_unique=00000000
      ;;
    H-6)
      ek_nv=0x01c0001c ek_handle=0x8101001c ek_algorithm=rsa3072:null:aes256cfb ek_name_alg=sha384
      ek_attributes=$high ek_policy=$policy_b_sha384
      ek_public=0001000c000300f2$(sized "$ek_policy")${aes256}${null}0c0000000000 ek_unique=0000
      ;;
    *) misuse "unknown EK template '$1'; known are L-1, L-2, H-1, H-2, H-3, H-4, H-6 (swtpm has neither SM2 nor RSA-4096)" ;;
  esac
}
