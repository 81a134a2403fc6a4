#!/usr/bin/env python3
"""A second calculator of what an EVM transaction does, for `tests/tests/effects`.

    effects_evm.py < cases > verdicts      one JSON object a line, in both

A case has `chain` (CAIP-2), `wallet`, `unsigned` (hexadecimal) and `known`: `function` with `contract`, `signature`
and `spends` (for each parameter an asset or null), and `network` with `legacy` and `data_fee`, where owners
registered such. A verdict is {"refused": true}, or `effects` in their
order with the fee last, and `digest`, what is signed.

Written from the EIPs, the ABI and docs/transactions.md, sharing nothing with the product. RLP is read by rlp, call
data by eth-abi, and the digest is what eth-account hashes for the same fields. Needs eth-account and what it needs.
"""

import json
import sys

import rlp
from eth_abi import decode, encode
from eth_abi.exceptions import DecodingError as AbiError
from eth_account._utils.legacy_transactions import serializable_unsigned_transaction_from_dict
from eth_account.typed_transactions import TypedTransaction
from eth_utils import keccak, to_checksum_address

LEAST_GAS = 21_000
MOST_GAS_OF_A_TRANSFER = 100_000
MOST_GAS_OF_A_CALL = 500_000
FIRST_ORDINARY_ADDRESS = 0x10000
# Base and Optimism with their test networks take a fee for data beside gas.
DATA_FEE_CHAINS = (8453, 84532, 10, 11155420)
NO_LIMIT = (2**96 - 1, 2**128 - 1)
MOST = 2**128 - 1

TOKEN_METHODS = (
    "transfer(address,uint256)",
    "approve(address,uint256)",
    "safeTransferFrom(address,address,uint256)",
    "safeTransferFrom(address,address,uint256,uint256,bytes)",
)


class Refused(Exception):
    """The product must not sign it."""


def need(condition, why):
    if not condition:
        raise Refused(why)


def selector(signature):
    return keccak(text=signature)[:4]


SELECTORS = {selector(signature): signature for signature in TOKEN_METHODS}


def types(signature):
    inside = signature[signature.index("(") + 1:-1]
    return inside.split(",") if inside else []


def number(item, bits):
    need(isinstance(item, bytes) and item[:1] != b"\0", "a number begins with zero")
    value = int.from_bytes(item, "big")
    need(value < 1 << bits, "a number has too many bits")
    return value


def fields_of(data, legacy):
    """The fields of a transaction that is encoded canonically: of type 2 (EIP-1559), or without a type and with a
    chain id (EIP-155) where that form is registered."""
    typed = data[:1] == b"\x02"
    need(typed or legacy, "no transaction of type 2")
    payload = data[1:] if typed else data
    try:
        items = rlp.decode(payload)
    except (rlp.DecodingError, RecursionError):
        raise Refused("not RLP") from None
    need(isinstance(items, list) and len(items) == 9, "nine fields")
    need(rlp.encode(items) == payload, "another form of the same")
    if typed:
        *plain, access = items
        need(access == [], "no access list")
        need(all(isinstance(item, bytes) for item in plain), "strings")
        chain, nonce, tip, fee, gas, to, value, call = plain
    else:
        need(all(isinstance(item, bytes) for item in items), "strings")
        nonce, fee, gas, to, value, call, chain, *signature = items
        need(signature == [b"", b""], "nothing where a signature would stand")
        tip = fee
    need(len(to) == 20, "a recipient of 20 bytes")
    return {
        "chainId": number(chain, 64),
        "nonce": number(nonce, 64),
        "maxPriorityFeePerGas": number(tip, 128),
        "maxFeePerGas": number(fee, 128),
        "gas": number(gas, 64),
        "to": to,
        "value": number(value, 128),
        "data": call,
    }


def hash_of(fields, typed):
    """What eth-account signs for these fields."""
    if typed:
        return TypedTransaction.from_dict({**fields, "type": 2, "accessList": []}).hash()
    plain = {name: fields[name] for name in ("nonce", "gas", "to", "value", "data", "chainId")}
    return serializable_unsigned_transaction_from_dict({**plain, "gasPrice": fields["maxFeePerGas"]}).hash()


def arguments(signature, call):
    """Call data in the one form that the ABI gives it."""
    kinds = types(signature)
    try:
        values = decode(kinds, call[4:])
    except (AbiError, OverflowError):
        raise Refused("not the ABI's form") from None
    need(encode(kinds, values) == call[4:], "another form of the same")
    return values


def shown(kind, value):
    if kind == "address":
        return to_checksum_address(value)
    if kind == "bool":
        return "true" if value else "false"
    if kind.startswith("bytes"):
        return "0x" + value.hex()
    return str(value)


class Case:
    """One transaction before one wallet, and what owners registered."""

    def __init__(self, case):
        self.chain = case["chain"]
        self.chain_id = int(self.chain.removeprefix("eip155:"))
        self.wallet = bytes.fromhex(case["wallet"][2:])
        self.data = bytes.fromhex(case["unsigned"])
        self.function = case["known"].get("function")
        self.network = case["known"].get("network") or {}
        self.native = f"{self.chain}/slip44:60"

    def receives(self, address):
        ordinary = int.from_bytes(address, "big") >= FIRST_ORDINARY_ADDRESS
        need(ordinary and address != self.wallet, "nobody, the chain's own machinery, or the wallet")

    def verdict(self):
        fields = fields_of(self.data, self.network.get("legacy"))
        to, value, call = fields["to"], fields["value"], fields["data"]
        need(fields["chainId"] == self.chain_id != 0, "another chain")
        need(fields["nonce"] < 2**64 - 1, "EIP-2681")
        self.receives(to)
        need(fields["maxPriorityFeePerGas"] <= fields["maxFeePerGas"], "the tip is a part of the fee")
        most = MOST_GAS_OF_A_CALL if call else MOST_GAS_OF_A_TRANSFER
        need(LEAST_GAS <= fields["gas"] <= most, "gas")
        fee = fields["gas"] * fields["maxFeePerGas"]
        if self.network:
            data_fee = self.network["data_fee"]
            need(data_fee is not None or self.chain_id not in DATA_FEE_CHAINS, "a fee for data that nobody bounds")
            fee += int(data_fee or 0)
        need(fee + value <= MOST, "more than 128 bits")

        if not call:
            effects = [self.moves("transfer", self.native, to, value)]
        elif call[:4] in SELECTORS:
            need(value == 0, "wei beside a call of a token")
            effects = [self.token(to, SELECTORS[call[:4]], call)]
        else:
            effects = self.registered(to, value, call)
        effects.append({"kind": "fee", "asset": self.native, "amount": str(fee)})
        hashed = hash_of(fields, self.data[:1] == b"\x02")
        if hashed != keccak(self.data):
            raise SystemExit(f"eth-account hashes otherwise: {self.data.hex()}")
        return {"effects": effects, "digest": hashed.hex()}

    def moves(self, kind, asset, to, amount):
        return {"kind": kind, "asset": asset, "to": to_checksum_address(to), "amount": str(amount)}

    def token(self, contract, signature, call):
        values = arguments(signature, call)
        own = to_checksum_address(contract)
        if signature.startswith("safe"):
            source, to, number, *rest = values
            need(bytes.fromhex(source[2:]) == self.wallet, "somebody else's")
            if rest:
                amount, message = rest
                need(message == b"", "a message to the recipient")
                kind, asset = "transfer", f"erc1155:{own}/{number}"
            else:
                amount = 1
                kind, asset = "transfer", f"erc721:{own}/{number}"
        else:
            to, amount = values
            asset = f"erc20:{own}"
            kind = "approval" if signature.startswith("approve") else "transfer"
            need(kind == "transfer" or amount not in NO_LIMIT, "leave without limit")
        need(amount <= MOST, "more than 128 bits")
        to = bytes.fromhex(to[2:])
        self.receives(to)
        need(to != contract, "the token's own contract")
        return self.moves(kind, f"{self.chain}/{asset}", to, amount)

    def registered(self, contract, value, call):
        function = self.function
        need(function is not None, "nothing is registered")
        signature, spends = function["signature"], function["spends"]
        need(call[:4] == selector(signature), "another function")
        need(to_checksum_address(contract) == function["contract"], "another contract")
        kinds = types(signature)
        need(len(call) == 4 + 32 * len(kinds), "another length")
        values = arguments(signature, call)
        target = {"kind": "call", "target": to_checksum_address(contract), "method": call[:4].hex()}
        said = [shown(kind, value) for kind, value in zip(kinds, values)]
        effects = [{**target, "asset": self.native, "amount": str(value), "function": signature, "arguments": said}]
        for asset, amount in zip(spends, values):
            if asset is not None:
                need(amount <= MOST, "more than 128 bits")
                effects.append({**target, "asset": asset, "amount": str(amount)})
        return effects


def main():
    for line in sys.stdin:
        try:
            verdict = Case(json.loads(line)).verdict()
        except Refused:
            verdict = {"refused": True}
        print(json.dumps(verdict))


if __name__ == "__main__":
    main()
