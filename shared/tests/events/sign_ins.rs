//! Logins at web sites. Only values: nothing is checked here. Used by `samples`.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, RequestNonce, SignedIn};
use waiaas_shared::ids::MessageId;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::sign_in::{SignIn, SignInMessage};
use waiaas_shared::time::Millis;

use super::samples::{bytes, evm, evm_account, evm_wallet, session, solana_wallet, wall};

fn login() -> SignIn {
    SignIn {
        chain: evm(),
        account: evm_account(),
        domain: "app.example.org".to_owned(),
        uri: "https://app.example.org/login".to_owned(),
        nonce: "oBbLoEldZs".to_owned(),
        statement: Some("I accept the Terms.".to_owned()),
        issued: wall(),
        expires: wall().after(Millis::from_secs(300)),
        request_id: Some("req-1".to_owned()),
        resources: vec!["https://app.example.org/tos".to_owned()],
    }
}

fn signed_in(fields: SignIn) -> SignedIn {
    let message = SignInMessage::compose(&fields).unwrap();
    SignedIn {
        message: MessageId::from_bytes(bytes(0x70)),
        session: session(),
        wallet: evm_wallet(),
        text: message.text().to_owned(),
        fields,
        tier: Tier::Notify,
        policy_epoch: 2,
        idempotency: hash(Domain::Idempotency, &[b"agent", b"login-1"]),
        body: hash(Domain::RequestBody, &[b"{}"]),
        kept_until: wall().after(Millis::from_hours(24)),
        request_nonce: Some(RequestNonce {
            nonce: "nonce-0003".to_owned(),
            expires: wall().after(Millis::from_secs(120)),
        }),
    }
}

pub(crate) fn logins() -> Vec<(String, EventBody)> {
    let on_solana = SignIn {
        chain: "solana:localnet".parse().unwrap(),
        account: Account::Solana(SolanaAddress::from_bytes([0x51; 32])),
        statement: None,
        request_id: None,
        resources: Vec::new(),
        ..login()
    };
    let bearer = SignedIn {
        wallet: solana_wallet(),
        tier: Tier::Instant,
        request_nonce: None,
        ..signed_in(on_solana)
    };
    vec![
        (
            "signed-in".to_owned(),
            EventBody::SignedIn(signed_in(login())),
        ),
        ("signed-in-solana".to_owned(), EventBody::SignedIn(bearer)),
    ]
}
