//! Subscriptions as they go over a websocket: what is asked, and what of an answer is read, which is only to which
//! question or subscription it belongs. Source: Solana's websocket reference (`signatureSubscribe`), Ethereum's
//! `eth_subscribe` (geth's documentation of publish and subscribe).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::super::wake::Topic;

/// Characters of a subscription's name that are kept.
const NAME_LENGTH: usize = 128;

/// A subscription as the node calls it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Name {
    /// Solana.
    Number(u64),
    /// EVM.
    Text(String),
}

/// A message, as far as it is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The answer to the question of this number: what the subscription is called; none if there is none.
    Answer(u64, Option<Name>),
    /// Something about a subscription.
    News(Name),
    /// Anything else.
    Other,
}

#[derive(Deserialize)]
struct Message {
    id: Option<u64>,
    result: Option<Value>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    subscription: Name,
    /// What it is about is not read: the nodes are asked.
    #[serde(rename = "result")]
    _result: IgnoredAny,
}

/// Reads a message; none for one that is none.
pub(super) fn read(text: &str) -> Option<Told> {
    let message: Message = serde_json::from_str(text).ok()?;
    let fits = |name: &Name| match name {
        Name::Number(_) => true,
        Name::Text(text) => text.len() <= NAME_LENGTH,
    };
    Some(match (message.id, message.params) {
        (Some(id), _) => {
            let name = message
                .result
                .and_then(|value| Name::deserialize(value).ok());
            Told::Answer(id, name.filter(fits))
        }
        (None, Some(params)) if fits(&params.subscription) => Told::News(params.subscription),
        _ => Told::Other,
    })
}

/// Asks for a topic.
pub(super) fn subscribe(id: u64, topic: Topic) -> String {
    let (method, params) = match topic {
        Topic::Signature { name, finalized } => {
            let commitment = if finalized { "finalized" } else { "confirmed" };
            let name = bs58::encode(name).into_string();
            let params = json!([name, { "commitment": commitment }]);
            ("signatureSubscribe", params)
        }
        Topic::Heads => ("eth_subscribe", json!(["newHeads"])),
    };
    request(id, method, params)
}

/// Ends a subscription.
pub(super) fn unsubscribe(id: u64, topic: Topic, name: &Name) -> String {
    let method = match topic {
        Topic::Signature { .. } => "signatureUnsubscribe",
        Topic::Heads => "eth_unsubscribe",
    };
    let name = match name {
        Name::Number(number) => json!([number]),
        Name::Text(text) => json!([text]),
    };
    request(id, method, name)
}

fn request(id: u64, method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

/// Whether a topic tells once and is over then.
pub(super) const fn tells_once(topic: Topic) -> bool {
    matches!(topic, Topic::Signature { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whose_message_it_is_is_read() {
        let number = |number| Some(Name::Number(number));
        let text = |text: &str| Name::Text(text.to_owned());
        for (body, told) in [
            (
                r#"{"jsonrpc":"2.0","id":3,"result":24040}"#,
                Some(Told::Answer(3, number(24_040))),
            ),
            (
                r#"{"id":3,"result":"0x9c"}"#,
                Some(Told::Answer(3, Some(text("0x9c")))),
            ),
            (r#"{"id":3,"result":true}"#, Some(Told::Answer(3, None))),
            (
                r#"{"id":3,"error":{"code":-32601}}"#,
                Some(Told::Answer(3, None)),
            ),
            (
                r#"{"method":"signatureNotification","params":{"result":{"context":{"slot":1},"value":{"err":null}},"subscription":24040}}"#,
                Some(Told::News(Name::Number(24_040))),
            ),
            (
                r#"{"method":"eth_subscription","params":{"subscription":"0x9c","result":{"number":"0x1"}}}"#,
                Some(Told::News(text("0x9c"))),
            ),
            (r#"{"method":"other"}"#, Some(Told::Other)),
            (r#"{"id":3,"result":-5}"#, Some(Told::Answer(3, None))),
            (r#"{"id":-3,"result":5}"#, None),
            (r#"{"params":{"subscription":[]}}"#, None),
            ("[]", None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(read(body), told, "{body}");
        }
        let long = "9".repeat(NAME_LENGTH + 1);
        assert_eq!(
            read(&format!(r#"{{"id":1,"result":"{long}"}}"#)),
            Some(Told::Answer(1, None))
        );
        let deep = format!(r#"{{"id":1,"result":{}"#, "[".repeat(60_000));
        assert_eq!(read(&deep), None);
    }
}
