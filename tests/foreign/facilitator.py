"""A facilitator of x402 on a local Solana chain, with solders: builds a payment whose fee it will pay, and once
the payer has signed it, signs and sends it.

usage: facilitator.py build RPC SECRET PAYER MINT OWNER AMOUNT MEMO    prints the transaction in base64
       facilitator.py settle RPC SECRET TRANSACTION                    prints its signature once it is confirmed
"""

import base64
import sys

from chain import blockhash, send
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
DECIMALS = 6


def associated(owner, mint):
    return Pubkey.find_program_address([bytes(owner), bytes(TOKEN), bytes(mint)], ASSOCIATED)[0]


def build(url, facilitator, payer, mint, owner, amount, memo):
    payer, mint, owner = (Pubkey.from_string(text) for text in (payer, mint, owner))
    # TransferChecked.
    data = bytes([12]) + int(amount).to_bytes(8, "little") + bytes([DECIMALS])
    pays = Instruction(TOKEN, data, [
        AccountMeta(associated(payer, mint), False, True),
        AccountMeta(mint, False, False),
        AccountMeta(associated(owner, mint), False, True),
        AccountMeta(payer, True, False),
    ])
    instructions = [
        set_compute_unit_limit(60_000), set_compute_unit_price(1), pays, Instruction(MEMO, memo.encode(), [])]
    message = MessageV0.try_compile(facilitator.pubkey(), instructions, [], blockhash(url))
    empty = VersionedTransaction.populate(message, [Signature.default()] * 2)
    return base64.b64encode(bytes(empty)).decode()


def settle(url, facilitator, transaction):
    signed = VersionedTransaction.from_bytes(base64.b64decode(transaction))
    if signed.verify_with_results() != [False, True]:
        raise SystemExit("the payer's signature is not there, or not true")
    own = facilitator.sign_message(to_bytes_versioned(signed.message))
    whole = VersionedTransaction.populate(signed.message, [own, signed.signatures[1]])
    return send(url, bytes(whole))


def main():
    act, url, secret, *more = sys.argv[1:]
    facilitator = Keypair.from_base58_string(secret)
    print({"build": build, "settle": settle}[act](url, facilitator, *more))


main()
