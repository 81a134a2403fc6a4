"""An EVM wallet's other half with eth-account, which shares no code with the product: builds unsigned transactions as
an exchange would hand them to an agent, and sends what came back signed.

usage: brought_evm.py build RPC WALLET NONCE CHAIN TO VALUE [FUNCTION ARGUMENT...]
           NONCE is a number, or `next` for the one that the chain tells; prints {"nonce", "transaction"}
       brought_evm.py send RPC WALLET TRANSACTION SIGNED
           TRANSACTION as it was built, SIGNED in base64; prints the chain's receipt
       brought_evm.py refused RPC SIGNED
           sends it, which the chain must refuse; prints why
"""

import base64
import json
import sys
import time
import urllib.request

import rlp
from eth_abi import encode
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils import keccak, to_canonical_address

GAS = 90_000
TIP = 1_000_000_000


def rpc(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=30))


def asked(url, method, *params):
    answer = rpc(url, method, *params)
    if "result" not in answer:
        raise SystemExit(f"{method}: {answer}")
    return answer["result"]


def call_data(function, arguments):
    """The function as its signature says, `transfer(address,uint256)`."""
    types = [one for one in function[function.index("(") + 1:-1].split(",") if one]
    values = [argument if kind == "address" else int(argument) for kind, argument in zip(types, arguments, strict=True)]
    return keccak(text=function)[:4] + encode(types, values)


def build(url, wallet, nonce, chain, to, value, *called):
    """As any wallet builds one: nonce and fees are what a node tells."""
    if nonce == "next":
        nonce = int(asked(url, "eth_getTransactionCount", wallet, "pending"), 16)
    base_fee = int(asked(url, "eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    data = call_data(called[0], called[1:]) if called else b""
    nonce, chain, value, fee = int(nonce), int(chain), int(value), 2 * base_fee + TIP
    gas = GAS if called else 21_000
    raw = b"\x02" + rlp.encode([chain, nonce, TIP, fee, gas, to_canonical_address(to), value, data, []])
    # eth-account means the same bytes.
    known = TypedTransaction.from_dict({
        "type": 2, "chainId": chain, "nonce": nonce, "maxPriorityFeePerGas": TIP, "maxFeePerGas": fee, "gas": gas,
        "to": to, "value": value, "data": data, "accessList": (),
    })
    if keccak(raw) != known.hash():
        raise SystemExit("eth-account writes it otherwise")
    return json.dumps({"nonce": nonce, "transaction": "0x" + raw.hex()})


def send(url, wallet, transaction, signed):
    raw = base64.b64decode(signed, validate=True)
    # What was brought, a signature behind it, and the wallet's.
    if rlp.decode(raw[1:])[:9] != rlp.decode(bytes.fromhex(transaction[2:])[1:]):
        raise SystemExit("other bytes than were brought")
    if Account.recover_transaction(raw) != wallet:
        raise SystemExit("another signer")
    name = asked(url, "eth_sendRawTransaction", "0x" + raw.hex())
    for _ in range(600):
        receipt = asked(url, "eth_getTransactionReceipt", name)
        if receipt:
            return json.dumps(receipt)
        time.sleep(0.05)
    raise SystemExit("no block has it")


def refused(url, signed):
    answer = rpc(url, "eth_sendRawTransaction", "0x" + base64.b64decode(signed).hex())
    if "error" not in answer:
        raise SystemExit("the chain took it")
    return answer["error"]["message"]


def main():
    act, *more = sys.argv[1:]
    print({"build": build, "send": send, "refused": refused}[act](*more))


main()
