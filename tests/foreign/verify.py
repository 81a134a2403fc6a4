"""Checks signed transactions with solders and eth-account, which share no code with the wallet.

Argument: JSON list of {family, raw (hex), from, to, amount, chainId?, nonce?, token?, method?, legacy?}. With a
token, `method` of its contract is called. Prints one JSON line; any difference ends with status 1.
"""

import json
import sys

import rlp
from eth_abi import decode
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils import keccak
from hexbytes import HexBytes
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

SYSTEM = Pubkey.from_string("11111111111111111111111111111111")


def solana(expected):
    transaction = VersionedTransaction.from_bytes(bytes.fromhex(expected["raw"]))
    assert transaction.verify_with_results() == [True]
    keys = transaction.message.account_keys
    assert str(keys[0]) == expected["from"]
    transfers = [one for one in transaction.message.instructions if keys[one.program_id_index] == SYSTEM]
    assert len(transfers) == 1
    data = bytes(transfers[0].data)
    assert data[:4] == b"\x02\0\0\0" and int.from_bytes(data[4:], "little") == int(expected["amount"])
    assert [str(keys[index]) for index in transfers[0].accounts] == [expected["from"], expected["to"]]


def legacy(raw):
    """The fields of a legacy transaction; `v` says the chain (EIP-155)."""
    nonce, _, _, to, value, data, v, _, _ = rlp.decode(raw)
    number = lambda digits: int.from_bytes(digits, "big")
    return {"nonce": number(nonce), "to": to, "value": number(value), "data": data,
            "chainId": (number(v) - 35) // 2}


def evm(expected):
    raw = HexBytes(expected["raw"])
    assert Account.recover_transaction(raw) == expected["from"]
    fields = legacy(raw) if expected.get("legacy") else TypedTransaction.from_bytes(raw).as_dict()
    data, token = bytes(fields["data"]), expected.get("token")
    assert "0x" + bytes(fields["to"]).hex() == (token or expected["to"]).lower()
    if token:
        assert fields["value"] == 0 and len(data) == 68
        assert data[:4] == keccak(text=expected["method"] + "(address,uint256)")[:4]
        assert decode(["address", "uint256"], data[4:]) == (expected["to"].lower(), int(expected["amount"]))
    else:
        assert fields["value"] == int(expected["amount"]) and data == b""
    assert fields["chainId"] == expected["chainId"]
    if "nonce" in expected:
        assert fields["nonce"] == expected["nonce"]
    assert not fields.get("accessList")


def main():
    expected = json.loads(sys.argv[1])
    for one in expected:
        (solana if one["family"] == "solana" else evm)(one)
    print(json.dumps({"checked": len(expected)}))


main()
