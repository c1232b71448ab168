#!/usr/bin/env python3
"""Writes test/vectors/make-credential.json: an independent computation of TPM2_MakeCredential, from the specification.

TPM 2.0 Library Part 1: 11.4.10 (KDFa, KDFe), 24 (credential protection), B.4 and B.10.3 (RSA), C.6.1 and C.6.3 (ECC).
The script uses the standard library only. It implements AES, SM4, SM3, the curves and RSA-OAEP itself, and shares no code
with the product or with OpenSSL. It checks hashes, ciphers and curves first, with the examples of their standards. All
random values come from a fixed seed, so every run writes the same bytes. Usage: make-credential.py [FILE]
"""

import hashlib
import json
import sys
from pathlib import Path

# --- SM3 (GB/T 32905-2016) ---------------------------------------------------------------------------------------


def rotl(word, count):
    count %= 32
    return ((word << count) | (word >> (32 - count))) & 0xFFFFFFFF


def sm3(message):
    state = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    for start in range(0, len(padded), 64):
        w = [int.from_bytes(padded[start + i : start + i + 4], "big") for i in range(0, 64, 4)]
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ rotl(w[j - 3], 15)
            w.append(x ^ rotl(x, 15) ^ rotl(x, 23) ^ rotl(w[j - 13], 7) ^ w[j - 6])
        a, b, c, d, e, f, g, h = state
        for j in range(64):
            t = 0x79CC4519 if j < 16 else 0x7A879D8A
            ss1 = rotl((rotl(a, 12) + e + rotl(t, j)) & 0xFFFFFFFF, 7)
            ss2 = ss1 ^ rotl(a, 12)
            ff = a ^ b ^ c if j < 16 else (a & b) | (a & c) | (b & c)
            gg = e ^ f ^ g if j < 16 else (e & f) | (~e & g)
            tt1 = (ff + d + ss2 + (w[j] ^ w[j + 4])) & 0xFFFFFFFF
            tt2 = (gg + h + ss1 + w[j]) & 0xFFFFFFFF
            a, b, c, d = tt1, a, rotl(b, 9), c
            e, f, g, h = tt2 ^ rotl(tt2, 9) ^ rotl(tt2, 17), e, rotl(f, 19), g
        state = [old ^ new for old, new in zip(state, (a, b, c, d, e, f, g, h))]
    return b"".join(word.to_bytes(4, "big") for word in state)


assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"  # A.1

# --- hashes: TPM_ALG_ID, digest bytes, block bytes, function -------------------------------------------------------

HASHES = {
    "sha256": (0x000B, 32, 64, lambda data: hashlib.sha256(data).digest()),
    "sha384": (0x000C, 48, 128, lambda data: hashlib.sha384(data).digest()),
    "sha512": (0x000D, 64, 128, lambda data: hashlib.sha512(data).digest()),
    "sm3": (0x0012, 32, 64, sm3),
}


def hmac(name, key, message):
    """RFC 2104."""
    _, _, block, digest = HASHES[name]
    key = (digest(key) if len(key) > block else key).ljust(block, b"\0")
    inner = digest(bytes(b ^ 0x36 for b in key) + message)
    return digest(bytes(b ^ 0x5C for b in key) + inner)


# --- the finite fields of the S-boxes of AES and SM4 ---------------------------------------------------------------


def field_multiply(a, b, modulus):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= modulus
        b >>= 1
    return product


def field_inverse(a, modulus):
    return next((x for x in range(256) if field_multiply(a, x, modulus) == 1), 0)


# --- AES (FIPS 197), encryption ------------------------------------------------------------------------------------

AES_MODULUS = 0x11B


def aes_affine(x):
    return x ^ rot8(x, 1) ^ rot8(x, 2) ^ rot8(x, 3) ^ rot8(x, 4) ^ 0x63


def rot8(x, count):
    return ((x << count) | (x >> (8 - count))) & 0xFF


AES_SBOX = [aes_affine(field_inverse(x, AES_MODULUS)) for x in range(256)]


def aes_round_keys(key):
    words = [list(key[i : i + 4]) for i in range(0, len(key), 4)]
    size, rcon = len(words), 1
    while len(words) < 4 * (size + 7):
        word = list(words[-1])
        if len(words) % size == 0:
            word = [AES_SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = field_multiply(rcon, 2, AES_MODULUS)
        elif size > 6 and len(words) % size == 4:
            word = [AES_SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[-size], word)])
    return [sum(words[i : i + 4], []) for i in range(0, len(words), 4)]


def aes_encrypt(key, block):
    keys = aes_round_keys(key)
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, round_key in enumerate(keys[1:], 1):
        state = [AES_SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < len(keys) - 1:
            mixed = []
            for column in range(0, 16, 4):
                c = state[column : column + 4]
                mixed += [
                    field_multiply(c[i], 2, AES_MODULUS)
                    ^ field_multiply(c[(i + 1) % 4], 3, AES_MODULUS)
                    ^ c[(i + 2) % 4]
                    ^ c[(i + 3) % 4]
                    for i in range(4)
                ]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_key)]
    return bytes(state)


AES_EXAMPLE = bytes.fromhex("00112233445566778899aabbccddeeff")
assert aes_encrypt(bytes(range(16)), AES_EXAMPLE).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"  # C.1
assert aes_encrypt(bytes(range(32)), AES_EXAMPLE).hex() == "8ea2b7ca516745bfeafc49904b496089"  # C.3

# --- SM4 (GB/T 32907-2016), encryption -----------------------------------------------------------------------------

SM4_MODULUS = 0x1F5


def sm4_affine(x):
    """Multiplication by the circulant matrix of 0xA7, plus 0xD3 (Liu et al., 2007: the S-box as a formula)."""
    rows = [((0xA7 << i) | (0xA7 >> (8 - i))) & 0xFF for i in range(8)]
    return sum((bin(row & x).count("1") & 1) << i for i, row in enumerate(rows)) ^ 0xD3


SM4_SBOX = [sm4_affine(field_inverse(sm4_affine(x), SM4_MODULUS)) for x in range(256)]


def sm4_tau(word):
    return int.from_bytes(bytes(SM4_SBOX[b] for b in word.to_bytes(4, "big")), "big")


def sm4_encrypt(key, block):
    fk = (0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC)
    k = [int.from_bytes(key[4 * i : 4 * i + 4], "big") ^ fk[i] for i in range(4)]
    x = [int.from_bytes(block[4 * i : 4 * i + 4], "big") for i in range(4)]
    for i in range(32):
        ck = int.from_bytes(bytes((4 * i + j) * 7 % 256 for j in range(4)), "big")
        b = sm4_tau(k[1] ^ k[2] ^ k[3] ^ ck)
        k = k[1:] + [k[0] ^ b ^ rotl(b, 13) ^ rotl(b, 23)]
        b = sm4_tau(x[1] ^ x[2] ^ x[3] ^ k[3])
        x = x[1:] + [x[0] ^ b ^ rotl(b, 2) ^ rotl(b, 10) ^ rotl(b, 18) ^ rotl(b, 24)]
    return b"".join(word.to_bytes(4, "big") for word in reversed(x))


SM4_EXAMPLE = bytes.fromhex("0123456789abcdeffedcba9876543210")
assert sm4_encrypt(SM4_EXAMPLE, SM4_EXAMPLE).hex() == "681edf34d206965e86b3e94f536e4246"  # A.1

CIPHERS = {"aes": (0x0006, aes_encrypt), "sm4": (0x0013, sm4_encrypt)}


def cfb(cipher, key, plaintext):
    """Full-block feedback, initialisation vector zero."""
    encrypt, feedback, out = CIPHERS[cipher][1], bytes(16), b""
    for i in range(0, len(plaintext), 16):
        feedback = bytes(a ^ b for a, b in zip(plaintext[i : i + 16], encrypt(key, feedback)))
        out += feedback
    return out


# --- curves: TPM_ECC_CURVE, field bytes, p, a, b, G, n (SEC 2 2.4-2.6; GB/T 32918.5 for SM2) -----------------------

CURVES = {
    "P-256": (
        0x0003,
        32,
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        -3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "P-384": (
        0x0004,
        48,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
        -3,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
    "P-521": (
        0x0005,
        66,
        2**521 - 1,
        -3,
        0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,
        0x00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66,
        0x011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650,
        0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
    ),
    "SM2": (
        0x0020,
        32,
        0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF,
        -3,
        0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93,
        0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
        0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
        0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123,
    ),
}


def add(curve, left, right):
    _, _, p, a, _, _, _, _ = CURVES[curve]
    if left is None:
        return right
    if right is None:
        return left
    if left[0] == right[0] and (left[1] + right[1]) % p == 0:
        return None
    if left == right:
        slope = (3 * left[0] * left[0] + a) * pow(2 * left[1], -1, p)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, p)
    x = (slope * slope - left[0] - right[0]) % p
    return x, (slope * (left[0] - x) - left[1]) % p


def multiply(curve, scalar, point):
    result = None
    while scalar:
        if scalar & 1:
            result = add(curve, result, point)
        point = add(curve, point, point)
        scalar >>= 1
    return result


for curve_name, (_, _, p, a, b, gx, gy, n) in CURVES.items():
    assert (gy * gy - (gx**3 + a * gx + b)) % p == 0, curve_name
    assert multiply(curve_name, n, (gx, gy)) is None, curve_name

# --- deterministic random values -----------------------------------------------------------------------------------


class Stream:
    """SHA-256 in counter mode: the same bytes at every run."""

    def __init__(self, seed):
        self.seed, self.counter, self.left = seed.encode(), 0, b""

    def bytes(self, count):
        while len(self.left) < count:
            self.left += hashlib.sha256(self.seed + self.counter.to_bytes(4, "big")).digest()
            self.counter += 1
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def below(self, limit):
        size = (limit.bit_length() + 7) // 8
        while True:
            value = int.from_bytes(self.bytes(size), "big") >> (8 * size - limit.bit_length())
            if 0 < value < limit:
                return value


# --- RSA (RFC 8017) ------------------------------------------------------------------------------------------------

SMALL_PRIMES = [p for p in range(3, 2000, 2) if all(p % d for d in range(3, int(p**0.5) + 1, 2))]


def is_prime(n, stream):
    if any(n % p == 0 for p in SMALL_PRIMES):
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(24):
        x = pow(stream.below(n - 2) + 1, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(bits, stream):
    while True:
        candidate = int.from_bytes(stream.bytes(bits // 8), "big") | (3 << (bits - 2)) | 1
        if candidate % 65537 != 1 and is_prime(candidate, stream):
            return candidate


def mgf1(name, seed, length):
    _, size, _, digest = HASHES[name]
    return b"".join(digest(seed + i.to_bytes(4, "big")) for i in range(-(-length // size)))[:length]


def oaep_encrypt(name, modulus, message, label, seed):
    """RFC 8017 7.1.1, the mask generation function over the same hash."""
    _, size, _, digest = HASHES[name]
    length = (modulus.bit_length() + 7) // 8
    data = digest(label) + bytes(length - len(message) - 2 * size - 2) + b"\x01" + message
    masked = bytes(a ^ b for a, b in zip(data, mgf1(name, seed, len(data))))
    block = b"\0" + bytes(a ^ b for a, b in zip(seed, mgf1(name, masked, size))) + masked
    return pow(int.from_bytes(block, "big"), 65537, modulus).to_bytes(length, "big")


# --- TPM 2.0 Library -----------------------------------------------------------------------------------------------


def tpm2b(data):
    return len(data).to_bytes(2, "big") + data


def u16(value):
    return value.to_bytes(2, "big")


def u32(value):
    return value.to_bytes(4, "big")


def first_bits(block, size, bits):
    """The first `bits` bits, in whole bytes; the unused uppermost bits are zero (Part 1, 11.4.10.2)."""
    length = -(-bits // 8)
    stream = b"".join(block(u32(i + 1)) for i in range(-(-length // size)))[:length]
    return (int.from_bytes(stream, "big") & ((1 << bits) - 1)).to_bytes(length, "big")


def kdfa(name, key, label, context_u, context_v, bits):
    fixed = label + b"\0" + context_u + context_v + u32(bits)
    return first_bits(lambda counter: hmac(name, key, counter + fixed), HASHES[name][1], bits)


def kdfe(name, z, label, party_u, party_v, bits):
    fixed = z + label + b"\0" + party_u + party_v
    return first_bits(lambda counter: HASHES[name][3](counter + fixed), HASHES[name][1], bits)


def make_credential(row, stream):
    hash_id, size, _, digest = HASHES[row["hash"]]
    cipher_id, key_bits = CIPHERS[row["cipher"]][0], row["cipherBits"]
    attributes = 0x000300B2 if row["template"].startswith("L") else 0x000300F2
    # The computation does not depend on the policy, so any digest of the right size will do.
    header = u16(hash_id) + u32(attributes) + tpm2b(digest(b"a policy"))
    parameters = u16(cipher_id) + u16(key_bits) + u16(0x0043) + u16(0x0010)
    vector = {"template": row["template"], "key": row["key"], "nameAlg": row["hash"]}
    ak_name = u16(HASHES[row["akHash"]][0]) + HASHES[row["akHash"]][3](b"an attestation key")
    secret = stream.bytes(row["secretBytes"])

    if row["key"].startswith("RSA-"):
        bits = int(row["key"][4:])
        p, q = prime(bits // 2, stream), prime(bits // 2, stream)
        modulus = p * q
        public = u16(0x0001) + header + parameters + u16(bits) + u32(0) + tpm2b(modulus.to_bytes(bits // 8, "big"))
        seed, oaep_seed = stream.bytes(size), stream.bytes(size)
        encrypted = oaep_encrypt(row["hash"], modulus, seed, b"IDENTITY\0", oaep_seed)
        vector |= {
            "ekPrimes": [f"{p:x}", f"{q:x}"],
            "entropy": seed.hex(),
            "seed": seed.hex(),
        }
    else:
        curve_id, width, _, _, _, gx, gy, n = CURVES[row["key"]]
        wide = lambda number: number.to_bytes(width, "big")
        ek_x, ek_y = multiply(row["key"], stream.below(n), (gx, gy))
        while row.get("shortX") and ek_x >> (8 * width - 8):
            ek_x, ek_y = multiply(row["key"], stream.below(n), (gx, gy))
        strip = lambda data: data.lstrip(b"\0") if row.get("shortX") else data
        point = tpm2b(strip(wide(ek_x))) + tpm2b(strip(wide(ek_y)))
        public = u16(0x0023) + header + parameters + u16(curve_id) + u16(0x0010) + point
        ephemeral = stream.below(n)
        own_x, own_y = multiply(row["key"], ephemeral, (gx, gy))
        z, _ = multiply(row["key"], ephemeral, (ek_x, ek_y))
        seed = kdfe(row["hash"], wide(z), b"IDENTITY", wide(own_x), wide(ek_x), 8 * size)
        encrypted = tpm2b(wide(own_x)) + tpm2b(wide(own_y))
        vector |= {"entropy": wide(ephemeral).hex(), "seed": seed.hex()}

    sym_key = kdfa(row["hash"], seed, b"STORAGE", ak_name, b"", key_bits)
    enc_identity = cfb(row["cipher"], sym_key, tpm2b(secret))
    hmac_key = kdfa(row["hash"], seed, b"INTEGRITY", b"", b"", 8 * size)
    integrity = hmac(row["hash"], hmac_key, enc_identity + ak_name)
    return vector | {
        "ekPublic": public.hex(),
        "akName": ak_name.hex(),
        "secret": secret.hex(),
        "credentialBlob": (tpm2b(integrity) + enc_identity).hex(),
        "encryptedSecret": encrypted.hex(),
    }


def row(template, key, name_alg, cipher, cipher_bits, ak_hash="sha256", secret_bytes=32, **more):
    return {
        "template": template,
        "key": key,
        "hash": name_alg,
        "cipher": cipher,
        "cipherBits": cipher_bits,
        "akHash": ak_hash,
        "secretBytes": secret_bytes,
        **more,
    }


ROWS = [
    row("L-1", "RSA-2048", "sha256", "aes", 128),
    row("L-2", "P-256", "sha256", "aes", 128),
    row("L-2", "P-256", "sha256", "aes", 128, secret_bytes=0),
    row("L-2", "P-256", "sha256", "aes", 128, ak_hash="sha384", secret_bytes=17, shortX=True),
    row("H-3", "P-384", "sha384", "aes", 256),
    row("H-4", "P-521", "sha512", "aes", 256, ak_hash="sha512", secret_bytes=64),
    row("H-5", "SM2", "sm3", "sm4", 128),
    row("H-6", "RSA-3072", "sha384", "aes", 256),
    row("H-7", "RSA-4096", "sha384", "aes", 256, ak_hash="sha384", secret_bytes=48),
]

def kdf_vector(name, hash_name, bits, stream):
    """128 bits are a part of a block, 521 are not a whole number of bytes, and 1024 are several blocks."""
    key, u, v = stream.bytes(40), stream.bytes(34), stream.bytes(5)
    derive = {"KDFa": kdfa, "KDFe": kdfe}[name]
    return {
        "kdf": name,
        "hash": hash_name,
        "bits": bits,
        "key": key.hex(),
        "label": "LABEL",
        "contextU": u.hex(),
        "contextV": v.hex(),
        "derived": derive(hash_name, key, b"LABEL", u, v, bits).hex(),
    }


KDF_ROWS = [(kdf, name, bits) for kdf in ("KDFa", "KDFe") for name in HASHES for bits in (128, 256, 521, 1024)]

document = {
    "source": "TPM 2.0 Library Part 1, 11.4.10, 24, B.10.3, C.6.3, computed by scripts/vectors/make-credential.py",
    "note": "entropy: what the computation drew. RSA: the OAEP seed is not part of it, the primes open the secret.",
    "vectors": [make_credential(each, Stream(f"tpm-attestor {i}")) for i, each in enumerate(ROWS)],
    "kdf": [kdf_vector(*each, Stream("tpm-attestor kdf")) for each in KDF_ROWS],
}
default = Path(__file__).resolve().parents[2] / "test" / "vectors" / "make-credential.json"
target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
target.write_text(json.dumps(document, indent=1) + "\n")
