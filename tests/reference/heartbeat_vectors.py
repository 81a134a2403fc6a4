"""Heartbeats (docs/log.md) as test vectors: sound ones, and every way to change one. Used by `vectors`."""

import base64

import verify_log as log

HASH = bytes(range(32))
TX = [log.identifier_text("tx", bytes([number] * 16)) for number in (3, 4)]
WALLET = log.identifier_text("wallet", bytes([2] * 16))
ASSET = "eip155:31337/slip44:60"
TO = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def lines(signer, payments=2):
    """The lines of a heartbeat that says everything."""
    paid = [f"payment {TX[place]} {WALLET} {tier} {amount} {ASSET} {TO} 1800000100000"
            for place, (tier, amount) in enumerate((("DELAY", 5000000), ("APPROVAL", 2**127)))]
    return [
        log.HEARTBEAT + log.identifier_text("signer", signer),
        "time 1800000000000 5000 6000",
        f"head 42 {base64.b64encode(HASH).decode()}",
        "policy-epoch 3",
        f"policy 2 {bytes([2] * 32).hex()}",
        f"policy 3 {bytes([3] * 32).hex()}",
        "kill NORMAL 0",
        "frozen no",
        "clock-closed no",
        "dead-man 86400000",
        "wallets 2",
        "sessions 3 1",
        "denials 17",
        f"waiting {payments}",
        *paid[:payments],
    ]


def note(sign, text_lines, signer, seed, named_key=None):
    """Signs lines, whatever they say."""
    text = "".join(line + "\n" for line in text_lines)
    own, signature = sign(seed, text.encode())
    name = log.identifier_text("signer", signer)
    blob = log.key_id(name, named_key or own) + signature
    return f"{text}\n\u2014 {name} {base64.b64encode(blob).decode()}\n"


def beat(sign, signer, seed):
    return note(sign, lines(signer), signer, seed)


def cases(sign, own, other):
    """Name and vector of each case; `own` and `other` are a signer with the seed of its log key."""
    signer, seed = own
    name, key = log.identifier_text("signer", signer), sign(seed, b"")[0]
    good, whole = lines(signer), beat(sign, signer, seed)

    def vector(rule, text, **outcome):
        return {"rule": rule, "signer": name, "log_key": key.hex(), "note": text, **outcome}

    def signed(changed):
        return note(sign, changed, signer, seed)

    def but(old, new):
        changed = ["\n".join(good).replace(old, new, 1)]
        assert changed != ["\n".join(good)], old
        return changed

    said = {
        "time": [1800000000000, 5000, 6000], "sequence": 42, "hash": HASH.hex(), "policy_epoch": 3,
        "policies": [[2, bytes([2] * 32).hex()], [3, bytes([3] * 32).hex()]], "kill": ["NORMAL", 0],
        "frozen": False, "clock_closed": False, "dead_man": 86400000, "wallets": 2, "sessions": [3, 1],
        "denials": 17, "waiting": 2, "payments": [line.split(" ")[1:] for line in good[14:]],
    }
    yield "sound", vector("everything that a heartbeat can say", whole, said=said)
    bare = [good[0], good[1], good[2], "policy-epoch 0", "kill ACTIVATED 2", "frozen yes", "clock-closed yes",
            "dead-man none", "wallets 0", "sessions 0 0", "denials 0", "waiting 0"]
    yield "sound-bare", vector("a killed signer without a policy", signed(bare), said={
        **said, "policy_epoch": 0, "policies": [], "kill": ["ACTIVATED", 2], "frozen": True,
        "clock_closed": True, "dead_man": None, "wallets": 0, "sessions": [0, 0], "denials": 0, "waiting": 0,
        "payments": []})
    more = [f"and 7 {ASSET} {TO}", f"and {2**128 - 1} {ASSET} {TO}"]
    paid = [line.split(" ")[1:] for line in good[14:]]
    yield "sound-batch", vector("the first payment makes three transfers, the second two", signed([
        *good[:-1], *more, good[-1], more[0]]), said={
        **said, "payments": [paid[0] + [word for line in more for word in line.split(" ")[1:]],
                             paid[1] + more[0].split(" ")[1:]]})
    form = {"refused": "note_form"}
    yield "payment-withheld", vector("one of the payments that wait is left out", signed(good[:-1]), **form)
    yield "payment-invented", vector("a payment more than are counted", signed([*good, good[-1]]), **form)
    head = log.note_text(name, 42, HASH).split("\n")[:-1]
    yield "head", vector("a head by the log's key", signed(head), **form)
    for case, rule, changed in (
        ("version", "another origin", but("heartbeat/v1", "heartbeat/v2")),
        ("lines-swapped", "two lines change places", [*good[:10], good[11], good[10], *good[12:]]),
        ("line-missing", "a line is missing", [*good[:12], *good[13:]]),
        ("line-unknown", "a line more", [*good[:13], "mood fine", *good[13:]]),
        ("payment-word", "a word more behind a payment", but("100000\n", "100000 +7\n")),
        ("batch-before", "a further transfer before the first payment", [*good[:14], more[0], *good[14:]]),
        ("batch-word", "a word more behind a further transfer", [*good, more[0] + " 7"]),
        ("batch-short", "a further transfer to nobody", [*good, more[0].rsplit(" ", 1)[0]]),
        ("batch-leading-zero", "a further transfer of a number with a leading zero", [*good, more[0].replace(
            " 7 ", " 07 ")]),
        ("batch-too-large", "a further transfer of more than 128 bits", [*good, more[0].replace(
            " 7 ", f" {2**128} ")]),
        ("leading-zero", "a number with a leading zero", but("head 42", "head 042")),
        ("plus", "a number with a sign", but("denials 17", "denials +17")),
        ("too-large", "a number of more than 64 bits", but("denials 17", f"denials {1 << 64}")),
        ("flag", "neither yes nor no", but("frozen no", "frozen maybe")),
        ("phase", "another phase of the kill switch", but("kill NORMAL", "kill normal")),
        ("spaces", "two spaces", but("wallets 2", "wallets  2")),
        ("digest", "a digest in capitals", but(bytes([2] * 32).hex(), bytes([0xab] * 32).hex().upper())),
    ):
        yield f"form-{case}", vector(f"properly signed, but {rule}", signed(changed), **form)
    for case, rule, text in (
        ("no-newline", "no newline at the end", whole.rstrip("\n")),
        ("more-newlines", "one newline more", whole + "\n"),
        ("hyphen", "a hyphen in place of the dash", whole.replace("\u2014", "-")),
        ("name", "a signature line of another name", whole.replace(f"\u2014 {name}", "\u2014 signer")),
        ("two-signatures", "a second signature line", whole + whole.split("\n\n")[1]),
        ("empty", "nothing", ""),
    ):
        yield f"form-{case}", vector(rule, text, **form)
    bad = {"refused": "note_signature"}
    for case, rule, old, new in (
        ("frozen", "it says that nothing is paused, or the reverse", "frozen no", "frozen yes"),
        ("amount", "another amount waits", " 5000000 ", " 5000001 "),
        ("time", "another time", "time 1800000000000", "time 1800000000001"),
        ("head", "another head", "head 42", "head 43"),
    ):
        yield f"changed-{case}", vector(f"{rule} than was signed", whole.replace(old, new, 1), **bad)
    fewer = whole.replace("waiting 2", "waiting 1", 1).replace(good[-1] + "\n", "", 1)
    yield "changed-waiting", vector("a payment is left out and the count with it", fewer, **bad)
    yield "other-key", vector("signed by another key", note(sign, good, signer, other[1]), **bad)
    yield "other-key-named-ours", vector("signed by another key, under our key's id", note(
        sign, good, signer, other[1], key), **bad)
    head_signature = note(sign, head, signer, seed).split("\n\n")[1]
    yield "signature-of-a-head", vector(
        "the signature that the same key made over a head", whole.split("\n\n")[0] + "\n\n" + head_signature, **bad)
    yield "other-signer", vector("another signer's, by the same key", note(
        sign, lines(other[0]), other[0], seed), refused="other_signer")


def judged(vector):
    """What the verifier says of a vector, in the vector's own words."""
    try:
        return {"said": log.heartbeat(vector["note"], vector["signer"], bytes.fromhex(vector["log_key"]))}
    except log.Refused as refused:
        return {"refused": refused.rule}
