"""Signs statements as owners' wallets would, in every envelope (solders, eth-account), from their texts alone and what
docs/statements.md says of envelopes. Arguments: the folder of texts, names of texts. Prints one line for each that
fits: name, envelope, signature. So lines of shared/tests/golden/statements/signatures.txt are made. The keys are those
of RFC 8032 section 7.1, test 1, and of EIP-155's example."""
import hashlib
import sys
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_defunct
from solders.keypair import Keypair

SOLANA = Keypair.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
EVM = "0x" + "46" * 32
MOST = 1232


def payloads(text, key):
    head = b"\xffsolana offchain"
    yield "ed25519-plain", text
    line = text.replace(b"\n", b" | ")
    first = head + b"\x00" + hashlib.sha256(b"waiaas").digest() + b"\x00\x01" + key + len(line).to_bytes(2, "little")
    if len(first + line) <= MOST:
        yield "ed25519-offchain-v0", first + line
    yield "ed25519-offchain-v1", head + b"\x01\x01" + key + text


for name in sys.argv[2:]:
    text = (Path(sys.argv[1]) / f"{name}.txt").read_bytes().removesuffix(b"\n")
    for envelope, payload in payloads(text, bytes(SOLANA.pubkey())):
        print(name, envelope, bytes(SOLANA.sign_message(payload)).hex())
    print(name, "eip191", Account.sign_message(encode_defunct(primitive=text), EVM).signature.hex().removeprefix("0x"))
