"""Makes a validator's vote account on a local Solana chain with solders.

usage: vote.py RPC PAYER_SECRET
prints {"vote": ADDRESS}
"""

import base64
import json
import sys
import time
import urllib.request

from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction

VOTE = Pubkey.from_string("Vote111111111111111111111111111111111111111")
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
# What a vote account holds.
BYTES = 3762
COMMISSION = 5


def rpc(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=30))
    if "result" not in answer:
        raise SystemExit(f"{method}: {answer}")
    return answer["result"]


def carry_out(url, signers, instructions):
    at = {"commitment": "confirmed"}
    blockhash = Hash.from_string(rpc(url, "getLatestBlockhash", at)["value"]["blockhash"])
    message = Message.new_with_blockhash(instructions, signers[0].pubkey(), blockhash)
    raw = base64.b64encode(bytes(Transaction(signers, message, blockhash))).decode()
    options = {"encoding": "base64", "preflightCommitment": "confirmed"}
    signature = rpc(url, "sendTransaction", raw, options)
    for _ in range(600):
        status = rpc(url, "getSignatureStatuses", [signature])["value"][0]
        if status and status["err"]:
            raise SystemExit(f"failed: {status['err']}")
        if status and status["confirmationStatus"] in ("confirmed", "finalized"):
            return
        time.sleep(0.05)
    raise SystemExit("not confirmed")


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
