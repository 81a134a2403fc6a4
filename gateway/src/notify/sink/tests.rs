//! What each service is sent, received by real servers on loopback.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use waiaas_shared::time::WallTime;

use super::*;
use crate::notify::config::{NotifyConfig, RawChannel};
use crate::notify::kind::Kind;

type Received = Arc<Mutex<Vec<(Uri, HeaderMap, Value)>>>;

/// A server that answers everything with one status and keeps what it got.
async fn receiver(status: StatusCode) -> (String, Received) {
    async fn take(
        State((status, received)): State<(StatusCode, Received)>,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response {
        let body = serde_json::from_slice(&body).expect("JSON");
        received.lock().expect("whole").push((uri, headers, body));
        (status, [("retry-after", "7")], "no").into_response()
    }
    let received = Received::default();
    let router = Router::new()
        .fallback(take)
        .with_state((status, Arc::clone(&received)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), received)
}

fn secret(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
}

fn sink(folder: &Path, service: &str) -> Result<Sink, String> {
    // reqwest wants one; another test may have chosen it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    #[derive(serde::Deserialize)]
    struct File {
        channel: Vec<RawChannel>,
    }
    let text = format!("[[channel]]\nname = \"x\"\n{service}\n");
    let file: File = toml::from_str(&text).expect("TOML");
    let config = NotifyConfig::check(file.channel, None, folder).expect("a channel");
    let channel = config.channels.first().expect("one");
    Sink::new(channel).map_err(|error| error.to_string())
}

const LIMIT: Duration = Duration::from_secs(30);

/// Text that would format, mention or break out of each service's form.
const LOUD: &str = "<!channel> @everyone *bold* [x](http://evil) `code` \"}";

fn message() -> Message {
    let mut data = Map::new();
    data.insert("sequence".to_owned(), json!(7));
    Message {
        name: "evt_7".to_owned(),
        kind: Kind::PaymentWaiting,
        at: WallTime::from_millis(1_700_000_000_000),
        title: "A payment waits <&>".to_owned(),
        lines: vec![LOUD.to_owned()],
        link: Some("https://wallet.example.org/sign".to_owned()),
        data,
    }
}

fn only(received: &Received) -> (Uri, HeaderMap, Value) {
    let mut received = received.lock().expect("whole");
    assert_eq!(received.len(), 1);
    received.pop().expect("one")
}

#[tokio::test]
async fn telegram_gets_plain_text() {
    let folder = tempfile::tempdir().expect("a folder");
    secret(folder.path(), "token", "123:abc-DEF\n");
    let (server, received) = receiver(StatusCode::OK).await;
    let sink = sink(
        folder.path(),
        &format!("telegram = {{ token-file = \"token\", chat = \"@me\", server = \"{server}/\" }}"),
    );
    sink.expect("set up")
        .send(&message(), LIMIT)
        .await
        .expect("taken");
    let (uri, _, body) = only(&received);
    assert_eq!(uri.path(), "/bot123:abc-DEF/sendMessage");
    let text = body.get("text").and_then(Value::as_str).expect("text");
    assert!(
        text.contains(LOUD) && text.ends_with("https://wallet.example.org/sign"),
        "{text}"
    );
    assert_eq!(body.get("chat_id"), Some(&json!("@me")));
    assert_eq!(body.get("parse_mode"), None, "nothing formats");
    let block =
        json!([{ "type": "pre", "offset": 0, "length": message().text().encode_utf16().count() }]);
    assert_eq!(
        body.get("entities"),
        Some(&block),
        "nothing in it is a link"
    );
}

#[tokio::test]
async fn discord_and_slack_mention_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, received) = receiver(StatusCode::NO_CONTENT).await;
    secret(folder.path(), "url", &format!("{server}/hook/secret"));
    let discord = sink(folder.path(), "discord = { url-file = \"url\" }").expect("set up");
    discord.send(&message(), LIMIT).await.expect("taken");
    let (uri, _, body) = only(&received);
    assert_eq!(uri.path(), "/hook/secret");
    assert_eq!(body.pointer("/allowed_mentions/parse"), Some(&json!([])));
    let content = body
        .get("content")
        .and_then(Value::as_str)
        .expect("content");
    assert!(
        content.contains("\\*bold\\*") && content.contains("\\@everyone"),
        "{content}"
    );
    assert!(content.contains("\\[x\\]\\(http\\://evil\\)"), "{content}");

    let slack = sink(folder.path(), "slack = { url-file = \"url\" }").expect("set up");
    slack.send(&message(), LIMIT).await.expect("taken");
    let (_, _, body) = only(&received);
    assert_eq!(
        body.get("text"),
        Some(&json!("A payment waits &lt;&amp;&gt;"))
    );
    assert_eq!(
        body.pointer("/blocks/0/text/type"),
        Some(&json!("plain_text"))
    );
}

#[tokio::test]
async fn ntfy_gets_a_token_and_no_action() {
    let folder = tempfile::tempdir().expect("a folder");
    secret(folder.path(), "token", "tk_abc");
    let (server, received) = receiver(StatusCode::OK).await;
    let topic = sink(
        folder.path(),
        &format!("ntfy = {{ server = \"{server}\", topic = \"wallet\", token-file = \"token\" }}"),
    );
    topic
        .expect("set up")
        .send(&message(), LIMIT)
        .await
        .expect("taken");
    let (_, headers, body) = only(&received);
    assert_eq!(
        headers.get("authorization").expect("a token"),
        "Bearer tk_abc"
    );
    assert_eq!(body.get("topic"), Some(&json!("wallet")));
    assert_eq!(
        body.get("click"),
        Some(&json!("https://wallet.example.org/sign"))
    );
    assert_eq!((body.get("actions"), body.get("markdown")), (None, None));
    let bad = sink(
        folder.path(),
        "ntfy = { server = \"http://x\", topic = \"a/b\" }",
    );
    assert!(bad.expect_err("a path").contains("letters, digits"));
}

#[tokio::test]
async fn what_a_service_answers_decides_what_comes_next() {
    let folder = tempfile::tempdir().expect("a folder");
    secret(
        folder.path(),
        "secret",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    );
    for (status, expected) in [
        (
            StatusCode::TOO_MANY_REQUESTS,
            SendError::Busy(Duration::from_secs(7)),
        ),
        (
            StatusCode::BAD_REQUEST,
            SendError::Refused("HTTP 400: no".to_owned()),
        ),
        (
            StatusCode::BAD_GATEWAY,
            SendError::Away("HTTP 502: no".to_owned()),
        ),
        // A redirect is not followed: it would carry the message to somebody else.
        (
            StatusCode::FOUND,
            SendError::Away("HTTP 302: no".to_owned()),
        ),
    ] {
        let (server, received) = receiver(status).await;
        let hook =
            format!("webhook = {{ url = \"{server}/in?key=s3cret\", secret-file = \"secret\" }}");
        let hook = sink(folder.path(), &hook).expect("set up");
        assert_eq!(
            hook.send(&message(), LIMIT).await,
            Err(expected),
            "{status}"
        );
        let (_, headers, body) = only(&received);
        assert_eq!(headers.get("webhook-id").expect("its name"), "evt_7");
        assert_eq!(body.get("type"), Some(&json!("payment.waiting")));
        assert_eq!(
            body.get("timestamp"),
            Some(&json!("2023-11-14T22:13:20.000Z"))
        );
        assert_eq!(body.pointer("/data/sequence"), Some(&json!(7)));
    }
    let nobody = "webhook = { url = \"http://127.0.0.1:9/s3cret\", secret-file = \"secret\" }";
    let nobody = sink(folder.path(), nobody).expect("set up");
    let away = nobody
        .send(&message(), LIMIT)
        .await
        .expect_err("nobody listens");
    assert_eq!(
        away,
        SendError::Away("no connection".to_owned()),
        "without the address"
    );
}

/// A server that accepts and says nothing is away, like any other that does not answer.
#[tokio::test]
async fn a_mail_server_that_says_nothing_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let silent = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        std::future::pending::<()>().await;
        drop(stream);
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mail = format!(
        "email = {{ server = \"127.0.0.1:{port}\", tls = \"none\", from = \"a@example.org\", to = [\"b@example.org\"] }}"
    );
    let mail = sink(folder.path(), &mail).expect("set up");
    let sent = mail.send(&message(), Duration::from_millis(300)).await;
    assert_eq!(sent, Err(SendError::Away("no answer in time".to_owned())));
    silent.abort();
}

#[tokio::test]
async fn a_letter_reaches_a_mail_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut heard = Vec::new();
        write.write_all(b"220 mail\r\n").await.expect("sent");
        let mut in_data = false;
        while let Ok(Some(line)) = lines.next_line().await {
            let answer = match line.split(' ').next() {
                _ if in_data && line == "." => {
                    in_data = false;
                    "250 taken\r\n"
                }
                _ if in_data => "",
                Some("DATA") => {
                    in_data = true;
                    "354 go on\r\n"
                }
                Some("QUIT") => "221 bye\r\n",
                _ => "250 ok\r\n",
            };
            heard.push(line);
            write.write_all(answer.as_bytes()).await.expect("sent");
            if answer.starts_with("250 taken") {
                break;
            }
        }
        heard
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mail = format!(
        "email = {{ server = \"127.0.0.1:{port}\", tls = \"none\", from = \"wallet@example.org\", to = [\"a@example.org\", \"b@example.org\"] }}"
    );
    let mail = sink(folder.path(), &mail).expect("set up");
    mail.send(&message(), LIMIT).await.expect("taken");
    let heard = server.await.expect("ended").join("\n");
    for part in [
        "RCPT TO:<a@example.org>",
        "RCPT TO:<b@example.org>",
        "Subject: WAIaaS: A payment waits <&>",
        "Message-ID: <evt_7@example.org>",
        "https://wallet.example.org/sign",
    ] {
        assert!(heard.contains(part), "{part} is missing in\n{heard}");
    }
    secret(folder.path(), "password", "hunter2");
    let open = sink(
        folder.path(),
        "email = { server = \"127.0.0.1:25\", tls = \"none\", user = \"u\", password-file = \"password\", from = \"a@b.c\", to = [\"a@b.c\"] }",
    );
    assert!(
        open.expect_err("a password in the clear")
            .contains("over TLS only")
    );
}
