#!/usr/bin/env python3
"""A second calculator of what a Solana message does, for `tests/tests/effects`.

    effects_solana.py < cases > verdicts      one JSON object a line, in both

A case has `chain` (CAIP-2), `wallet`, `unsigned` (hexadecimal) and `known`: `owners`, `tokens` (mint, decimals,
program), if a stake account is meant, its `seed`, if a program is called, the registered `program`, whether the fee
may be `sponsored`, and `tables` (address, and the addresses in it). A verdict is {"refused": true}, or `effects` in their order with the fee last, if the wallet pays
it, and `memo`.

Written from the wire format of messages, the interfaces of the programs and docs/transactions.md, sharing nothing
with the product. Messages are read twice, by this file and by solders; where the two read differently it stops.
Those of version 1 (SIMD-0385) are read by this file alone: solders does not know them. Needs solders.
"""

import json
import struct
import sys

from solders.message import Message, MessageV0, from_bytes_versioned, to_bytes_versioned
from solders.pubkey import Pubkey

SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
TOKENS = {
    "spl-token": Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"),
    "token-2022": Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"),
}
STAKE = Pubkey.from_string("Stake11111111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
RENT_SYSVAR = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
HISTORY = Pubkey.from_string("SysvarStakeHistory1111111111111111111111111")
STAKE_CONFIG = Pubkey.from_string("StakeConfig11111111111111111111111111111111")
# The minimum balance of a stake account: 200 bytes.
STAKE_BYTES, STAKE_RENT = 200, 2_282_880
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16, "bool": 1, "address": 32}
WIDTHS.update({f"bytes{count}": count for count in range(1, 33)})
# Of those that are never called by rule, what these messages hold.
RESERVED = {SYSTEM, BUDGET, MEMO, ASSOCIATED, STAKE, *TOKENS.values()}
SEED = set("abcdefghijklmnopqrstuvwxyz0123456789-")
# The minimum balance of an account of 165 bytes, and of the largest that a Token-2022 mint can ask for: 191.
RENT = {"spl-token": 2_039_280, "token-2022": 2_220_240}

PACKET = 1232
VERSION_ONE_PACKET = 4096
SIGNATURE = 64
PER_SIGNATURE = 5000
MOST_UNITS = 1_400_000
UNITS_OF_AN_INSTRUCTION = 200_000
UNITS_OF_A_SETTING = 3_000


class Refused(Exception):
    """The product must not sign it."""


def need(condition, why):
    if not condition:
        raise Refused(why)


class Reader:
    """The wire format, by position."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), "ends early")
        self.at += count
        return self.data[self.at - count:self.at]

    def byte(self):
        return self.take(1)[0]

    def compact(self):
        """A number of 16 bits, seven bits a byte, in its shortest form."""
        number = 0
        for place in range(3):
            byte = self.byte()
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                need(place == 0 or byte != 0, "a number in a longer form")
                need(number < 1 << 16, "more than 16 bits")
                return number
        raise Refused("a number of more than three bytes")

    def array(self, item):
        return [item() for _ in range(self.compact())]


def structure(data):
    """Version, header, accounts, blockhash, instructions, lookups, and of version 1 what its header says of the fee."""
    reader = Reader(data)
    first = data[0] if data else 0
    if first == 0x81:
        return version_one(reader)
    versioned = first == 0x80
    need(versioned or 1 <= first < 0x80, "no version that is read")
    if versioned:
        reader.byte()
    header = tuple(reader.take(3))
    accounts = reader.array(lambda: bytes(reader.take(32)))
    blockhash = reader.take(32)

    def instruction():
        program = reader.byte()
        uses = list(reader.take(reader.compact()))
        return program, uses, bytes(reader.take(reader.compact()))

    def lookup():
        table = bytes(reader.take(32))
        writable = list(reader.take(reader.compact()))
        return table, writable, list(reader.take(reader.compact()))

    instructions = reader.array(instruction)
    lookups = reader.array(lookup) if versioned else []
    need(reader.at == len(data), "bytes behind the message")
    return versioned, header, accounts, blockhash, instructions, lookups, None


def version_one(reader):
    """SIMD-0385: fixed header, addresses, values of the settings, heads of the instructions, their bodies."""
    reader.byte()
    header = tuple(reader.take(3))
    mask = int.from_bytes(reader.take(4), "little")
    blockhash = reader.take(32)
    instructions, addresses = reader.byte(), reader.byte()
    accounts = [bytes(reader.take(32)) for _ in range(addresses)]
    need(mask < 32 and mask & 3 in (0, 3), "settings that nobody knows")
    stated = {"fee": 0}
    for bits, name, length in ((3, "fee", 8), (4, "units", 4), (8, "loaded", 4), (16, "heap", 4)):
        if mask & bits:
            stated[name] = int.from_bytes(reader.take(length), "little")
    heads = [
        (reader.byte(), reader.byte(), int.from_bytes(reader.take(2), "little")) for _ in range(instructions)
    ]
    bodies = [(program, list(reader.take(uses)), bytes(reader.take(length))) for program, uses, length in heads]
    need(reader.at == len(reader.data), "bytes behind the message")
    return True, header, accounts, blockhash, bodies, [], stated


def by_solders(data):
    """The same as solders reads it, nothing if it does not."""
    try:
        message = from_bytes_versioned(data)
    except Exception:  # whatever it calls it
        return None
    if bytes(to_bytes_versioned(message)) != data:
        return None
    lookups = message.address_table_lookups if isinstance(message, MessageV0) else []
    header = message.header
    return (
        not isinstance(message, Message),
        (header.num_required_signatures, header.num_readonly_signed_accounts, header.num_readonly_unsigned_accounts),
        [bytes(key) for key in message.account_keys],
        bytes(message.recent_blockhash),
        [(one.program_id_index, list(one.accounts), bytes(one.data)) for one in message.instructions],
        [(bytes(one.account_key), list(one.writable_indexes), list(one.readonly_indexes)) for one in lookups],
        None,
    )


def read(data):
    """Both readings, which must be one."""
    try:
        own = structure(data)
    except Refused:
        # A first byte of 0 is a count of signatures to solders, and no version to the product.
        if data and 1 <= data[0] <= 0x80 and by_solders(data) is not None:
            raise SystemExit(f"solders reads what this does not: {data.hex()}") from None
        raise
    if own[6] is not None:
        return own
    other = by_solders(data)
    if other != own:
        raise SystemExit(f"solders reads otherwise: {data.hex()}: {other}")
    return own


def text_of(data):
    """A memo that looks everywhere as it is."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise Refused("a memo that is not ASCII") from None
    need(1 <= len(text) <= 128, "a memo's length")
    need(all(" " <= one <= "~" and one != "|" for one in text), "a memo's characters")
    need(text == text.strip(" ") and "  " not in text, "a memo's spaces")
    return text


class Case:
    """One message before one wallet, and what owners registered."""

    accounts = {}

    def __init__(self, case):
        self.chain = case["chain"]
        self.wallet = Pubkey.from_string(case["wallet"])
        self.data = bytes.fromhex(case["unsigned"])
        self.owners = [Pubkey.from_string(owner) for owner in case["known"]["owners"]]
        self.tokens = {Pubkey.from_string(one["mint"]): one for one in case["known"]["tokens"]}
        self.seed = case["known"].get("seed")
        self.sponsored = case["known"].get("sponsored", False)
        self.program = case["known"].get("program")
        self.native = f"{self.chain}/slip44:501"
        tables = case["known"].get("tables", [])
        self.tables = {one["table"]: [Pubkey.from_string(address) for address in one["addresses"]] for one in tables}

    def associated(self, owner, mint, program):
        key = (owner, mint, program)
        if key not in Case.accounts:
            seeds = [bytes(owner), bytes(program), bytes(mint)]
            Case.accounts[key] = Pubkey.find_program_address(seeds, ASSOCIATED)[0]
        return Case.accounts[key]

    def verdict(self):
        _, header, keys, _, instructions, lookups, self.stated = read(self.data)
        signers, read_only_signers, read_only = header
        need(signers == 1 or signers == 2 and self.sponsored, "other signers than the wallet")
        need(read_only_signers < signers, "a payer that is only read")
        if self.stated is None:
            need(len(self.data) + 1 + signers * SIGNATURE <= PACKET, "does not fit a packet")
        else:
            need(len(self.data) + signers * SIGNATURE <= VERSION_ONE_PACKET, "too long for version 1")
            need(set(self.stated) <= {"fee", "units", "loaded"}, "memory that nothing needs")
            need(self.stated.get("units", 0) <= MOST_UNITS, "more units than there are")
        need(read_only <= len(keys) - signers, "more read-only accounts than there are beside the signers")
        need(keys[signers - 1] == bytes(self.wallet), "another signer")
        written, read_too = self.loaded(lookups)
        listed = len(keys)
        keys = keys + written + read_too
        need(len(set(keys)) == len(keys), "an account twice")

        def writable(place):
            if place >= listed:
                return place < listed + len(written)
            return place < (signers - read_only_signers if place < signers else listed - read_only)

        used = {0}
        for program, uses, _ in instructions:
            need(max([program, *uses]) < len(keys), "an account that is not there")
            need(program < listed, "a program out of a table")
            need(program >= signers and not writable(program), "a program that may be written or signs")
            used.update([program, *uses])
        need(len(used) == len(keys), "an account without use")

        keys = [Pubkey(key) for key in keys]
        self.effects, self.memo, self.created, self.settings = [], None, {}, {}
        resolved = [
            (keys[program], [(keys[use], writable(use)) for use in uses], data)
            for program, uses, data in instructions
        ]
        if any(program == STAKE for program, _, _ in resolved):
            need(signers == 1, "a template is the wallet's alone")
            for program, uses, data in resolved:
                if program == BUDGET:
                    self.setting(uses, data)
            self.stake([one for one in resolved if one[0] != BUDGET])
        elif self.calls(resolved):
            need(signers == 1, "a call is the wallet's alone")
            for program, uses, data in resolved:
                if program == BUDGET:
                    self.setting(uses, data)
            self.call([one for one in resolved if one[0] != BUDGET])
        else:
            for program, uses, data in resolved:
                self.instruction(program, uses, data)
        need(all(self.created.values()), "an account is created and not paid into")
        need(self.effects, "nothing moves")
        fee = self.fee(instructions)
        if signers == 1:
            self.effects.append({"kind": "fee", "asset": self.native, "amount": str(fee)})
        return {"effects": self.effects, "memo": self.memo}

    def loaded(self, lookups):
        """What is loaded: of all tables first what is written, then what is only read."""
        written, read_too = [], []
        for place, (table, writable, read_only) in enumerate(lookups):
            address = str(Pubkey(table))
            need(address in self.tables, "a table that nobody pinned")
            need(all(table != other for other, _, _ in lookups[:place]), "a table twice")
            need(writable or read_only, "a table of which nothing is loaded")
            content = self.tables[address]
            need(max([*writable, *read_only]) < len(content), "beyond what is pinned")
            written += [bytes(content[index]) for index in writable]
            read_too += [bytes(content[index]) for index in read_only]
        return written, read_too

    def instruction(self, program, uses, data):
        if program == SYSTEM:
            self.transfer(uses, data)
        elif program == BUDGET:
            self.setting(uses, data)
        elif program == MEMO:
            need(not uses and self.memo is None, "a memo with accounts, or a second one")
            self.memo = text_of(data)
        elif program == ASSOCIATED:
            self.creation(uses, data)
        elif program in TOKENS.values():
            self.token_transfer(program, uses, data)
        else:
            raise Refused("a program that nobody understands")

    def transfer(self, uses, data):
        """SystemInstruction::Transfer, bincode: u32 2, u64 lamports."""
        need(len(data) == 12 and data[:4] == b"\x02\0\0\0", "no transfer of lamports")
        need(len(uses) == 2, "a transfer has two accounts")
        (source, source_writable), (target, target_writable) = uses
        need(source_writable, "a wallet that is only read")
        need(source == self.wallet and target != self.wallet and target_writable, "from the wallet to another")
        self.move(self.native, target, struct.unpack("<Q", data[4:])[0])

    def setting(self, uses, data):
        """ComputeBudgetInstruction, borsh: SetComputeUnitLimit(u32) is 2, SetComputeUnitPrice(u64) is 3."""
        need(not uses and data, "a setting names no account")
        need(self.stated is None, "a setting that the chain ignores")
        kind, length = {2: ("units", 4), 3: ("price", 8)}.get(data[0], (None, 0))
        need(kind and len(data) == 1 + length and kind not in self.settings, "limit and price, once each")
        self.settings[kind] = int.from_bytes(data[1:], "little")
        need(self.settings.get("units", 0) <= MOST_UNITS, "more units than there are")

    def token(self, mint, program):
        (mint, mint_writable) = mint
        need(mint in self.tokens and not mint_writable, "a mint that is known and only read")
        token = self.tokens[mint]
        need(program == TOKENS[token["program"]], "the mint's own program")
        return mint, token

    def creation(self, uses, data):
        """AssociatedTokenAccountInstruction::CreateIdempotent: u8 1."""
        need(data == b"\x01" and len(uses) == 6, "no CreateIdempotent")
        (payer, payer_writable), (account, account_writable), (owner, _), mint, (system, _), (program, _) = uses
        mint, token = self.token(mint, program)
        need(payer_writable, "a wallet that is only read")
        need(payer == self.wallet and system == SYSTEM and owner in self.owners, "other accounts")
        need(account == self.associated(owner, mint, program) and account_writable, "another account")
        need(account not in self.created, "created twice")
        self.created[account] = False
        rent = RENT[token["program"]]
        self.effects.append({"kind": "rent", "asset": self.native, "amount": str(rent)})

    def token_transfer(self, program, uses, data):
        """TokenInstruction::TransferChecked: u8 12, u64 amount, u8 decimals."""
        need(len(data) == 10 and data[0] == 12 and len(uses) == 4, "no TransferChecked")
        (source, source_writable), mint, (target, target_writable), (authority, _) = uses
        mint, token = self.token(mint, program)
        need(data[9] == token["decimals"], "other decimals")
        own = self.associated(self.wallet, mint, program)
        need(authority == self.wallet and source == own and source_writable, "not from the wallet's account")
        need(target != source and target_writable, "to the wallet's own account, or to one that is only read")
        to = [owner for owner in self.owners if self.associated(owner, mint, program) == target]
        need(to, "to an account of nobody that is known")
        if target in self.created:
            self.created[target] = True
        self.move(f"{self.chain}/token:{mint}", to[0], struct.unpack("<Q", data[1:9])[0])

    def stake(self, instructions):
        """StakeInstruction, bincode: u32 number. A message of this program is one of three templates as a whole."""
        programs = [program for program, _, _ in instructions]
        if programs == [SYSTEM, STAKE, STAKE]:
            (_, create_uses, create), (_, init_uses, init), (_, delegate_uses, delegate) = instructions
            # SystemInstruction::CreateAccountWithSeed: u32 3, base, seed, lamports, space, owner.
            need(create[:4] == b"\x03\0\0\0" and len(create) >= 44, "no CreateAccountWithSeed")
            length = struct.unpack("<Q", create[36:44])[0]
            need(len(create) == 44 + length + 48, "its length")
            seed = create[44:44 + length].decode("latin1")
            need(1 <= length <= 32 and set(seed) <= SEED, "a seed")
            lamports, space = struct.unpack("<QQ", create[44 + length:60 + length])
            need(create[4:36] == bytes(self.wallet) and create[60 + length:] == bytes(STAKE), "base and owner")
            need(space == STAKE_BYTES and lamports > STAKE_RENT, "size and lamports")
            account = Pubkey.create_with_seed(self.wallet, seed, STAKE)
            need(create_uses == [(self.wallet, True), (account, True)], "other accounts")
            need(init == bytes(4) + 2 * bytes(self.wallet) + bytes(48), "authorities of others, or a lockup")
            need(init_uses == [(account, True), (RENT_SYSVAR, False)], "other accounts")
            need(delegate == b"\x02\0\0\0" and len(delegate_uses) == 6, "no DelegateStake")
            validator = delegate_uses[1][0]
            others = [(one, False) for one in (validator, CLOCK, HISTORY, STAKE_CONFIG)]
            need(delegate_uses == [(account, True), *others, (self.wallet, True)], "other accounts")
            self.effects.append({"kind": "rent", "asset": self.native, "amount": str(STAKE_RENT)})
            self.staked(seed, account, "delegate", lamports - STAKE_RENT, validator)
            return
        need(programs == [STAKE] and self.seed is not None, "no template")
        account = Pubkey.create_with_seed(self.wallet, self.seed, STAKE)
        (_, uses, data), = instructions
        if data == b"\x05\0\0\0":
            need(uses == [(account, True), (CLOCK, False), (self.wallet, True)], "other accounts")
            self.staked(self.seed, account, "deactivate")
            return
        need(len(data) == 12 and data[:4] == b"\x04\0\0\0", "neither Deactivate nor Withdraw")
        others = [(self.wallet, True), (CLOCK, False), (HISTORY, False), (self.wallet, True)]
        need(uses == [(account, True), *others], "other accounts")
        amount = struct.unpack("<Q", data[4:])[0]
        need(amount > 0, "nothing comes back")
        self.staked(self.seed, account, "withdraw", amount)

    def calls(self, resolved):
        """Whether the message calls the registered program; a reserved one is nobody's to register."""
        if self.program is None:
            return False
        registered = Pubkey.from_string(self.program["program"])
        return registered not in RESERVED and any(program == registered for program, _, _ in resolved)

    def call(self, instructions):
        """One call of the registered method: what it begins with, fields of fixed length, and some bytes more."""
        need(len(instructions) == 1, "something beside the call")
        (target, uses, data), = instructions
        need(str(target) == self.program["program"], "another program")
        begins = bytes.fromhex(self.program["begins"])
        need(data.startswith(begins), "another method")
        rest, spent = data[len(begins):], []
        for field in self.program["fields"]:
            length = WIDTHS[field["type"]]
            value, rest = rest[:length], rest[length:]
            need(len(value) == length, "ends early")
            need(field["type"] != "bool" or value[0] < 2, "no bool")
            if field["spends"]:
                spent.append((field["spends"], int.from_bytes(value, "little")))
        need(len(rest) <= self.program["tail"], "more bytes than may follow")
        need([writable for _, writable in uses] == self.program["writable"], "other accounts, or other rights")
        leaving = [(one["asset"], int(one["amount"])) for one in self.program["outflow"]] + spent
        coins = sum(amount for asset, amount in leaving if asset == self.native)
        accounts = [str(account) for account, _ in uses]
        self.effects.append({
            "kind": "program", "asset": self.native, "amount": str(coins), "target": str(target),
            "data": data.hex(), "accounts": accounts,
        })
        for asset, amount in leaving:
            if asset != self.native:
                self.effects.append({
                    "kind": "call", "target": str(target), "method": begins.hex(), "asset": asset,
                    "amount": str(amount),
                })

    def staked(self, seed, account, act, amount=None, validator=None):
        effect = {"kind": "stake", "asset": self.native, "seed": seed, "account": str(account), "act": act}
        if amount is not None:
            effect["amount"] = str(amount)
        if validator is not None:
            effect["validator"] = str(validator)
        self.effects.append(effect)

    def move(self, asset, to, amount):
        self.effects.append({"kind": "transfer", "asset": asset, "to": str(to), "amount": str(amount)})

    def fee(self, instructions):
        """One signature, and limit times price rounded up; without a limit, the most that the chain assumes. In
        version 1 what the header says."""
        if self.stated is not None:
            need(PER_SIGNATURE + self.stated["fee"] < 1 << 64, "a fee of more than 64 bits")
            return PER_SIGNATURE + self.stated["fee"]
        units = self.settings.get("units")
        if units is None:
            settings = len(self.settings)
            assumed = (len(instructions) - settings) * UNITS_OF_AN_INSTRUCTION + settings * UNITS_OF_A_SETTING
            units = min(assumed, MOST_UNITS)
        priority = -(-units * self.settings.get("price", 0) // 1_000_000)
        need(PER_SIGNATURE + priority < 1 << 64, "a fee of more than 64 bits")
        return PER_SIGNATURE + priority


def main():
    for line in sys.stdin:
        try:
            verdict = Case(json.loads(line)).verdict()
        except Refused:
            verdict = {"refused": True}
        print(json.dumps(verdict))


if __name__ == "__main__":
    main()
