"""Address lookup tables on a local Solana chain, with solders: made, extended, and used by a transfer of lamports.

usage: lookup_table.py create RPC SECRET ADDRESS...            prints the table's address once it can be used
       lookup_table.py extend RPC SECRET TABLE ADDRESS...
       lookup_table.py content RPC TABLE                       prints the addresses in it
       lookup_table.py transfer RPC PAYER TABLE TO LAMPORTS    prints the unsigned transaction in base64
"""

import base64
import json
import sys
import time

from chain import CONFIRMED, blockhash, carry_out, rpc
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

PROGRAM = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
SYSTEM = Pubkey.default()
# State, deactivation slot, last extended slot and its start, authority, padding.
META = 56


def land(url, payer, instruction):
    carry_out(url, [payer], [instruction])
    # What was appended can be looked up from the next slot on.
    landed = rpc(url, "getSlot", CONFIRMED)
    while rpc(url, "getSlot", CONFIRMED) <= landed:
        time.sleep(0.05)


def uses(table, payer):
    return [
        AccountMeta(table, False, True), AccountMeta(payer, True, False), AccountMeta(payer, True, True),
        AccountMeta(SYSTEM, False, False),
    ]


def create(url, secret, *addresses):
    payer = Keypair.from_base58_string(secret)
    # The slot of a new table is one that has ended; a chain that has just begun has none yet.
    while (slot := rpc(url, "getSlot", {"commitment": "finalized"}) - 1) < 0:
        time.sleep(0.05)
    seeds = [bytes(payer.pubkey()), slot.to_bytes(8, "little")]
    table, bump = Pubkey.find_program_address(seeds, PROGRAM)
    data = bytes(4) + slot.to_bytes(8, "little") + bytes([bump])
    land(url, payer, Instruction(PROGRAM, data, uses(table, payer.pubkey())))
    extend(url, secret, str(table), *addresses)
    return table


def extend(url, secret, table, *addresses):
    payer = Keypair.from_base58_string(secret)
    content = b"".join(bytes(Pubkey.from_string(address)) for address in addresses)
    data = (2).to_bytes(4, "little") + len(addresses).to_bytes(8, "little") + content
    land(url, payer, Instruction(PROGRAM, data, uses(Pubkey.from_string(table), payer.pubkey())))
    return ""


def content(url, table):
    told = rpc(url, "getAccountInfo", table, {"encoding": "base64", **CONFIRMED})["value"]
    data = base64.b64decode(told["data"][0])
    if told["owner"] != str(PROGRAM) or data[:4] != (1).to_bytes(4, "little"):
        raise SystemExit("no lookup table")
    return [Pubkey(data[at:at + 32]) for at in range(META, len(data), 32)]


def show(url, table):
    return json.dumps([str(address) for address in content(url, table)])


def pays(url, payer, table, to, lamports):
    payer, to = Pubkey.from_string(payer), Pubkey.from_string(to)
    known = AddressLookupTableAccount(Pubkey.from_string(table), content(url, table))
    move = transfer(TransferParams(from_pubkey=payer, to_pubkey=to, lamports=int(lamports)))
    message = MessageV0.try_compile(payer, [move], [known], blockhash(url))
    if len(message.address_table_lookups) != 1 or to in message.account_keys:
        raise SystemExit("the recipient is listed")
    empty = VersionedTransaction.populate(message, [Signature.default()])
    return base64.b64encode(bytes(empty)).decode()


def main():
    act, *more = sys.argv[1:]
    print({"create": create, "extend": extend, "content": show, "transfer": pays}[act](*more))


main()
