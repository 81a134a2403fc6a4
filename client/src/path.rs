//! Whether a socket's path can be trusted: whoever may write its directory may put another socket in
//! its place and receive the owner's password. Reads the file system, changes nothing.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Write permission of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Only owners may rename or remove what is theirs.
const STICKY: u32 = 0o1000;

/// Why a socket is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// It cannot be looked at.
    #[error("{path}: {source}", path = .path.display())]
    Unreadable {
        /// Which path.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Something else stands there.
    #[error("{0}: not a socket")]
    NotASocket(PathBuf),
    /// Group or others could replace the socket.
    #[error(
        "{0}: group or others may write this directory and could replace the socket: `chmod go-w` it"
    )]
    Writable(PathBuf),
    /// A stranger could replace the socket.
    #[error("{path}: owned by uid {owner}, who could replace the socket", path = .path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
}

/// The socket's path with all links resolved, if its directory belongs to root, to this user or to the
/// socket's owner and nobody else can write it, and nobody else can replace a directory above it.
///
/// # Errors
/// [`PathError`], naming the directory and what is wrong with it.
pub fn trusted(socket: &Path) -> Result<PathBuf, PathError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| PathError::Unreadable { path, source }
    };
    let parent = match socket.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(PathError::NotASocket(socket.to_owned())),
    };
    let directory = fs::canonicalize(parent).map_err(unreadable(parent))?;
    let name = socket
        .file_name()
        .ok_or_else(|| PathError::NotASocket(socket.to_owned()))?;
    let resolved = directory.join(name);
    let metadata = fs::symlink_metadata(&resolved).map_err(unreadable(&resolved))?;
    if !metadata.file_type().is_socket() {
        return Err(PathError::NotASocket(resolved));
    }
    let own = nix::unistd::geteuid().as_raw();
    for (height, above) in directory.ancestors().enumerate() {
        let found = fs::metadata(above).map_err(unreadable(above))?;
        let owner = found.uid();
        if ![0, own, metadata.uid()].contains(&owner) {
            return Err(PathError::Owner {
                path: above.to_owned(),
                owner,
            });
        }
        // In a sticky directory others cannot move what is not theirs; yet the socket's own directory
        // must not let them create anything.
        let sticky = found.mode() & STICKY != 0 && height > 0;
        if found.mode() & WRITABLE_BY_OTHERS != 0 && !sticky {
            return Err(PathError::Writable(above.to_owned()));
        }
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let socket = inner.join("admin.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        mode(&inner, 0o755);
        assert_eq!(
            trusted(&socket).unwrap(),
            fs::canonicalize(&socket).unwrap()
        );
        for open in [0o775, 0o757, 0o777, 0o1777] {
            mode(&inner, open);
            assert!(
                matches!(trusted(&socket), Err(PathError::Writable(path)) if path.ends_with("inner"))
            );
        }
        mode(&inner, 0o700);
        // A directory above it counts as well: it could be replaced whole.
        mode(folder.path(), 0o777);
        assert!(matches!(trusted(&socket), Err(PathError::Writable(_))));
        mode(folder.path(), 0o1777);
        assert!(trusted(&socket).is_ok());
    }

    #[test]
    fn links_and_other_files_are_no_sockets() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gateway.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&socket, &link).unwrap();
        for wrong in [file.as_path(), &link, folder.path(), Path::new("/")] {
            assert!(
                matches!(trusted(wrong), Err(PathError::NotASocket(_))),
                "{}",
                wrong.display()
            );
        }
        let missing = folder.path().join("missing");
        assert!(matches!(
            trusted(&missing),
            Err(PathError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_strangers_directory_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            return; // Only root can make one.
        }
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gateway.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        std::os::unix::fs::chown(folder.path(), Some(61_234), None).unwrap();
        assert!(matches!(
            trusted(&socket),
            Err(PathError::Owner { owner: 61_234, .. })
        ));
        // Once the socket is that user's as well, it is the signer's own directory.
        std::os::unix::fs::chown(&socket, Some(61_234), None).unwrap();
        assert!(trusted(&socket).is_ok());
    }
}
