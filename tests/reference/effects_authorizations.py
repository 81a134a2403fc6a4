#!/usr/bin/env python3
"""A second calculator of what a transfer by authorization (EIP-3009) does, for `tests/tests/effects`.

    effects_authorizations.py < cases > verdicts      one JSON object a line, in both

A case has `authorization`: `asset` (CAIP-19), `name` and `version` of the token's domain, `from`, `to`, `value`,
`after`, `before` and `nonce`. A verdict is {"refused": true}, or the one effect and `digest`, what is signed.

Written from EIP-712, EIP-3009 and docs/transactions.md, sharing nothing with the product. The digest is what
eth-account hashes for the same fields as typed data. Needs eth-account and what it needs.
"""

import json
import sys

from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address

FIRST_ORDINARY_ADDRESS = 0x10000
LONGEST_TEXT = 64
TYPES = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}


class Refused(Exception):
    """The product must not sign it."""


def need(condition, why):
    if not condition:
        raise Refused(why)


def is_text(text):
    """What an owner reads of a token's domain looks like nothing else."""
    printable = all(" " <= one <= "~" and one != "|" for one in text)
    return 1 <= len(text) <= LONGEST_TEXT and printable and text == text.strip(" ")


def verdict(said):
    chain, _, token = said["asset"].partition("/")
    need(chain.startswith("eip155:") and token.startswith("erc20:"), "no token of an EVM chain")
    contract = to_checksum_address(token.removeprefix("erc20:"))
    payer, to = to_checksum_address(said["from"]), to_checksum_address(said["to"])
    need(int(said["value"]) > 0, "nothing")
    need(to not in (payer, contract) and int(to, 16) >= FIRST_ORDINARY_ADDRESS, "to nobody")
    need(is_text(said["name"]) and is_text(said["version"]), "a domain that looks like something else")
    need(int(said["after"]) < int(said["before"]), "holds never")
    message = encode_typed_data(
        {
            "name": said["name"],
            "version": said["version"],
            "chainId": int(chain.removeprefix("eip155:")),
            "verifyingContract": contract,
        },
        TYPES,
        {
            "from": payer,
            "to": to,
            "value": int(said["value"]),
            "validAfter": int(said["after"]),
            "validBefore": int(said["before"]),
            "nonce": bytes.fromhex(said["nonce"]),
        },
    )
    digest = keccak(b"\x19" + message.version + message.header + message.body)
    effect = {"kind": "transfer", "asset": f"{chain}/erc20:{contract}", "to": to, "amount": said["value"]}
    return {"effects": [effect], "digest": digest.hex()}


def main():
    for line in sys.stdin:
        try:
            answer = verdict(json.loads(line)["authorization"])
        except Refused:
            answer = {"refused": True}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
