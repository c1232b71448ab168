#!/usr/bin/env python3
"""Writes test/vectors/certificate-addresses.json: the addresses at which Intel and AMD publish the certificate of a key.

Two keys are published together with the addresses of their certificates (tpm2-software/tpm2-tools,
test/integration/tests/getekcertificate.sh; google/go-attestation, attest/tpm_test.go). The script first checks its
computation with them. For AMD no such pair is public; the formula is from tpm2-tools, tools/tpm2_getekcertificate.c. The
script makes the other keys, also with coordinates that begin with a zero octet. It uses the standard library only, and
shares no code with the product. Usage: certificate-addresses.py [FILE]
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from urllib.parse import quote

INTEL = "https://ekop.intel.com/ekcertservice/"
AMD = "https://ftpm.amd.com/pki/aia/"

# SEC 2, 2.4.2 and 2.5.1: p, a, b, base point, coordinate bytes.
CURVES = {
    "P-256": (
        0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
        -3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        (
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
        32,
    ),
    "P-384": (
        2**384 - 2**128 - 2**96 + 2**32 - 1,
        -3,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        (
            0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
            0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        ),
        48,
    ),
}


def add(curve, left, right):
    p, a = CURVES[curve][:2]
    if left == right:
        slope = (3 * left[0] ** 2 + a) * pow(2 * left[1], -1, p)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, p)
    x = (slope**2 - left[0] - right[0]) % p
    return x, (slope * (left[0] - x) - left[1]) % p


def point(curve, accept):
    """The first of G, 2G, 3G, … whose coordinates, as bytes, are accepted."""
    p, a, b, base, width = CURVES[curve]
    assert (base[1] ** 2 - base[0] ** 3 - a * base[0] - b) % p == 0
    found = base
    while True:
        x, y = (number.to_bytes(width, "big") for number in found)
        if accept(x, y):
            return x, y
        found = add(curve, found, base)


def intel(hashed):
    return INTEL + quote(base64.urlsafe_b64encode(hashlib.sha256(hashed).digest()))


def amd(hashed):
    return AMD + hashlib.sha256(hashed).hexdigest()[:32].upper()


def rsa(name, modulus, exponent=65537):
    urls = [amd(bytes.fromhex("00002222") + exponent.to_bytes(4, "big") + modulus)]
    if exponent == 65537:
        urls.insert(0, intel(modulus + bytes.fromhex("010001")))
    return {"name": name, "n": modulus.hex(), "e": f"{exponent:06x}", "urls": urls}


def ecc(name, curve, x, y):
    urls = [intel(x + y), amd(bytes.fromhex("00004444") + x + y)]
    return {"name": name, "curve": curve, "x": x.hex(), "y": y.hex(), "urls": urls}


PUBLISHED_MODULUS = bytes.fromhex(
    "c320e2f244a8601aacf3e01d26c665249935562de1da197e9e7f076c469613cfb653e98ec2c386fc1d133f2c8c6cc338b732f0b208bd838a"
    "877a3e5bbc3e1d4084e835c7c8906a1c05b4d2d30fdbebc1dbad950fa6b165bd4b6a864603146164c0c4f59d489011ef1f928deea6e90061"
    "f3d375e5646273151ef622252098be1a4ab01dc0a12227c609fdaceb115af408d4693a6f49919774695b0c12bc18a1ff7120a7337b2fb5f1"
    "951d8bb7f094d5b554c11c9523b30729fe64787d0a13b9e630488dab4dfd86634a5270ec72fcc5a44dc679a8f32938dd8197e29dae839f5b"
    "4ca0f5de27c9522c23c54e1c2ce57859525118bd4470b18180eef78ae4267bcd"
)
PUBLISHED_POINT = (
    bytes.fromhex("6d8e7630ee5d11e566e80299bfb9e43cec8c44f70bc8ad81b50f690a3deb7498"),
    bytes.fromhex("21a536c8fef7482313d7f4517f11c9f2b4cd424cbc8fe9094b89566851fe0853"),
)

published_rsa = rsa("RSA-2048, published", PUBLISHED_MODULUS)
published_ecc = ecc("P-256, published", "P-256", *PUBLISHED_POINT)
assert published_rsa["urls"][0] == INTEL + "WVEG2rRwkQ7m3RpXlUphgo6Y2HLxl18h6ZZkkOAdnBE%3D"
assert published_ecc["urls"][0] == INTEL + "eXT1X6I9wqIMOXll9LoXf0adQelkeaBccmoYU8Kth8o%3D"

VECTORS = [
    published_rsa,
    published_ecc,
    rsa("RSA-2048 with another exponent, which Intel has no name for", PUBLISHED_MODULUS, 65539),
    ecc("P-256, x begins with zero", "P-256", *point("P-256", lambda x, y: x[0] == 0)),
    ecc("P-256, y begins with zero", "P-256", *point("P-256", lambda x, y: y[0] == 0)),
    ecc("P-384", "P-384", *point("P-384", lambda x, y: x[0] != 0 and y[0] != 0)),
]

document = {
    "source": "computed by scripts/vectors/certificate-addresses.py, whose head says what is published",
    "vectors": VECTORS,
}
default = Path(__file__).resolve().parents[2] / "test" / "vectors" / "certificate-addresses.json"
target = Path(sys.argv[1]) if len(sys.argv) > 1 else default
target.write_text(json.dumps(document, indent=1) + "\n")
