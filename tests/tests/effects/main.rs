//! A second, independent calculator of effects, `tests/reference/effects_*.py`, and ours: generated transactions,
//! legal and changed, must be refused by both or do the same for both, to the last effect. `solana` and `evm` make
//! them, `changes_*`, `stakes` and `extensions` break them, `brought` puts either into what an agent brings,
//! `authorizations` makes fields of EIP-3009, `verdict` says what the product makes of one, this file runs both and
//! compares. The same seed gives the same transactions on every machine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "generators of tests may be blunt"
)]

mod authorizations;
mod brought;
mod changes_evm;
mod changes_solana;
mod evm;
mod extensions;
mod programs;
mod random;
mod solana;
mod stakes;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use waiaas_shared::caip::ChainId;
use waiaas_shared::solana::TokenProgram;
use waiaas_tests::foreign::said;
use xtask::tools;

use self::random::Random;
use self::verdict::{ACCEPTED, Case};

/// Transactions of one chain in the ordinary run.
const CASES: u64 = 4_000;
/// Disagreements that are shown.
const SHOWN: usize = 5;

/// One chain's family.
struct Family {
    script: &'static str,
    make: fn(&mut Random) -> Case,
    /// Rules that [`CASES`] transactions break, each at least once.
    rules: &'static [&'static str],
    /// What of them passes, each at least once: parts of the words of [`kinds`].
    kinds: &'static [&'static str],
}

const SOLANA: Family = Family {
    script: "effects_solana.py",
    make: solana::case,
    rules: &solana::RULES,
    kinds: &[
        "legacy: ",
        "version 0: ",
        "version 0 with tables: ",
        "version 1: ",
        "transfer slip44",
        "transfer token",
        "transfer token of Token-2022",
        "rent slip44",
        "delegate slip44",
        "deactivate slip44",
        "withdraw slip44",
        "program slip44",
    ],
};

const EVM: Family = Family {
    script: "effects_evm.py",
    make: evm::case,
    rules: &evm::RULES,
    kinds: &[
        "EIP-1559: ",
        "EIP-155: ",
        "transfer slip44",
        "transfer erc20",
        "approval erc20",
        "transfer erc721",
        "transfer erc1155",
        "call slip44",
    ],
};

const BROUGHT: Family = Family {
    script: "effects_brought.py",
    make: brought::case,
    rules: &brought::RULES,
    kinds: &[
        "legacy: ",
        "version 0 with tables: ",
        "version 1: ",
        "transfer token of Token-2022",
        "EIP-1559: ",
        "approval erc20",
        "call slip44",
    ],
};

const AUTHORIZATIONS: Family = Family {
    script: "effects_authorizations.py",
    make: authorizations::case,
    rules: &authorizations::RULES,
    kinds: &["fields: transfer erc20"],
};

/// How often each rule refused one, and what passed, by what it did.
#[derive(Debug, Default)]
struct Seen {
    codes: BTreeMap<&'static str, u64>,
    passed: BTreeMap<String, u64>,
}

/// What a transaction did, in a few words: its effects' kinds, each once, and how it is written.
fn kinds(case: &Case, verdict: &Value) -> String {
    let effects = verdict["effects"].as_array().into_iter().flatten();
    let of_2022: Vec<String> = case
        .tokens
        .iter()
        .filter(|token| token.program == TokenProgram::Token2022)
        .map(|token| format!("/token:{}", token.mint))
        .collect();
    let kind = |effect: &Value| {
        let act = effect["act"].as_str().or(effect["kind"].as_str());
        let asset = effect["asset"].as_str().unwrap_or_default();
        // Behind the chain; a piece's number is behind another stroke.
        let standard = asset
            .split('/')
            .nth(1)
            .and_then(|name| name.split(':').next());
        let program = if of_2022.iter().any(|mint| asset.ends_with(mint)) {
            " of Token-2022"
        } else {
            ""
        };
        format!(
            "{} {}{program}",
            act.unwrap_or_default(),
            standard.unwrap_or_default()
        )
    };
    let looks_up = case.tables.iter().any(|(table, _)| {
        let mut places = case.unsigned.windows(32);
        places.any(|place| place == table.as_bytes())
    });
    let kinds: BTreeSet<String> = effects.map(kind).collect();
    let form = match (case.chain, case.unsigned.first()) {
        (_, None) => "fields",
        (ChainId::Evm(_), Some(2)) => "EIP-1559",
        (ChainId::Evm(_), _) => "EIP-155",
        (ChainId::Solana(_), Some(0x80)) if looks_up => "version 0 with tables",
        (ChainId::Solana(_), Some(0x80)) => "version 0",
        (ChainId::Solana(_), Some(0x81)) => "version 1",
        (ChainId::Solana(_), _) => "legacy",
    };
    let kinds: Vec<String> = kinds
        .into_iter()
        .filter(|kind| !kind.starts_with("fee"))
        .collect();
    format!("{form}: {}", kinds.join(", "))
}

/// Both sides' verdicts on so many transactions.
fn compare(family: &Family, seed: u64, count: u64) -> Result<Seen> {
    let folder = tempfile::tempdir()?;
    let (given, answered) = (folder.path().join("cases"), folder.path().join("verdicts"));
    let make = |number: u64| (family.make)(&mut Random::new(seed.wrapping_add(number)));
    let mut file = BufWriter::new(File::create(&given)?);
    for number in 0..count {
        writeln!(file, "{}", make(number).line())?;
    }
    file.flush()?;
    drop(file);
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("reference")
        .join(family.script);
    let output = tools::python()?
        .arg(script)
        .stdin(File::open(&given)?)
        .stdout(File::create(&answered)?)
        .output()?;
    ensure!(output.status.success(), "{}", said(&output));

    let mut answers = BufReader::new(File::open(&answered)?).lines();
    let (mut seen, mut different) = (Seen::default(), Vec::new());
    for number in 0..count {
        let case = make(number);
        let (ours, code) = case.verdict()?;
        let theirs: Value = serde_json::from_str(&answers.next().context("a verdict each")??)?;
        if ours != theirs {
            different.push(format!(
                "seed {}, {}\n  {code}: {ours}\n  second: {theirs}",
                seed.wrapping_add(number),
                case.line()
            ));
        }
        *seen.codes.entry(code).or_default() += 1;
        if code == ACCEPTED {
            *seen.passed.entry(kinds(&case, &ours)).or_default() += 1;
        }
    }
    ensure!(answers.next().is_none(), "more verdicts than transactions");
    if !different.is_empty() {
        let shown: Vec<_> = different.iter().take(SHOWN).cloned().collect();
        bail!(
            "{} of {count} differ:\n{}",
            different.len(),
            shown.join("\n")
        );
    }
    Ok(seen)
}

fn ordinary(family: &Family) -> Result<()> {
    let Seen { codes, passed } = compare(family, 0, CASES)?;
    // Agreement on nothing but refusals, or on one refusal, would say little.
    let accepted = codes.get(ACCEPTED).copied().unwrap_or_default();
    ensure!(
        (CASES / 4..CASES * 3 / 4).contains(&accepted),
        "{accepted} of {CASES} were accepted"
    );
    let wanted: BTreeSet<&str> = family.rules.iter().copied().collect();
    let found: BTreeSet<&str> = codes
        .keys()
        .copied()
        .filter(|code| *code != ACCEPTED)
        .collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    ensure!(missing.is_empty(), "no case breaks {missing:?}: {codes:?}");
    let passes = |kind: &str| passed.keys().any(|known| known.contains(kind));
    let missing: Vec<_> = family.kinds.iter().filter(|kind| !passes(kind)).collect();
    ensure!(
        missing.is_empty(),
        "nothing passes of {missing:?}: {passed:?}"
    );
    Ok(())
}

#[test]
fn messages_do_what_a_second_calculator_says() -> Result<()> {
    ordinary(&SOLANA)
}

#[test]
fn evm_transactions_do_what_a_second_calculator_says() -> Result<()> {
    ordinary(&EVM)
}

#[test]
fn what_is_brought_does_what_a_second_calculator_says() -> Result<()> {
    ordinary(&BROUGHT)
}

#[test]
fn authorizations_do_what_a_second_calculator_says() -> Result<()> {
    ordinary(&AUTHORIZATIONS)
}

/// A comparison that could not fail would prove nothing: here the second calculator is told a byte less.
#[test]
fn a_difference_is_seen() -> Result<()> {
    let told_less = Family {
        make: |random| {
            let mut case = evm::legal(random);
            case.misreported = true;
            case
        },
        ..EVM
    };
    let said = compare(&told_less, 0, 20)
        .expect_err("a byte less is no transaction")
        .to_string();
    ensure!(said.starts_with("20 of 20 differ"), "{said}");
    Ok(())
}

/// `cargo xtask effects`: `WAIAAS_EFFECTS` is the first seed and how many of each chain, as `0-20000`.
#[test]
#[ignore = "cargo xtask effects runs it, with as many cases as one likes"]
fn more_cases() -> Result<()> {
    let range = std::env::var("WAIAAS_EFFECTS").context("WAIAAS_EFFECTS")?;
    let (seed, count) = range.split_once('-').context("seed-count")?;
    let (seed, count) = (seed.parse()?, count.parse()?);
    let families = [
        ("solana", SOLANA),
        ("evm", EVM),
        ("brought", BROUGHT),
        ("authorizations", AUTHORIZATIONS),
    ];
    for (name, family) in families {
        let Seen { codes, passed } = compare(&family, seed, count)?;
        let mut table = format!("{name}: {count} transactions from seed {seed}, no difference\n");
        for (code, times) in codes {
            table.push_str(&format!("{times:>9}  {code}\n"));
        }
        table.push_str("of those accepted:\n");
        for (kinds, times) in passed {
            table.push_str(&format!("{times:>9}  {kinds}\n"));
        }
        std::io::stderr().write_all(table.as_bytes())?;
    }
    Ok(())
}
