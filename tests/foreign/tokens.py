"""Makes tokens on a local Solana chain with solders: a mint of SPL Token, and one of Token-2022 that keeps a
part of each transfer. Gives some of both to a wallet, and to each further owner an empty account of the first.

usage: tokens.py RPC PAYER_SECRET WALLET AMOUNT [OWNER...]
prints {"token": MINT, "token_2022": MINT}
"""

import json
import sys

from chain import carry_out
from mints import TOKEN, TOKEN_2022, account, mint
from solders.keypair import Keypair
from solders.pubkey import Pubkey

BASIS_POINTS = 100
MOST = 5000


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
