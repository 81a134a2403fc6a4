"""A second implementation of docs/keystore-format.md, written from that page alone.

    python3 reference.py            recomputes every vector and compares
    python3 reference.py --write    writes the vectors (done once; they are frozen)

Needs argon2-cffi and cryptography. The signer's tests read the same files.
"""

import hashlib
import json
import pathlib
import struct
import sys

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FOLDER = pathlib.Path(__file__).parent
DEFAULT = (262144, 3, 1)


def constant(label):
    return hashlib.sha256(b"waiaas keystore vector: " + label.encode()).digest()


def argon2id(password, salt, cost):
    memory, passes, lanes = cost
    return hash_secret_raw(password, salt, passes, memory, lanes, 32, Type.ID, 0x13)


def hkdf(kek, salt, info):
    return HKDF(SHA256(), 32, salt, info).derive(kek)


def seal(draws, identity, kek, cost, body=None, commitment=None):
    signer_id, genesis, log_key = identity
    body = body if body is not None else draws["seed"] + draws["log_seed"] + b"\0\0"
    body_length = len(body) + 16
    file_length = 114 + 158 + body_length
    fixed = b"WAIAASKS" + struct.pack(">HHI", 1, 1, file_length) + signer_id + genesis + log_key
    fixed += draws["body_nonce"] + struct.pack(">IH", body_length, 1)
    names = draws["slot_id"] + draws["wrap_nonce"]
    if commitment is None:
        commitment = hkdf(kek, draws["salt"], b"waiaas/v1/keystore/commit" + names)
    wrap_key = hkdf(kek, draws["salt"], b"waiaas/v1/keystore/wrap" + names)
    fields = struct.pack(">HH", 1, 154) + draws["slot_id"] + struct.pack(">HIII", 1, *cost)
    fields += draws["salt"] + draws["wrap_nonce"] + commitment
    assert (len(fixed), len(fields)) == (114, 110)
    wrapped = AESGCM(wrap_key).encrypt(draws["wrap_nonce"], draws["data_key"], fixed + fields)
    header = fixed + fields + wrapped
    return header + AESGCM(draws["data_key"]).encrypt(draws["body_nonce"], body, header)


def material(name):
    sizes = {"seed": 32, "log_seed": 32, "slot_id": 16, "salt": 32, "data_key": 32,
             "body_nonce": 12, "wrap_nonce": 12}
    return {part: constant(f"{name} {part}")[:size] for part, size in sizes.items()}


def log_public_key(draws):
    return Ed25519PrivateKey.from_private_bytes(draws["log_seed"]).public_key().public_bytes_raw()


def opening(name, rule, password, cost):
    draws = material(name)
    identity = (constant(f"{name} signer")[:16], constant(f"{name} genesis"), log_public_key(draws))
    kek = argon2id(password.encode(), draws["salt"], cost)
    return {
        "rule": rule,
        "password": password,
        "memory_kib": cost[0], "passes": cost[1], "lanes": cost[2],
        "signer_id": identity[0].hex(), "genesis": identity[1].hex(),
        "log_public_key": identity[2].hex(),
        "draws": {part: value.hex() for part, value in draws.items()},
        "kek": kek.hex(),
        "file": seal(draws, identity, kek, cost).hex(),
        "expect": "opens",
    }


def vectors():
    good = opening("default", "the default cost opens", "correct horse battery staple", DEFAULT)
    yield "opens-default-cost", good
    yield "opens-higher-cost", opening(
        "higher", "a cost above the floor is read from the file",
        "\u00e4\u00f6\u00fc \ube44\ubc00\ubc88\ud638", (263168, 4, 2))

    draws = {part: bytes.fromhex(value) for part, value in good["draws"].items()}
    identity = tuple(bytes.fromhex(good[part]) for part in ("signer_id", "genesis", "log_public_key"))
    kek, file = bytes.fromhex(good["kek"]), bytes.fromhex(good["file"])

    def refused(rule, expect, changed, key=kek):
        return {"rule": rule, "kek": key.hex(), "file": changed.hex(), "expect": expect}

    def put(offset, value):
        return file[:offset] + value + file[offset + len(value):]

    def flip(offset):
        return put(offset, bytes([file[offset] ^ 1]))

    structure = [
        ("magic", "another magic", "Magic", flip(0)),
        ("version", "a version to come", "Version(2)", put(8, b"\0\2")),
        ("suite", "an unknown cipher suite", "Suite(2)", put(10, b"\0\2")),
        ("empty", "no byte at all", "Length { found: 0 }", b""),
        ("truncated", "one byte missing", "Length { found: 353 }", file[:-1]),
        ("trailing", "one byte too many", "Length { found: 355 }", file + b"\0"),
        ("file-length", "a wrong file length", "LengthField", put(12, struct.pack(">I", 355))),
        ("body-length", "a wrong body length", "LengthField", put(108, struct.pack(">I", 83))),
        ("no-slot", "no slot", "SlotCount(0)", put(112, b"\0\0")),
        ("two-slots", "two slots", "SlotCount(2)", put(112, b"\0\2")),
        ("slot-kind", "an unknown kind of slot", "SlotKind(2)", put(114, b"\0\2")),
        ("slot-length", "a wrong slot length", "LengthField", put(116, b"\0\x9b")),
        ("kdf", "an unknown KDF", "Kdf(2)", put(134, b"\0\2")),
        ("memory-floor", "one KiB below the floor", "Limit(Memory(262143))",
         put(136, struct.pack(">I", 262143))),
        ("memory-64-gib", "64 GiB are not even tried", "Limit(Memory(67108864))",
         put(136, struct.pack(">I", 67108864))),
        ("passes-floor", "two passes", "Limit(Passes(2))", put(140, struct.pack(">I", 2))),
        ("passes-ceiling", "17 passes", "Limit(Passes(17))", put(140, struct.pack(">I", 17))),
        ("lanes-zero", "no lane", "Limit(Lanes(0))", put(144, struct.pack(">I", 0))),
        ("lanes-ceiling", "five lanes", "Limit(Lanes(5))", put(144, struct.pack(">I", 5))),
    ]
    for name, rule, expect, changed in structure:
        yield f"malformed-{name}", refused(rule, expect, changed)

    authentic = [
        ("signer-id", 16), ("genesis", 32), ("log-public-key", 64), ("body-nonce", 96),
        ("slot-id", 118), ("memory", 139), ("passes", 143), ("salt", 148), ("wrap-nonce", 180),
        ("commitment", 192), ("wrapped-key", 224), ("wrapped-tag", 271), ("body", 272),
        ("body-tag", 353),
    ]
    for name, offset in authentic:
        yield f"altered-{name}", refused(
            f"a changed {name}, with the right key", "WrongPassword",
            put(offset, bytes([file[offset] + 1 & 255])))
    yield "wrong-key", refused("another key", "WrongPassword", file, constant("another key"))

    yield "commitment-of-another-key", refused(
        "everything decrypts, but the file is committed to another key", "WrongPassword",
        seal(draws, identity, kek, DEFAULT, commitment=constant("another commitment")))

    other = material("other")
    foreign = seal(other, (identity[0], identity[1], log_public_key(other)), kek, DEFAULT)
    yield "slot-of-another-file", refused(
        "the slot of another file of the same signer and password", "WrongPassword",
        file[:114] + foreign[114:272] + file[272:])
    yield "body-of-another-file", refused(
        "the body of another file of the same signer and password", "WrongPassword",
        file[:272] + foreign[272:])

    body = draws["seed"] + draws["log_seed"]
    yield "content-imported-count", refused(
        "authentic, but version 1 has no imported keys", "Body",
        seal(draws, identity, kek, DEFAULT, body + b"\0\1"))
    yield "content-log-key", refused(
        "authentic, but the log key is not the one of the header", "Body",
        seal(draws, (identity[0], identity[1], constant("not the key")), kek, DEFAULT))


def main():
    write = sys.argv[1:] == ["--write"]
    names = set()
    for name, vector in vectors():
        path = FOLDER / f"{name}.json"
        text = json.dumps(vector, indent=2) + "\n"
        names.add(path.name)
        if write:
            path.write_text(text)
        elif json.loads(path.read_text()) != vector:
            sys.exit(f"{path.name} differs")
    strangers = {path.name for path in FOLDER.glob("*.json")} - names
    if strangers:
        sys.exit(f"not from here: {sorted(strangers)}")
    print(f"{len(names)} vectors {'written' if write else 'agree'}")


if __name__ == "__main__":
    main()
