"""Signs a statement's text as an owner's wallet would (eth-account, EIP-191). Arguments: the private key, the text's
file. Prints the signature in hexadecimal."""
import sys
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_defunct

text = Path(sys.argv[2]).read_bytes()
print(Account.sign_message(encode_defunct(primitive=text), sys.argv[1]).signature.to_0x_hex())
