"""An exchange on a local Solana chain, with solders: builds transfers in each form of messages for a wallet that pays
the fee itself, and sends what came back signed.

usage: brought.py build RPC PAYER TO LAMPORTS FORM
           FORM is `legacy`, `0`, `1`, or `1-unlimited`, which has no limit for loaded accounts; prints the unsigned
           transaction in base64
       brought.py send RPC TRANSACTION SIGNED      both in base64; prints its signature once it is confirmed
"""

import base64
import sys

from chain import blockhash, send
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.message import Message, MessageV0, MessageV1, TransactionConfig, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

UNITS = 450
# Millionths of a lamport for a unit: 2 lamports of these, rounded up.
PRICE = 4_000
# Of version 1: lamports in all.
PRIORITY = 300
LOADED = 65_536


def build(url, payer, to, lamports, form):
    payer, recent = Pubkey.from_string(payer), blockhash(url)
    move = transfer(TransferParams(from_pubkey=payer, to_pubkey=Pubkey.from_string(to), lamports=int(lamports)))
    budget = [set_compute_unit_limit(UNITS), set_compute_unit_price(PRICE), move]
    message = {
        "legacy": lambda: Message.new_with_blockhash(budget, payer, recent),
        "0": lambda: MessageV0.try_compile(payer, budget, [], recent),
        "1": lambda: MessageV1.try_compile(payer, [move], recent, TransactionConfig(
            priority_fee=PRIORITY, compute_unit_limit=UNITS, loaded_accounts_data_size_limit=LOADED)),
        "1-unlimited": lambda: MessageV1.try_compile(payer, [move], recent, TransactionConfig(
            priority_fee=PRIORITY, compute_unit_limit=UNITS)),
    }[form]()
    return base64.b64encode(bytes(VersionedTransaction.populate(message, [Signature.default()]))).decode()


def sends(url, transaction, signed):
    asked, whole = (VersionedTransaction.from_bytes(base64.b64decode(one)) for one in (transaction, signed))
    if to_bytes_versioned(asked.message) != to_bytes_versioned(whole.message):
        raise SystemExit("another message")
    if whole.verify_with_results() != [True]:
        raise SystemExit("the wallet's signature is not there, or not true")
    return send(url, bytes(whole))


def main():
    act, *more = sys.argv[1:]
    print({"build": build, "send": sends}[act](*more))


main()
