#!/usr/bin/env python3
"""A second implementation of docs/identifiers.md, docs/encoding.md and docs/log.md, and their test vectors.

    python3 vectors.py            recomputes every vector and compares
    python3 vectors.py --write    writes the vectors (done once; they are frozen)
    python3 vectors.py --events FOLDER
                                  reads golden events: each is canonical and of the kind that its file names

Needs only the standard library. `shared/tests/vectors_docs.rs` runs the product's code over the same files.
"""

import base64
import hashlib
import json
import pathlib
import re
import sys

import heartbeat_vectors
import verify_log as log

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "vectors"
KINDS_OF_IDENTIFIER = ("signer", "wallet", "owner", "session", "tx", "statement", "agent")
DOMAINS = ("identifier", "genesis", "event", "journal", "policy", "statement", "request-body", "session-secret",
           "effect", "snapshot", "idempotency", "payment-index", "authorization-nonce")


# --- canonical CBOR, writing ------------------------------------------------------------------------------

def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise ValueError("too large")


def encode(value):
    if value is None:
        return b"\xf6"
    if value is True or value is False:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        if value < 1 << 64:
            return head(0, value)
        data = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return b"\xc2" + head(2, len(data)) + data
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return head(3, len(data)) + data
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    entries = sorted((encode(key), encode(item)) for key, item in value.items())
    return head(5, len(entries)) + b"".join(key + item for key, item in entries)


# --- names ----------------------------------------------------------------------------------------------

def rotate(lane, by):
    return (lane << by | lane >> (64 - by)) & (1 << 64) - 1 if by else lane


def keccak256(data):
    """Keccak-256 with the original padding, as Ethereum uses it."""
    lanes = [[0] * 5 for _ in range(5)]
    data = bytearray(data) + b"\x01"
    data += bytes(-len(data) % 136)
    data[-1] |= 0x80
    for block in range(0, len(data), 136):
        for place in range(17):
            part = data[block + 8 * place:block + 8 * place + 8]
            lanes[place % 5][place // 5] ^= int.from_bytes(part, "little")
        register = 1
        for _ in range(24):
            columns = [lane[0] ^ lane[1] ^ lane[2] ^ lane[3] ^ lane[4] for lane in lanes]
            for x in range(5):
                mixed = columns[(x + 4) % 5] ^ rotate(columns[(x + 1) % 5], 1)
                lanes[x] = [lane ^ mixed for lane in lanes[x]]
            x, y, current = 1, 0, lanes[1][0]
            for step in range(24):
                x, y = y, (2 * x + 3 * y) % 5
                current, lanes[x][y] = lanes[x][y], rotate(current, (step + 1) * (step + 2) // 2 % 64)
            for y in range(5):
                row = [lanes[x][y] for x in range(5)]
                for x in range(5):
                    lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
            for bit in range(7):
                register = (register << 1 ^ (register >> 7) * 0x171) % 256
                if register & 2:
                    lanes[0][0] ^= 1 << (1 << bit) - 1
    return b"".join(lanes[x][0].to_bytes(8, "little") for x in range(4))


def evm_text(address):
    plain = address.hex()
    sums = keccak256(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(s, 16) > 7 else c for c, s in zip(plain, sums))


def is_evm(text):
    try:
        return text.startswith("0x") and evm_text(bytes.fromhex(text[2:])) == text and len(text) == 42
    except ValueError:
        return False


def base58_length(text):
    """Length of what base58 stands for; -1 for other characters."""
    if not text or any(character not in log.BASE58 for character in text):
        return -1
    number = 0
    for character in text:
        number = number * 58 + log.BASE58.index(character)
    return (number.bit_length() + 7) // 8 + len(text) - len(text.lstrip("1"))


def family(chain):
    """"solana", "evm", or nothing."""
    space, _, reference = chain.partition(":")
    if space == "solana" and (reference == "localnet" or len(reference) == 32 and base58_length(reference) >= 0):
        return "solana"
    digits = reference.isascii() and reference.isdigit() and not reference.startswith("0")
    if space == "eip155" and digits and int(reference) < 1 << 64:
        return "evm"
    return None


def is_account(text):
    chain, _, address = text.rpartition(":")
    return {"solana": base58_length(address) == 32, "evm": is_evm(address)}.get(family(chain), False)


def is_asset(text):
    chain, slash, token = text.partition("/")
    space, _, reference = token.partition(":")
    if not slash:
        return False
    if family(chain) == "solana":
        return token == "slip44:501" or space == "token" and base58_length(reference) == 32
    contract, _, number = reference.partition("/")
    piece = space in ("erc721", "erc1155") and is_evm(contract) and is_number(number)
    return family(chain) == "evm" and (token == "slip44:60" or space == "erc20" and is_evm(reference) or piece)


def is_number(text):
    return re.fullmatch("0|[1-9][0-9]*", text) is not None and int(text) < 2**256


# --- the vectors ----------------------------------------------------------------------------------------

def identifiers():
    entropy = bytes(range(32))
    values = [bytes(16), (1).to_bytes(16, "big"), bytes(range(16)), b"\xff" * 16]
    yield "identifiers/typeid.json", {
        "rule": "an identifier is a TypeID: prefix, underscore, 26 characters of Crockford base32 for 128 bits",
        "valid": [
            {"prefix": prefix, "bytes": value.hex(), "text": log.identifier_text(prefix, value)}
            for prefix in KINDS_OF_IDENTIFIER for value in values
        ],
        "refused": [
            {"prefix": "wallet", "text": text, "why": why} for text, why in (
                ("wallet_8zzzzzzzzzzzzzzzzzzzzzzzzz", "more than 128 bits"),
                ("wallet_0000000000000000000000000A", "upper case"),
                ("wallet_0000000000000000000000000u", "a letter that the alphabet lacks"),
                ("wallet_0000000000000000000000000", "25 characters"),
                ("wallet_000000000000000000000000000", "27 characters"),
                ("owner_00000000000000000000000000", "another kind"),
                ("wallet00000000000000000000000000", "no underscore"),
                ("Wallet_00000000000000000000000000", "prefix in another case"),
                (" wallet_00000000000000000000000000", "a blank in front"),
                ("wallet_00000000000000000000000000 ", "a blank behind"),
                ("00000000000000000000000000", "no prefix"),
                ("", "nothing"),
            )
        ],
    }
    yield "identifiers/derive.json", {
        "rule": "a new identifier is the first 16 bytes of the digest of prefix, entropy and counter (32 bits)",
        "derived": [
            {
                "prefix": prefix, "entropy": entropy.hex(), "counter": counter,
                "text": log.identifier_text(prefix, log.digest(
                    "waiaas/v1/identifier", prefix.encode(), entropy, counter.to_bytes(4, "big"))[:16]),
            }
            for prefix in KINDS_OF_IDENTIFIER for counter in (0, 1, 4294967295)
        ],
    }
    chains = {
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": False, "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": True,
        "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z": True, "solana:localnet": True, "eip155:1": False,
        "eip155:10": False, "eip155:137": False, "eip155:8453": False, "eip155:42161": False, "eip155:1337": True,
        "eip155:31337": True, "eip155:80002": True, "eip155:84532": True, "eip155:421614": True,
        "eip155:560048": True, "eip155:11155111": True, "eip155:11155420": True,
        "eip155:18446744073709551615": False,
    }
    yield "identifiers/chains.json", {
        "rule": "a chain is named by CAIP-2; test networks are compiled in",
        "valid": [{"text": text, "family": family(text), "test_network": test} for text, test in chains.items()],
        "refused": ["eip155:0", "eip155:01", "eip155:+1", "eip155:", "eip155:18446744073709551616", "EIP155:1",
                    "eip155:1 ", "eip155:1x", "solana:", "solana:mainnet", "solana:Localnet",
                    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd0",
                    "bip122:000000000019d6689c085ae165831e93", "eip155", ""],
    }
    mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    contract = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
    yield "identifiers/assets.json", {
        "rule": "an asset is named by CAIP-19: native coin, SPL mint or ERC-20 contract",
        "valid": ["solana:localnet/slip44:501", "eip155:1/slip44:60", f"solana:localnet/token:{mint}",
                  f"eip155:8453/erc20:{contract}", f"eip155:8453/erc721:{contract}/0",
                  f"eip155:8453/erc1155:{contract}/{2**256 - 1}"],
        "refused": ["eip155:1/slip44:501", "solana:localnet/slip44:60", f"eip155:1/token:{mint}",
                    f"solana:localnet/erc20:{contract}", "eip155:1", "eip155:1/", "eip155:1/slip44:060",
                    f"eip155:8453/erc20:{contract.lower()}", f"eip155:8453/erc721:{contract}", "/slip44:60", "",
                    f"eip155:8453/erc721:{contract}/", f"eip155:8453/erc721:{contract}/00",
                    f"eip155:8453/erc721:{contract}/0x1", f"eip155:8453/erc1155:{contract}/{2**256}",
                    f"eip155:8453/erc20:{contract}/1", f"solana:localnet/erc721:{contract}/1"],
    }
    account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    yield "identifiers/accounts.json", {
        "rule": "an account is named by CAIP-10; EVM addresses carry the EIP-55 checksum",
        "valid": [f"eip155:1:{account}", "eip155:31337:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
                  "solana:localnet:11111111111111111111111111111111", f"solana:localnet:{mint}"],
        "refused": [f"eip155:1:{account.lower()}", "eip155:1:" + account[:2] + account[2:].upper(),
                    "eip155:1:" + account.replace("aA", "AA", 1), f"eip155:1:{account[2:]}", f"eip155:1:{mint}",
                    f"solana:localnet:{account}", f"solana:localnet:{mint}1", "solana:localnet:1111",
                    f"eip155:1/{account}", account, ""],
    }


def encoding():
    digests = [(domain, [b"waiaas"]) for domain in DOMAINS]
    digests += [("event", parts) for parts in ([], [b""], [b"ab", b"c"], [b"a", b"bc"], [b"abc"])]
    yield "encoding/digests.json", {
        "rule": "SHA-256 over domain and parts, each behind its length in 64 bits, big endian",
        "digests": [
            {"domain": f"waiaas/v1/{domain}", "parts": [part.hex() for part in parts],
             "digest": log.digest(f"waiaas/v1/{domain}", *parts).hex()}
            for domain, parts in digests
        ],
    }
    amounts = [0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, 2**64, 2**72, 2**127, 2**128 - 1]
    yield "encoding/amounts.json", {
        "rule": "base units: an integer up to 64 bits, a tag-2 bignum without leading zeros above, up to 128 bits",
        "valid": [{"units": str(units), "bytes": encode(units).hex()} for units in amounts],
        "refused": [
            {"bytes": data, "why": why} for data, why in (
                ("c24101", "1 as a bignum"),
                ("c248ffffffffffffffff", "2^64 - 1 as a bignum"),
                ("c24a00010000000000000000", "a bignum with a leading zero"),
                ("c2510100000000000000000000000000000000", "2^128"),
                ("c349010000000000000000", "a negative bignum"),
                ("20", "minus one"), ("1801", "an integer longer than needed"), ("f90000", "a float"),
                ("6131", "text"), ("", "nothing"),
            )
        ],
    }
    limit = {0: "eip155:1/slip44:60", 1: 10, 2: 20}
    good = encode(limit)
    pairs = [encode(key) + encode(item) for key, item in limit.items()]
    clocks = encode([1_800_000_000_000, 5000, 6000])
    yield "encoding/canonical.json", {
        "rule": "a value has one form (RFC 8949 section 4.2.1); unknown fields are another form. `cbor` tells whether "
                "the bytes are deterministic CBOR at all: then only the type refuses them",
        "valid": [
            {"type": "session-limit", "bytes": good.hex(), "what": "a map, fields numbered 0, 1, 2"},
            {"type": "clocks", "bytes": clocks.hex(), "what": "an array of three clocks"},
        ],
        "refused": [
            {"type": kind, "bytes": data.hex(), "cbor": cbor, "why": why} for kind, data, cbor, why in (
                ("session-limit", b"\xb8\x03" + good[1:], False, "a length longer than needed"),
                ("session-limit", b"\xbf" + good[1:] + b"\xff", False, "an indefinite map"),
                ("session-limit", b"\xa3" + pairs[1] + pairs[0] + pairs[2], False, "keys out of order"),
                ("session-limit", b"\xa4" + pairs[0] + pairs[1] + pairs[1] + pairs[2], False, "a doubled key"),
                ("session-limit", b"\xa4" + good[1:] + encode(3) + encode(0), True, "an unknown field"),
                ("session-limit", b"\xa4" + good[1:] + encode(3) + encode(None), True, "an unknown field, absent"),
                ("session-limit", b"\xa2" + pairs[0] + pairs[1], True, "a missing field"),
                ("session-limit", b"\xa3" + pairs[0] + encode(1) + b"\x18\x0a" + pairs[2], False, "a long integer"),
                ("session-limit", encode({**limit, 0: "eip155:01/slip44:60"}), True, "another form of a name"),
                ("session-limit", good + b"\x00", False, "a trailing byte"),
                ("session-limit", good[:-1], False, "a missing byte"),
                ("clocks", encode([1, 2, 3, 4]), True, "an element too many"),
                ("clocks", encode([1, 2]), True, "an element too few"),
                ("clocks", b"\x9f\x01\x02\x03\xff", False, "an indefinite array"),
                ("clocks", encode([1, 2, 2**64]), True, "more than 64 bits"),
            )
        ],
    }


def sign(seed, message):
    """RFC 8032 section 5.1.6."""
    expanded = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(expanded[:32], "little") & (1 << 254) - 8 | 1 << 254
    key = compress(log.times(scalar, log.BASE))
    nonce = int.from_bytes(hashlib.sha512(expanded[32:] + message).digest(), "little") % log.Q
    point = compress(log.times(nonce, log.BASE))
    challenge = int.from_bytes(hashlib.sha512(point + key + message).digest(), "little") % log.Q
    return key, point + ((nonce + challenge * scalar) % log.Q).to_bytes(32, "little")


def compress(point):
    inverse = pow(point[2], log.P - 2, log.P)
    x, y = point[0] * inverse % log.P, point[1] * inverse % log.P
    return (y | (x & 1) << 255).to_bytes(32, "little")


SIGNER = bytes([1] * 16)
OTHER_SIGNER = bytes([2] * 16)
# RFC 8032 section 7.1, tests 1 and 2.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
OTHER_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")


def log_cases():
    name = log.identifier_text("signer", SIGNER)
    key = sign(SEED, b"")[0]
    first = {"signer": name, "log_key": key.hex()}

    def body(wall, kind, *fields):
        return encode([[1_800_000_000_000 + wall, wall, wall], [kind, list(fields)]])

    def export(bodies, ends):
        lines, previous = [first], log.genesis(SIGNER, key)
        for sequence, content in enumerate(bodies, 1):
            previous = log.link(previous, sequence, content)
            lines.append({"sequence": sequence, "body": base64.b64encode(content).decode(), "hash": previous.hex()})
            if sequence in ends:
                lines.append({"head": head_note(sequence, previous)})
        return lines

    def head_note(sequence, value, seed=SEED, signer=SIGNER, named_key=None):
        text = log.identifier_text("signer", signer)
        own, signature = sign(seed, log.note_text(text, sequence, value).encode())
        blob = log.key_id(text, named_key or own) + signature
        return log.note_text(text, sequence, value) + f"\n\u2014 {text} {base64.b64encode(blob).decode()}\n"

    bodies = [
        body(0, 0, SIGNER),
        body(0, 1, log.digest("waiaas/v1/journal"), 0, 0, False),
        body(1000, 20, None, 80, 3),
        body(2000, 13, None, 0),
        body(3000, 2, 1),
    ]
    ends = {2, 4, 5}
    sound = export(bodies, ends)
    # Lines: 0 first, 1 and 2 events, 3 head, 4 and 5 events, 6 head, 7 event, 8 head.
    hashes = {line["sequence"]: bytes.fromhex(line["hash"]) for line in sound if "hash" in line}

    def but(change):
        lines = [dict(line) for line in sound]
        change(lines)
        return lines

    def with_head(text):
        return but(lambda lines: lines[6].update(head=text))

    def flipped(place):
        changed = bytearray(bodies[2])
        changed[place] ^= 1
        return base64.b64encode(bytes(changed)).decode()

    good = sound[6]["head"]
    blob = bytearray(base64.b64decode(good.rstrip("\n").rsplit(" ", 1)[1]))

    def blob_with(place):
        changed = bytearray(blob)
        changed[place] ^= 1
        return good.replace(base64.b64encode(blob).decode(), base64.b64encode(changed).decode())

    verified = {"verified": {"sequence": 5, "hash": hashes[5].hex()}}
    nothing = {"verified": {"sequence": 0, "hash": log.genesis(SIGNER, key).hex()}}

    def refused(rule, event=None):
        return {"refused": rule} if event is None else {"refused": rule, "event": event}

    def swap(lines):
        lines[4], lines[5] = lines[5], lines[4]

    def renumbered(lines):
        lines[4]["sequence"] = 4

    def other_genesis(lines):
        lines[0]["signer"] = log.identifier_text("signer", OTHER_SIGNER)

    def moved(lines):
        lines.insert(5, lines.pop(6))

    yield "sound", "a log in three batches", sound, verified
    yield "sound-one-batch", "the same events with one head", export(bodies, {5}), verified
    yield "sound-base58-key", "the key in base58", but(lambda lines: lines[0].update(
        log_key="FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z")), verified
    yield "empty", "a log without events is its genesis", [first], nothing
    yield "body-changed", "one bit of a body", but(lambda lines: lines[4].update(body=flipped(-1))), refused("chain", 3)
    yield "hash-changed", "one digit of a hash", but(lambda lines: lines[4].update(
        hash=lines[4]["hash"][:-1] + ("0" if lines[4]["hash"][-1] != "0" else "1"))), refused("chain", 3)
    yield "event-withheld", "an event is missing", but(lambda lines: lines.pop(4)), refused("sequence", 4)
    yield "event-doubled", "an event twice", but(lambda lines: lines.insert(5, lines[4])), refused("sequence", 3)
    yield "events-swapped", "two events change places", but(swap), refused("sequence", 4)
    yield "event-renumbered", "an event under another number", but(renumbered), refused("sequence", 4)
    yield "first-event-withheld", "the log begins later", but(lambda lines: lines.pop(1)), refused("sequence", 2)
    yield "other-signer", "events of one signer under the name of another", but(other_genesis), refused("chain", 1)
    yield "other-key-in-export", "the export names another key", but(
        lambda lines: lines[0].update(log_key=sign(OTHER_SEED, b"")[0].hex())), refused("chain", 1)
    yield "newest-unsigned", "no head for the newest event", sound[:-1], refused("unsigned")
    yield "no-head", "events without any head", export(bodies, set()), refused("unsigned")
    yield "truncated-at-a-head", "the newest batch is missing: only a kept head shows it", sound[:7], {
        "verified": {"sequence": 4, "hash": hashes[4].hex()}}
    yield "head-too-early", "a head before its last event", but(moved), refused("head", 4)
    yield "head-doubled-later", "an old head again", but(lambda lines: lines.append(lines[6])), refused("head", 4)
    yield "head-of-other-hash", "a signed head over another hash", with_head(
        head_note(4, hashes[3])), refused("head", 4)
    yield "head-of-other-sequence", "a signed head with another number", with_head(
        head_note(3, hashes[4])), refused("head", 3)
    yield "head-of-other-signer", "a head signed by the same key for another signer", with_head(
        head_note(4, hashes[4], signer=OTHER_SIGNER)), refused("head", 4)
    yield "head-by-other-key", "a head by another key", with_head(
        head_note(4, hashes[4], seed=OTHER_SEED)), refused("note_signature")
    yield "head-by-other-key-named-ours", "a head by another key, under our key's id", with_head(
        head_note(4, hashes[4], seed=OTHER_SEED, named_key=key)), refused("note_signature")
    yield "head-key-id-changed", "one bit of the key id", with_head(blob_with(0)), refused("note_signature")
    yield "head-signature-changed", "one bit of the signature", with_head(blob_with(10)), refused("note_signature")
    yield "head-scalar-changed", "one bit of the signature's number", with_head(blob_with(40)), refused("note_signature")
    for case, why, text in (
        ("version", "another origin", good.replace("log/v1", "log/v2")),
        ("leading-zero", "a number with a leading zero", good.replace("\n4\n", "\n04\n")),
        ("plus", "a number with a sign", good.replace("\n4\n", "\n+4\n")),
        ("no-newline", "no newline at the end", good.rstrip("\n")),
        ("more-newlines", "one newline more", good + "\n"),
        ("hyphen", "a hyphen in place of the dash", good.replace("\u2014", "-")),
        ("two-signatures", "a second signature line", good + good.split("\n\n")[1]),
        ("name", "a signature line of another name", good.replace(f"\u2014 {name}", "\u2014 signer")),
        ("heartbeat", "a heartbeat by the log's key", heartbeat_vectors.beat(sign, SIGNER, SEED)),
        ("empty", "nothing", ""),
    ):
        yield f"head-form-{case}", why, with_head(text), refused("note_form")
    for case, why, content in (
        ("long-integer", "a clock longer than needed", b"\x82\x83\x18\x01\x00\x00\x82\x0f\x82\x01\x00"),
        ("indefinite", "an indefinite array", b"\x82\x83\x00\x00\x00\x82\x0f\x9f\x01\x00\xff"),
        ("trailing", "a byte behind the event", bodies[2] + b"\x00"),
        ("truncated", "an event cut off", bodies[2][:-1]),
        ("unknown-kind", "a kind of a later version", body(1000, 9999)),
        ("two-clocks", "a clock is missing", encode([[1, 1], [15, [1, 0]]])),
        ("empty", "no bytes", b""),
    ):
        lines = export([*bodies[:2], content, *bodies[3:]], ends)
        yield f"event-form-{case}", f"properly chained and signed, but {why}", lines, refused("body", 3)
    back = body(500, 13, None, 0)
    yield "clock-goes-back", "properly chained and signed, but earlier than the event before", export(
        [*bodies[:3], back, bodies[4]], ends), refused("clock", 4)


def logs():
    for name, rule, lines, outcome in log_cases():
        yield f"log/{name}.json", {"rule": rule, "export": lines, **outcome}


def heartbeats():
    for name, vector in heartbeat_vectors.cases(sign, (SIGNER, SEED), (OTHER_SIGNER, OTHER_SEED)):
        yield f"heartbeat/{name}.json", vector


def judged(vector):
    """What the verifier says of a log vector, in the vector's own words."""
    try:
        found = log.verify([json.dumps(line) for line in vector["export"]])
    except log.Refused as refused:
        at = {} if refused.where is None else {"event": refused.where}
        return {"refused": refused.rule, **at}
    return {"verified": {"sequence": found.sequence, "hash": found.hash.hex()}}


def check(path, vector):
    """Runs this implementation over a vector; every word of the file was compared before."""
    if path.startswith("log/"):
        expected = {key: vector[key] for key in ("verified", "refused", "event") if key in vector}
        assert judged(vector) == expected, (path, judged(vector))
        # Once more without an installed library.
        installed, log.ed25519 = log.ed25519, log.own_ed25519
        assert judged(vector) == expected, (path, judged(vector))
        log.ed25519 = installed
    elif path.startswith("heartbeat/"):
        expected = {key: vector[key] for key in ("said", "refused") if key in vector}
        for own in (False, True):
            installed = log.ed25519
            log.ed25519 = log.own_ed25519 if own else installed
            assert heartbeat_vectors.judged(vector) == expected, (path, heartbeat_vectors.judged(vector))
            log.ed25519 = installed
    elif path == "identifiers/typeid.json":
        for case in vector["valid"]:
            assert log.identifier_bytes(case["prefix"], case["text"]).hex() == case["bytes"], case
        for case in vector["refused"]:
            assert raises(log.identifier_bytes, case["prefix"], case["text"]), case
    elif path.endswith(("chains.json", "assets.json", "accounts.json")):
        accepts = {"chains": family, "assets": is_asset, "accounts": is_account}[path.split("/")[1][:-5]]
        for case in vector["valid"]:
            assert accepts(case["text"] if isinstance(case, dict) else case), case
        for text in vector["refused"]:
            assert not accepts(text), text
    elif path.endswith(("amounts.json", "canonical.json")):
        for case in vector["valid"]:
            log.decode(bytes.fromhex(case["bytes"]))
        for case in vector["refused"]:
            # An amount's text is deterministic CBOR of another type.
            refused = raises(log.decode, bytes.fromhex(case["bytes"]))
            assert refused != case.get("cbor", case["why"] == "text"), case


def raises(function, *arguments):
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


def events(folder):
    found = set()
    for file in sorted(pathlib.Path(folder).glob("*.txt")):
        body = bytes.fromhex(file.read_text(encoding="utf-8").split("\n")[0])
        clocks, kind, _ = log.event(body)
        assert encode(log.decode(body)) == body, file.name
        assert len(clocks) == 3 and file.stem.replace("-", "_").startswith(kind), file.name
        found.add(kind)
    if found != set(log.KINDS.values()):
        print(f"kinds without a golden file, or the reverse: {found ^ set(log.KINDS.values())}", file=sys.stderr)
        return 1
    print(f"{len(found)} kinds of event")
    return 0


def main():
    if sys.argv[1:2] == ["--events"] and len(sys.argv) == 3:
        return events(sys.argv[2])
    write = sys.argv[1:] == ["--write"]
    if sys.argv[1:] and not write:
        print(__doc__, file=sys.stderr)
        return 64
    # Ethereum's own test of the hash, and RFC 8032 section 7.1, test 1.
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    key, signature = sign(SEED, b"")
    assert key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert signature.hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974")
    assert log.own_ed25519(key, b"", signature) and not log.own_ed25519(key, b"x", signature)

    made = dict([*identifiers(), *encoding(), *logs(), *heartbeats()])
    for path, vector in made.items():
        file = FOLDER / path
        text = json.dumps(vector, indent=1, ensure_ascii=False) + "\n"
        if write:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if file.read_text(encoding="utf-8") != text:
            print(f"{path}: differs", file=sys.stderr)
            return 1
        check(path, vector)
    kept = {str(path.relative_to(FOLDER)) for folder in ("identifiers", "encoding", "log", "heartbeat")
            for path in (FOLDER / folder).glob("*.json")}
    if kept != set(made):
        print(f"files without a case, or cases without a file: {sorted(kept ^ set(made))}", file=sys.stderr)
        return 1
    print(f"{len(made)} files agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
