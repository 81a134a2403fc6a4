"""Mints and accounts of both token programs on a local Solana chain, with solders: what the scripts beside this one
share."""

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


def associated(owner, mint, program):
    return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ASSOCIATED)[0]


def account(payer, owner, mint, program):
    """Creates an associated account, unless it is there."""
    return Instruction(ASSOCIATED, b"\x01", [
        AccountMeta(payer, True, True),
        AccountMeta(associated(owner, mint, program), False, True),
        AccountMeta(owner, False, False),
        AccountMeta(mint, False, False),
        AccountMeta(SYSTEM, False, False),
        AccountMeta(program, False, False),
    ])


def gives(payer, to, mint, program, amount):
    """MintTo an account."""
    return Instruction(program, b"\x07" + amount.to_bytes(8, "little"), [
        AccountMeta(mint, False, True), AccountMeta(to, False, True), AccountMeta(payer, True, False)])


def room(url, payer, new, size, program):
    rent = rpc(url, "getMinimumBalanceForRentExemption", size)
    return create_account(CreateAccountParams(
        from_pubkey=payer.pubkey(), to_pubkey=new.pubkey(), lamports=rent, space=size, owner=program))


def mint(url, payer, program, size, first, wallet, amount):
    """A mint of so many bytes, begun with this data; so much of it for the wallet."""
    new = Keypair()
    # InitializeMint2: decimals, authority, no freeze authority.
    begins = bytes([20, DECIMALS]) + bytes(payer.pubkey()) + b"\x00"
    writes = [AccountMeta(new.pubkey(), False, True)]
    carry_out(url, [payer, new], [
        room(url, payer, new, size, program), *[Instruction(program, data, writes) for data in [*first, begins]]])
    holds = associated(wallet, new.pubkey(), program)
    carry_out(url, [payer], [
        account(payer.pubkey(), wallet, new.pubkey(), program),
        gives(payer.pubkey(), holds, new.pubkey(), program, amount)])
    return new.pubkey()
