// Compiles the contracts here to the creation code beside them: see README.md.
import fs from "node:fs";
import { createRequire } from "node:module";
const solc = createRequire(process.cwd() + "/")("solc");

const folder = new URL("./", import.meta.url);
for (const contract of ["TestToken", "TestPieces", "TestVault", "TestCoin"]) {
  const name = `${contract}.sol`;
  const input = {
    language: "Solidity",
    sources: { [name]: { content: fs.readFileSync(new URL(name, folder), "utf8") } },
    settings: {
      evmVersion: "paris",
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: "none", appendCBOR: false },
      outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  for (const error of output.errors ?? []) console.error(error.formattedMessage);
  const code = output.contracts[name][contract].evm.bytecode.object;
  fs.writeFileSync(new URL(`${contract}.hex`, folder), `${code}\n`);
}
