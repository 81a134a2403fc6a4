// Drives the signing page in Chromium, over its debugging pipe, with wallets of both standards whose keys really
// sign (@solana/kit, viem). Argument: JSON {chromium, scenario, ...}, see the end. Prints one JSON line; any
// difference ends with status 1.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createKeyPairFromBytes, getAddressFromPublicKey, getBase58Decoder, getBase58Encoder, signBytes, verifySignature,
} from "@solana/kit";
import { privateKeyToAccount } from "viem/accounts";
import { verifyMessage } from "viem";

const PATIENCE = 30_000;

// The browser.

class Browser {
  #pending = new Map();
  #listeners = [];
  #next = 0;

  constructor(chromium) {
    this.folder = mkdtempSync(join(tmpdir(), "waiaas-browser-"));
    const options = ["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", `--user-data-dir=${this.folder}`];
    this.process = spawn(chromium, options, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.process.on("error", (error) => { throw error; });
    let rest = "";
    this.process.stdio[4].setEncoding("utf8").on("data", (chunk) => {
      const messages = (rest + chunk).split("\0");
      rest = messages.pop();
      messages.forEach((message) => this.#take(JSON.parse(message)));
    });
  }

  #take(message) {
    const waiting = this.#pending.get(message.id);
    if (!waiting) return this.#listeners.forEach((listener) => listener(message));
    this.#pending.delete(message.id);
    if (message.error) waiting.reject(new Error(JSON.stringify(message.error)));
    else waiting.resolve(message.result);
  }

  on(listener) { this.#listeners.push(listener); }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#next;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
  }

  async close() {
    const ended = new Promise((resolve) => this.process.on("exit", resolve));
    // Its own way out: what Debian starts is a script, whose end would leave the browser behind.
    this.send("Browser.close").catch(() => {});
    await ended;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One tab with wallets in it. What went wrong in the page, and whom it asked for what, is kept. */
class Tab {
  wrong = [];
  requests = [];
  asked = [];

  static async open(browser, signers) {
    const tab = new Tab();
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    tab.send = (method, params) => browser.send(method, params, sessionId);
    browser.on((message) => message.sessionId === sessionId && tab.#heard(message, signers));
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.send(`${domain}.enable`);
    await tab.send("Runtime.addBinding", { name: "askNode" });
    const wallets = signers.map(({ kind, address, publicKey, mode }) => ({ kind, address, publicKey, mode }));
    const source = `(${insidePage})(${JSON.stringify(wallets)})`;
    await tab.send("Page.addScriptToEvaluateOnNewDocument", { source });
    return tab;
  }

  async #heard({ method, params }, signers) {
    if (method === "Runtime.exceptionThrown") this.wrong.push(params.exceptionDetails.exception?.description);
    if (method === "Runtime.consoleAPICalled") this.wrong.push(`console: ${JSON.stringify(params.args)}`);
    if (method === "Log.entryAdded") this.wrong.push(`${params.entry.source}: ${params.entry.text}`);
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    if (method !== "Runtime.bindingCalled") return;
    const { id, wallet, call, message } = JSON.parse(params.payload);
    this.asked.push(call);
    const answer = call === "sign" ? await signers[wallet].sign(Buffer.from(message, "hex")) : null;
    await this.send("Runtime.evaluate", { expression: `answerFromNode(${id}, ${JSON.stringify(answer)})` });
  }

  /** Another document, and not only another fragment of the same. */
  async go(url) {
    await this.send("Page.navigate", { url: "about:blank" });
    await this.until(() => location.href === "about:blank");
    this.requests = [];
    await this.send("Page.navigate", { url });
    await this.until(() => document.readyState === "complete" && location.href !== "about:blank");
  }

  async evaluate(action, ...given) {
    const expression = `(${action})(...${JSON.stringify(given)})`;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression, awaitPromise: true, returnByValue: true, userGesture: true,
    });
    assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
    return result.value;
  }

  async until(condition, ...given) {
    const end = Date.now() + PATIENCE;
    while (!(await this.evaluate(condition, ...given))) {
      if (Date.now() > end) assert.fail(`never: ${condition} ${JSON.stringify(await this.seen())}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  seen() { return this.evaluate(() => document.body?.innerText); }
  lines() { return this.evaluate(() => Array.from(document.querySelectorAll("#lines li"), (line) => line.textContent)); }
  shown(id) { return this.evaluate((id) => { const one = document.getElementById(id); return one.checkVisibility() ? one.textContent : null; }, id); }

  /** Presses the button whose words begin so. */
  async press(words) {
    const find = (words) => Array.from(document.querySelectorAll("button"))
      .find((button) => button.checkVisibility() && !button.disabled && button.textContent.startsWith(words));
    await this.until(`(words) => !!(${find})(words)`, words);
    await this.evaluate(`(words) => (${find})(words).click()`, words);
  }

  async paste(text) {
    await this.evaluate((text) => { document.getElementById("paste").value = text; }, text);
    await this.press("Show this text");
  }

  /** Nothing failed, nothing was blocked, nothing was fetched but the page. */
  calm(url) {
    assert.deepEqual(this.wrong, []);
    const page = url.split("#")[0];
    assert.deepEqual(this.requests.filter((request) => request.split("#")[0] !== page), []);
  }
}

/** Runs in the page before its own script: wallets as their extensions put them there. */
function insidePage(wallets) {
  const waiting = new Map();
  window.answerFromNode = (id, answer) => { waiting.get(id)(answer); waiting.delete(id); };
  const node = (request) => new Promise((resolve) => {
    const id = waiting.size + Math.floor(Math.random() * 2 ** 40);
    waiting.set(id, resolve);
    window.askNode(JSON.stringify({ id, ...request }));
  });
  const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const refuse = () => { throw Object.assign(new Error("User rejected the request."), { code: 4001 }); };
  const changed = (message) => Uint8Array.from(message, (byte, place) => (place === 7 ? byte ^ 1 : byte));

  wallets.forEach(({ kind, address, publicKey, mode }, wallet) => {
    if (kind === "solana") {
      const chains = ["solana:mainnet", "solana:localnet"];
      const account = { address, publicKey: bytes(publicKey), chains, features: ["solana:signMessage"] };
      // Off-chain messages by docs/statements.md; a hardware wallet takes one line.
      const head = [255, ...new TextEncoder().encode("solana offchain")];
      const domain = bytes("a2c7be813e7e0c8b7274c5585d43b8972d69d56104862e77acd1049cd26ec546");
      const first = (message, domain) => {
        const line = new TextEncoder().encode(new TextDecoder().decode(message).split("\n").join(" | "));
        const size = [line.length % 256, Math.floor(line.length / 256)];
        return Uint8Array.from([...head, 0, ...domain, 0, 1, ...account.publicKey, ...size, ...line]);
      };
      const signMessage = async (...inputs) => Promise.all(inputs.map(async ({ message }) => {
        if (mode === "refuses") refuse();
        const signedMessage = {
          "signs another": () => changed(message),
          "version 0": () => first(message, domain),
          "version 0 elsewhere": () => first(message, changed(domain)),
          "version 1": () => Uint8Array.from([...head, 1, 1, ...account.publicKey, ...message]),
        }[mode]?.() ?? message;
        return { signedMessage, signature: bytes(await node({ wallet, call: "sign", message: hex(signedMessage) })) };
      }));
      const connect = async () => { await node({ wallet, call: "connect" }); return { accounts: [account] }; };
      const registered = {
        version: "1.0.0", name: "Solana test wallet", icon: "data:image/svg+xml;base64,", chains, accounts: [],
        features: { "standard:connect": { version: "1.0.0", connect }, "solana:signMessage": { version: "1.1.0", signMessage } },
      };
      const callback = ({ register }) => register(registered);
      window.dispatchEvent(new CustomEvent("wallet-standard:register-wallet", { detail: callback }));
      window.addEventListener("wallet-standard:app-ready", ({ detail }) => callback(detail));
      return;
    }
    const request = async ({ method, params }) => {
      if (method === "eth_requestAccounts") { await node({ wallet, call: "connect" }); return [address.toLowerCase()]; }
      if (method !== "personal_sign" || params[1] !== address.toLowerCase()) throw new Error(`unexpected: ${method}`);
      if (mode === "refuses") refuse();
      return `0x${await node({ wallet, call: "sign", message: params[0].slice(2) })}`;
    };
    const info = { uuid: "350670db-19fa-4704-a166-e52e178b59d2", name: "Ethereum test wallet", icon: "data:image/svg+xml,", rdns: "org.example.wallet" };
    const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider",
      { detail: Object.freeze({ info, provider: { request } }) }));
    window.addEventListener("eip6963:requestProvider", announce);
    announce();
  });
}

// Keys that sign.

async function solanaSigner(pair, mode) {
  const keys = await createKeyPairFromBytes(Uint8Array.from(pair), true);
  const address = await getAddressFromPublicKey(keys.publicKey);
  return {
    kind: "solana", mode, address, publicKey: Buffer.from(getBase58Encoder().encode(address)).toString("hex"),
    sign: async (message) => Buffer.from(await signBytes(keys.privateKey, message)).toString("hex"),
    verify: (signature, text) => verifySignature(keys.publicKey, getBase58Encoder().encode(signature), Buffer.from(text)),
  };
}

function ethereumSigner(secret, mode) {
  const account = privateKeyToAccount(secret);
  return {
    kind: "evm", mode, address: account.address,
    sign: async (message) => (await account.signMessage({ message: { raw: `0x${message.toString("hex")}` } })).slice(2),
    verify: (signature, message) => verifyMessage({ address: account.address, message, signature }),
  };
}

const signerFor = (given, mode) => (given.pair ? solanaSigner(given.pair, mode) : ethereumSigner(given.secret, mode));
const connectWords = (signer) => (signer.kind === "solana" ? "Connect Solana test wallet" : "Connect Ethereum test wallet");
const link = (url, text) => `${url}#text=${Buffer.from(text).toString("base64url")}`;

// Scenarios.

/** The text is shown exactly, signed by the wallet, and handed in as the page says: {link, text, pair | secret, mode}. */
async function signs(browser, given) {
  const signer = await signerFor(given, given.mode);
  const tab = await Tab.open(browser, [signer]);
  await tab.go(given.link);
  assert.deepEqual(await tab.lines(), given.text.split("\n"));
  assert.equal(await tab.evaluate(() => location.hash), "", "the text leaves the address");
  assert.deepEqual(tab.asked, [], "no wallet is asked before its button is pressed");
  await tab.press(connectWords(signer));
  const address = signer.kind === "solana" ? signer.address : signer.address.toLowerCase();
  await tab.press(`Sign exactly this text as ${address}`);
  await tab.until(() => document.getElementById("done").checkVisibility());
  assert.deepEqual(tab.asked, ["connect", "sign"]);
  const signature = await tab.shown("signature");
  // What an off-chain message wraps is the signer's to verify, once it is handed in.
  assert.equal(await signer.verify(signature, given.text), given.mode === undefined, "over exactly this text");
  tab.calm(given.link);
  return { signature, command: await tab.shown("command"), address: signer.address };
}

/** A link is opened, and looked at in both languages: {link, text, pair, secret}. */
async function opens(browser, given) {
  const signers = [await signerFor({ pair: given.pair }), await signerFor({ secret: given.secret })];
  const tab = await Tab.open(browser, signers);
  await tab.go(given.link);
  for (const language of ["한국어", "English"]) {
    await tab.press(language);
    assert.deepEqual(await tab.lines(), given.text.split("\n"));
    const seen = await tab.seen();
    assert.ok(seen.includes("Solana test wallet") && seen.includes("Ethereum test wallet"), seen);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(tab.asked, [], "no wallet is asked");
  assert.equal(await tab.shown("done"), null);
  tab.calm(given.link);
  return { opened: true };
}

/** What must not end in a signature: {url, text, pair, secret}. */
async function refuses(browser, given) {
  const { text, url } = given;
  for (const [key, mode, words] of [
    ["pair", "refuses", "You refused"], ["secret", "refuses", "You refused"], ["pair", "signs another", "something else"],
    ["pair", "version 0 elsewhere", "something else"],
  ]) {
    const signer = await signerFor({ [key]: given[key] }, mode);
    const tab = await Tab.open(browser, [signer]);
    await tab.go(link(url, text));
    await tab.press(connectWords(signer));
    await tab.press("Sign exactly this text");
    await tab.until((words) => document.getElementById("refused").textContent.includes(words), words);
    assert.equal(await tab.shown("signature"), null, mode);
    tab.calm(url);
  }

  const tab = await Tab.open(browser, []);
  await tab.go(url);
  assert.equal(await tab.shown("read"), null);
  for (const [wrong, words] of [
    ["", "no text"],
    [text.replace("WAIaaS", "WAIaa\u0405"), "Line 1 has the character U+0405"],
    [text.replace("Signer", "Sign\u202eer"), "U+202E"],
    [text.replaceAll("\n", "\r\n"), null],
    [text.replace("\n", "\n\n"), "not the whole text"],
    [text.slice(1), "not the whole text"],
    [text.slice(0, -1), "not the whole text"],
    [`${text}\nAmount: 1`, "not the whole text"],
    [`----\n${text}\n----`, "not the whole text"],
    ["Sign in to example.org", "not the whole text"],
    [text + "x".repeat(5000), "longer"],
  ]) {
    await tab.go(url);
    await tab.paste(wrong);
    if (words === null) {
      // A text field of a browser holds line feeds alone.
      assert.deepEqual(await tab.lines(), text.split("\n"));
      continue;
    }
    const problem = await tab.shown("problem");
    assert.ok(problem?.includes(words), `${JSON.stringify(wrong.slice(0, 40))}: ${problem}`);
    assert.equal(await tab.shown("read"), null, "it is not shown");
  }
  await tab.go(`${url}#text=%%%`);
  assert.ok((await tab.shown("problem")).includes("damaged"));
  await tab.go(`${url}?text=${Buffer.from(text).toString("base64url")}`);
  assert.equal(await tab.shown("read"), null, "a query is no text");
  tab.requests = [];

  // Whoever opened the page changes its link: everything begins anew.
  const signer = await signerFor(given);
  const watched = await Tab.open(browser, [signer]);
  await watched.go(link(url, text));
  await watched.press(connectWords(signer));
  await watched.press("Sign exactly this text");
  await watched.until(() => document.getElementById("done").checkVisibility());
  const later = text.replace("Policy epoch: ", "Policy epoch: 1");
  await watched.evaluate((hash) => { location.hash = hash; }, new URL(link("http://x/", later)).hash);
  await watched.until((line) => document.getElementById("lines").textContent.includes(line), later.match(/Policy epoch: \d+/)[0]);
  assert.equal(await watched.shown("signature"), null, "the other text's signature is gone");

  // No script and no style but the page's own.
  const foreign = await watched.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.foreign = true";
    document.body.append(script);
    return window.foreign === true;
  });
  assert.equal(foreign, false, "the policy lets no other script run");

  // The other language, and the link that asks for it.
  await tab.go(`${link(url, text)}&lang=ko`);
  assert.equal(await tab.evaluate(() => document.documentElement.lang), "ko");
  assert.deepEqual(await tab.lines(), text.split("\n"), "the text is never translated");
  assert.ok((await tab.seen()).includes("지갑"));
  await tab.press("English");
  assert.equal(await tab.evaluate(() => document.documentElement.lang), "en");
  assert.ok((await tab.seen()).includes("No wallet was found"));
  tab.calm(url);
  return { refused: true };
}

const SCENARIOS = { signs, opens, refuses };
const given = JSON.parse(process.argv[1]);
const browser = new Browser(given.chromium);
try {
  console.log(JSON.stringify(await SCENARIOS[given.scenario](browser, given)));
} finally {
  await browser.close();
}
