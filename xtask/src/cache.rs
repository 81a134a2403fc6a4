//! The folder outside every checkout where tools are kept once they are installed or built.
//! `$WAIAAS_CACHE`, or `waiaas` in `$XDG_CACHE_HOME`, or `~/.cache/waiaas`.
//! Each tool lies in a folder named by a hash of what decides its content, so a changed lock file never meets an
//! old tool. Several commands may install at once: one works, the others wait. Called by `tools`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Written last: a folder without it was left half-done and is made again.
const COMPLETE: &str = ".complete";
/// Hash bytes in a folder's name: far past any accidental collision, still readable.
const KEY_BYTES: usize = 8;

/// The cache folder, which need not exist yet.
///
/// # Errors
/// When neither of the two variables nor `HOME` is set.
pub fn root() -> Result<PathBuf> {
    let given = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    given("WAIAAS_CACHE")
        .or_else(|| given("XDG_CACHE_HOME").map(|folder| folder.join("waiaas")))
        .or_else(|| given("HOME").map(|folder| folder.join(".cache/waiaas")))
        .context("no cache folder: set WAIAAS_CACHE or HOME")
}

/// One installed tool.
#[derive(Debug, Clone)]
pub struct Slot {
    folder: PathBuf,
    lock: PathBuf,
}

impl Slot {
    /// The place of the tool `name` whose content `inputs` decide.
    ///
    /// # Errors
    /// When there is no cache folder ([`root`]).
    pub fn new(name: &str, inputs: &[&[u8]]) -> Result<Self> {
        Ok(Self::under(&root()?, name, inputs))
    }

    fn under(root: &Path, name: &str, inputs: &[&[u8]]) -> Self {
        Self {
            folder: root.join(format!("{name}-{}", key(inputs))),
            lock: root.join(format!("{name}.lock")),
        }
    }

    /// The tool's folder, if the tool is there whole.
    #[must_use]
    pub fn installed(&self) -> Option<&Path> {
        self.folder
            .join(COMPLETE)
            .is_file()
            .then_some(self.folder.as_path())
    }

    /// The tool's folder, filled by `install` unless it is there already. An `install` that fails leaves nothing
    /// that looks installed.
    ///
    /// # Errors
    /// Those of `install`, and of the file system.
    pub fn install(&self, install: impl FnOnce(&Path) -> Result<()>) -> Result<&Path> {
        if let Some(folder) = self.installed() {
            return Ok(folder);
        }
        if let Some(root) = self.lock.parent() {
            fs::create_dir_all(root)
                .with_context(|| format!("cannot create {}", root.display()))?;
        }
        let lock = File::create(&self.lock)
            .with_context(|| format!("cannot open {}", self.lock.display()))?;
        lock.lock()
            .with_context(|| format!("cannot lock {}", self.lock.display()))?;
        if self.installed().is_none() {
            if self.folder.exists() {
                fs::remove_dir_all(&self.folder)?;
            }
            fs::create_dir_all(&self.folder)?;
            install(&self.folder)?;
            fs::write(self.folder.join(COMPLETE), [])?;
        }
        Ok(&self.folder)
    }
}

/// Hexadecimal, over every input with its length, so that no two lists of inputs run together.
fn key(inputs: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    hash.update(env::consts::ARCH);
    for input in inputs {
        hash.update(input.len().to_string());
        hash.update([0]);
        hash.update(input);
    }
    hash.finalize()
        .iter()
        .take(KEY_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn scratch(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("waiaas-cache-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        folder
    }

    #[test]
    fn a_key_depends_on_every_byte_and_on_where_inputs_end() {
        assert_eq!(key(&[b"ab", b"c"]), key(&[b"ab", b"c"]));
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_ne!(key(&[b"ab"]), key(&[b"ac"]));
        assert_eq!(key(&[]).len(), 2 * KEY_BYTES);
    }

    #[test]
    fn an_installed_tool_is_not_installed_again() {
        let root = scratch("twice");
        let slot = Slot::under(&root, "tool", &[b"1"]);
        slot.install(|folder| Ok(fs::write(folder.join("it"), "first")?))
            .unwrap();
        slot.install(|_| bail!("installed twice")).unwrap();
        assert!(
            Slot::under(&root, "tool", &[b"2"]).installed().is_none(),
            "another lock file, another tool"
        );
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_failed_install_is_done_again_from_an_empty_folder() {
        let root = scratch("failed");
        let slot = Slot::under(&root, "tool", &[b"1"]);
        let failed = slot.install(|folder| {
            fs::write(folder.join("half"), "")?;
            bail!("the network went away")
        });
        assert!(failed.is_err());
        assert!(slot.installed().is_none());
        let folder = slot
            .install(|folder| Ok(fs::write(folder.join("whole"), "")?))
            .unwrap();
        assert!(!folder.join("half").exists());
        assert!(folder.join("whole").exists());
        fs::remove_dir_all(root).unwrap();
    }
}
