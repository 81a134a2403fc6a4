"""Makes tokens on a local Solana chain with solders: a mint of SPL Token, and one of Token-2022 that keeps a
part of each transfer. Gives some of both to a wallet, and to each further owner an empty account of the first.

usage: tokens.py RPC PAYER_SECRET WALLET AMOUNT [OWNER...]
prints {"token": MINT, "token_2022": MINT}
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

TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
SYSTEM = Pubkey.from_bytes(bytes(32))
DECIMALS = 6
BASIS_POINTS = 100
MOST = 5000


def rpc(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=30))
    if "result" not in answer:
        raise SystemExit(f"{method}: {answer}")
    return answer["result"]


def carry_out(url, payer, signers, instructions):
    at = {"commitment": "confirmed"}
    blockhash = Hash.from_string(rpc(url, "getLatestBlockhash", at)["value"]["blockhash"])
    message = Message.new_with_blockhash(instructions, payer.pubkey(), blockhash)
    raw = base64.b64encode(bytes(Transaction([payer, *signers], message, blockhash))).decode()
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
    carry_out(url, payer, [new], [
        made, *[Instruction(program, data, writes) for data in [*first, begins]]])
    # MintTo.
    gives = Instruction(program, b"\x07" + amount.to_bytes(8, "little"), [
        AccountMeta(new.pubkey(), False, True),
        AccountMeta(associated(wallet, new.pubkey(), program), False, True),
        AccountMeta(payer.pubkey(), True, False),
    ])
    carry_out(url, payer, [], [account(payer.pubkey(), wallet, new.pubkey(), program), gives])
    return new.pubkey()


def main():
    url, secret, wallet, amount, *owners = sys.argv[1:]
    payer, wallet = Keypair.from_base58_string(secret), Pubkey.from_string(wallet)
    token = mint(url, payer, TOKEN, 82, [], wallet, int(amount))
    # InitializeTransferFeeConfig with no authority: basis points, most. A mint with it has 278 bytes.
    fee = bytes([26, 0, 0, 0]) + BASIS_POINTS.to_bytes(2, "little") + MOST.to_bytes(8, "little")
    token_2022 = mint(url, payer, TOKEN_2022, 278, [fee], wallet, int(amount))
    for owner in owners:
        carry_out(url, payer, [], [account(payer.pubkey(), Pubkey.from_string(owner), token, TOKEN)])
    print(json.dumps({"token": str(token), "token_2022": str(token_2022)}))


main()
