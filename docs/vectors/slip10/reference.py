#!/usr/bin/env python3
"""SLIP-10 for Ed25519 from its description, and nodes made by it: `python3 reference.py > nodes.json`.

The vectors that SLIP-10 publishes are CC-BY-SA and not copied here; this program gives theirs as well
(`signer/src/vault/derive/published` runs the product over both). Needs only the standard library.
"""

import hashlib
import hmac
import json

HARDENED = 1 << 31


def node(key, data):
    digest = hmac.new(key, data, hashlib.sha512).digest()
    return digest[:32], digest[32:]


def derive(seed, steps):
    private, chain = node(b"ed25519 seed", seed)
    for step in steps:
        private, chain = node(chain, b"\0" + private + (step | HARDENED).to_bytes(4, "big"))
    return private, chain


def main():
    seeds = [bytes(range(16)), bytes(32), b"\xff" * 64, hashlib.sha512(b"waiaas").digest()]
    paths = [[], [0], [44], [44, 501], [44, 501, 0, 0], [44, 501, 1, 0], [44, 501, HARDENED - 1, 0],
             [HARDENED - 1, 1, HARDENED - 2], [0, 1, 2, 2, 1_000_000_000]]
    nodes = []
    for seed in seeds:
        for steps in paths:
            private, chain = derive(seed, steps)
            path = "/".join(["m", *(f"{step}'" for step in steps)])
            nodes.append({"seed": seed.hex(), "path": path, "private": private.hex(), "chain code": chain.hex()})
    print(json.dumps(nodes, indent=1))


main()
