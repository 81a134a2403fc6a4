"""What comes into a wallet on a local Solana chain from somebody else, with solders, whose key made the mint.

usage: holdings.py pay RPC PAYER_SECRET WALLET MINT UNITS PROGRAM
           a transfer to the wallet's associated account, which it names by its owner; PROGRAM is `spl-token` or
           `token-2022`; prints the transaction's signature
       holdings.py elsewhere RPC PAYER_SECRET WALLET MINT UNITS
           into a new account of SPL Token that is the wallet's and not the associated one; prints its address
"""

import sys

from chain import carry_out
from mints import DECIMALS, TOKEN, TOKEN_2022, account, associated, gives, room
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

SIZE = 165


def pay(url, secret, wallet, mint, units, program):
    payer, wallet, mint = Keypair.from_base58_string(secret), Pubkey.from_string(wallet), Pubkey.from_string(mint)
    program = {"spl-token": TOKEN, "token-2022": TOKEN_2022}[program]
    own, units = payer.pubkey(), int(units)
    source, to = (associated(owner, mint, program) for owner in (own, wallet))
    carry_out(url, [payer], [account(own, own, mint, program), gives(own, source, mint, program, units)])
    # TransferChecked.
    data = bytes([12]) + units.to_bytes(8, "little") + bytes([DECIMALS])
    moves = Instruction(program, data, [
        AccountMeta(source, False, True), AccountMeta(mint, False, False), AccountMeta(to, False, True),
        AccountMeta(own, True, False)])
    return carry_out(url, [payer], [account(own, wallet, mint, program), moves])


def elsewhere(url, secret, wallet, mint, units):
    payer, new = Keypair.from_base58_string(secret), Keypair()
    wallet, mint = Pubkey.from_string(wallet), Pubkey.from_string(mint)
    # InitializeAccount3: the owner.
    begins = Instruction(TOKEN, bytes([18]) + bytes(wallet), [
        AccountMeta(new.pubkey(), False, True), AccountMeta(mint, False, False)])
    carry_out(url, [payer, new], [
        room(url, payer, new, SIZE, TOKEN), begins, gives(payer.pubkey(), new.pubkey(), mint, TOKEN, int(units))])
    return new.pubkey()


def main():
    act, *more = sys.argv[1:]
    print({"pay": pay, "elsewhere": elsewhere}[act](*more))


main()
