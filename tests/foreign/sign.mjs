// Signs a statement's text as an owner's wallet would (@solana/kit, Ed25519 over the plain text). Arguments: the key
// file's JSON, the text's file. Prints the signature in base64.
import { readFileSync } from "node:fs";
import { createKeyPairFromBytes, signBytes } from "@solana/kit";

const [, pair, file] = process.argv;
const { privateKey } = await createKeyPairFromBytes(Uint8Array.from(JSON.parse(pair)));
console.log(Buffer.from(await signBytes(privateKey, readFileSync(file))).toString("base64"));
