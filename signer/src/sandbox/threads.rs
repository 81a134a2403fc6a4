//! The signer's threads, from birth to sealing. Each says "up" after its libc start-up, waits for the common filter,
//! narrows itself, says so, and runs its work only when it is handed `Sandboxed`.
//! Knows nothing of what the work is. Called by the stages in `sandbox`.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::sandbox::landlock::forsake_files;
use crate::sandbox::seccomp::Filter;
use crate::sandbox::{SandboxError, Sandboxed};

/// What kind of thread to start; it decides the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns ledger and keystore: files of the state directory, no socket. The only thread that keeps any file.
    Authority,
    /// Hashes passwords: neither files nor sockets.
    Kdf,
    /// Serves one socket: no files.
    Rpc,
}

/// A thread that runs only once everything is sealed.
#[derive(Debug)]
pub struct SealedThread<T> {
    handle: JoinHandle<Option<T>>,
}

/// Why a thread has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThreadEnd {
    /// It panicked.
    #[error("the thread stopped on a broken assumption")]
    Panicked,
    /// Sealing failed, so its work never began.
    #[error("the thread was never sealed")]
    NeverSealed,
}

impl<T> SealedThread<T> {
    /// Waits for the end of the thread's work.
    ///
    /// # Errors
    /// [`ThreadEnd`] if there is no result.
    pub fn join(self) -> Result<T, ThreadEnd> {
        match self.handle.join() {
            Ok(Some(result)) => Ok(result),
            Ok(None) => Err(ThreadEnd::NeverSealed),
            Err(_) => Err(ThreadEnd::Panicked),
        }
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

/// The starting thread's side of one thread.
#[derive(Debug)]
pub(super) struct Seat {
    name: &'static str,
    orders: Sender<Order>,
    reports: Receiver<Result<(), SandboxError>>,
}

/// What the starting thread tells the others.
#[derive(Debug)]
enum Order {
    /// The common filter is on: put on your own.
    Narrow,
    /// All are narrowed: work.
    Work(Sandboxed),
}

impl Seat {
    /// Starts a thread and waits until it is up: it has left libc's start-up (which uses calls no filter allows,
    /// so a filter that lands in it kills the process) and `set_up` has returned.
    pub(super) fn start<Ready, Output: Send + 'static>(
        role: Role,
        name: &'static str,
        set_up: impl FnOnce() -> io::Result<Ready> + Send + 'static,
        work: impl FnOnce(Ready, Sandboxed) -> Output + Send + 'static,
    ) -> Result<(Self, SealedThread<Output>), SandboxError> {
        let (orders, inbox) = channel();
        let (outbox, reports) = channel();
        let body = move || {
            let ready = match set_up() {
                Ok(ready) => ready,
                Err(source) => {
                    // Nobody listens any more if the starting thread gave up: then there is nobody to tell.
                    let _ = outbox.send(Err(SandboxError::SetUp {
                        thread: name,
                        source,
                    }));
                    return None;
                }
            };
            outbox.send(Ok(())).ok()?;
            let Ok(Order::Narrow) = inbox.recv() else {
                return None;
            };
            let narrowed = narrow(role, name);
            let held = narrowed.is_ok();
            outbox.send(narrowed).ok()?;
            drop(outbox);
            match inbox.recv() {
                Ok(Order::Work(sandboxed)) if held => Some(work(ready, sandboxed)),
                _ => None,
            }
        };
        let handle = Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|source| SandboxError::Spawn {
                thread: name,
                source,
            })?;
        let seat = Self {
            name,
            orders,
            reports,
        };
        seat.await_report()?;
        Ok((seat, SealedThread { handle }))
    }

    /// Tells the thread that the common filter is on, and waits until it has its own.
    pub(super) fn narrow(&self) -> Result<(), SandboxError> {
        self.order(Order::Narrow)?;
        self.await_report()
    }

    /// Lets the thread begin.
    pub(super) fn work(&self, sandboxed: Sandboxed) -> Result<(), SandboxError> {
        self.order(Order::Work(sandboxed))
    }

    fn order(&self, order: Order) -> Result<(), SandboxError> {
        self.orders
            .send(order)
            .map_err(|_| SandboxError::ThreadEnded { thread: self.name })
    }

    fn await_report(&self) -> Result<(), SandboxError> {
        self.reports
            .recv()
            .map_err(|_| SandboxError::ThreadEnded { thread: self.name })?
    }
}

/// Puts the narrowest limits on the calling thread: no file unless its role needs some, then its own filter.
fn narrow(role: Role, name: &'static str) -> Result<(), SandboxError> {
    let filter = match role {
        Role::Authority => Filter::Authority,
        Role::Kdf => {
            forsake_files()?;
            Filter::Kdf
        }
        Role::Rpc => {
            forsake_files()?;
            Filter::Rpc
        }
    };
    filter.put_on().map_err(|source| SandboxError::Seccomp {
        thread: name,
        source,
    })
}
