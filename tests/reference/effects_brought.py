#!/usr/bin/env python3
"""A second calculator of what a transaction does that an agent brings, for `tests/tests/effects`.

    effects_brought.py < cases > verdicts      one JSON object a line, in both

A case is one of effects_solana.py or effects_evm.py, and has `brought`: `transaction`, the text of a request's body
(base64 with places for signatures, or 0x and hexadecimal), and `functions`, those of the owner's document. A verdict
is theirs: whoever may own token accounts is `owners`, and somebody else may pay the fee.

Written from docs/api.md and docs/transactions.md, sharing nothing with the product.
"""

import base64
import binascii
import json
import re
import sys

import effects_evm
import effects_solana

# Transfers, and instructions: an account created for each, a memo and two settings beside them.
MOST_TRANSFERS, MOST_INSTRUCTIONS = 8, 19
REFUSED = (effects_evm.Refused, effects_solana.Refused)
need = effects_solana.need


def message_of(text):
    """The message of a transaction with as many places for signatures as it demands."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise effects_solana.Refused("no base64") from None
    need(base64.b64encode(data).decode() == text, "another form of the same")
    need(len(data) > 1, "too short")
    if data[0] == 0x81:
        need(len(data) <= effects_solana.VERSION_ONE_PACKET, "too long")
        places = 64 * data[1]
        need(places <= len(data), "ends early")
        message = data[:len(data) - places]
        count = data[1]
    else:
        need(len(data) <= effects_solana.PACKET, "too long")
        count = data[0]
        need(1 <= count < 0x80 and len(data) >= 1 + 64 * count, "places that are not there")
        message = data[1 + 64 * count:]
        need(message[:1] != b"\x81", "a message of version 1 in the framing of the others")
    _, header, *_ = effects_solana.read(message)
    need(header[0] == count, "other places than signers")
    return message


def asked(verdict):
    """What a request for the same would be held to."""
    moved = [effect for effect in verdict["effects"] if effect["kind"] not in ("fee", "rent")]
    need(len(moved) <= MOST_TRANSFERS, "too many transfers")
    need(all(effect["kind"] != "transfer" or effect["amount"] != "0" for effect in moved), "nothing is moved")
    return verdict


def solana(case):
    message = message_of(case["brought"]["transaction"])
    need(len(effects_solana.read(message)[4]) <= MOST_INSTRUCTIONS, "too many instructions")
    case["known"].update(sponsored=True, program=None, seed=None)
    return asked(effects_solana.Case({**case, "unsigned": message.hex()}).verdict())


def evm(case):
    text = case["brought"]["transaction"]
    need(re.fullmatch("0x(?:[0-9a-fA-F]{2})*", text, re.ASCII), "no hexadecimal")
    # Bare first, then by each function; no two of one contract begin alike.
    for function in [None, *case["brought"]["functions"]]:
        known = {**case["known"], "function": function}
        try:
            verdict = effects_evm.Case({**case, "unsigned": text[2:], "known": known}).verdict()
        except effects_evm.Refused:
            continue
        return asked(verdict)
    raise effects_evm.Refused("no reading")


def main():
    for line in sys.stdin:
        case = json.loads(line)
        try:
            verdict = solana(case) if case["chain"].startswith("solana:") else evm(case)
        except REFUSED:
            verdict = {"refused": True}
        print(json.dumps(verdict))


if __name__ == "__main__":
    main()
