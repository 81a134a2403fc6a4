//! The nodes of one chain: which is asked next, which is left alone for a while, and what is asked of
//! another one when a node fails. Every node has to name the right chain before it is asked anything.
//!
//! What is asked here may be asked of any number of nodes: reads, and signed bytes, which are the same
//! transaction however often they arrive. Knows no method's meaning; called by the adapters and by
//! `witness`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use waiaas_shared::caip::ChainId;

use super::config::ChainConfig;
use super::node_health::NodeHealth;
use super::rpc::{Node, RpcSetupError};
use super::rpc_error::{Lie, RpcError};
use super::socket::Sockets;
use super::witness::Claims;
use super::{EndpointHealth, Health};

/// A question waits so long for the rest of a node to end where no other node does well.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time for a node to say how it is.
const HEALTH_PATIENCE: Duration = Duration::from_millis(1500);

/// The nodes, in the order of preference.
#[derive(Debug)]
pub(super) struct Endpoints {
    endpoints: Vec<Arc<Endpoint>>,
    /// Time for one question, all nodes together.
    deadline: Duration,
    /// Who is asked first about the next payment under way.
    turn: AtomicUsize,
    /// Ends of transactions that one node alone tells of.
    pub(super) claims: Claims,
    /// What tells when it is worth asking.
    pub(super) sockets: Sockets,
}

impl Endpoints {
    pub(super) fn new(config: &ChainConfig) -> Result<Self, RpcSetupError> {
        let endpoints = config.rpc.iter().enumerate().map(|(place, url)| {
            Ok(Arc::new(Endpoint {
                place,
                chain: config.id,
                node: Node::new(url, config.request_timeout)?,
                health: Mutex::default(),
            }))
        });
        Ok(Self {
            endpoints: endpoints.collect::<Result<_, _>>()?,
            deadline: config.request_timeout.saturating_mul(2),
            turn: AtomicUsize::new(0),
            claims: Claims::default(),
            sockets: Sockets::new(config)?,
        })
    }

    /// Asks the nodes in turn until one answers.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        self.call_checked(method, params, Ok).await
    }

    /// The same with a check of the answer: a node whose answer fails it has not answered. What one
    /// node refuses the others are asked too: the refusal stands if none of them answers.
    pub(super) async fn call_checked<T: DeserializeOwned, U>(
        &self,
        method: &'static str,
        params: Value,
        check: impl Fn(T) -> Result<U, RpcError>,
    ) -> Result<U, RpcError> {
        timeout(self.deadline, self.ask_in_turn(method, &params, &check))
            .await
            .unwrap_or(Err(RpcError::Timeout))
    }

    async fn ask_in_turn<T: DeserializeOwned, U>(
        &self,
        method: &'static str,
        params: &Value,
        check: &impl Fn(T) -> Result<U, RpcError>,
    ) -> Result<U, RpcError> {
        let (well, resting) = self.well_and_resting();
        let patience = PATIENCE.min(self.deadline / 2);
        let mut failure = Failure::default();
        for endpoint in well {
            match endpoint.ask(method, params, check).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failure.add(error),
            }
        }
        if failure.is_a_refusal() {
            return Err(failure.told());
        }
        for endpoint in resting {
            let rest = endpoint.health().held_for(Instant::now());
            if rest > patience {
                failure.add(endpoint.why_it_rests());
                continue;
            }
            sleep(rest).await;
            match endpoint.ask(method, params, check).await {
                Ok(answer) => return Ok(answer),
                Err(error) => failure.add(error),
            }
        }
        Err(failure.told())
    }

    /// Gives signed bytes to every node, and returns as soon as one has taken them that does well; one that rests is
    /// waited for only where none does well. The others are told all the same: a node that takes bytes and keeps them
    /// to itself holds nothing up.
    pub(super) async fn send<T: DeserializeOwned + Send + 'static>(
        &self,
        method: &'static str,
        params: Value,
        check: impl Fn(T) -> Result<(), RpcError> + Copy + Send + Sync + 'static,
    ) -> Result<(), RpcError> {
        let until = Instant::now() + self.deadline;
        let (answers, mut heard) = mpsc::channel(self.endpoints.len());
        let params = Arc::new(params);
        let (well, resting) = self.well_and_resting();
        let waited_for = if well.is_empty() {
            resting.len()
        } else {
            well.len()
        };
        for (place, endpoint) in well.into_iter().chain(resting).enumerate() {
            let (endpoint, params) = (Arc::clone(endpoint), Arc::clone(&params));
            let answers = (place < waited_for).then(|| answers.clone());
            tokio::spawn(async move {
                let asked = endpoint.ask(method, &params, &check);
                let answer = timeout_at(until, asked).await;
                if let Some(answers) = answers {
                    // Whoever asked has heard enough.
                    let _ = answers.send(answer.unwrap_or(Err(RpcError::Timeout))).await;
                }
            });
        }
        drop(answers);
        let mut failure = Failure::default();
        while let Some(answer) = heard.recv().await {
            match answer {
                Ok(()) => return Ok(()),
                Err(error) => failure.add(error),
            }
        }
        Err(failure.told())
    }

    /// Whom to ask about a payment under way: those that do well, beginning with another one each time,
    /// so that none can keep a payment from being seen; where none does well, whoever has rested.
    ///
    /// # Errors
    /// Why all of them rest.
    pub(super) fn round(&self) -> Result<Vec<&Arc<Endpoint>>, RpcError> {
        let now = Instant::now();
        let (mut round, resting) = self.well_and_resting();
        if round.is_empty() {
            let mut failure = Failure::default();
            for endpoint in resting {
                if endpoint.health().held_for(now).is_zero() {
                    round.push(endpoint);
                } else {
                    failure.add(endpoint.why_it_rests());
                }
            }
            if round.is_empty() {
                return Err(failure.told());
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(round.len()).unwrap_or(0);
        round.rotate_left(first);
        Ok(round)
    }

    /// All of them, whether they rest or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.iter()
    }

    /// Every node but this one.
    pub(super) fn others<'a>(
        &'a self,
        than: &'a Endpoint,
    ) -> impl Iterator<Item = &'a Arc<Endpoint>> {
        self.endpoints
            .iter()
            .filter(move |endpoint| !std::ptr::eq(&***endpoint, than))
    }

    /// Time for one question, all nodes together.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// How every node is: those that do not rest are asked for their newest slot or block.
    pub(super) async fn health<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
        head: impl Fn(T) -> Result<u64, RpcError>,
    ) -> Health {
        let asked = self.endpoints.iter().map(async |endpoint| {
            let rests = !endpoint.health().rests_for(Instant::now()).is_zero();
            let head = if rests {
                Err(endpoint.why_it_rests())
            } else {
                let asked = endpoint.ask(method, &params, &head);
                timeout(HEALTH_PATIENCE, asked)
                    .await
                    .unwrap_or(Err(RpcError::Timeout))
            };
            let latency = endpoint.health().latency();
            EndpointHealth {
                head,
                latency,
                contradicts: self.claims.disputes_of(endpoint.place, Instant::now()),
            }
        });
        Health {
            endpoints: futures::future::join_all(asked).await,
            sockets: self.sockets.health(),
        }
    }

    /// In the order of preference. Nodes that have rested are looked after meanwhile, so that no
    /// question waits for one of them while another does well.
    fn well_and_resting(&self) -> (Vec<&Arc<Endpoint>>, Vec<&Arc<Endpoint>>) {
        let (well, mut resting): (Vec<_>, Vec<_>) = self
            .endpoints
            .iter()
            .partition(|endpoint| endpoint.health().is_well());
        if !well.is_empty() {
            for endpoint in &resting {
                endpoint.probe_if_rested();
            }
        }
        let now = Instant::now();
        resting.sort_by_key(|endpoint| endpoint.health().rests_for(now));
        (well, resting)
    }
}

/// One node and its record.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Its place in the configuration.
    place: usize,
    chain: ChainId,
    node: Node,
    health: Mutex<NodeHealth>,
}

impl Endpoint {
    /// Asks this node alone.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        self.call_checked(method, params, Ok).await
    }

    /// The same with a check of the answer.
    pub(super) async fn call_checked<T: DeserializeOwned, U>(
        &self,
        method: &'static str,
        params: Value,
        check: impl Fn(T) -> Result<U, RpcError>,
    ) -> Result<U, RpcError> {
        self.ask(method, &params, &check).await
    }

    /// Has it name its chain again.
    pub(super) async fn identify_now(&self) -> Result<(), RpcError> {
        let asked = Instant::now();
        let named = self.node.identify_now(self.chain).await;
        named.inspect_err(|error| self.note_failure(error, asked))
    }

    /// Whether it is left alone now.
    pub(super) fn rests(&self) -> bool {
        !self.health().rests_for(Instant::now()).is_zero()
    }

    /// Its place in the configuration.
    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// Its address as it may be shown to the operator.
    pub(super) fn shown(&self) -> String {
        self.node.shown().to_string()
    }

    async fn ask<T: DeserializeOwned, U>(
        &self,
        method: &'static str,
        params: &Value,
        check: &impl Fn(T) -> Result<U, RpcError>,
    ) -> Result<U, RpcError> {
        let asked = Instant::now();
        let named = self.node.identify(self.chain).await;
        named.inspect_err(|error| self.note_failure(error, asked))?;
        let asked = Instant::now();
        let answer = self.node.call(method, params).await.and_then(check);
        match &answer {
            // Nothing is wrong with a node that only has not seen the newest block.
            Err(RpcError::Behind) => {}
            Err(error) if error.is_the_nodes_own() => self.note_failure(error, asked),
            _ => {
                if self.health().answered(asked.elapsed()) {
                    tracing::info!(chain = %self.chain, node = %self.shown(), "the node answers again");
                }
            }
        }
        answer
    }

    fn note_failure(&self, error: &RpcError, asked: Instant) {
        if !self.health().failed(error, asked, Instant::now()) {
            return;
        }
        let (chain, node) = (self.chain, self.shown());
        match error {
            RpcError::Lies(Lie::Chain) => tracing::error!(
                %chain, %node, "the node serves another chain: it is set aside"
            ),
            _ => tracing::warn!(%chain, %node, %error, "the node fails: others are asked first"),
        }
    }

    fn probe_if_rested(self: &Arc<Self>) {
        if !self.health().take_probe(Instant::now()) {
            return;
        }
        let endpoint = Arc::clone(self);
        tokio::spawn(async move {
            let named = endpoint.node.identify_now(endpoint.chain).await;
            endpoint
                .health()
                .probe_ended(named.err().as_ref(), Instant::now());
        });
    }

    fn why_it_rests(&self) -> RpcError {
        let health = self.health();
        health
            .last_error()
            .cloned()
            .unwrap_or(RpcError::Unreachable)
    }

    fn health(&self) -> MutexGuard<'_, NodeHealth> {
        // Held for assignments only; no panic can happen under it.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is told when no node has answered: a refusal is an answer to the question, and a lie says more
/// to the operator than that another node is down.
#[derive(Default)]
pub(super) struct Failure(Option<RpcError>);

impl Failure {
    pub(super) fn add(&mut self, error: RpcError) {
        let rank = |error: &RpcError| match error {
            RpcError::Lies(_) => 1,
            error if error.is_the_nodes_own() => 0,
            _ => 2,
        };
        if self.0.as_ref().is_none_or(|told| rank(told) < rank(&error)) {
            self.0 = Some(error);
        }
    }

    fn is_a_refusal(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|error| !error.is_the_nodes_own())
    }

    pub(super) fn told(self) -> RpcError {
        self.0.unwrap_or(RpcError::Unreachable)
    }
}
