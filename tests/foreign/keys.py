"""Owners' keys as programs that are not ours write them (solders, eth-account). Prints one JSON object: a Solana key
file, and Ethereum keystores of version 3, of both kinds of key derivation."""
import json

from eth_account import Account
from solders.keypair import Keypair

PASSWORD = "a password of the keystore's own \u00e9"


def keystore(kdf, iterations):
    account = Account.create()
    return {
        "address": account.address,
        "secret": account.key.to_0x_hex(),
        "password": PASSWORD,
        "file": json.dumps(Account.encrypt(account.key, PASSWORD, kdf=kdf, iterations=iterations)),
    }


solana = Keypair()
print(json.dumps({
    "solana": {"address": str(solana.pubkey()), "file": solana.to_json()},
    "scrypt": keystore("scrypt", 262_144),
    "pbkdf2": keystore("pbkdf2", 1_000_000),
}))
