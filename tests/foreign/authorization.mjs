// Checks transfer authorizations (EIP-3009) with viem, as a facilitator of x402 does; it shares no code with the wallet.
// Argument: JSON list of {authorization, domain, digest?, signature}, fields as x402 has them.
// Prints one JSON line with the digests; any difference ends with status 1.
import assert from "node:assert/strict";
import { hashTypedData, verifyTypedData } from "viem";

const types = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
};
const primaryType = "TransferWithAuthorization";

const digests = [];
for (const { authorization, domain, digest, signature } of JSON.parse(process.argv[1])) {
  const { from, to, nonce } = authorization;
  const [value, validAfter, validBefore] = ["value", "validAfter", "validBefore"].map((name) => BigInt(authorization[name]));
  const message = { from, to, value, validAfter, validBefore, nonce };
  const verified = (changed) => verifyTypedData({ address: from, domain, types, primaryType, message, signature, ...changed });
  assert.equal(await verified({}), true);
  assert.equal(await verified({ message: { ...message, value: value + 1n } }), false);
  assert.equal(await verified({ message: { ...message, to: from } }), false);
  assert.equal(await verified({ message: { ...message, validBefore: validBefore - 1n } }), false);
  assert.equal(await verified({ domain: { ...domain, chainId: domain.chainId + 1 } }), false);
  assert.equal(await verified({ domain: { ...domain, verifyingContract: to } }), false);
  const hashed = hashTypedData({ domain, types, primaryType, message });
  assert.equal(digest ?? hashed, hashed);
  digests.push(hashed);
}
console.log(JSON.stringify({ digests }));
