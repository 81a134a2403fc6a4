"""Writes the vectors of legacy transactions and of networks' fees for data into shared/tests/vectors/evm. Shares no
code with the wallet: bytes come from the package rlp, sound transactions and their signatures from eth-account.

    python3 tests/reference/evm_networks.py
"""

import json
import pathlib

import rlp
from eth_account import Account
from eth_utils import keccak, to_checksum_address

CHAIN = 31337
SECRET = "0f8592102198f565b00937d2da3cd00475866ebdb18053243355dd6aa0222ab4"
FROM = Account.from_key("0x" + SECRET).address
TO = bytes.fromhex("8f3e9c1bd65eb267d19b176a73217524dc21a5ca")
GWEI = 10**9
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "shared/tests/vectors/evm"


def number(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def legacy(nonce=0, price=GWEI, gas=21000, to=TO, value=1, data=b"", chain=CHAIN, tail=(b"", b"")):
    chain = number(chain) if isinstance(chain, int) else chain
    return rlp.encode([number(nonce), number(price), number(gas), to, number(value), data, chain, *tail])


def typed(chain):
    return b"\x02" + rlp.encode([number(chain), b"", number(GWEI), number(GWEI), number(21000), TO, b"\x01", b"", []])


def write(name, vector):
    (FOLDER / f"{name}.json").write_text(json.dumps(vector, indent=2) + "\n")


def refused(name, rule, unsigned, code, chain=CHAIN, network=None):
    write(name, {"rule": rule, "chain": f"eip155:{chain}", "from": FROM,
                 "network": {"legacy": True} if network is None else network,
                 "unsigned": unsigned.hex(), "expect": {"code": code}})


def accepted(name, rule, unsigned, transaction, network, data_fee=0):
    signed = Account.sign_transaction(transaction, "0x" + SECRET).raw_transaction
    chain, data = transaction["chainId"], transaction["data"]
    transfer = {"to": to_checksum_address(TO), "amount": str(transaction["value"])}
    if data:
        transfer = {"asset": f"eip155:{chain}/erc20:{transaction['to']}", "to": to_checksum_address(data[16:36]),
                    "amount": str(int.from_bytes(data[36:68], "big"))}
    price = transaction.get("gasPrice") or transaction["maxFeePerGas"]
    write(name, {"rule": rule, "source": "signed with eth-account 0.14.0", "secret": SECRET, "signed": bytes(signed).hex(),
                 "id": "0x" + keccak(signed).hex(), "chain": f"eip155:{chain}", "from": FROM, "network": network,
                 "unsigned": unsigned.hex(),
                 "expect": {"transfers": [transfer], "fee_max": str(transaction["gas"] * price + data_fee)}})


def accepted_legacy(name, rule, fields, network=None, chain=CHAIN, data_fee=0):
    transaction = {"nonce": fields.get("nonce", 0), "gasPrice": fields.get("price", GWEI),
                   "gas": fields.get("gas", 21000), "to": to_checksum_address(fields.get("to", TO)),
                   "value": fields.get("value", 1), "data": fields.get("data", b""), "chainId": chain}
    accepted(name, rule, legacy(chain=chain, **fields), transaction, network or {"legacy": True}, data_fee)


def main():
    accepted_legacy("legacy-transfer", "a legacy transfer with chain id, where policy registers the form", {})
    accepted_legacy("legacy-transfer-nonce", "a legacy transfer with a nonce", {"nonce": 2**32 + 7, "price": 123456789012})
    accepted_legacy("legacy-largest-chain-id", "v of 65 bits: the largest chain id", {}, chain=2**64 - 1)
    accepted_legacy("legacy-chain-id-one", "v in one byte", {}, chain=1)
    call = bytes.fromhex("a9059cbb") + bytes(12) + TO + (700).to_bytes(32, "big")
    accepted_legacy("legacy-token-transfer", "a legacy call of a token",
                    {"to": bytes([0xC3] * 20), "gas": 65000, "value": 0, "data": call})
    accepted_legacy("legacy-data-fee", "what the network may take for data counts beside the gas", {},
                    network={"legacy": True, "data_fee": "12345"}, chain=4242, data_fee=12345)
    sound = legacy()
    for name, rule, unsigned, code in [
        ("unprotected", "a legacy transaction without chain id, where the form is registered",
         rlp.encode([b"", number(GWEI), number(21000), TO, b"\x01", b""]), "evm_unprotected"),
        ("chain-id-other", "a legacy transaction of another chain", legacy(chain=1), "evm_chain_id"),
        ("chain-id-zero", "a legacy transaction of chain 0", legacy(chain=0), "evm_chain_id"),
        ("chain-id-huge", "a legacy transaction of a chain id of 256 bits", legacy(chain=b"\xff" * 32),
         "evm_number_too_large"),
        ("chain-id-65-bits", "a legacy transaction of a chain id of 65 bits", legacy(chain=b"\x01" + bytes(8)),
         "evm_number_too_large"),
        ("chain-id-padded", "a leading zero in the chain id", legacy(chain=b"\0\x7a\x69"), "evm_not_canonical"),
        ("signed", "a signed legacy transaction", legacy(chain=62709, tail=(b"\x11" * 32, b"\x22" * 32)),
         "evm_malformed"),
        ("seven-fields", "a chain id and nothing behind it", legacy(tail=()), "evm_field_count"),
        ("ten-fields", "one field more", legacy(tail=(b"", b"", b"")), "evm_field_count"),
        ("zero-as-byte", "a zero byte where r would stand", legacy(tail=(b"\0", b"")), "evm_malformed"),
        ("list-as-r", "a list where r would stand", legacy(tail=([], b"")), "evm_malformed"),
        ("trailing", "a byte behind the transaction", sound + b"\0", "evm_trailing_bytes"),
        ("truncated", "one byte less", sound[:-1], "evm_malformed"),
        ("contract-creation", "a legacy contract creation", legacy(to=b""), "evm_contract_creation"),
        ("cost-overflow", "a cost beyond 128 bits", legacy(price=2**127, gas=100000), "evm_cost_overflow"),
        ("unknown-method", "a legacy call that is not understood", legacy(data=bytes.fromhex("d0e30db0"), value=0),
         "evm_unknown_method"),
        ("type-zero", "the type byte 0x00 in front", b"\0" + sound, "evm_unknown_type"),
        ("long-form", "a long form of the list where a short one exists",
         b"\xf8" + bytes([sound[0] - 0xC0]) + sound[1:], "evm_not_canonical"),
    ]:
        refused(f"legacy-{name}", rule, unsigned, code)
    refused("data-fee-unstated", "a network that takes a fee for data, of which nobody said how much", typed(8453),
            "evm_data_fee", chain=8453, network={})
    refused("data-fee-overflow", "a fee for data beyond 128 bits", typed(8453), "evm_cost_overflow", chain=8453,
            network={"data_fee": str(2**128 - 1)})
    transaction = {"nonce": 0, "maxFeePerGas": GWEI, "maxPriorityFeePerGas": GWEI, "gas": 21000,
                   "to": to_checksum_address(TO), "value": 1, "data": b"", "chainId": 8453, "type": 2}
    accepted("data-fee-stated", "the fee for data counts beside the gas", typed(8453), transaction,
             {"data_fee": "50000000000000"}, 50000000000000)


main()
