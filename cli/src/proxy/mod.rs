//! `waiaas agent proxy`: curl and frameworks that cannot sign speak plain HTTP to this process, which holds the
//! agent's key, signs (RFC 9421), gets and renews the session's token, and hands everything on to the gateway and
//! its answers back as they come. Bounded in connections, bodies and times; one line of log a request, without
//! bodies, queries or secrets. Decides nothing about payments, and is trusted by nobody: the signer judges.

mod door;
mod forward;
mod problem;
mod rules;

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Body;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use waiaas_shared::request::BODY_LIMIT_BYTES;

pub(crate) use self::door::Door;
pub(crate) use self::forward::Forwarder;
use self::problem::{Reason, Refused};
use crate::commands::release::now;
use crate::failure::Failure;
use crate::output::Output;

/// Connections at once; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// Time for a head, from the connection's start or the end of the answer before.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for a body, from the end of the head on.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one head.
const HEAD_LIMIT: usize = 16 * 1024;
/// Headers of one request.
const HEADERS: usize = 64;
/// Time that requests under way get when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// A proxy of one agent.
#[derive(Debug)]
pub(crate) struct Proxy {
    door: Door,
    forwarder: Forwarder,
    output: Output,
}

impl Proxy {
    /// Serves at this door.
    pub(crate) const fn new(door: Door, forwarder: Forwarder, output: Output) -> Self {
        Self {
            door,
            forwarder,
            output,
        }
    }

    /// Serves until the process is told to end. To be called in a `LocalSet`.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let failed = |error| Failure::internal("signals cannot be waited for").why(error);
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let (stop, stopped) = watch::channel(false);
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let proxy = Rc::new(self);
        let accepting = Rc::clone(&proxy).accept(Arc::clone(&places), stopped);
        tokio::select! {
            () = accepting => {}
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        let _nobody_left = stop.send(true);
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        // Whoever is not done by then is cut off; the same name again cannot pay twice.
        let _late = timeout(DRAIN, places.acquire_many(all)).await;
        Ok(())
    }

    async fn accept(self: Rc<Self>, places: Arc<Semaphore>, stopped: watch::Receiver<bool>) {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let (proxy, stopped) = (Rc::clone(&self), stopped.clone());
            let accepted = match &self.door {
                Door::Socket { listener, .. } => match listener.accept().await {
                    Ok((stream, _)) => Ok(tokio::task::spawn_local(async move {
                        proxy.speak(stream, stopped).await;
                        drop(place);
                    })),
                    Err(error) => Err(error),
                },
                Door::Loopback { listener, .. } => match listener.accept().await {
                    Ok((stream, _)) => Ok(tokio::task::spawn_local(async move {
                        let _best_effort = stream.set_nodelay(true);
                        proxy.speak(stream, stopped).await;
                        drop(place);
                    })),
                    Err(error) => Err(error),
                },
            };
            if let Err(error) = accepted {
                // Out of descriptors or memory: accepting again at once would spin.
                self.output
                    .say(format!("a connection was not accepted: {error}"));
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn speak(
        self: Rc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        mut stop: watch::Receiver<bool>,
    ) {
        let service = service_fn(move |request| {
            let proxy = Rc::clone(&self);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_LIMIT)
            .max_headers(HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        let mut serving = std::pin::pin!(serving);
        // A caller that hangs up, or sends what is no HTTP, is answered by the library.
        let _ended = tokio::select! {
            ended = serving.as_mut() => ended,
            _ = stop.wait_for(|stop| *stop) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
    }

    /// Answers one request, and tells of it in one line.
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let judged = rules::judge(&head.method, &head.uri, &head.headers, self.door.rules());
        let (line, answered) = match judged {
            // What is refused by its head may hold anything: it is not repeated.
            Err(reason) => ("-".to_owned(), Err(Refused::from(reason))),
            Ok(asked) => {
                let line = format!("{} {}", asked.method, asked.path);
                let answered = match read(body).await {
                    Ok(body) => self.forwarder.forward(&asked, &body).await,
                    Err(reason) => Err(reason.into()),
                };
                (line, answered)
            }
        };
        let code = answered.as_ref().err().map_or("", |refused| &refused.code);
        let code = code.to_owned();
        let mut response = answered.unwrap_or_else(Refused::response);
        // A body that was not read would be taken for the next request.
        if line == "-" {
            let close = reqwest::header::HeaderValue::from_static("close");
            response
                .headers_mut()
                .insert(reqwest::header::CONNECTION, close);
        }
        self.tell(&line, response.status().as_u16(), &code, began.elapsed());
        response
    }

    fn tell(&self, line: &str, status: u16, code: &str, took: Duration) {
        let millis = took.as_millis();
        if self.output.is_json() {
            self.output.say(json!({
                "time": now().to_string(),
                "request": line,
                "status": status,
                "code": code,
                "millis": u64::try_from(millis).unwrap_or(u64::MAX),
            }));
        } else {
            let text = format!("{} {line} {status} {code} {millis} ms", now());
            self.output.say(text.replace("  ", " "));
        }
    }
}

/// A whole body, within its bounds.
async fn read(body: Incoming) -> Result<Vec<u8>, Reason> {
    let whole = Limited::new(body, BODY_LIMIT_BYTES).collect();
    match timeout(BODY_TIMEOUT, whole).await {
        Err(_) => Err(Reason::BodyTimeout),
        Ok(Ok(whole)) => Ok(whole.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reason::BodyTooLarge),
        Ok(Err(_)) => Err(Reason::BodyIncomplete),
    }
}

#[cfg(test)]
mod tests;
