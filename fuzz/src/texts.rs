//! Texts: heads of the log, heartbeats, header fields of a signed request, bodies of requests.

use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::heartbeat::SignedHeartbeat;
use waiaas_shared::ids::{SessionId, SignerId};
use waiaas_shared::keys::AgentKey;
use waiaas_shared::log::{Head, SignedHead, genesis};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::request::{SignerRequest, TransferRequest};
use waiaas_shared::request_signature::{Parameters, Request, SignedRequest, sign_request, verify};

/// A head with its signature, as the feed and a published log carry it.
pub fn signed_head(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(head) = text.parse::<SignedHead>() else {
        return false;
    };
    assert_eq!(head.to_string(), text, "another form of a head was read");
    // Nobody signed it.
    assert!(head.verify(&[7; 32]).is_err());
    true
}

/// Heads at both ends of the numbers.
pub fn signed_head_seeds() -> Vec<Vec<u8>> {
    let signer = SignerId::from_bytes([1; 16]);
    let hash = genesis(signer, &[7; 32]);
    [0, 1, u64::MAX]
        .map(|sequence| {
            let head = Head {
                signer,
                sequence,
                hash,
            };
            let head = SignedHead::new(head, &[7; 32], [3; 64]);
            head.to_string().into_bytes()
        })
        .to_vec()
}

/// A heartbeat with its signature.
pub fn heartbeat(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(heartbeat) = text.parse::<SignedHeartbeat>() else {
        return false;
    };
    assert_eq!(heartbeat.to_string(), text, "another form was read");
    // Nobody signed it.
    assert!(heartbeat.verify(&[7; 32]).is_err());
    true
}

/// The sound ones of the documentation.
pub fn heartbeat_seeds() -> Vec<Vec<u8>> {
    [
        include_str!("../../docs/vectors/heartbeat/sound.json"),
        include_str!("../../docs/vectors/heartbeat/sound-bare.json"),
        include_str!("../../docs/vectors/heartbeat/sound-batch.json"),
    ]
    .map(|file| {
        let (_, note) = file.split_once("\"note\": \"").expect("a note");
        let (note, _) = note.split_once('"').expect("its end");
        note.replace("\\n", "\n").into_bytes()
    })
    .to_vec()
}

/// Both header fields, a line feed between them.
pub fn request_signature(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let (input, signature) = text.split_once('\n').unwrap_or((text, ""));
    // No key signed it, however it is written.
    let signed = SignedRequest {
        request: REQUEST,
        signature_input: input,
        signature,
    };
    assert!(verify(&signed, &AgentKey::from_bytes([9; 32])).is_err());
    let Ok(parameters) = Parameters::parse(input) else {
        return false;
    };
    assert_eq!(
        format!("waiaas={parameters}"),
        input,
        "another form was read"
    );
    true
}

const REQUEST: Request<'static> = Request {
    method: "POST",
    path: "/v1/transactions",
    query: "?",
    body: b"{}",
    idempotency_key: "0123456789abcdef",
};

/// A request's fields as a client writes them.
pub fn request_signature_seeds() -> Vec<Vec<u8>> {
    let session = SessionId::from_bytes([1; 16]);
    [0, 1_795_000_000, 999_999_999_999_999]
        .map(|created| {
            let nonce = "abcdefghijklmnop".parse().expect("a nonce");
            let parameters = Parameters::new(created, nonce, session).expect("parameters");
            let fields = sign_request(&REQUEST, &parameters, |_| [5; 64]).expect("a request");
            format!("{}\n{}", fields.signature_input, fields.signature).into_bytes()
        })
        .to_vec()
}

/// A body, of a payment or of a request that only names its signer.
pub fn request_body(data: &[u8]) -> bool {
    let named = SignerRequest::parse(data).is_ok();
    let Ok(request) = TransferRequest::parse(data) else {
        return named;
    };
    assert!(!named, "one body is two requests");
    // A policy that knows nothing resolves nothing, and says so without a panic.
    let wallet = waiaas_shared::address::Account::Evm(
        waiaas_shared::address::EvmAddress::from_bytes([7; 20]),
    );
    let _ = request.resolve(&PolicyDocument::closed(1), wallet);
    if let Some(brought) = &request.brought {
        assert!(request.items.is_empty());
        let closed = PolicyDocument::closed(1);
        let _ = brought.decode(request.network, wallet, &closed, NetworkTerms::default());
    }
    true
}

/// One of each kind.
pub fn request_body_seeds() -> Vec<Vec<u8>> {
    const WHO: &str = r#""signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001""#;
    const TO: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    [
        r#"{"signer":"signer_00000000000000000000000001"}"#.to_owned(),
        format!(r#"{{{WHO},"network":"eip155:31337","to":"@hosting","amount":"0.00000001"}}"#),
        format!(r#"{{{WHO},"network":"eip155:31337","to":"{TO}","amount_base":"10","reason":"rent","submit":false}}"#),
        format!(
            r#"{{{WHO},"type":"approve","network":"eip155:31337","asset":"eip155:31337/erc20:{TO}","spender":"@shop","amount":"1"}}"#
        ),
        format!(
            r#"{{{WHO},"type":"call","network":"eip155:31337","contract":"{TO}","function":"deposit(uint256)","args":["7"],"value":"5"}}"#
        ),
        format!(
            r#"{{{WHO},"network":"solana:localnet","transfers":[{{"to":"@a","amount":"1"}},{{"to":"@b","amount_base":"2"}}],"memo":"m"}}"#
        ),
        format!(r#"{{{WHO},"network":"eip155:31337","transaction":"0x02c0","submit":true}}"#),
    ]
    .map(String::into_bytes)
    .to_vec()
}
