// A Solana key file made by @solana/kit: the seed, then the public key. Prints the JSON of the file.
import { generateKeyPair } from "@solana/kit";

const { privateKey, publicKey } = await generateKeyPair(true);
const seed = new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey)).slice(-32);
const point = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
console.log(JSON.stringify([...seed, ...point]));
