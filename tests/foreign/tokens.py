"""Makes tokens on a local Solana chain with solders: a mint of SPL Token, and one of Token-2022 that keeps a
part of each transfer. Gives some of both to a wallet, and to each further owner an empty account of the first.

usage: tokens.py RPC PAYER_SECRET WALLET AMOUNT [OWNER...]
prints {"token": MINT, "token_2022": MINT}
"""

import json
import sys

from chain import carry_out, rpc
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
SYSTEM = Pubkey.from_bytes(bytes(32))
DECIMALS = 6
BASIS_POINTS = 100
MOST = 5000


def associated(owner, mint, program):
    return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ASSOCIATED)[0]


def account(payer, owner, mint, program):
    return Instruction(ASSOCIATED, b"\x01", [
        AccountMeta(payer, True, True),
        AccountMeta(associated(owner, mint, program), False, True),
        AccountMeta(owner, False, False),
        AccountMeta(mint, False, False),
        AccountMeta(SYSTEM, False, False),
        AccountMeta(program, False, False),
    ])


def mint(url, payer, program, size, first, wallet, amount):
    new = Keypair()
    rent = rpc(url, "getMinimumBalanceForRentExemption", size)
    made = create_account(CreateAccountParams(
        from_pubkey=payer.pubkey(), to_pubkey=new.pubkey(), lamports=rent, space=size, owner=program))
    # InitializeMint2: decimals, authority, no freeze authority.
    begins = bytes([20, DECIMALS]) + bytes(payer.pubkey()) + b"\x00"
    writes = [AccountMeta(new.pubkey(), False, True)]
    carry_out(url, [payer, new], [
        made, *[Instruction(program, data, writes) for data in [*first, begins]]])
    # MintTo.
    gives = Instruction(program, b"\x07" + amount.to_bytes(8, "little"), [
        AccountMeta(new.pubkey(), False, True),
        AccountMeta(associated(wallet, new.pubkey(), program), False, True),
        AccountMeta(payer.pubkey(), True, False),
    ])
    carry_out(url, [payer], [account(payer.pubkey(), wallet, new.pubkey(), program), gives])
    return new.pubkey()


def main():
    url, secret, wallet, amount, *owners = sys.argv[1:]
    payer, wallet = Keypair.from_base58_string(secret), Pubkey.from_string(wallet)
    token = mint(url, payer, TOKEN, 82, [], wallet, int(amount))
    # InitializeTransferFeeConfig with no authority: basis points, most. A mint with it has 278 bytes.
    fee = bytes([26, 0, 0, 0]) + BASIS_POINTS.to_bytes(2, "little") + MOST.to_bytes(8, "little")
    token_2022 = mint(url, payer, TOKEN_2022, 278, [fee], wallet, int(amount))
    for owner in owners:
        carry_out(url, [payer], [account(payer.pubkey(), Pubkey.from_string(owner), token, TOKEN)])
    print(json.dumps({"token": str(token), "token_2022": str(token_2022)}))


main()
