//! A connection for programs with many tasks or threads: one task carries it, connects when the first
//! call comes and again after the signer went away. Calls are closures that run there. The task has a
//! thread of its own, or shares that of the caller, whose calls then wake no other thread.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

use crate::{Client, ClientError, Result, Socket};

/// Calls that wait for the thread.
const WAITING: usize = 1024;

type Job<S> = Box<dyn FnOnce(Result<Rc<Client<S>>>) -> LocalBoxFuture<'static, ()> + Send>;

/// A handle that any thread may use and clone. The connection ends with the last of them.
pub struct Remote<S: Socket> {
    jobs: mpsc::Sender<Job<S>>,
}

impl<S: Socket> Clone for Remote<S> {
    fn clone(&self) -> Self {
        Self {
            jobs: self.jobs.clone(),
        }
    }
}

impl<S: Socket> std::fmt::Debug for Remote<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remote").finish_non_exhaustive()
    }
}

impl<S: Socket> Remote<S> {
    /// Carries the connection to the socket at `path` on a thread of its own.
    ///
    /// # Errors
    /// The thread or its runtime cannot be made.
    pub fn on_a_thread(path: PathBuf) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel(WAITING);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("signer-client".to_owned())
            .spawn(move || LocalSet::new().block_on(&runtime, carry(path, inbox)))?;
        Ok(Self { jobs })
    }

    /// Carries the connection to the socket at `path` on this thread, in the [`LocalSet`] under way.
    #[must_use]
    pub fn here(path: PathBuf) -> Self {
        let (jobs, inbox) = mpsc::channel(WAITING);
        spawn_local(carry(path, inbox));
        Self { jobs }
    }

    /// Runs `call` beside the connection and returns its result. A dropped call still runs to its end.
    ///
    /// # Errors
    /// Those of connecting and of the call; [`ClientError::Denied`] with `overloaded` if too many wait.
    pub async fn call<T, F, Answer>(&self, call: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Rc<Client<S>>) -> Answer + Send + 'static,
        Answer: Future<Output = Result<T>> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job<S> = Box::new(move |connected| {
            async move {
                let result = match connected {
                    Ok(client) => call(client).await,
                    Err(error) => Err(error),
                };
                // Nobody waits any more: the signer's log has what happened.
                let _ = reply.send(result);
            }
            .boxed_local()
        });
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                ClientError::Denied(waiaas_shared::denial::Code::Overloaded.into())
            }
            mpsc::error::TrySendError::Closed(_) => ClientError::Disconnected,
        })?;
        answer.await.map_err(|_| ClientError::Disconnected)?
    }
}

/// Runs jobs until nobody can send any more.
async fn carry<S: Socket>(path: PathBuf, mut inbox: mpsc::Receiver<Job<S>>) {
    let mut client: Option<Rc<Client<S>>> = None;
    while let Some(job) = inbox.recv().await {
        let connected = match client.take() {
            Some(open) if !open.is_closed() => Ok(open),
            _ => Client::connect(&path).await.map(Rc::new),
        };
        client = connected.as_ref().ok().map(Rc::clone);
        spawn_local(job(connected));
    }
}
