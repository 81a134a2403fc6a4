"""What transactions take from a wallet, read from their own bytes for judge_log.py; not a line of the product's code.

Written from the chains' own formats: RLP and EIP-1559, Solana's legacy messages, version 0 and version 1 (SIMD-0385).
What it does not know it refuses. Only the standard library is needed.
"""

import functools
import hashlib

import verify_log


class Broken(Exception):
    """A limit does not hold, or what should be judged cannot be read."""


def need(condition, why):
    if not condition:
        raise Broken(why)


def rlp(data, place=0):
    """One item and where it ends."""
    first = data[place]
    if first < 0x80:
        return bytes([first]), place + 1
    base, is_list = (0x80, False) if first < 0xC0 else (0xC0, True)
    length, place = first - base, place + 1
    if length > 55:
        digits = length - 55
        length, place = int.from_bytes(data[place:place + digits], "big"), place + digits
    end = place + length
    need(end <= len(data), "RLP that is cut off")
    if not is_list:
        return data[place:end], end
    items = []
    while place < end:
        item, place = rlp(data, place)
        items.append(item)
    need(place == end, "an RLP list of another length")
    return items, end


def read_evm(data):
    """Value, fee at its worst, recipient, call data and nonce."""
    typed = data[:1] == b"\x02"
    fields, end = rlp(data, 1 if typed else 0)
    need(end == len(data) and isinstance(fields, list) and len(fields) == 9, "nine fields and nothing behind")
    if typed:
        _, nonce, _, price, gas, to, value, call, access = fields
        need(access == [], "an access list")
    else:
        nonce, price, gas, to, value, call, _, *rest = fields
        need(rest == [b"", b""], "a legacy transaction to be signed")
    number = [int.from_bytes(field, "big") for field in (nonce, price, gas, value)]
    return {"nonce": number[0], "fee": number[1] * number[2], "value": number[3], "to": to, "call": call}


def base58(text):
    return verify_log.key_bytes(text)


SYSTEM = bytes(32)
BUDGET = base58("ComputeBudget111111111111111111111111111111")
MEMO = base58("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
TOKENS = base58("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKENS_2022 = base58("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = base58("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


@functools.cache
def token_account(owner, mint, program):
    """Where an owner's tokens lie: the first address off the curve, counted down."""
    for bump in range(255, -1, -1):
        seeds = owner + program + mint + bytes([bump]) + ASSOCIATED + b"ProgramDerivedAddress"
        found = hashlib.sha256(seeds).digest()
        if verify_log.decompress(found) is None:
            return found
    raise Broken("no address off the curve")


class Read:
    """What a Solana message takes from a wallet."""

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __init__(self):
        # Lamports, and tokens with their mint and places; the one call of a program that is not known here.
        self.transfers, self.moved, self.call = [], [], None
        self.fee, self.sponsored = 0, False


class Cursor:
    """Bytes from their beginning."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), "a message that is cut off")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "little")

    def compact(self):
        number = shift = 0
        while True:
            byte = self.number(1)
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number


def message(data, tables):
    """Header, keys with whether each may be written, instructions, and lamports of a priority fee that the header of
    version 1 says. Behind the message's own keys stand those that it looks up: all to write, then all to read."""
    cursor, found = Cursor(data), ([], [])
    if data[:1] == b"\x81":
        cursor.take(1)
        header, mask = cursor.take(3), cursor.number(4)
        need(mask & 3 in (0, 3) and mask < 16, "settings that are not read here")
        cursor.take(32)
        count, addresses = cursor.number(1), cursor.number(1)
        keys = [cursor.take(32) for _ in range(addresses)]
        priority = cursor.number(8) if mask & 3 else 0
        cursor.take(4 * ((mask >> 2 & 1) + (mask >> 3 & 1)))
        heads = [(cursor.number(1), cursor.number(1), cursor.number(2)) for _ in range(count)]
        instructions = [(head[0], cursor.take(head[1]), cursor.take(head[2])) for head in heads]
    else:
        looks_up = data[:1] == b"\x80"
        cursor.take(int(looks_up))
        header, priority = cursor.take(3), None
        keys = [cursor.take(32) for _ in range(cursor.compact())]
        cursor.take(32)
        instructions = []
        for _ in range(cursor.compact()):
            program = cursor.number(1)
            accounts = cursor.take(cursor.compact())
            instructions.append((program, accounts, cursor.take(cursor.compact())))
        for _ in range(cursor.compact() if looks_up else 0):
            content = tables.get(cursor.take(32))
            need(content is not None, "a lookup table that policy does not know")
            for side in found:
                for index in cursor.take(cursor.compact()):
                    need(index < len(content), "an index outside of a lookup table")
                    side.append(content[index])
    need(cursor.at == len(data), "bytes behind the message")

    def writable(index):
        return index < header[0] - header[1] if index < header[0] else index < len(keys) - header[2]
    listed = [(key, writable(index)) for index, key in enumerate(keys)]
    written, read = ([(key, side == 0) for key in found[side]] for side in (0, 1))
    return header, listed + written + read, instructions, priority


def read_solana(data, wallet, tables):
    """Everything that leaves, and the fee at its worst, with these lookup tables: address and content."""
    header, places, instructions, priority = message(data, tables)
    keys = [key for key, _ in places]
    need(header[0] in (1, 2), "one signature, or two")
    read, own = Read(), header[0] - 1
    read.sponsored = own == 1
    need(keys[own] == wallet, "another wallet's")
    limit, price, assumed, others = None, 0, 0, 0
    for program, accounts, content in ((keys[one[0]], one[1], one[2]) for one in instructions):
        if program == BUDGET and content[:1] == b"\x02":
            limit = int.from_bytes(content[1:], "little")
            continue
        if program == BUDGET and content[:1] == b"\x03":
            price, assumed = int.from_bytes(content[1:], "little"), assumed + 3_000
            continue
        assumed, others = assumed + 200_000, others + 1
        if program == SYSTEM and content[:4] == b"\x02\0\0\0" and len(content) == 12:
            need(len(accounts) == 2 and accounts[0] == own, "from the wallet")
            read.transfers.append((keys[accounts[1]], int.from_bytes(content[4:], "little")))
        elif program == TOKENS and content[:1] == b"\x0c" and len(content) == 10:
            need(len(accounts) == 4 and accounts[3] == own, "by the wallet")
            mint = keys[accounts[1]]
            need(keys[accounts[0]] == token_account(wallet, mint, TOKENS), "out of the wallet's account")
            read.moved.append((mint, keys[accounts[2]], int.from_bytes(content[1:9], "little"), content[9]))
        elif program == MEMO:
            pass
        else:
            need(read.call is None, "an instruction that is not read here")
            read.call = program, [places[index] for index in accounts], content
    need(read.call is None or (others == 1 and own == 0), "an instruction that is not read here")
    units = min(assumed, 1_400_000) if limit is None else limit
    if priority is None:
        priority = -(-units * price // 1_000_000)
    read.fee = 0 if read.sponsored else 5000 + priority
    return read
