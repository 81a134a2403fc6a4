// Checks signed transactions with @solana/kit and viem, which share no code with the wallet.
// Argument: JSON list of {family, raw (hex), from, to, amount, chainId?, nonce?, token?, method?, legacy?}. With a token,
// `method` of its contract is called. Prints one JSON line; any
// difference ends with status 1.
import assert from "node:assert/strict";
import {
  getAddressEncoder, getCompiledTransactionMessageDecoder, getPublicKeyFromAddress, getTransactionDecoder,
  verifySignature,
} from "@solana/kit";
import {
  decodeFunctionData, erc20Abi, isAddressEqual, keccak256, parseTransaction, recoverTransactionAddress,
} from "viem";

const SYSTEM = "11111111111111111111111111111111";

async function solana(expected) {
  const transaction = getTransactionDecoder().decode(Buffer.from(expected.raw, "hex"));
  assert.deepEqual(Object.keys(transaction.signatures), [expected.from]);
  const signature = transaction.signatures[expected.from];
  const key = await getPublicKeyFromAddress(expected.from);
  assert.equal(await verifySignature(key, signature, transaction.messageBytes), true);
  const altered = Uint8Array.from(transaction.messageBytes);
  altered[altered.length - 1] ^= 1;
  assert.equal(await verifySignature(key, signature, altered), false);
  const message = getCompiledTransactionMessageDecoder().decode(transaction.messageBytes);
  const accounts = message.staticAccounts;
  assert.equal(accounts[0], expected.from);
  const transfers = message.instructions.filter((one) => accounts[one.programAddressIndex] === SYSTEM);
  assert.equal(transfers.length, 1);
  const [transfer] = transfers;
  const data = Buffer.from(transfer.data);
  assert.equal(data.length, 12);
  assert.equal(data.readUInt32LE(0), 2);
  assert.equal(data.readBigUInt64LE(4), BigInt(expected.amount));
  assert.deepEqual(transfer.accountIndices.map((index) => accounts[index]), [expected.from, expected.to]);
  assert.equal(getAddressEncoder().encode(expected.to).length, 32);
}

async function evm(expected) {
  const serializedTransaction = `0x${expected.raw}`;
  const transaction = parseTransaction(serializedTransaction);
  const signer = await recoverTransactionAddress({ serializedTransaction });
  assert.ok(isAddressEqual(signer, expected.from), `${signer} signed, not ${expected.from}`);
  assert.ok(isAddressEqual(transaction.to, expected.token ?? expected.to));
  assert.equal(transaction.value ?? 0n, expected.token ? 0n : BigInt(expected.amount));
  assert.equal(transaction.type, expected.legacy ? "legacy" : "eip1559");
  if (expected.legacy) {
    // EIP-155: the chain and the parity, and nothing else.
    assert.ok([0n, 1n].includes(transaction.v - 35n - 2n * BigInt(expected.chainId)), `v ${transaction.v}`);
    assert.ok(transaction.gasPrice > 0n);
  }
  assert.equal(transaction.chainId, expected.chainId);
  if (expected.nonce !== undefined) assert.equal(transaction.nonce ?? 0, expected.nonce);
  if (expected.token) {
    const { functionName, args } = decodeFunctionData({ abi: erc20Abi, data: transaction.data });
    assert.equal(functionName, expected.method);
    assert.ok(isAddressEqual(args[0], expected.to));
    assert.equal(args[1], BigInt(expected.amount));
    assert.equal(transaction.data.length, 2 + 2 * 68);
  } else {
    assert.equal(transaction.data ?? "0x", "0x");
  }
  assert.equal(keccak256(serializedTransaction).length, 66);
}

const list = JSON.parse(process.argv[1]);
for (const expected of list) await (expected.family === "solana" ? solana : evm)(expected);
console.log(JSON.stringify({ checked: list.length }));
