"""Mints of Token-2022 with extensions that take something from whoever holds their tokens, on a local Solana chain,
with solders. Gives some of each to a wallet, and to another owner an empty account of each.

usage: extensions.py make RPC PAYER_SECRET WALLET AMOUNT OWNER
           prints {"hook": MINT, "permanent-delegate": MINT, "non-transferable": MINT, "pausable": MINT}
       extensions.py pause RPC PAYER_SECRET MINT
       extensions.py resume RPC PAYER_SECRET MINT
"""

import json
import sys

from chain import carry_out
from mints import TOKEN_2022, account, mint
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

# A mint with extensions: as long as an account, its type, then for each two numbers of 2 bytes and its content.
BEGINS = 166
HEAD = 4
# Whatever program; it is never reached.
HOOK = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")


def make(url, secret, wallet, amount, owner):
    payer, wallet, owner = Keypair.from_base58_string(secret), Pubkey.from_string(wallet), Pubkey.from_string(owner)
    own = bytes(payer.pubkey())
    made = {}
    for name, length, data in (
        ("hook", 64, bytes([36, 0]) + own + bytes(HOOK)),
        ("permanent-delegate", 32, bytes([35]) + own),
        ("non-transferable", 0, bytes([32])),
        ("pausable", 33, bytes([44, 0]) + own),
    ):
        size = BEGINS + HEAD + length
        new = mint(url, payer, TOKEN_2022, size, [data], wallet, int(amount))
        carry_out(url, [payer], [account(payer.pubkey(), owner, new, TOKEN_2022)])
        made[name] = str(new)
    return json.dumps(made)


def paused(url, secret, token, act):
    payer = Keypair.from_base58_string(secret)
    accounts = [AccountMeta(Pubkey.from_string(token), False, True), AccountMeta(payer.pubkey(), True, False)]
    return carry_out(url, [payer], [Instruction(TOKEN_2022, bytes([44, act]), accounts)])


def main():
    act, *more = sys.argv[1:]
    if act == "make":
        print(make(*more))
    else:
        print(paused(*more, {"pause": 1, "resume": 2}[act]))


main()
