//! A signer that is none: it listens on `admin.sock` of a test's home, answers `status`, `events` and
//! `unlock` as it is told, and keeps the passwords that it is given. And a terminal of the test's own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, twoparty};
use ed25519_dalek::{Signer as _, SigningKey};
use nix::sys::termios::{LocalFlags, tcgetattr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
use waiaas_schema::{admin_capnp::admin, common_capnp::common};
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::{Head, SignedHead, genesis, link};

/// The right password.
pub(crate) const PASSWORD: &str = "correct horse";

/// What the signer tells and what it was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    /// Whether keys are open.
    pub(crate) unlocked: bool,
    /// Number of its newest event.
    pub(crate) sequence: u64,
    /// Every event after this one is of another log than told before: an old copy that was put back and
    /// went on.
    pub(crate) forks_after: Option<u64>,
    /// Every password that came, in order.
    pub(crate) passwords: Vec<Vec<u8>>,
    /// How often the kill switch was thrown.
    pub(crate) kills: u32,
    /// The head that the newest unlock presented.
    pub(crate) presented: String,
}

/// A home with a signer behind its socket.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    /// What the signer tells and was given.
    pub(crate) story: Arc<Mutex<Story>>,
}

impl Home {
    /// A home without a signer.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("the test's own machine does this");
        let run = folder.path().join("run");
        std::fs::create_dir(&run).expect("the test's own machine does this");
        for path in [folder.path(), &run] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
                .expect("the test's own machine does this");
        }
        Self {
            folder,
            story: Arc::default(),
        }
    }

    /// Pins the signer and starts it.
    pub(crate) fn with_signer(story: Story) -> Self {
        let home = Self::new();
        *home.story.lock().expect("no test panics under the lock") = story;
        let pin = format!(
            "{} {}\n",
            signer(),
            AgentKey::from_bytes(key().verifying_key().to_bytes())
        );
        std::fs::write(home.path("log-key"), pin).expect("the test's own machine does this");
        let socket = home.path("run/admin.sock");
        let listener = std::os::unix::net::UnixListener::bind(socket)
            .expect("the test's own machine does this");
        listener
            .set_nonblocking(true)
            .expect("the test's own machine does this");
        let story = Arc::clone(&home.story);
        std::thread::spawn(move || serve(listener, &story));
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with this home.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waiaas"));
        command
            .args(arguments)
            .env_clear()
            .env("WAIAAS_HOME", self.folder.path());
        command
    }

    /// Runs it without a terminal: exit code, stdout, stderr.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self
            .command(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the test's own machine does this");
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec()).expect("the test's own machine does this")
        };
        (
            output
                .status
                .code()
                .expect("the test's own machine does this"),
            text(&output.stdout),
            text(&output.stderr),
        )
    }

    /// Runs it on a terminal.
    pub(crate) fn on_terminal(&self, arguments: &[&str]) -> Terminal {
        let pair = nix::pty::openpty(None, None).expect("the test's own machine does this");
        let end = || {
            Stdio::from(
                pair.slave
                    .try_clone()
                    .expect("the test's own machine does this"),
            )
        };
        let child = self
            .command(arguments)
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("the test's own machine does this");
        Terminal {
            master: File::from(pair.master),
            slave: pair.slave,
            child,
            shown: String::new(),
        }
    }
}

/// A program on a terminal.
pub(crate) struct Terminal {
    master: File,
    slave: OwnedFd,
    child: Child,
    /// Everything that was shown.
    pub(crate) shown: String,
}

impl Terminal {
    /// Reads until this was shown.
    pub(crate) fn until(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let mut buffer = [0; 1024];
            let read = self
                .master
                .read(&mut buffer)
                .expect("the test's own machine does this");
            self.shown.push_str(&String::from_utf8_lossy(
                buffer.get(..read).unwrap_or_default(),
            ));
        }
    }

    /// Types.
    pub(crate) fn type_in(&mut self, keys: &str) {
        self.master
            .write_all(keys.as_bytes())
            .expect("the test's own machine does this");
    }

    /// Whether what is typed is shown.
    pub(crate) fn echoes(&self) -> bool {
        let settings = tcgetattr(self.slave.as_fd()).expect("the test's own machine does this");
        settings.local_flags.contains(LocalFlags::ECHO)
    }

    /// Waits for the end; the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let code = self
            .child
            .wait()
            .expect("the test's own machine does this")
            .code()
            .expect("the test's own machine does this");
        // What is left: the slave is still open here, so a marker ends it.
        nix::unistd::write(self.slave.as_fd(), b"<end>").expect("the test's own machine does this");
        self.until("<end>");
        code
    }
}

pub(crate) fn signer() -> SignerId {
    SignerId::from_bytes([1; 16])
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// Bytes and hash of every event of a log.
fn log(story: &Story) -> Vec<(Vec<u8>, Digest)> {
    let mut hash = genesis(signer(), &key().verifying_key().to_bytes());
    let events = (1..=story.sequence).map(|sequence| {
        let forked = story.forks_after.is_some_and(|after| sequence > after);
        let body = vec![u8::from(forked)];
        hash = link(hash, sequence, &body);
        (body, hash)
    });
    events.collect()
}

/// The signed head of a log of so many events.
fn note(story: &Story) -> String {
    let sequence = story.sequence;
    let hash = log(story).last().expect("the log has begun").1;
    let head = Head {
        signer: signer(),
        sequence,
        hash,
    };
    let signature = key().sign(head.note_text().as_bytes()).to_bytes();
    SignedHead::new(head, &key().verifying_key().to_bytes(), signature).to_string()
}

fn serve(listener: std::os::unix::net::UnixListener, story: &Arc<Mutex<Story>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the test's own machine does this");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener =
            tokio::net::UnixListener::from_std(listener).expect("the test's own machine does this");
        while let Ok((mut stream, _)) = listener.accept().await {
            let story = Arc::clone(story);
            tokio::task::spawn_local(async move {
                let mut preface = [0; 8];
                stream
                    .read_exact(&mut preface)
                    .await
                    .expect("the test's own machine does this");
                if &preface == b"WAIASSEC" {
                    return take_password(stream, &story).await;
                }
                assert_eq!(&preface, b"WAIASRPC");
                let (reader, writer) = stream.into_split();
                let options = waiaas_schema::reader_options();
                let network = twoparty::VatNetwork::new(
                    reader.compat(),
                    writer.compat_write(),
                    Side::Server,
                    options,
                );
                let admin: admin::Client = capnp_rpc::new_client(Desk(story));
                let _ended = RpcSystem::new(Box::new(network), Some(admin.client)).await;
            });
        }
    });
}

/// One secret in; its ticket is its place in the story.
async fn take_password(mut stream: tokio::net::UnixStream, story: &Mutex<Story>) {
    let mut head = [0; 3];
    stream
        .read_exact(&mut head)
        .await
        .expect("the test's own machine does this");
    assert_eq!(head[0], b'P');
    let mut password = vec![0; u16::from_le_bytes([head[1], head[2]]).into()];
    stream
        .read_exact(&mut password)
        .await
        .expect("the test's own machine does this");
    story
        .lock()
        .expect("no test panics under the lock")
        .passwords
        .push(password);
    stream
        .write_all(&[9; 16])
        .await
        .expect("the test's own machine does this");
}

struct Desk(Arc<Mutex<Story>>);

impl common::Server for Desk {
    async fn status(
        self: Rc<Self>,
        _: common::StatusParams,
        mut results: common::StatusResults,
    ) -> Result<(), capnp::Error> {
        let story = self.0.lock().expect("no test panics under the lock");
        let mut status = results.get().init_status();
        status.set_signer_id(signer().to_string());
        status.set_initialized(true);
        status.set_unlocked(story.unlocked);
        status.set_kill(if story.kills > 0 {
            "ACTIVATED"
        } else {
            "NORMAL"
        });
        status.set_sequence(story.sequence);
        status.set_head(note(&story));
        status.set_version("0.1.0");
        Ok(())
    }

    async fn events(
        self: Rc<Self>,
        params: common::EventsParams,
        mut results: common::EventsResults,
    ) -> Result<(), capnp::Error> {
        let after = params.get()?.get_after();
        let story = self.0.lock().expect("no test panics under the lock");
        // Two events a page: a way of some length takes several.
        let told: Vec<_> = (1..)
            .zip(log(&story))
            .filter(|(sequence, _)| *sequence > after)
            .take(2)
            .collect();
        let mut page = results.get().init_page();
        page.set_last(story.sequence);
        let mut events = page.init_events(u32::try_from(told.len()).expect("two at most"));
        for (place, (sequence, (body, hash))) in (0..).zip(&told) {
            let mut event = events.reborrow().get(place);
            event.set_sequence(*sequence);
            event.set_body(body);
            event.set_hash(hash.as_bytes());
        }
        Ok(())
    }

    async fn kill(
        self: Rc<Self>,
        _: common::KillParams,
        mut results: common::KillResults,
    ) -> Result<(), capnp::Error> {
        let mut story = self.0.lock().expect("no test panics under the lock");
        story.kills += 1;
        results.get().set_sequence(story.sequence);
        Ok(())
    }
}

impl admin::Server for Desk {
    async fn unlock(
        self: Rc<Self>,
        params: admin::UnlockParams,
        mut results: admin::UnlockResults,
    ) -> Result<(), capnp::Error> {
        assert_eq!(params.get()?.get_password()?, [9; 16]);
        let mut story = self.0.lock().expect("no test panics under the lock");
        story.presented = params.get()?.get_presented_head()?.to_string()?;
        if story
            .passwords
            .last()
            .is_some_and(|password| password == PASSWORD.as_bytes())
        {
            story.unlocked = true;
            story.sequence += 1;
        } else {
            results
                .get()
                .init_violations(1)
                .get(0)
                .set_code("password_wrong");
        }
        Ok(())
    }
}
