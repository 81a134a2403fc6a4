//! Compiles the system call filters of `seccomp/*.json` into tables of BPF instructions.
//! Owns the house rules for those files (see seccomp/README.md) and stops the build where one is broken.
//! The signer includes the result; it parses no filter when it runs.

use std::collections::{BTreeMap, HashSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use seccompiler::{BpfProgram, TargetArch};
use serde_json::{Map, Value, json};

/// The threads' own filters, in the order of the tables.
const THREADS: [&str; 4] = ["main", "authority", "kdf", "rpc"];

/// Rules by system call, each a list of argument conditions; an empty list allows the call outright.
type Rules = BTreeMap<String, Vec<Value>>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../seccomp");
    let machine = env::var("CARGO_CFG_TARGET_ARCH")?;
    let arch = TargetArch::try_from(machine.as_str())?;
    println!("cargo::rerun-if-changed=build.rs");

    // Start with what sealing needs, then add every thread's rules: the union binds all threads at once.
    let mut common = rules(&folder, "common", &machine)?;
    let mut out = String::new();
    for name in THREADS {
        let own = rules(&folder, name, &machine)?;
        for (call, conditions) in &own {
            merge(&mut common, call, conditions);
        }
        table(&mut out, name, &own, arch)?;
    }
    table(&mut out, "common", &common, arch)?;

    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("filters.rs"), out)?;
    Ok(())
}

/// Reads one file, checks it against the house rules and returns what it allows on this machine.
fn rules(folder: &Path, name: &str, machine: &str) -> Result<Rules, Box<dyn Error>> {
    let path = folder.join(format!("{name}.json"));
    println!("cargo::rerun-if-changed={}", path.display());
    let broken = |why: &str| format!("{}: {why}", path.display());

    let file: Map<String, Value> = serde_json::from_str(&fs::read_to_string(&path)?)?;
    let filter = file
        .get(name)
        .filter(|_| file.len() == 1)
        .ok_or_else(|| broken("must hold exactly one filter, named like the file"))?;
    if filter.get("mismatch_action") != Some(&json!("kill_process")) {
        return Err(broken("mismatch_action must be kill_process").into());
    }
    if filter.get("match_action") != Some(&json!("allow")) {
        return Err(broken("match_action must be allow").into());
    }

    let mut found = Rules::new();
    let mut outright = HashSet::new();
    for rule in filter
        .get("filter")
        .and_then(Value::as_array)
        .ok_or_else(|| broken("filter must be a list"))?
    {
        let call = rule
            .get("syscall")
            .and_then(Value::as_str)
            .ok_or_else(|| broken("a rule names no system call"))?;
        if rule
            .get("comment")
            .and_then(Value::as_str)
            .is_none_or(|comment| comment.trim().is_empty())
        {
            return Err(broken(&format!("the rule for {call} has no comment")).into());
        }
        if let Some(machines) = rule.get("arch").and_then(Value::as_array)
            && !machines.iter().any(|one| one == machine)
        {
            continue;
        }
        // seccompiler drops a rule without arguments when another rule for the same call has some.
        let conditions = rule.get("args");
        let first = !found.contains_key(call);
        if (conditions.is_none() && !first) || outright.contains(call) {
            return Err(broken(&format!("{call} is allowed outright and once more")).into());
        }
        let list = found.entry(call.to_owned()).or_default();
        match conditions {
            Some(conditions) => list.push(conditions.clone()),
            None => {
                outright.insert(call.to_owned());
            }
        }
    }
    Ok(found)
}

/// Widens the union by what one thread may do with one call.
fn merge(union: &mut Rules, call: &str, conditions: &[Value]) {
    match union.get_mut(call) {
        None => {
            union.insert(call.to_owned(), conditions.to_vec());
        }
        Some(present) if present.is_empty() => {}
        Some(present) if conditions.is_empty() => present.clear(),
        Some(present) => {
            for condition in conditions {
                if !present.contains(condition) {
                    present.push(condition.clone());
                }
            }
        }
    }
}

/// Writes the program and the list of allowed calls of one filter as two statics.
fn table(
    out: &mut String,
    name: &str,
    rules: &Rules,
    arch: TargetArch,
) -> Result<(), Box<dyn Error>> {
    let program = compile(name, rules, arch)?;
    let upper = name.to_uppercase();
    writeln!(out, "/// `{name}.json`, compiled.")?;
    writeln!(
        out,
        "pub(super) static {upper}: [seccompiler::sock_filter; {}] = [",
        program.len()
    )?;
    for step in &program {
        writeln!(
            out,
            "    seccompiler::sock_filter {{ code: {}, jt: {}, jf: {}, k: {} }},",
            step.code, step.jt, step.jf, step.k
        )?;
    }
    writeln!(out, "];")?;
    writeln!(out, "/// What `{name}.json` allows.")?;
    writeln!(
        out,
        "pub(super) static {upper}_CALLS: [AllowedCall; {}] = [",
        rules.len()
    )?;
    for (call, conditions) in rules {
        let number = number(call, arch)?;
        let restricted = !conditions.is_empty();
        writeln!(
            out,
            "    AllowedCall {{ name: \"{call}\", number: {number}, restricted: {restricted} }},",
        )?;
    }
    writeln!(out, "];")?;
    Ok(())
}

/// The number of a call, as seccompiler's own table has it: the last comparison of a filter for that call alone.
fn number(call: &str, arch: TargetArch) -> Result<u32, Box<dyn Error>> {
    /// `BPF_JMP | BPF_JEQ | BPF_K` (linux/bpf_common.h).
    const JUMP_IF_EQUAL: u16 = 0x15;
    let alone = Rules::from([(call.to_owned(), Vec::new())]);
    compile("number", &alone, arch)?
        .iter()
        .rev()
        .find(|step| step.code == JUMP_IF_EQUAL)
        .map(|step| step.k)
        .ok_or_else(|| format!("{call}: no comparison in its filter").into())
}

fn compile(name: &str, rules: &Rules, arch: TargetArch) -> Result<BpfProgram, Box<dyn Error>> {
    let mut list = Vec::new();
    for (call, conditions) in rules {
        if conditions.is_empty() {
            list.push(json!({ "syscall": call }));
        }
        for condition in conditions {
            list.push(json!({ "syscall": call, "args": condition }));
        }
    }
    let file = json!({ name: { "mismatch_action": "kill_process", "match_action": "allow", "filter": list } });
    let mut programs = seccompiler::compile_from_json(file.to_string().as_bytes(), arch)?;
    programs
        .remove(name)
        .ok_or_else(|| format!("{name}: seccompiler returned no program").into())
}
