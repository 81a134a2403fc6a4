"""Checks sign-in messages with solders and eth-account, which share no code with the wallet.

Argument: JSON list of {family, text, payload (hex), signature (hex), account}. Prints one JSON line; any difference
ends with status 1.
"""

import json
import sys

from eth_account import Account
from eth_account.messages import encode_defunct
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction


def solana(expected):
    payload = bytes.fromhex(expected["payload"])
    account = Pubkey.from_string(expected["account"])
    signature = Signature.from_bytes(bytes.fromhex(expected["signature"]))
    # Off-chain message, version 1: signing domain, version, one signer, the signer, text.
    assert payload == b"\xffsolana offchain" + b"\x01\x01" + bytes(account) + expected["text"].encode()
    assert signature.verify(account, payload)
    # Neither the text alone, nor anything that a chain would take.
    assert not signature.verify(account, expected["text"].encode())
    for raw in (payload, b"\x01" + bytes(signature) + payload):
        try:
            VersionedTransaction.from_bytes(raw)
        except Exception:
            continue
        raise AssertionError("a transaction")


def evm(expected):
    message = encode_defunct(text=expected["text"])
    signature = bytes.fromhex(expected["signature"])
    assert Account.recover_message(message, signature=signature) == expected["account"]
    assert len(signature) == 65 and signature[64] in (27, 28)


def main():
    expected = json.loads(sys.argv[1])
    for one in expected:
        (solana if one["family"] == "solana" else evm)(one)
    print(json.dumps({"checked": len(expected)}))


main()
