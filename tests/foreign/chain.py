"""A local Solana chain as the scripts beside this one use it: a call of a node, and a transaction that lands."""

import base64
import json
import time
import urllib.request

from solders.hash import Hash
from solders.message import Message
from solders.transaction import Transaction

CONFIRMED = {"commitment": "confirmed"}


def rpc(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=30))
    if "result" not in answer:
        raise SystemExit(f"{method}: {answer}")
    return answer["result"]


def blockhash(url):
    return Hash.from_string(rpc(url, "getLatestBlockhash", CONFIRMED)["value"]["blockhash"])


def send(url, raw):
    """Sends a signed transaction, and waits until it is confirmed; its signature."""
    options = {"encoding": "base64", "preflightCommitment": "confirmed"}
    signature = rpc(url, "sendTransaction", base64.b64encode(raw).decode(), options)
    for _ in range(600):
        status = rpc(url, "getSignatureStatuses", [signature])["value"][0]
        if status and status["err"]:
            raise SystemExit(f"failed: {status['err']}")
        if status and status["confirmationStatus"] in ("confirmed", "finalized"):
            return signature
        time.sleep(0.05)
    raise SystemExit("not confirmed")


def carry_out(url, signers, instructions):
    """Signed by all of these, of whom the first pays."""
    recent = blockhash(url)
    message = Message.new_with_blockhash(instructions, signers[0].pubkey(), recent)
    return send(url, bytes(Transaction(signers, message, recent)))
