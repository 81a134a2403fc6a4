"""Makes a validator's vote account on a local Solana chain with solders.

usage: vote.py RPC PAYER_SECRET
prints {"vote": ADDRESS}
"""

import json
import sys

from chain import carry_out, rpc
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account

VOTE = Pubkey.from_string("Vote111111111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
# What a vote account holds.
BYTES = 3762
COMMISSION = 5


def main():
    url, secret = sys.argv[1:]
    payer, vote, node = Keypair.from_base58_string(secret), Keypair(), Keypair()
    made = create_account(CreateAccountParams(
        from_pubkey=payer.pubkey(), to_pubkey=vote.pubkey(),
        lamports=rpc(url, "getMinimumBalanceForRentExemption", BYTES), space=BYTES, owner=VOTE))
    # InitializeAccount: node, who votes, who withdraws, commission.
    keys = [node.pubkey(), payer.pubkey(), payer.pubkey()]
    data = bytes(4) + b"".join(map(bytes, keys)) + bytes([COMMISSION])
    begins = Instruction(VOTE, data, [
        AccountMeta(vote.pubkey(), False, True),
        AccountMeta(RENT, False, False),
        AccountMeta(CLOCK, False, False),
        AccountMeta(node.pubkey(), True, False),
    ])
    carry_out(url, [payer, vote, node], [made, begins])
    print(json.dumps({"vote": str(vote.pubkey())}))


main()
