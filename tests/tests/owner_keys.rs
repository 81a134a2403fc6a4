//! Owners sign with what they have: key files and keystores that other programs made, signatures that
//! other programs make over the text, and a browser wallet on the gateway's signing page. Each through the
//! command line, against a real signer.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use waiaas_tests::foreign::{browser, keys, node, python, said, with};
use xtask::home::{Home, PASSWORD, Running};
use xtask::http::{Connection, Request};
use xtask::product::Product;

const EVM: &str = "eip155:31337";
/// How long a command may take until it waits for a signature, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What `--draft` ends with.
const PENDING: i32 = 6;

/// A home without wallets; its chain is never asked.
struct Stage {
    folder: tempfile::TempDir,
    home: Home,
    _running: Running,
}

impl Stage {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let product = Product::for_tests()?;
        let chains = [(EVM, "http://127.0.0.1:9")];
        let home = Home::create(&product, &folder.path().join("home"), &chains)?;
        home.set_chains(&chains)?;
        let running = home.start_unlocked()?;
        Ok(Self {
            folder,
            home,
            _running: running,
        })
    }

    /// A private file.
    fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Runs the command line with these lines on standard input.
    fn run(&self, arguments: &[&str], lines: &[&str]) -> Result<Output> {
        let mut child = self
            .home
            .command(arguments)
            .arg("--json")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("standard input")?;
        for line in lines {
            // It may have ended without reading.
            let _best_effort = writeln!(stdin, "{line}");
        }
        drop(stdin);
        Ok(child.wait_with_output()?)
    }

    fn succeeds(&self, arguments: &[&str], lines: &[&str]) -> Result<Value> {
        let output = self.run(arguments, lines)?;
        ensure!(output.status.success(), "{arguments:?}: {}", said(&output));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Ends with this code and these words, and leaves everything paused.
    fn fails(&self, arguments: &[&str], lines: &[&str], code: i32, words: &str) -> Result<()> {
        let output = self.run(arguments, lines)?;
        let said = said(&output);
        ensure!(
            output.status.code() == Some(code),
            "{arguments:?}: {:?} {said}",
            output.status
        );
        ensure!(said.contains(words), "{arguments:?}: {said}");
        ensure!(self.paused()?, "{arguments:?} resumed");
        Ok(())
    }

    fn paused(&self) -> Result<bool> {
        let status = self.home.cli(&["status"])?;
        status
            .get("frozen")
            .and_then(Value::as_bool)
            .with_context(|| format!("{status}"))
    }

    fn pause(&self) -> Result<()> {
        self.home.cli(&["pause"])?;
        ensure!(self.paused()?);
        Ok(())
    }

    fn resumed(&self) -> Result<()> {
        ensure!(!self.paused()?, "still paused");
        Ok(())
    }

    /// Drafts a release of the pause, to be signed elsewhere.
    fn draft(&self) -> Result<Value> {
        let output = self.run(&["release", "pause", "--draft"], &[])?;
        let said = said(&output);
        ensure!(output.status.code() == Some(PENDING), "{said}");
        let draft: Value = serde_json::from_slice(&output.stdout)?;
        let (text, digest) = (field(&draft, "text")?, field(&draft, "digest")?);
        ensure!(text.ends_with(&format!("\nDigest: {digest}")), "{text}");
        let statement = field(&draft, "statement")?;
        let shown = self.home.cli(&["statement", "show", statement])?;
        ensure!(field(&shown, "text")? == text, "{shown}");
        Ok(draft)
    }

    /// `release pause`, which shows the text and waits for the signature that `sign` makes of its file.
    fn pasted(&self, sign: impl FnOnce(&Path) -> Result<String>) -> Result<Output> {
        let file = self.folder.path().join("text");
        let mut child = self
            .home
            .command(&["release", "pause", "--json", "--text-out"])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let until = Instant::now() + PATIENCE;
        // Whole once it ends with its digest.
        let whole = |text: String| {
            text.rsplit_once("\nDigest: ")
                .is_some_and(|(_, digest)| digest.len() == 64)
        };
        while !fs::read_to_string(&file).is_ok_and(whole) {
            ensure!(Instant::now() < until, "no text was written");
            std::thread::sleep(Duration::from_millis(20));
        }
        let signature = sign(&file)?;
        writeln!(child.stdin.take().context("standard input")?, "{signature}")?;
        fs::remove_file(&file)?;
        Ok(child.wait_with_output()?)
    }

    /// Has the page's wallet sign the draft and hands it in as the page says.
    fn sign_on_the_page(&self, key: &Value) -> Result<()> {
        self.pause()?;
        let draft = self.draft()?;
        let given = with(
            key,
            [
                ("link", json!(field(&draft, "page")?)),
                ("text", json!(field(&draft, "text")?)),
            ],
        );
        let signed = browser("signs", &given)?;
        ensure!(self.paused()?, "a signature alone resumed");
        let command = field(&signed, "command")?;
        let mut words = command.split(' ');
        ensure!(words.next() == Some("waiaas"), "{command}");
        let words: Vec<_> = words.collect();
        self.succeeds(&words, &[])?;
        self.resumed()?;
        // Once.
        let again = self.run(&words, &[])?;
        ensure!(again.status.code() == Some(5), "{}", said(&again));
        Ok(())
    }
}

fn field<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value
        .get(name)
        .and_then(Value::as_str)
        .with_context(|| format!("{name} in {value}"))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of text")
}

/// A key file of the Solana command line's form, made by solders; a guardian's made by @solana/kit; the same
/// key in a wallet elsewhere, and in a browser.
#[test]
fn an_ed25519_owner_signs_by_file_by_paste_and_on_the_page() -> Result<()> {
    let stage = Stage::new()?;
    let keys = keys()?;
    let made = keys.get("solana").context("a key file")?;
    let pair = field(made, "file")?;
    let path = stage.file("solders.json", pair)?;
    let owner = text(&path)?;
    let enrolled = stage.succeeds(
        &[
            "owner",
            "enrol",
            "--yes",
            "--key-file",
            owner,
            "--password-fd",
            "0",
        ],
        &[PASSWORD],
    )?;
    ensure!(
        field(&enrolled, "key")? == field(made, "address")?,
        "{enrolled}"
    );
    ensure!(
        field(&enrolled, "envelope")? == "ed25519-plain",
        "{enrolled}"
    );

    // By file; not by one that others can read, nor by a stranger's.
    stage.pause()?;
    let guardian = stage.file("kit.json", &node("keys.mjs", &[])?)?;
    let by = |file| ["release", "pause", "--yes", "--owner-key", file];
    stage.fails(&by(text(&guardian)?), &[], 64, "nobody's key")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    stage.fails(&by(owner), &[], 77, "open to others")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    stage.succeeds(&by(owner), &[])?;
    stage.resumed()?;
    // Another program's file rehearses as a guardian's.
    let add = [
        "guardian",
        "add",
        "--yes",
        "--key-file",
        text(&guardian)?,
        "--owner-key",
        owner,
    ];
    stage.succeeds(&[&add[..], &["--password-fd", "0"]].concat(), &[PASSWORD])?;

    // By paste: another program signs the bytes of the text's file.
    stage.pause()?;
    let pasted = stage.pasted(|file| node("sign.mjs", &[pair, text(file)?]))?;
    ensure!(pasted.status.success(), "{}", said(&pasted));
    stage.resumed()?;
    // A line feed behind the text makes it another one, and that shows before anything is handed in.
    stage.pause()?;
    let pasted = stage.pasted(|file| {
        let other = stage.file("other", &format!("{}\n", fs::read_to_string(file)?))?;
        node("sign.mjs", &[pair, text(&other)?])
    })?;
    ensure!(pasted.status.code() == Some(64), "{:?}", pasted.status);
    ensure!(
        said(&pasted).contains("not a signature of"),
        "{}",
        said(&pasted)
    );
    ensure!(stage.paused()?);

    let numbers: Value = serde_json::from_str(pair)?;
    stage.sign_on_the_page(&json!({ "pair": numbers }))?;
    // As wallets do that sign no bare text, and as hardware wallets do, in one line.
    for mode in ["version 1", "version 0"] {
        stage.sign_on_the_page(&json!({ "pair": numbers, "mode": mode }))?;
    }
    Ok(())
}

/// Keystores of eth-account, with either key derivation; the same key in a wallet elsewhere, and in a browser.
#[test]
fn an_ethereum_owner_signs_by_keystore_by_paste_and_on_the_page() -> Result<()> {
    let stage = Stage::new()?;
    let keys = keys()?;
    let (made, second) = (&keys["scrypt"], &keys["pbkdf2"]);
    let (password, secret) = (field(made, "password")?, field(made, "secret")?);
    let path = stage.file("keystore.json", field(made, "file")?)?;
    let owner = text(&path)?;
    // The keystore's password first, then the signer's.
    let enrol = [
        "owner",
        "enrol",
        "--yes",
        "--key-file",
        owner,
        "--key-password-fd",
        "0",
        "--password-fd",
        "0",
    ];
    let enrolled = stage.succeeds(&enrol, &[password, PASSWORD])?;
    ensure!(
        field(&enrolled, "key")? == field(made, "address")?,
        "{enrolled}"
    );
    ensure!(field(&enrolled, "envelope")? == "eip191", "{enrolled}");

    stage.pause()?;
    let by = ["release", "pause", "--yes", "--owner-key", owner];
    let with_password = [&by[..], &["--owner-password-fd", "0"]].concat();
    stage.fails(
        &with_password,
        &["a password of the keystore's own"],
        1,
        "password is wrong",
    )?;
    stage.fails(&with_password, &[PASSWORD], 1, "password is wrong")?;
    // Nobody to ask.
    stage.fails(&by, &[password], 64, "nobody can be asked")?;
    // Another address than the key's; another cost than anybody's.
    let mut other: Value = serde_json::from_str(field(made, "file")?)?;
    other["address"] = json!("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed");
    let other = other.to_string();
    let costly = field(made, "file")?.replace("262144", "1073741824");
    for (name, file, words) in [
        ("other", other, "address"),
        ("costly", costly, "out of bounds"),
    ] {
        ensure!(file != field(made, "file")?, "{name} was not changed");
        let file = stage.file(name, &file)?;
        let by = [
            "release",
            "pause",
            "--yes",
            "--owner-key",
            text(&file)?,
            "--owner-password-fd",
            "0",
        ];
        stage.fails(&by, &[password], 78, words)?;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    stage.fails(&with_password, &[password], 77, "open to others")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    stage.succeeds(&with_password, &[password])?;
    stage.resumed()?;

    // The other key derivation rehearses as a guardian's: three passwords, in the order of their use.
    let guardian = stage.file("guardian.json", field(second, "file")?)?;
    let add = [
        "guardian",
        "add",
        "--yes",
        "--key-file",
        text(&guardian)?,
        "--key-password-fd",
        "0",
    ];
    let signed = [
        "--owner-key",
        owner,
        "--owner-password-fd",
        "0",
        "--password-fd",
        "0",
    ];
    let lines = [field(second, "password")?, password, PASSWORD];
    stage.succeeds(&[&add[..], &signed[..]].concat(), &lines)?;

    stage.pause()?;
    let pasted = stage.pasted(|file| python("sign.py", &[secret, text(file)?]))?;
    ensure!(pasted.status.success(), "{}", said(&pasted));
    stage.resumed()?;
    stage.sign_on_the_page(&json!({ "secret": secret }))
}

/// What the page must not let become a signature, served by the gateway and as the file that the command line
/// writes.
#[test]
fn invariant_13_the_signing_page_shows_the_text_or_nothing() -> Result<()> {
    let stage = Stage::new()?;
    let keys = keys()?;
    let pair: Value = serde_json::from_str(field(&keys["solana"], "file")?)?;
    let file = stage.file("solders.json", &pair.to_string())?;
    let enrol = [
        "owner",
        "enrol",
        "--yes",
        "--key-file",
        text(&file)?,
        "--password-fd",
        "0",
    ];
    stage.succeeds(&enrol, &[PASSWORD])?;
    stage.pause()?;
    let draft = stage.draft()?;
    let page = stage.folder.path().join("sign.html");
    stage.home.cli(&["statement", "page", text(&page)?])?;
    let served = Connection::open(&stage.home.url())?.send(&Request {
        method: "GET",
        target: "/sign".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    })?;
    ensure!(
        served.body == fs::read(&page)?,
        "the gateway serves another page"
    );
    let given = json!({ "text": field(&draft, "text")?, "pair": pair, "secret": field(&keys["scrypt"], "secret")? });
    for url in [
        format!("{}/sign", stage.home.url()),
        format!("file://{}", text(&page)?),
    ] {
        browser("refuses", &with(&given, [("url", json!(url))]))?;
    }
    ensure!(stage.paused()?, "a signature that nobody handed in resumed");
    // Nobody's signature is handed in for anybody.
    let statement = field(&draft, "statement")?;
    let strange = "1".repeat(64);
    let submit = ["statement", "submit", statement, "--signature", &strange];
    stage.fails(&submit, &[], 64, "nobody's who may sign this")?;
    Ok(())
}

/// The link that the command line prints is opened with every wallet there: none is asked, and nothing changes.
#[test]
fn invariant_15_opening_a_link_decides_nothing() -> Result<()> {
    let stage = Stage::new()?;
    let keys = keys()?;
    let pair = field(&keys["solana"], "file")?;
    let file = stage.file("solders.json", pair)?;
    let enrol = [
        "owner",
        "enrol",
        "--yes",
        "--key-file",
        text(&file)?,
        "--password-fd",
        "0",
    ];
    stage.succeeds(&enrol, &[PASSWORD])?;
    stage.pause()?;
    let draft = stage.draft()?;
    let before = stage.home.cli(&["status"])?;
    let given = json!({
        "link": field(&draft, "page")?,
        "text": field(&draft, "text")?,
        "pair": serde_json::from_str::<Value>(pair)?,
        "secret": field(&keys["scrypt"], "secret")?,
    });
    browser("opens", &given)?;
    ensure!(stage.paused()?);
    let after = stage.home.cli(&["status"])?;
    ensure!(
        before.get("sequence") == after.get("sequence"),
        "{before} {after}"
    );
    Ok(())
}

/// Every golden text, signed by programs that are not ours from the text and the documentation alone: the
/// lines that the verifier is tested with.
#[test]
fn signatures_over_every_golden_text_are_made_elsewhere() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden/statements");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().into_string().ok().context("a name")?;
        let name = name.strip_suffix(".txt").context("a text")?;
        if !name.ends_with(".payloads") && name != "signatures" {
            names.push(name.to_owned());
        }
    }
    ensure!(names.len() >= 60, "{names:?}");
    let mut arguments = vec![folder.to_str().context("a path of text")?.to_owned()];
    arguments.extend(names);
    let made = python("statements.py", &arguments)?;
    let kept = fs::read_to_string(folder.join("signatures.txt"))?;
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    ensure!(sorted(&made) == sorted(&kept), "{made}");
    Ok(())
}
