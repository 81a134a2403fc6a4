"""Recomputes wallets.json with solders and eth-account: keys, addresses and signatures that no code
of this project made.

    python3 reference.py            compares
    python3 reference.py --write    writes the file (done once; it is frozen)
"""

import hashlib
import json
import pathlib
import sys

from eth_account import Account
from eth_account.hdaccount import key_from_seed, seed_from_mnemonic
from eth_keys import keys
from solders.keypair import Keypair

PATH = pathlib.Path(__file__).parent / "wallets.json"
PHRASES = {
    "00" * 32: "abandon " * 23 + "art",
    "7f" * 32: "legal winner thank year wave sausage worth useful " * 2
               + "legal winner thank year wave sausage worth title",
    "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f":
        "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing "
        "screen patrol group space point ten exist slush involve unfold",
}
INDEXES = [0, 1, 2, 17, 2**31 - 1]


def wallets():
    for entropy, phrase in PHRASES.items():
        seed = seed_from_mnemonic(phrase, "")
        for index in INDEXES:
            message = f"message {index}".encode()
            pair = Keypair.from_seed_and_derivation_path(seed, f"m/44'/501'/{index}'/0'")
            yield {"entropy": entropy, "family": "solana", "index": index,
                   "address": str(pair.pubkey()), "message": message.hex(),
                   "signature": bytes(pair.sign_message(message)).hex()}
            key = keys.PrivateKey(key_from_seed(seed, f"m/44'/60'/0'/0/{index}"))
            account = Account.from_key(key.to_bytes())
            digest = hashlib.sha256(message).digest()
            signed = account.unsafe_sign_hash(digest)
            yield {"entropy": entropy, "family": "evm", "index": index,
                   "address": account.address, "point": key.public_key.to_compressed_bytes().hex(),
                   "prehash": digest.hex(), "r": f"{signed.r:064x}", "s": f"{signed.s:064x}",
                   "y_parity": signed.v - 27}


def main():
    found = {"phrases": {entropy: phrase for entropy, phrase in PHRASES.items()},
             "wallets": list(wallets())}
    if sys.argv[1:] == ["--write"]:
        PATH.write_text(json.dumps(found, indent=1) + "\n")
    elif json.loads(PATH.read_text()) != found:
        sys.exit("wallets.json differs")
    print(f"{len(found['wallets'])} wallets")


if __name__ == "__main__":
    main()
