// Checks sign-in messages with viem and @solana/kit, which share no code with the wallet.
// Argument: JSON list of {family, text, payload (hex), signature (hex), account, domain, uri, nonce, statement?, chainId?, now (ms), expires (ms, or as the text has it)}.
// Prints one JSON line; any difference ends with status 1.
import assert from "node:assert/strict";
import { getOffchainMessageV1Decoder, verifyOffchainMessageEnvelope } from "@solana/kit";
import { isAddressEqual, recoverMessageAddress, verifyMessage } from "viem";
import { createSiweMessage, parseSiweMessage, validateSiweMessage } from "viem/siwe";

async function evm(expected) {
  const signature = `0x${expected.signature}`;
  const message = expected.text;
  assert.equal(await verifyMessage({ address: expected.account, message, signature }), true);
  assert.ok(isAddressEqual(await recoverMessageAddress({ message, signature }), expected.account));
  assert.equal(await verifyMessage({ address: expected.account, message: `${message} `, signature }), false);
  const fields = parseSiweMessage(message);
  assert.equal(fields.version, "1");
  assert.equal(fields.address, expected.account);
  for (const name of ["domain", "uri", "nonce", "statement", "chainId"]) assert.equal(fields[name], expected[name]);
  // Their own builder makes the identical text of what they read.
  assert.equal(createSiweMessage(fields), message);
  const { address, domain, nonce } = fields;
  const valid = (more) => validateSiweMessage({ message: fields, address, domain, nonce, ...more });
  assert.equal(valid({ time: new Date(expected.now) }), true);
  assert.equal(valid({ time: new Date(expected.expires) }), false);
  assert.equal(valid({ domain: `evil.${domain}` }), false);
  assert.equal(valid({ nonce: `${nonce}0` }), false);
  assert.equal(fields.issuedAt.getTime() <= expected.now, true);
  assert.equal(fields.expirationTime.getTime(), new Date(expected.expires).getTime());
}

async function solana(expected) {
  const content = Uint8Array.from(Buffer.from(expected.payload, "hex"));
  const signature = Uint8Array.from(Buffer.from(expected.signature, "hex"));
  const signed = (bytes) => verifyOffchainMessageEnvelope({ content: bytes, signatures: { [expected.account]: signature } });
  await signed(content);
  const altered = Uint8Array.from(content);
  altered[altered.length - 1] ^= 1;
  await assert.rejects(signed(altered));
  const message = getOffchainMessageV1Decoder().decode(content);
  assert.deepEqual([message.version, message.content], [1, expected.text]);
  assert.deepEqual(message.requiredSignatories.map((one) => one.address), [expected.account]);
  const lines = message.content.split("\n");
  assert.equal(lines[0], `${expected.domain} wants you to sign in with your Solana account:`);
  assert.equal(lines[1], expected.account);
  for (const line of [`URI: ${expected.uri}`, "Version: 1", `Nonce: ${expected.nonce}`]) assert.ok(lines.includes(line), line);
}

const list = JSON.parse(process.argv[1]);
for (const expected of list) await (expected.family === "solana" ? solana : evm)(expected);
console.log(JSON.stringify({ checked: list.length }));
