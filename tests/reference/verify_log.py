#!/usr/bin/env python3
"""Verifies an exported log or a heartbeat of a WAIaaS signer, without a line of the product's code.

    waiaas audit export log.jsonl
    python3 verify_log.py log.jsonl [--log-key KEY] [--head FILE]... [--heartbeat FILE]... [--quiet]
    waiaas audit heartbeat --raw > heartbeat
    python3 verify_log.py --heartbeat FILE --log-key KEY --signer SIGNER

Reads the JSON lines that docs/log.md describes, from a file or from standard input.
Checks the form of every event, the chain of hashes from the genesis on, the signature of every head, that
the newest event has one, and that no clock goes back. `--log-key` is the key that you have kept: without it
the export's own is believed, and only the log's inner agreement is shown. `--head` is a signed note that you
have kept: the log must go through it. `--heartbeat` is what the signer said of itself at one moment: with an
export the log must go through its head; without one, key and signer are the ones that you have kept.

Only the standard library is needed; `cryptography` or `pynacl` make it faster where they are installed.
Exit status: 0 verified, 1 not verified, 64 wrong usage.
"""

import argparse
import base64
import binascii
import hashlib
import json
import sys

ORIGIN = "waiaas/log/v1/"
HEARTBEAT = "waiaas/heartbeat/v1/"
KINDS = {
    0: "created", 1: "unlocked", 2: "locked", 3: "clock_stepped", 4: "owner_enrolled", 5: "wallet_created",
    6: "statement_issued", 7: "policy_adopted", 8: "session_granted", 9: "session_revoked",
    10: "session_expired", 11: "spend_committed", 12: "withdrawn", 13: "paused", 14: "pause_released",
    15: "killed", 16: "kill_released", 17: "nonce_attested", 18: "time_stated", 19: "withdrawal_enrolled",
    20: "denials_counted", 21: "intent_opened", 22: "intent_approved", 23: "intents_ended",
    24: "owner_change_scheduled", 25: "owner_change_cancelled",
    26: "owner_change_effective", 27: "owner_change_voided", 28: "owner_suspended", 29: "suspension_lifted",
    30: "credited", 31: "guardian_stopped", 32: "retired", 33: "snapshot_taken", 34: "head_missed",
    40: "session_renewed", 41: "wallet_closed", 42: "wallet_rotated", 43: "agent_registered", 44: "agent_activated",
    45: "agent_stopped", 46: "agent_terminated", 47: "spend_replaced",
    35: "session_suspended", 36: "session_resumed", 37: "alarm_raised", 38: "owner_alive", 39: "denial_noted",
    50: "signed_in", 51: "transfer_authorized",
}


class Refused(Exception):
    """The log does not verify. `rule` is the name that the test vectors use."""

    def __init__(self, rule, where=None):
        super().__init__(rule if where is None else f"{rule} at event {where}")
        self.rule, self.where = rule, where


# --- hashes ---------------------------------------------------------------------------------------------

def digest(domain, *parts):
    """SHA-256 over the domain and the parts, each behind its length in 64 bits, big endian."""
    hasher = hashlib.sha256()
    for part in (domain.encode("ascii"), *parts):
        hasher.update(len(part).to_bytes(8, "big") + part)
    return hasher.digest()


def genesis(signer, key):
    return digest("waiaas/v1/genesis", signer, key)


def link(previous, sequence, body):
    return digest("waiaas/v1/event", previous, sequence.to_bytes(8, "big"), body)


# --- identifiers and keys -------------------------------------------------------------------------------

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def identifier_text(prefix, value):
    number = int.from_bytes(value, "big")
    return prefix + "_" + "".join(ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(26)))


def identifier_bytes(prefix, text):
    """16 bytes of a TypeID with this prefix."""
    start, _, rest = text.rpartition("_")
    if start != prefix or len(rest) != 26 or any(character not in ALPHABET for character in rest):
        raise ValueError(f"not a {prefix} identifier")
    number = 0
    for character in rest:
        number = number << 5 | ALPHABET.index(character)
    if number >> 128:
        raise ValueError("more than 128 bits")
    return number.to_bytes(16, "big")


def key_bytes(text):
    """32 bytes from 64 hexadecimal digits, or from base58."""
    if len(text) == 64:
        return bytes.fromhex(text)
    number = 0
    for character in text:
        number = number * 58 + BASE58.index(character)
    value = number.to_bytes(32, "big")
    zeros = len(text) - len(text.lstrip("1"))
    if len(value) - len(value.lstrip(b"\0")) != zeros:
        raise ValueError("not base58 of 32 bytes")
    return value


# --- canonical CBOR (RFC 8949 section 4.2.1), as far as events use it -------------------------------------

def decode(data, signed=False):
    """The value of `data`; raises ValueError for anything but the one deterministic form of it. Events have no
    negative numbers, policy documents may."""
    value, end = _item(data, 0, 0, signed)
    if end != len(data):
        raise ValueError("trailing bytes")
    return value


def _head(data, place):
    if place >= len(data):
        raise ValueError("truncated")
    major, info = data[place] >> 5, data[place] & 31
    place += 1
    if info < 24:
        return major, info, place
    if info > 27:
        raise ValueError("indefinite length or reserved")
    size = 1 << (info - 24)
    if place + size > len(data):
        raise ValueError("truncated")
    number = int.from_bytes(data[place:place + size], "big")
    if number < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
        raise ValueError("an integer longer than needed")
    return major, number, place + size


def _item(data, place, depth, signed):
    if depth > 16:
        raise ValueError("too deep")
    start = place
    major, number, place = _head(data, place)
    if major == 0:
        return number, place
    if major == 1 and signed:
        return -1 - number, place
    if major in (2, 3):
        if place + number > len(data):
            raise ValueError("truncated")
        content = bytes(data[place:place + number])
        return (content if major == 2 else content.decode("utf-8")), place + number
    if major == 4:
        items = []
        for _ in range(number):
            item, place = _item(data, place, depth + 1, signed)
            items.append(item)
        return items, place
    if major == 5:
        entries, last = {}, None
        for _ in range(number):
            begin = place
            key, place = _item(data, place, depth + 1, signed)
            if last is not None and data[begin:place] <= last:
                raise ValueError("map keys out of order or doubled")
            last = data[begin:place]
            entries[key], place = _item(data, place, depth + 1, signed)
        return entries, place
    if major == 6 and number == 2:
        content, place = _item(data, place, depth + 1, signed)
        if not isinstance(content, bytes) or not 9 <= len(content) <= 16 or content[0] == 0:
            raise ValueError("a bignum that has a shorter form, or more than 128 bits")
        return int.from_bytes(content, "big"), place
    if major == 7 and data[start] in (0xf4, 0xf5, 0xf6):
        return {0xf4: False, 0xf5: True, 0xf6: None}[data[start]], place
    raise ValueError("a kind of value that no event has")


def event(body):
    """Clocks and kind of an event."""
    value = decode(body)
    clocks, what = value
    if len(clocks) != 3 or not all(type(clock) is int for clock in clocks):
        raise ValueError("three clocks are needed")
    kind, fields = what
    if kind not in KINDS or not isinstance(fields, list):
        raise ValueError("an unknown kind")
    return clocks, KINDS[kind], fields


# --- Ed25519 (RFC 8032), strict ---------------------------------------------------------------------------

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c = 2 * one[3] * other[3] * D % P
    d = 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(factor, point):
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = add(result, point)
        point = add(point, point)
        factor >>= 1
    return result


def equal(one, other):
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
NEUTRAL = (0, 1, 1, 0)


def own_ed25519(key, message, signature):
    """RFC 8032 section 5.1.7 without the cofactor; no key or nonce point of small order."""
    point, nonce = decompress(key), decompress(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or nonce is None or scalar >= Q:
        return False
    if equal(times(8, point), NEUTRAL) or equal(times(8, nonce), NEUTRAL):
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    return equal(times(scalar, BASE), add(nonce, times(challenge, point)))


def ed25519(key, message, signature):
    """Whether the signature is good, by an installed library if there is one."""
    point = decompress(key)
    if point is None or equal(times(8, point), NEUTRAL):
        return False
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        pass
    else:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            return True
        except (InvalidSignature, ValueError):
            return False
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey
    except ImportError:
        return own_ed25519(key, message, signature)
    try:
        VerifyKey(key).verify(message, signature)
        return True
    except BadSignatureError:
        return False


# --- heads: C2SP signed notes -------------------------------------------------------------------------------

def note_text(signer_text, sequence, value):
    return f"{ORIGIN}{signer_text}\n{sequence}\n{base64.b64encode(value).decode()}\n"


def key_id(signer_text, key):
    return hashlib.sha256(signer_text.encode() + b"\n\x01" + key).digest()[:4]


def note(text, signer_text, key):
    """Sequence and hash of a head that this log's key signed."""
    try:
        body, rest = text.split("\n\n")
        origin, sequence_text, hash_text = body.split("\n")
        name, signed = rest.removesuffix("\n").removeprefix("\u2014 ").split(" ")
        sequence, value = int(sequence_text), base64.b64decode(hash_text, validate=True)
        blob = base64.b64decode(signed, validate=True)
    except (ValueError, binascii.Error):
        raise Refused("note_form") from None
    named = origin.removeprefix(ORIGIN)
    try:
        identifier_bytes("signer", named)
    except ValueError:
        raise Refused("note_form") from None
    # One text form: what was read must give the same text again.
    again = note_text(named, sequence, value) + f"\n\u2014 {named} {base64.b64encode(blob).decode()}\n"
    if again != text or name != named or len(value) != 32 or len(blob) != 68 or not 0 <= sequence < 1 << 64:
        raise Refused("note_form")
    message = note_text(named, sequence, value).encode()
    if blob[:4] != key_id(named, key) or not ed25519(key, message, blob[4:]):
        raise Refused("note_signature")
    if named != signer_text:
        raise Refused("head", sequence)
    return sequence, value


# --- heartbeats: C2SP signed notes of another origin ----------------------------------------------------------

PAYMENTS_LIMIT = 100


def _number(text, bits=64):
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or int(text) >> bits:
        raise ValueError("not a number in its one form")
    return int(text)


def _flag(text):
    return {"yes": True, "no": False}[text]


def _said(lines):
    """What the lines of a heartbeat say; raises ValueError, KeyError or IndexError for any other lines."""
    place = 0

    def values(name, count):
        nonlocal place
        words = lines[place].split(" ")
        if words[0] != name or len(words) != count + 1 or not all(words):
            raise ValueError("another line")
        place += 1
        return words[1:]

    said = {"time": [_number(clock) for clock in values("time", 3)]}
    sequence, value = values("head", 2)
    said["sequence"], digest_bytes = _number(sequence), base64.b64decode(value, validate=True)
    if base64.b64encode(digest_bytes).decode() != value or len(digest_bytes) != 32:
        raise ValueError("not a hash")
    said["hash"] = digest_bytes.hex()
    said["policy_epoch"] = _number(values("policy-epoch", 1)[0])
    said["policies"] = []
    while lines[place].startswith("policy "):
        epoch, value = values("policy", 2)
        if bytes.fromhex(value).hex() != value or len(value) != 64:
            raise ValueError("not a digest")
        said["policies"].append([_number(epoch), value])
    phase, epoch = values("kill", 2)
    if phase not in ("NORMAL", "ACTIVATED", "RECOVERING"):
        raise ValueError("another phase")
    said["kill"] = [phase, _number(epoch)]
    said["frozen"] = _flag(values("frozen", 1)[0])
    said["clock_closed"] = _flag(values("clock-closed", 1)[0])
    left = values("dead-man", 1)[0]
    said["dead_man"] = None if left == "none" else _number(left)
    said["wallets"] = _number(values("wallets", 1)[0])
    said["sessions"] = [_number(count) for count in values("sessions", 2)]
    said["denials"] = _number(values("denials", 1)[0])
    said["waiting"] = _number(values("waiting", 1)[0])
    said["payments"] = []
    while place < len(lines):
        words = values("payment", 7)
        identifier_bytes("tx", words[0])
        identifier_bytes("wallet", words[1])
        if words[2] not in ("INSTANT", "NOTIFY", "DELAY", "APPROVAL"):
            raise ValueError("another tier")
        _number(words[3], 128)
        _number(words[6])
        while place < len(lines) and lines[place].startswith("and "):
            # What else it moves, in the same transaction.
            more = values("and", 3)
            _number(more[0], 128)
            words += more
        said["payments"].append(words)
    if len(said["payments"]) != min(said["waiting"], PAYMENTS_LIMIT):
        raise ValueError("not all that wait are named")
    return said


def heartbeat(text, signer_text, key):
    """What a heartbeat says, if this signer's log key signed it."""
    try:
        body, rest = text.split("\n\n")
        origin, *lines = body.split("\n")
        named = origin.removeprefix(HEARTBEAT)
        identifier_bytes("signer", named)
        blob = base64.b64decode(rest.removesuffix("\n").split(" ")[2], validate=True)
        said = _said(lines)
    except (ValueError, KeyError, IndexError, binascii.Error):
        raise Refused("note_form") from None
    # One text form: what was read must give the same signature line and origin again.
    line = f"\u2014 {named} {base64.b64encode(blob).decode()}\n"
    if origin != HEARTBEAT + named or rest != line or len(blob) != 68:
        raise Refused("note_form")
    if blob[:4] != key_id(named, key) or not ed25519(key, (body + "\n").encode(), blob[4:]):
        raise Refused("note_signature")
    if named != signer_text:
        raise Refused("other_signer")
    return said


# --- the log --------------------------------------------------------------------------------------------------

class Log:
    """Follows a log line by line."""

    def __init__(self, first, expected_key=None):
        self.signer_text = first["signer"]
        self.key = key_bytes(first["log_key"])
        if expected_key is not None and self.key != expected_key:
            raise Refused("other_key")
        self.sequence, self.signed = 0, 0
        self.hash = genesis(identifier_bytes("signer", self.signer_text), self.key)
        self.hashes = {0: self.hash}
        self.clocks = [0, 0, 0]
        self.counts = {}

    def line(self, value):
        if set(value) == {"head"}:
            sequence, at = note(value["head"], self.signer_text, self.key)
            if (sequence, at) != (self.sequence, self.hash):
                raise Refused("head", sequence)
            self.signed = sequence
            return
        if set(value) != {"sequence", "body", "hash"}:
            raise Refused("line")
        sequence, body = value["sequence"], base64.b64decode(value["body"], validate=True)
        if sequence != self.sequence + 1:
            raise Refused("sequence", sequence)
        following = link(self.hash, sequence, body)
        if following.hex() != value["hash"]:
            raise Refused("chain", sequence)
        try:
            clocks, kind, _ = event(body)
        except (ValueError, TypeError):
            raise Refused("body", sequence) from None
        if any(now < before for now, before in zip(clocks, self.clocks)):
            raise Refused("clock", sequence)
        self.sequence, self.hash, self.clocks = sequence, following, clocks
        self.hashes[sequence] = following
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def finish(self):
        if self.signed != self.sequence:
            raise Refused("unsigned")

    def goes_through(self, text):
        """Whether a head that was kept lies on this log."""
        sequence, value = note(text, self.signer_text, self.key)
        if self.hashes.get(sequence) != value:
            raise Refused("kept_head", sequence)

    def beats(self, text):
        """What a heartbeat of this log's signer says: its head lies on the log."""
        said = heartbeat(text, self.signer_text, self.key)
        value = self.hashes.get(said["sequence"])
        if value is None or value.hex() != said["hash"]:
            raise Refused("kept_head", said["sequence"])
        return said


def verify(lines, expected_key=None):
    """Verifies an export, given as its lines; the log that was followed."""
    log = None
    for number, line in enumerate(lines):
        try:
            value = json.loads(line)
            if number == 0:
                if set(value) != {"signer", "log_key"}:
                    raise Refused("line")
                log = Log(value, expected_key)
            else:
                log.line(value)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            raise Refused("line") from None
    if log is None:
        raise Refused("line")
    log.finish()
    return log


def main():
    parser = argparse.ArgumentParser(description="Verifies an exported log of a WAIaaS signer.")
    parser.add_argument("file", nargs="?", help="the export; standard input if absent")
    parser.add_argument("--log-key", help="the log's public key as you kept it, hexadecimal or base58")
    parser.add_argument("--head", action="append", default=[], help="a file with a signed head that you kept")
    parser.add_argument("--heartbeat", action="append", default=[], help="a file with a heartbeat")
    parser.add_argument("--signer", help="whose heartbeats, where there is no export")
    parser.add_argument("--quiet", action="store_true", help="say nothing if the log verifies")
    try:
        arguments = parser.parse_args()
        expected = key_bytes(arguments.log_key) if arguments.log_key else None
    except SystemExit as end:
        return 64 if end.code else 0
    except ValueError:
        print("verify_log: --log-key is 64 hexadecimal digits, or base58 of 32 bytes", file=sys.stderr)
        return 64
    if arguments.signer and (arguments.file or arguments.head or expected is None or not arguments.heartbeat):
        print("verify_log: --signer goes with --heartbeat and --log-key alone", file=sys.stderr)
        return 64
    log, beats = None, []
    try:
        if not arguments.signer:
            source = open(arguments.file, encoding="utf-8") if arguments.file else sys.stdin
            with source:
                log = verify(source, expected)
        for path in arguments.head:
            with open(path, encoding="utf-8", newline="") as file:
                log.goes_through(file.read())
        for path in arguments.heartbeat:
            with open(path, encoding="utf-8", newline="") as file:
                text = file.read()
            beats.append(log.beats(text) if log else heartbeat(text, arguments.signer, expected))
    except Refused as refused:
        print(f"verify_log: NOT VERIFIED: {refused}", file=sys.stderr)
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print(f"verify_log: {error}", file=sys.stderr)
        return 1
    if not arguments.quiet:
        for said in beats:
            print(f"verified heartbeat: {json.dumps(said)}")
    if log and not arguments.quiet:
        kept = "the key that you gave" if expected else "the export's own key: compare it with yours"
        print(f"verified: {log.signer_text}, {log.sequence} events, head {log.hash.hex()}")
        print(f"log key: {log.key.hex()} ({kept})")
        for kind, count in sorted(log.counts.items()):
            print(f"  {count:8} {kind}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
