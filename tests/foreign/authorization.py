"""Checks transfer authorizations (EIP-3009) with eth-account, which shares no code with the wallet.

Argument: JSON list of {authorization, domain, digest?, signature?}, fields as x402 has them. What has no signature is
signed here with a key that everybody knows. Prints one JSON line with the digests; any difference ends with status 1.

    python3 authorization.py --write FILE    writes the vectors (done once; they are frozen)
"""

import json
import sys

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address

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
# The second of anvil's accounts.
KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


def typed(one):
    fields = dict(one["authorization"])
    for name in ("value", "validAfter", "validBefore"):
        fields[name] = int(fields[name])
    return encode_typed_data(one["domain"], TYPES, fields)


def digest(one):
    message = typed(one)
    return "0x" + keccak(b"\x19" + message.version + message.header + message.body).hex()


def check(one):
    found = digest(one)
    assert one.get("digest", found) == found, (one["digest"], found)
    if "signature" in one:
        signature = bytes.fromhex(one["signature"].removeprefix("0x"))
        payer = one["authorization"]["from"]
        assert len(signature) == 65 and signature[64] in (27, 28)
        assert int.from_bytes(signature[32:64]) <= (2**256 - 2**32 - 977) // 2 + 1
        assert Account.recover_message(typed(one), signature=signature) == payer
        for name in ("value", "validBefore"):
            altered = {**one, "authorization": {**one["authorization"], name: str(int(one["authorization"][name]) + 1)}}
            assert Account.recover_message(typed(altered), signature=signature) != payer
        elsewhere = {**one, "domain": {**one["domain"], "chainId": one["domain"]["chainId"] + 1}}
        assert Account.recover_message(typed(elsewhere), signature=signature) != payer
    return found


def vectors():
    payer = Account.from_key(KEY)
    usdc = {"name": "USDC", "version": "2", "chainId": 84532,
            "verifyingContract": "0x036CbD53842c5426634e7929541eC2318f3dCF7e"}
    coin = {"name": "USD Coin", "version": "2", "chainId": 8453,
            "verifyingContract": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"}
    long = {"name": "~" * 64, "version": "!", "chainId": 2**53 - 1,
            "verifyingContract": to_checksum_address("0x" + "ff" * 20)}
    common = {"from": payer.address, "to": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "value": "10000",
              "validAfter": "0", "validBefore": "1740672154", "nonce": "0x" + "f3" * 32}
    most = {**common, "to": to_checksum_address("0x" + "ff" * 19 + "fe"), "value": str(2**128 - 1),
            "validBefore": str(2**64 - 1), "nonce": "0x" + "ff" * 32}
    least = {**common, "to": "0x0000000000000000000000000000000000010000", "value": "1", "validBefore": "1",
             "nonce": "0x" + "00" * 32}
    after = {**common, "validAfter": "1740672089", "nonce": "0x" + bytes(range(32)).hex()}
    made = [{"name": name, "domain": domain, "authorization": fields} for name, domain, fields in [
        ("x402-example", usdc, common), ("other-domain", coin, common), ("most", long, most),
        ("least", usdc, least), ("valid-after", coin, after)]]
    for one in made:
        one["digest"] = digest(one)
        one["signature"] = "0x" + payer.sign_message(typed(one)).signature.hex().removeprefix("0x")
        check(one)
    return made


def main():
    if sys.argv[1] == "--write":
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            file.write(json.dumps(vectors(), indent=1) + "\n")
        return
    given = json.loads(sys.argv[1])
    print(json.dumps({"digests": [check(one) for one in given]}))


main()
