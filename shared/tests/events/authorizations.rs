//! Transfer authorizations. Only values: nothing is checked here. Used by `samples`.

use waiaas_shared::address::Account;
use waiaas_shared::authorization::{
    AuthorizationMessage, TokenDomain, TransferAuthorization, VALID_AFTER,
};
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{Charge, EventBody, Spend};
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::evaluate::Tier;

use super::samples::{bytes, evm_account, units, wall};

pub(crate) fn authorizations(paid: &Spend) -> Vec<(String, EventBody)> {
    let Account::Evm(from) = evm_account() else {
        return Vec::new();
    };
    let authorization = TransferAuthorization {
        asset: format!(
            "{}/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            paid.chain
        )
        .parse()
        .unwrap(),
        domain: TokenDomain {
            name: "USDC".to_owned(),
            version: "2".to_owned(),
        },
        from,
        to: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
            .parse()
            .unwrap(),
        value: units(10_000),
        valid_after: VALID_AFTER,
        valid_before: wall().millis() / 1000 + 300,
        nonce: *hash(Domain::AuthorizationNonce, &[&[0x73; 32]]).as_bytes(),
    };
    let message = AuthorizationMessage::compose(&authorization).unwrap();
    let spend = Spend {
        transaction: TransactionId::from_bytes(bytes(0x72)),
        unsigned: message.payload().to_vec(),
        effects: vec![authorization.effect()],
        charges: vec![Charge {
            asset: authorization.asset,
            amount: authorization.value,
        }],
        tier: Tier::Instant,
        nonce: None,
        idempotency: hash(Domain::Idempotency, &[b"agent", b"x402-1"]),
        body: hash(Domain::RequestBody, &[b"{}"]),
        submit: false,
        replaces: None,
        waited: None,
        fee_ceiling: None,
        memo: None,
        ..paid.clone()
    };
    vec![(
        "transfer-authorized".to_owned(),
        EventBody::TransferAuthorized {
            spend,
            authorization,
        },
    )]
}
