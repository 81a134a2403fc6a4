//! Runs cases and reports them: as tests for the usual runners, or as the table of `cargo xtask
//! attacks`. A case that fails does not stop the others; the next gets another signer.

use std::cell::OnceCell;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use waiaas_tests::stage::EVM;

use crate::cases::{self, Case};
use crate::catalogue::{POSITION, SECTIONS, Section};
use crate::checks::Checks;
use crate::pending::{self, ELSEWHERE, LIMITS, PENDING};
use crate::rig::Rig;
use crate::stand::{Cast, Home, MAIN, SetUp, set_up};

/// What became of one attack.
#[derive(Debug)]
enum Verdict {
    Held(String),
    Failed(Vec<String>),
    Elsewhere(String),
    Pending,
}

/// A signer that was set up once; every rig begins as its copy.
pub(crate) struct Template {
    pub(crate) home: Home,
    pub(crate) cast: Cast,
    test_networks: OnceCell<Box<Template>>,
    three_owners: OnceCell<Box<Template>>,
}

impl Template {
    /// With one wallet on a main network: what loosens has to wait.
    pub(crate) fn new() -> Result<Self> {
        Self::set_up(SetUp {
            network: MAIN,
            three_owners: false,
        })
    }

    /// All wallets on test networks: each policy holds, and earlier ones end, at once.
    pub(crate) fn on_test_networks(&self) -> Result<&Self> {
        if let Some(made) = self.test_networks.get() {
            return Ok(made);
        }
        let made = Box::new(Self::set_up(SetUp {
            network: EVM,
            three_owners: false,
        })?);
        Ok(self.test_networks.get_or_init(|| made))
    }

    /// The same with three owners of whom two must sign.
    pub(crate) fn of_three_owners(&self) -> Result<&Self> {
        if let Some(made) = self.three_owners.get() {
            return Ok(made);
        }
        let made = Box::new(Self::set_up(SetUp {
            network: EVM,
            three_owners: true,
        })?);
        Ok(self.three_owners.get_or_init(|| made))
    }

    fn set_up(how: SetUp) -> Result<Self> {
        let mut home = Home::new()?;
        if how.three_owners {
            home = home.in_hand()?;
        }
        let signer = home.start()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let cast = tokio::task::LocalSet::new().block_on(&runtime, set_up(&home, how))?;
        drop(signer);
        Ok(Self {
            home,
            cast,
            test_networks: OnceCell::new(),
            three_owners: OnceCell::new(),
        })
    }

    pub(crate) fn rig(&self) -> Result<Rig> {
        Rig::start(Home::like(&self.home)?, self.cast.clone())
    }

    /// The same, with the machine under it in this program's hand.
    pub(crate) fn rig_in_hand(&self) -> Result<Rig> {
        let home = Home::like(&self.home)?.in_hand()?;
        Rig::start(home, self.cast.clone())
    }

    /// Does something with a signer of its own, with all checks behind it.
    pub(crate) fn aside<T>(mut rig: Rig, action: impl FnOnce(&mut Rig) -> Result<T>) -> Result<T> {
        let mut checks = Checks::new(&rig)?;
        let result = action(&mut rig)?;
        let mut failures = checks.after(&mut rig);
        failures.extend(checks.at_the_end(&mut rig));
        ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(result)
    }
}

/// What runs as a test: its name, and whether it held.
type Test = (&'static str, fn() -> bool);

const RULES: &[Test] = &[
    ("every_attack_is_a_case_or_pending", || {
        told(pending::complete())
    }),
    ("what_is_shown_elsewhere_exists", || {
        told(pending::elsewhere_exists())
    }),
    ("the_checks_can_fail", || told(crate::self_test::all())),
];

/// The program, by its arguments.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let mut wanted: Vec<&String> = Vec::new();
    let mut unwanted: Vec<&String> = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--skip" => unwanted.extend(rest.next()),
            // Flags with a value that names no test; `cargo nextest` lists with one.
            "--format" | "--color" | "--test-threads" | "--logfile" => drop(rest.next()),
            flag if flag.starts_with('-') => {}
            _ => wanted.push(argument),
        }
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--report") {
        return report(&wanted);
    }
    let exact = has("--exact");
    let named = |name: &str, part: &String| {
        if exact {
            name == part
        } else {
            name.contains(part.as_str())
        }
    };
    let chosen = |name: &str| {
        (wanted.is_empty() || wanted.iter().any(|part| named(name, part)))
            && !unwanted.iter().any(|part| named(name, part))
    };
    let names = RULES
        .iter()
        .map(|(name, _)| *name)
        .chain(SECTIONS.iter().map(|section| section.name));
    let mut out = std::io::stdout();
    if has("--list") {
        // Nothing here is an ignored test.
        if !has("--ignored") {
            for name in names.filter(|name| chosen(name)) {
                let _ = writeln!(out, "{name}: test");
            }
        }
        return ExitCode::SUCCESS;
    }
    let mut held = true;
    for (name, body) in RULES.iter().filter(|(name, _)| chosen(name)) {
        let passed = body();
        let _ = writeln!(
            out,
            "test {name} ... {}",
            if passed { "ok" } else { "FAILED" }
        );
        held &= passed;
    }
    for section in SECTIONS.iter().filter(|section| chosen(section.name)) {
        let rows = run_section(section, &[]);
        let passed = rows
            .iter()
            .all(|(_, verdict)| !matches!(verdict, Verdict::Failed(_)));
        print_rows(&rows);
        let _ = writeln!(
            out,
            "test {} ... {}",
            section.name,
            if passed { "ok" } else { "FAILED" }
        );
        held &= passed;
    }
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn told(result: Result<()>) -> bool {
    if let Err(error) = &result {
        let _ = writeln!(std::io::stdout(), "    {error:#}");
    }
    result.is_ok()
}

/// Every section as a table, then the known limits. Arguments choose attacks by their numbers.
fn report(ids: &[&String]) -> ExitCode {
    let mut out = std::io::stdout();
    let start = Instant::now();
    let mut counts = [0; 4];
    let _ = writeln!(out, "{:<4} {:<20} {:<6} outcome", "id", "position", "claim");
    for section in SECTIONS {
        let _ = writeln!(out, "\n-- {}", section.title);
        let rows = run_section(section, ids);
        print_rows(&rows);
        for (_, verdict) in &rows {
            let place = match verdict {
                Verdict::Held(_) => 0,
                Verdict::Elsewhere(_) => 1,
                Verdict::Pending => 2,
                Verdict::Failed(_) => 3,
            };
            if let Some(count) = counts.get_mut(place) {
                *count += 1;
            }
        }
    }
    let _ = writeln!(
        out,
        "\n-- known limits: what is stated in SECURITY.md and not prevented"
    );
    for limit in LIMITS {
        let (what, shown) = (limit.what, limit.shown());
        let _ = writeln!(out, "documented limit: {what}\n{:<32} {shown}", "");
    }
    let [held, elsewhere, waiting, failed] = counts;
    let complete = told(pending::complete()) && told(pending::elsewhere_exists());
    let _ = writeln!(
        out,
        "\n{held} held, {elsewhere} shown by other tests, {waiting} pending, {failed} failed; {} s",
        start.elapsed().as_secs()
    );
    if failed == 0 && complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_rows(rows: &[(&'static str, Verdict)]) {
    let mut out = std::io::stdout();
    for (id, verdict) in rows {
        let attack = SECTIONS
            .iter()
            .flat_map(|section| section.attacks)
            .find(|attack| attack.id == *id);
        let (claim, title) = attack.map_or(("", ""), |attack| (attack.claim, attack.title));
        let (word, said) = match verdict {
            Verdict::Held(said) => ("held", said.clone()),
            Verdict::Failed(why) => ("FAILED", why.join("; ")),
            Verdict::Elsewhere(test) => ("shown by", test.clone()),
            Verdict::Pending => ("pending", String::new()),
        };
        let _ = writeln!(out, "{id:<4} {POSITION:<20} {claim:<6} {word}: {title}");
        if !said.is_empty() {
            let _ = writeln!(out, "{:<32} {said}", "");
        }
        let cased = !matches!(verdict, Verdict::Elsewhere(_));
        for (_, tests) in ELSEWHERE.iter().filter(|(other, _)| other == id && cased) {
            let _ = writeln!(out, "{:<32} in part shown by: {}", "", tests.join(", "));
        }
        for (_, missing) in PENDING.iter().filter(|(pending, _)| pending == id) {
            let _ = writeln!(out, "{:<32} pending: {missing}", "");
        }
    }
    let _ = out.flush();
}

fn run_section(section: &Section, ids: &[&String]) -> Vec<(&'static str, Verdict)> {
    let template: OnceCell<Result<Template, String>> = OnceCell::new();
    let mut current: Option<(Rig, Checks)> = None;
    let mut rows = Vec::new();
    for attack in section.attacks {
        if !ids.is_empty() && !ids.iter().any(|id| *id == attack.id) {
            continue;
        }
        let verdict = match cases::of(attack.id) {
            Some(case) => {
                let template =
                    template.get_or_init(|| Template::new().map_err(|error| format!("{error:#}")));
                match template {
                    Ok(template) => run_case(case, template, &mut current),
                    Err(error) => Verdict::Failed(vec![format!("no signer: {error}")]),
                }
            }
            None => match ELSEWHERE.iter().find(|(id, _)| *id == attack.id) {
                Some((_, tests)) => Verdict::Elsewhere(tests.join(", ")),
                None => Verdict::Pending,
            },
        };
        rows.push((attack.id, verdict));
    }
    if let Some(rest) = current
        && let failures = end_of(rest)
        && !failures.is_empty()
    {
        rows.push((
            section.attacks.last().map_or("", |attack| attack.id),
            Verdict::Failed(failures),
        ));
    }
    rows
}

fn run_case(case: &Case, template: &Template, current: &mut Option<(Rig, Checks)>) -> Verdict {
    let start = Instant::now();
    let mut failures = Vec::new();
    // Each case is named as it begins, for the one that never ends.
    let _ = writeln!(std::io::stderr(), "  {} ...", case.id);
    if current.is_none() {
        let made = template.rig().and_then(|rig| Ok((Checks::new(&rig)?, rig)));
        match made {
            Ok((checks, rig)) => *current = Some((rig, checks)),
            Err(error) => return Verdict::Failed(vec![format!("no signer: {error:#}")]),
        }
    }
    let Some((mut rig, mut checks)) = current.take() else {
        return Verdict::Failed(vec!["no signer".to_owned()]);
    };
    let ran = catch_unwind(AssertUnwindSafe(|| (case.run)(&mut rig, template)));
    let _ = nix::unistd::seteuid(0.into());
    let said = match ran {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => {
            failures.push(format!("{error:#}"));
            String::new()
        }
        Err(_) => {
            failures.push("it panicked".to_owned());
            String::new()
        }
    };
    match catch_unwind(AssertUnwindSafe(|| checks.after(&mut rig))) {
        Ok(broken) => failures.extend(broken),
        Err(_) => failures.push("the checks panicked".to_owned()),
    }
    if rig.spent.is_some() || !failures.is_empty() {
        failures.extend(end_of((rig, checks)));
    } else {
        *current = Some((rig, checks));
    }
    if failures.is_empty() {
        Verdict::Held(format!("{said} ({} ms)", start.elapsed().as_millis()))
    } else {
        Verdict::Failed(failures)
    }
}

fn end_of((mut rig, checks): (Rig, Checks)) -> Vec<String> {
    checks.at_the_end(&mut rig)
}
