//! What the documents say and a program can check: tests, codes, domains, kinds and files that they
//! name exist, and nothing that has to be documented is missing. And two rules of the house on files:
//! each says first what it is, and a long one has its reason here.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may be blunt"
)]

use std::fs;
use std::path::{Path, PathBuf};

use waiaas_shared::denial::Code;
use waiaas_shared::session::Operation;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::status::Status;

/// Lines that a file may have without a reason.
const LINES_LIMIT: usize = 500;
/// Longer files, each with why it is one file.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "gateway/src/http/owner/facts.rs",
        "one object for each kind of statement, each field with what it means",
    ),
    (
        "shared/src/sign_in/tests.rs",
        "both forms of one text, and the published cases of each",
    ),
    (
        "shared/src/statement/text.rs",
        "one sentence and one arm for each kind of statement",
    ),
    (
        "gateway/src/http/transactions.rs",
        "the handlers of one resource, each with its description",
    ),
    (
        "shared/src/policy/document.rs",
        "one document, every field with what it means",
    ),
    (
        "shared/tests/docs.rs",
        "tests: one reader of all documents, this list in it",
    ),
    (
        "tests/tests/effects/solana.rs",
        "tests: one generator of messages, down to the byte",
    ),
    (
        "signer/src/core/decide_owner.rs",
        "one decision for each word of an owner about owners",
    ),
    (
        "shared/src/denial.rs",
        "one table of every code with its words",
    ),
    (
        "gateway/src/projection/store.rs",
        "one table with every statement on it",
    ),
    (
        "tests/tests/adversarial/cases/solana/brought.rs",
        "tests: one attack, everything that may be brought in one table",
    ),
    (
        "signer/src/core/tests/machine/requests.rs",
        "tests: what the model asks for, and what it foresees of each",
    ),
    (
        "signer/src/core/tests/machine/authorized.rs",
        "tests: the model's own reading of one operation, from its policy to its charge",
    ),
    (
        "shared/src/policy/replay/tests.rs",
        "tests: one story each, over one log",
    ),
    (
        "tests/tests/adversarial/calculator/mod.rs",
        "tests: the second calculator's one walk over the log",
    ),
    (
        "signer/src/core/tests/machine/choose.rs",
        "tests: one table of what a sequence may do next",
    ),
    (
        "signer/src/core/tests/machine/documents.rs",
        "tests: the worlds' policies, each beside the next",
    ),
    (
        "tests/tests/tokens_solana.rs",
        "tests: one story each, over one chain's stage",
    ),
    (
        "tests/tests/adversarial/checks.rs",
        "tests: the ten checks after each case, in their order",
    ),
    (
        "gateway/src/http/error.rs",
        "one table of every error and its HTTP form",
    ),
    (
        "gateway/src/testing.rs",
        "tests: the fake signer and chains that all of them share",
    ),
    (
        "shared/src/event.rs",
        "one table of every kind of event, with its fields",
    ),
    (
        "shared/src/policy/document_tests.rs",
        "tests: one table of flaws over one whole document",
    ),
    (
        "shared/src/statement/text_tests.rs",
        "tests: one table of refusals over shared samples",
    ),
    (
        "shared/tests/events/samples.rs",
        "tests: a value of every kind of event",
    ),
    (
        "signer/src/authority/simulation/checker/model.rs",
        "tests: one arm for every kind of event",
    ),
    (
        "signer/src/core/tests/intent.rs",
        "tests: one story each, over one world",
    ),
    (
        "signer/src/core/tests/authorizations.rs",
        "tests: one story each, over one world",
    ),
    (
        "signer/src/core/tests/logins.rs",
        "tests: one story each, over one world",
    ),
    (
        "signer/src/core/tests/owners.rs",
        "tests: one story each, over one world",
    ),
    (
        "shared/src/statement/text/properties.rs",
        "tests: a second reading of every kind of text",
    ),
    (
        "shared/src/statement/verify_tests.rs",
        "tests: one table of forgeries over shared helpers",
    ),
    (
        "shared/tests/request_signature.rs",
        "tests: every way to spoil one header",
    ),
    (
        "signer/src/authority/simulation/doctored.rs",
        "one doctored history for each rule of the checker",
    ),
    (
        "signer/src/authority/simulation/script.rs",
        "tests: every step that a simulated run may take",
    ),
    (
        "signer/src/core/tests/owner.rs",
        "tests: one story each, over one world",
    ),
    (
        "signer/src/core/tests/spend.rs",
        "tests: one story each, over one world",
    ),
    (
        "signer/src/vault/tests.rs",
        "tests: every fault of one file",
    ),
    (
        "shared/src/request_tests.rs",
        "tests: one table of bodies for each kind of request",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Paths of the project's own files with this ending, relative to its root; nothing built or fetched.
fn files(ending: &str) -> Vec<String> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                let ours = !name.starts_with('.')
                    && !["target", "node_modules", "generated"].contains(&name.as_str());
                if ours {
                    walk(&entry.path(), ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    let mut names: Vec<String> = found
        .iter()
        .map(|path| {
            path.strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no file ends in {ending}");
    names
}

/// The parts of a text in backquotes, code blocks left out.
fn quoted(text: &str) -> Vec<String> {
    let prose: String = text
        .split("\n```")
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\n");
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every `path.rs::name` that a document names is a test that exists.
#[test]
fn tests_that_are_named_exist() {
    let mut count = 0;
    for document in files(".md") {
        for part in quoted(&read(&document)) {
            let Some((path, name)) = part.split_once(".rs::") else {
                continue;
            };
            let source = read(&format!("{path}.rs"));
            assert!(
                is_test(&source, name),
                "{document}: {part} is no test; was it renamed?"
            );
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// Whether the source has a test function of this name: by attribute, in a proptest block, or in the
/// table of a harness of its own.
fn is_test(source: &str, name: &str) -> bool {
    if source.contains(&format!("::{name}\"")) {
        return true;
    }
    let lines: Vec<&str> = source.lines().collect();
    lines.iter().enumerate().any(|(place, line)| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| {
            rest.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('('))
        }) && lines[..place]
            .iter()
            .rev()
            .take_while(|line| line.trim_start().starts_with(['#', '/']))
            .any(|line| line.contains("test"))
    })
}

#[test]
fn a_helper_is_no_test() {
    assert!(is_test("#[test]\n/// Why.\nfn one() {}", "one"));
    assert!(is_test("#[tokio::test]\nasync fn one() {}", "one"));
    assert!(is_test("(\"forbidden::one\", one)", "one"));
    assert!(!is_test("#[test]\nfn one() {}\nfn two() {}", "two"));
    assert!(!is_test("#[test]\nfn one_more() {}", "one"));
}

/// The list of invariants is whole, in both places.
#[test]
fn all_invariants_are_listed() {
    for document in ["docs/invariants.md", "ARCHITECTURE.md"] {
        let text = read(document);
        let rows: Vec<&str> = text.lines().filter(|line| line.contains(".rs::")).collect();
        let numbers: Vec<u32> = rows
            .iter()
            .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next()?.parse().ok())
            .collect();
        assert_eq!(numbers, (1..=21).collect::<Vec<_>>(), "{document}");
    }
}

/// Every denial has its paragraph, and no paragraph is about anything else.
#[test]
fn every_code_has_a_paragraph() {
    let text = read("docs/policy.md");
    let (_, codes) = text.split_once("## Denial codes").unwrap();
    let mut documented = Vec::new();
    for section in codes.split("\n### ").skip(1) {
        let (heading, paragraph) = section.split_once('\n').unwrap();
        assert!(
            paragraph.trim().len() > 20 && paragraph.trim().ends_with('.'),
            "{heading}"
        );
        documented.push(heading);
    }
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(documented, known);
}

/// Every denial has a test that provokes it, and one where what lies just inside of its bound passes.
#[test]
fn every_code_has_its_tests() {
    let text = read("docs/denial-codes.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect())
        .collect();
    let listed: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, known, "a code without its line, or out of order");
    for (row, code) in rows.iter().zip(Code::ALL) {
        let [_, provoked, inside] = row[..] else {
            panic!("{code}: not three columns");
        };
        let provoked = test_of(provoked);
        let named = [format!("Code::{code:?}"), format!("\"{code}\"")];
        assert!(
            named.iter().any(|name| provoked.contains(name)),
            "{code}: its test does not speak of it"
        );
        if inside != "the same" {
            test_of(inside);
        }
    }
}

/// The body of a test that is named as `path.rs::name`, in backquotes.
fn test_of(named: &str) -> String {
    let (path, name) = named
        .strip_prefix('`')
        .and_then(|named| named.strip_suffix('`'))
        .and_then(|named| named.split_once("::"))
        .unwrap_or_else(|| panic!("{named}"));
    let source = read(path);
    assert!(is_test(&source, name), "{named} is no test");
    let start = source.find(&format!("fn {name}(")).unwrap();
    let indent = start - source[..start].rfind('\n').unwrap() - 1;
    let end = format!("\n{}}}\n", " ".repeat(indent));
    let body = source[start..].split(&end).next().unwrap();
    body.to_owned()
}

/// What docs/transactions.md shows on real chains: each row has its test, which starts the chain that it names, and
/// each operation that a session can be granted has a row.
#[test]
fn every_operation_is_shown_on_a_chain() {
    let text = read("docs/transactions.md");
    let (_, table) = text.split_once("## Shown on real chains").unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect())
        .collect();
    for row in &rows {
        let [operation, tests, chain, checked] = row[..] else {
            panic!("not four columns: {row:?}");
        };
        let start = match chain {
            "surfpool" => "Surfnet::start",
            "anvil" => "Anvil::start",
            "both" => "",
            "none" => "127.0.0.1:9",
            other => panic!("{operation}: {other} is no chain"),
        };
        assert!(!checked.is_empty(), "{operation}");
        for named in tests.split(", ") {
            let path = named.trim_start_matches('`').split("::").next().unwrap();
            assert!(path.starts_with("tests/tests/"), "{named} starts no chain");
            let starts = test_of(named).contains(start) || read(path).contains(start);
            assert!(starts, "{named} does not start {chain}");
        }
    }
    let operations: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    for operation in Operation::ALL {
        let word = format!("`{}`", operation.as_str());
        assert!(
            operations.iter().any(|row| row.contains(&word)),
            "{word} is shown nowhere"
        );
    }
}

/// Every domain and every other string that separates signatures and keys stands in its document.
#[test]
fn every_domain_is_documented() {
    let document = read("docs/encoding.md");
    let mut count = 0;
    for file in files(".rs").iter().filter(|file| file.contains("/src/")) {
        let source = read(file);
        for start in source
            .match_indices("\"waiaas/")
            .map(|(place, _)| place + 1)
        {
            let text = source[start..].split('"').next().unwrap();
            let separates = text.starts_with("waiaas/v1/") || text.starts_with("waiaas/log/");
            if separates {
                assert!(document.contains(&format!("`{text}`")), "{file}: {text}");
                count += 1;
            }
        }
    }
    assert!(count >= 13, "{count}");
}

/// Every kind of event has its section with every field, in order.
#[test]
fn every_event_is_documented() {
    let document = read("docs/events.md");
    let source = read("shared/src/event.rs");
    let kinds = source
        .split("pub enum EventBody {")
        .nth(1)
        .unwrap()
        .split("\n}\n")
        .next()
        .unwrap();
    let mut section = "";
    let mut number = String::new();
    let mut last = 0;
    let mut fields = 0;
    for line in kinds.lines() {
        if let Some(given) = line.strip_prefix("    #[n(") {
            number = given.trim_end_matches(")]").to_owned();
        } else if let Some(field) = line
            .strip_prefix("        ")
            .filter(|field| !field.starts_with(['#', '/', '}']))
        {
            let name = field.split(':').next().unwrap();
            let place = section
                .find(&format!("| `{name}` |"))
                .unwrap_or_else(|| panic!("{number}: {name}"));
            assert!(
                place > last || last == 0,
                "{number}: {name} is out of order"
            );
            last = place;
            fields += 1;
        } else if let Some(name) = line
            .strip_prefix("    ")
            .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
        {
            let name: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
            let heading = format!("\n### {number} {name}\n");
            section = document
                .split(&heading)
                .nth(1)
                .unwrap_or_else(|| panic!("no section {heading:?}"));
            section = section.split("\n### ").next().unwrap();
            last = 0;
        }
    }
    assert!(fields > 50, "{fields}");
    for (name, fields) in [("Spend", 20)] {
        let body = source
            .split(&format!("pub struct {name} {{"))
            .nth(1)
            .unwrap()
            .split("\n}\n")
            .next()
            .unwrap();
        let named: Vec<&str> = body
            .lines()
            .filter_map(|line| line.strip_prefix("    pub ")?.split(':').next())
            .collect();
        assert_eq!(named.len(), fields, "{name}");
        for field in named {
            assert!(
                document.contains(&format!("| `{field}` |")),
                "{name}: {field}"
            );
        }
    }
}

/// Names that outsiders meet are all in a document.
#[test]
fn statuses_and_envelopes_are_documented() {
    let statements = read("docs/statements.md");
    for envelope in Envelope::ALL {
        assert!(
            statements.contains(&format!("`{}`", envelope.as_str())),
            "{envelope:?}"
        );
    }
    let api = read("docs/api.md");
    for status in Status::ALL {
        assert!(api.contains(status.name()), "{status}");
    }
}

/// Files that the documents link to, or name in running text, exist.
#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    let mut broken = Vec::new();
    for document in files(".md") {
        let text = read(&document);
        let folder = root().join(&document).parent().unwrap().to_owned();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
            .filter(|link| !link.is_empty() && !link.contains("://"))
            .map(|link| folder.join(link));
        let named = text
            .split([' ', '(', '`', '\n'])
            .map(|word| word.trim_end_matches(['.', ',', ')', ';', ':', '*']))
            .filter(|word| word.starts_with("docs/") && word.ends_with(".md"))
            .map(|word| root().join(word));
        for target in links.chain(named) {
            count += 1;
            if !target.exists() {
                broken.push(format!("{document}: {}", target.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(count > 50, "{count}");
}

/// Every file opens with what it owns.
#[test]
fn every_file_says_what_it_is() {
    let mute: Vec<String> = files(".rs")
        .into_iter()
        .filter(|file| {
            let text = read(file);
            let first = text.lines().next().unwrap_or_default();
            !first.starts_with("//! ") || first.len() < 20
        })
        .collect();
    assert!(mute.is_empty(), "{mute:#?}");
}

/// A long file has its reason on the list, and every file on the list exists.
#[test]
fn long_files_have_a_reason() {
    let long: Vec<(String, usize)> = files(".rs")
        .into_iter()
        .map(|file| {
            let lines = read(&file).lines().count();
            (file, lines)
        })
        .filter(|(_, lines)| *lines > LINES_LIMIT)
        .collect();
    let silent: Vec<_> = long
        .iter()
        .filter(|(file, _)| !LONG_FILES.iter().any(|(listed, _)| listed == file))
        .collect();
    assert!(
        silent.is_empty(),
        "long, and no reason on the list: {silent:#?}"
    );
    let gone: Vec<_> = LONG_FILES
        .iter()
        .filter(|(listed, reason)| !root().join(listed).exists() || reason.is_empty())
        .collect();
    assert!(gone.is_empty(), "on the list, and gone: {gone:#?}");
}

/// No document tells of a machine that it was written on.
#[test]
fn documents_are_of_no_machine() {
    for document in files(".md") {
        let text = read(&document);
        for stray in ["/work/", "/root/", "/home/", "/tmp/"] {
            assert!(!text.contains(stray), "{document}: {stray}");
        }
    }
}
