//! Websockets of nodes that tell the truth, and that lie: news ring, and nothing is believed. `faults`: whatever else
//! they do.

mod faults;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::super::mock::{MockNode, Reply};
use super::super::{Chain, ChainTransactionId, Landing, Sought, Validity};
use super::*;

const SIGNATURE: Topic = Topic::Signature {
    name: [7; 64],
    finalized: false,
};
const PAUSE: Duration = Duration::from_millis(1200);
const QUICK: Times = Times {
    patience: Duration::from_millis(400),
    ping: Duration::from_millis(100),
    silence: Duration::from_millis(250),
    rest: Duration::from_millis(20),
    rest_longest: Duration::from_millis(80),
    steady: Duration::from_secs(60),
};

/// A node's websocket: each connection is given to the script.
struct Node {
    url: String,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    async fn start<F>(script: impl Fn(usize, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let number = count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(number, stream));
            }
        });
        Self {
            url: format!("ws://{address}"),
            connections,
            task,
        }
    }

    /// The sockets of a chain with this one, being kept open.
    fn listened(&self, id: &str) -> Listened {
        listened(id, &self.url)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

struct Listened {
    sockets: Arc<Sockets>,
    task: JoinHandle<()>,
}

impl Drop for Listened {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listened {
    fn health(&self) -> SocketHealth {
        self.sockets.health()[0]
    }

    async fn until(&self, condition: impl Fn(SocketHealth) -> bool) -> SocketHealth {
        for _ in 0..1000 {
            let health = self.health();
            if condition(health) {
                return health;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("it never happened: {:?}", self.health());
    }
}

fn listened(id: &str, url: &str) -> Listened {
    listened_to(sockets(id, url))
}

fn sockets(id: &str, url: &str) -> Arc<Sockets> {
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = format!("id = \"{id}\"\nrpc = \"http://127.0.0.1:1\"\nws = \"{url}\"");
    let config: ChainConfig = toml::from_str(&config).expect("valid");
    Arc::new(Sockets::new(&config).expect("set up"))
}

fn listened_to(sockets: Arc<Sockets>) -> Listened {
    listened_in(sockets, QUICK)
}

fn listened_in(sockets: Arc<Sockets>, times: Times) -> Listened {
    let task = tokio::spawn({
        let sockets = Arc::clone(&sockets);
        async move { sockets.listen_in(times).await }
    });
    Listened { sockets, task }
}

const SOLANA: &str = "solana:localnet";
const EVM: &str = "eip155:31337";

async fn heard<S>(stream: &mut WebSocketStream<S>) -> Option<Value>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Text(text) = message {
            return Some(serde_json::from_str(&text).expect("the client sends JSON"));
        }
    }
    None
}

async fn say<S>(stream: &mut WebSocketStream<S>, value: Value)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream
        .send(Message::text(value.to_string()))
        .await
        .expect("sent");
}

/// Answers what it is asked, and tells of it at once; what it was asked goes to `asked`.
async fn tells<S>(stream: S, name: Value, asked: mpsc::UnboundedSender<Value>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut stream = accept_async(stream).await.expect("shakes hands");
    while let Some(question) = heard(&mut stream).await {
        let subscribes = question["method"]
            .as_str()
            .expect("a method")
            .ends_with("ubscribe")
            && !question["method"]
                .as_str()
                .expect("a method")
                .ends_with("nsubscribe");
        say(
            &mut stream,
            json!({ "jsonrpc": "2.0", "id": question["id"], "result": name }),
        )
        .await;
        asked.send(question).expect("the test listens");
        if subscribes {
            let params = json!({ "subscription": name, "result": { "any": "thing" } });
            say(
                &mut stream,
                json!({ "method": "notification", "params": params }),
            )
            .await;
        }
    }
}

#[tokio::test]
async fn news_end_a_pause_and_only_what_is_waited_for_is_asked() {
    for (id, topic, method, params, name, ends) in [
        (
            SOLANA,
            SIGNATURE,
            "signatureSubscribe",
            json!([bs58::encode([7; 64]).into_string(), { "commitment": "confirmed" }]),
            json!(24_040),
            // It has told all that there was.
            None,
        ),
        (
            EVM,
            Topic::Heads,
            "eth_subscribe",
            json!(["newHeads"]),
            json!("0x9cef478923ff08bf67fde6c64013158d"),
            Some("eth_unsubscribe"),
        ),
    ] {
        let (asked, mut questions) = mpsc::unbounded_channel();
        let told = name.clone();
        let node = Node::start(move |_, stream| tells(stream, told.clone(), asked.clone())).await;
        let listened = node.listened(id);
        listened.until(|health| health == Some(Ok(()))).await;
        // Nobody waits: nothing is asked.
        sleep(QUICK.ping * 2).await;
        assert!(questions.try_recv().is_err());
        let mut wake = listened.sockets.on(topic);
        let began = Instant::now();
        assert!(wake.rest(PAUSE).await, "{id}");
        assert!(began.elapsed() < PAUSE, "{id}");
        let question = questions.recv().await.expect("asked");
        assert_eq!(
            (&question["method"], &question["params"]),
            (&json!(method), &params)
        );
        drop(wake);
        match ends {
            Some(method) => {
                let question = questions.recv().await.expect("asked");
                assert_eq!(
                    (&question["method"], &question["params"]),
                    (&json!(method), &json!([name]))
                );
            }
            None => {
                sleep(QUICK.ping * 2).await;
                assert!(questions.try_recv().is_err());
            }
        }
        // Answering pings is enough to be there.
        sleep(QUICK.silence * 2).await;
        assert_eq!(listened.health(), Some(Ok(())));
        assert_eq!(node.connections(), 1);
    }
}

#[tokio::test]
async fn what_nobody_asked_for_rings_nobody() {
    let node = Node::start(|_, stream| async move {
        let mut stream = accept_async(stream).await.expect("shakes hands");
        while let Some(question) = heard(&mut stream).await {
            // Of another question, and of another subscription.
            say(&mut stream, json!({ "id": 99, "result": 5 })).await;
            say(
                &mut stream,
                json!({ "id": question["id"], "error": { "code": -32601 } }),
            )
            .await;
            let params = json!({ "subscription": 5, "result": {} });
            say(&mut stream, json!({ "method": "m", "params": params })).await;
        }
    })
    .await;
    let listened = node.listened(SOLANA);
    listened.until(|health| health == Some(Ok(()))).await;
    let mut wake = listened.sockets.on(SIGNATURE);
    assert!(!wake.rest(PAUSE / 2).await);
    assert_eq!(node.connections(), 1);
}

#[tokio::test]
async fn what_is_waited_for_is_asked_again_after_a_failure() {
    let (asked, mut questions) = mpsc::unbounded_channel();
    let node = Node::start(move |number, stream| {
        let asked = asked.clone();
        async move {
            let mut stream = accept_async(stream).await.expect("shakes hands");
            let question = heard(&mut stream).await.expect("asked");
            asked.send(question).expect("the test listens");
            if number == 1 {
                // And then it stays.
                while heard(&mut stream).await.is_some() {}
            }
        }
    })
    .await;
    let listened = node.listened(EVM);
    let _wake = listened.sockets.on(Topic::Heads);
    for _ in 0..2 {
        let question = questions.recv().await.expect("asked");
        assert_eq!(question["method"], "eth_subscribe");
    }
    listened.until(|health| health == Some(Ok(()))).await;
    assert_eq!(node.connections(), 2);
}

/// What a socket tells of a transaction is nothing: it rings, and the nodes say what is.
#[tokio::test]
async fn a_confirmation_that_never_happened_is_not_believed() {
    let (asked, mut questions) = mpsc::unbounded_channel();
    let liar = Node::start(move |_, stream| tells(stream, json!(1), asked.clone())).await;
    let hash = bs58::encode([9; 32]).into_string();
    let rpc = MockNode::start(move |method, _| {
        Reply::Result(match method {
            "getGenesisHash" => json!(hash),
            "getSignatureStatuses" => json!({ "context": { "slot": 5 }, "value": [null] }),
            "getEpochInfo" => json!({ "absoluteSlot": 5, "blockHeight": 5 }),
            _ => Value::Null,
        })
    });
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (url, socket) = (rpc.url(), &liar.url);
    let config = format!("id = \"{SOLANA}\"\nrpc = \"{url}\"\nws = \"{socket}\"");
    let chain = Chain::new(toml::from_str(&config).expect("valid")).expect("set up");
    let chain = Arc::new(chain);
    let listens = tokio::spawn({
        let chain = Arc::clone(&chain);
        async move { chain.listen().await }
    });
    let validity = Validity::UntilBlockHeight {
        last_valid: 100,
        fetched_at_slot: 1,
    };
    let sought = Sought::named(ChainTransactionId::Solana([7; 64]), validity);
    let mut wake = chain.wake(&sought);
    questions.recv().await.expect("asked");
    assert!(wake.rest(PAUSE).await);
    assert_eq!(chain.status_of(&sought).await, Ok(Landing::Unknown));
    listens.abort();
}
