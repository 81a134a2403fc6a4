//! Programs that are not ours, in `tests/foreign/`: run, and their answers read. Called by the tests that
//! compare the product with them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use xtask::tools;

/// Where a script stands.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("foreign")
        .join(name)
}

/// What a program said beside its answer.
#[must_use]
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn answer(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "{}", said(output));
    let text = String::from_utf8(output.stdout.clone())?;
    Ok(text.trim_end().to_owned())
}

/// What a script of Python prints, with what `tools/foreign/requirements.txt` names.
///
/// # Errors
/// When it fails, or its packages are not installed.
pub fn python<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Result<String> {
    answer(&tools::python()?.arg(path(name)).args(arguments).output()?)
}

/// What a script of JavaScript prints, with what `tools/foreign/package.json` names.
///
/// # Errors
/// As [`python`].
pub fn node(name: &str, arguments: &[&str]) -> Result<String> {
    let source = std::fs::read_to_string(path(name))?;
    answer(&tools::node(&source, arguments)?.output()?)
}

/// Owners' keys as solders and eth-account write them.
///
/// # Errors
/// As [`python`].
pub fn keys() -> Result<Value> {
    Ok(serde_json::from_str(&python::<&str>("keys.py", &[])?)?)
}

/// One scenario of the signing page in a real browser.
///
/// # Errors
/// When anything on the page differs from what the scenario expects, or no browser is installed.
pub fn browser(scenario: &str, given: &Value) -> Result<Value> {
    let fields = [
        ("scenario", json!(scenario)),
        ("chromium", json!(tools::chromium()?)),
    ];
    let given = with(given, fields).to_string();
    Ok(serde_json::from_str(&node("browser.mjs", &[&given])?)?)
}

/// The object with these fields as well.
#[must_use]
pub fn with<const N: usize>(object: &Value, fields: [(&str, Value); N]) -> Value {
    let mut whole = object.as_object().cloned().unwrap_or_default();
    whole.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(whole)
}
