"""Writes the vectors of token calls into shared/tests/vectors/evm. Shares no code with the wallet: call data comes
from eth-abi, sound transactions and their signatures from eth-account, unsound ones from the few lines of RLP below.

    python3 tests/reference/evm_calls.py
"""

import json
import pathlib

from eth_abi import encode
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils import keccak, to_checksum_address

CHAIN = 31337
SECRET = "11" * 32
WALLET = Account.from_key(SECRET).address
TOKEN = to_checksum_address("0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")
OTHER = to_checksum_address("0x8f3e9c1bd65eb267d19b176a73217524dc21a5ca")
GAS, FEE, TIP = 65_000, 30_000_000_000, 1_000_000_000
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "shared/tests/vectors/evm"


def rlp(item):
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else prefix(0x80, len(item)) + item
    payload = b"".join(map(rlp, item))
    return prefix(0xC0, len(payload)) + payload


def prefix(base, length):
    if length < 56:
        return bytes([base + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(digits)]) + digits


def address(text):
    return bytes.fromhex(text[2:])


def unsigned(data, to=TOKEN, value=0, gas=GAS, nonce=0):
    return b"\x02" + rlp([CHAIN, nonce, TIP, FEE, gas, address(to), value, data, []])


def selector(signature):
    return keccak(text=signature)[:4]


def call(signature, *values):
    kinds = signature[signature.index("(") + 1:-1].split(",")
    return selector(signature) + encode(kinds, values)


TRANSFER = "transfer(address,uint256)"
APPROVE = "approve(address,uint256)"
PIECE = "safeTransferFrom(address,address,uint256)"
KIND = "safeTransferFrom(address,address,uint256,uint256,bytes)"


def write(name, rule, transaction, code=None, effect=None, fee=GAS * FEE, **more):
    vector = {"rule": rule, **more, "chain": f"eip155:{CHAIN}", "from": WALLET, "unsigned": transaction.hex()}
    vector["expect"] = {"code": code} if code else {"transfers": [effect], "fee_max": str(fee)}
    (FOLDER / f"{name}.json").write_text(json.dumps(vector, indent=2) + "\n")


def effect(amount, to=OTHER, approval=False):
    said = {"asset": f"eip155:{CHAIN}/erc20:{TOKEN}", "to": to, "amount": str(amount)}
    return {**said, "approval": True} if approval else said


def sound(name, rule, data, said, nonce=0):
    """Signed by eth-account; what it calls the unsigned transaction is what it hashes."""
    fields = {"chainId": CHAIN, "nonce": nonce, "maxPriorityFeePerGas": TIP, "maxFeePerGas": FEE, "gas": GAS,
              "to": TOKEN, "value": 0, "data": data, "accessList": [], "type": 2}
    signed = Account.sign_transaction(fields, SECRET)
    transaction = unsigned(data, nonce=nonce)
    assert keccak(transaction) == TypedTransaction.from_dict(fields).hash()
    write(name, rule, transaction, effect=said, source="data by eth-abi, signed with eth-account 0.14.0", secret=SECRET,
          signed=signed.raw_transaction.hex(), id="0x" + signed.hash.hex())


def piece(kind, number, amount=1):
    asset = f"eip155:{CHAIN}/{kind}:{TOKEN}/{number}"
    return {"asset": asset, "to": OTHER, "amount": str(amount)}


def refused(name, rule, data, code, **fields):
    write(name, rule, unsigned(data, **fields), code=code)


def main():
    most = 2**128 - 1
    sound("token-transfer", "a transfer of a token", call(TRANSFER, OTHER, 12_500_000), effect(12_500_000))
    sound("token-transfer-nonce", "the same with a nonce", call(TRANSFER, OTHER, 12_500_000), effect(12_500_000), 9)
    sound("token-transfer-largest", "the largest amount", call(TRANSFER, OTHER, most), effect(most))
    sound("token-transfer-nothing", "a transfer of nothing", call(TRANSFER, OTHER, 0), effect(0))
    sound("token-approve", "an exact approval", call(APPROVE, OTHER, 12_500_000), effect(12_500_000, approval=True))
    sound("token-approve-nothing", "an approval that takes one back", call(APPROVE, OTHER, 0), effect(0, approval=True))
    sound("token-approve-large", "an approval just below 2^96 - 1", call(APPROVE, OTHER, 2**96 - 2),
          effect(2**96 - 2, approval=True))
    write("token-gas-most", "the most gas that a call may have", unsigned(call(TRANSFER, OTHER, 1), gas=500_000),
          effect=effect(1), fee=500_000 * FEE)

    sound("piece-transfer", "one piece of an ERC-721 contract", call(PIECE, WALLET, OTHER, 771769),
          piece("erc721", 771769))
    sound("piece-transfer-largest-id", "the largest number of a piece", call(PIECE, WALLET, OTHER, 2**256 - 1),
          piece("erc721", 2**256 - 1))
    sound("kind-transfer", "three of a kind of an ERC-1155 contract", call(KIND, WALLET, OTHER, 7, 3, b""),
          piece("erc1155", 7, 3))
    sound("kind-transfer-nonce", "the same with a nonce", call(KIND, WALLET, OTHER, 0, most, b""),
          piece("erc1155", 0, most), 9)
    one, three = call(PIECE, WALLET, OTHER, 5), call(KIND, WALLET, OTHER, 7, 3, b"")
    for name, data in [("piece", one), ("kind", three)]:
        owner = data[:16] + address(OTHER) + data[36:]
        refused(f"{name}-foreign-owner", "what is somebody else's", owner, "evm_foreign_owner")
        for target, whom, code in [("self", WALLET, "evm_transfer_to_self"), ("token", TOKEN, "evm_recipient_is_token"),
                                   ("zero", "0x" + "00" * 20, "evm_system_recipient")]:
            refused(f"{name}-to-{target}", f"to {whom}", data[:48] + address(whom) + data[68:], code)
        refused(f"{name}-dirty-owner", "a byte above the owner", data[:4] + b"\x01" + data[5:], "evm_call_data_padding")
        refused(f"{name}-dirty-recipient", "a byte above the recipient", data[:36] + b"\x01" + data[37:],
                "evm_call_data_padding")
        refused(f"{name}-short", "a byte less", data[:-1], "evm_call_data_length")
        refused(f"{name}-long", "a byte more", data + b"\0", "evm_call_data_length")
        refused(f"{name}-word-more", "a word more", data + bytes(32), "evm_call_data_length")
        refused(f"{name}-with-value", "wei sent along", data, "evm_value_with_call", value=1)
    refused("piece-with-bytes", "the form of ERC-721 with bytes",
            call("safeTransferFrom(address,address,uint256,bytes)", WALLET, OTHER, 5, b""), "evm_unknown_method")
    refused("kind-2-128", "more than 128 bits", call(KIND, WALLET, OTHER, 7, 2**128, b""), "evm_number_too_large")
    refused("kind-with-bytes", "a message to the recipient", call(KIND, WALLET, OTHER, 7, 3, b"x"),
            "evm_call_data_length")
    refused("kind-bytes-elsewhere", "bytes that begin at another place", three[:132] + bytes(31) + b"\x80" + three[164:],
            "evm_call_data_padding")
    refused("kind-bytes-claimed", "a length without bytes", three[:-1] + b"\x01", "evm_call_data_padding")
    refused("kind-batch", "several kinds at once",
            call("safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)", WALLET, OTHER, [7], [3], b""),
            "evm_unknown_method")

    good = call(TRANSFER, OTHER, 5)
    refused("token-gas-500001", "more gas than a call may have", good, "evm_gas_limit", gas=500_001)
    refused("token-gas-20999", "less gas than any transaction uses", good, "evm_gas_limit", gas=20_999)
    refused("token-with-value", "wei sent along", good, "evm_value_with_call", value=1)
    refused("token-approve-with-value", "wei sent along", call(APPROVE, OTHER, 5), "evm_value_with_call", value=1)
    refused("call-data-erc20-transfer", "wei sent along with a transfer to the wallet itself",
            call(TRANSFER, WALLET, 1), "evm_value_with_call", to=OTHER, value=10**18)
    refused("token-transfer-to-zero", "to the zero address", call(TRANSFER, "0x" + "00" * 20, 5), "evm_system_recipient")
    refused("token-transfer-to-precompile", "to a precompile", call(TRANSFER, "0x" + "00" * 19 + "09", 5),
            "evm_system_recipient")
    refused("token-transfer-to-self", "to the wallet itself", call(TRANSFER, WALLET, 5), "evm_transfer_to_self")
    refused("token-transfer-to-token", "to the token's own contract", call(TRANSFER, TOKEN, 5), "evm_recipient_is_token")
    refused("token-approve-zero", "the zero address as spender", call(APPROVE, "0x" + "00" * 20, 5),
            "evm_system_recipient")
    refused("token-approve-self", "the wallet as its own spender", call(APPROVE, WALLET, 5), "evm_transfer_to_self")
    refused("token-approve-token", "the token as its own spender", call(APPROVE, TOKEN, 5), "evm_recipient_is_token")
    refused("token-is-precompile", "a precompile in place of a token", good, "evm_system_recipient",
            to="0x" + "00" * 19 + "04")
    refused("token-is-wallet", "the wallet in place of a token", good, "evm_transfer_to_self", to=WALLET)
    for name, amount in [("2-128", 2**128), ("2-160", 2**160 - 1), ("2-255", 2**255), ("2-256", 2**256 - 1)]:
        refused(f"token-transfer-{name}", "more than 128 bits", call(TRANSFER, OTHER, amount), "evm_number_too_large")
        refused(f"token-approve-{name}", "more than 128 bits", call(APPROVE, OTHER, amount), "evm_unlimited_approval")
    for name, amount in [("2-96", 2**96 - 1), ("2-128-less-one", most)]:
        refused(f"token-approve-{name}", "what tokens take for no limit", call(APPROVE, OTHER, amount),
                "evm_unlimited_approval")
    refused("token-dirty-address", "a byte above the address", good[:15] + b"\x01" + good[16:], "evm_call_data_padding")
    refused("token-dirty-address-top", "a byte at the word's start", good[:4] + b"\x80" + good[5:],
            "evm_call_data_padding")
    refused("token-address-shifted", "an address in the upper 20 bytes", good[:4] + good[16:36] + bytes(12) + good[36:],
            "evm_call_data_padding")
    for length in [4, 5, 35, 36, 67, 69, 99, 100, 1000]:
        data = (good + bytes(1000))[:length]
        refused(f"token-data-{length}-bytes", "another length than the method's", data, "evm_call_data_length")
    for length in [1, 2, 3]:
        refused(f"token-data-{length}-bytes", "a part of a selector", good[:length], "evm_unknown_method")
    refused("call-data", "one byte of call data", b"\0", "evm_unknown_method", to=OTHER, value=10**18)
    refused("call-data-zeros", "a selector of zeros", bytes(68), "evm_unknown_method")
    other = [
        ("transferFrom(address,address,uint256)", (OTHER, WALLET, 5)),
        ("increaseAllowance(address,uint256)", (OTHER, 5)),
        ("decreaseAllowance(address,uint256)", (OTHER, 5)),
        ("setApprovalForAll(address,bool)", (OTHER, True)),
        ("approve(address,address,uint160,uint48)", (TOKEN, OTHER, 5, 2**48 - 1)),
        ("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
         (WALLET, OTHER, 5, 2**256 - 1, 27, bytes(32), bytes(32))),
        ("approveAndCall(address,uint256,bytes)", (OTHER, 5, b"")),
        ("transferAndCall(address,uint256,bytes)", (OTHER, 5, b"")),
        ("multicall(bytes[])", ([good],)),
        ("burn(uint256)", (5,)),
        ("burnFrom(address,uint256)", (OTHER, 5)),
        ("delegate(address)", (OTHER,)),
        ("transferOwnership(address)", (OTHER,)),
    ]
    for signature, values in other:
        name = signature.split("(")[0] + ("-permit2" if "uint160" in signature else "")
        refused(f"method-{name.lower()}", signature, call(signature, *values), "evm_unknown_method")
    refused("method-transfer-neighbour", "a selector one bit beside transfer's",
            bytes([good[0] ^ 1]) + good[1:], "evm_unknown_method")
    listed = [CHAIN, 0, TIP, FEE, GAS, address(TOKEN), 0, good, [[address(TOKEN), []]]]
    write("token-access-list", "a call with an access list", b"\x02" + rlp(listed), code="evm_access_list")
    long_form = [CHAIN, 0, TIP, FEE, GAS, address(TOKEN), 0]
    payload = b"".join(map(rlp, long_form)) + b"\xb9\x00\x44" + good + b"\xc0"
    write("token-data-long-form", "the data's length with a leading zero", b"\x02" + prefix(0xC0, len(payload)) + payload,
          code="evm_not_canonical")
    write("token-creation", "a contract made of a call's data",
          b"\x02" + rlp([CHAIN, 0, TIP, FEE, GAS, b"", 0, good, []]), code="evm_contract_creation")
    write("token-set-code", "a call of type 4", b"\x04" + rlp([CHAIN, 0, TIP, FEE, GAS, address(TOKEN), 0, good, [], []]),
          code="evm_set_code")
    write("token-blob", "a call of type 3",
          b"\x03" + rlp([CHAIN, 0, TIP, FEE, GAS, address(TOKEN), 0, good, [], 1, [bytes(32)]]), code="evm_blob")


main()
