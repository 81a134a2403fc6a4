//! The description of the HTTP surface (OpenAPI 3.1), made from the routes' own declarations.
//! docs/openapi.json is its committed form; a test compares.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use super::auth::Public;
use super::owner::openapi::OwnerDescription;
use super::{
    authorizations, health, history, messages, networks, nonces, policy, sessions, sign, stop,
    transactions, wallets,
};

/// The body of a payment, for its description only: it is read by `waiaas_shared::request`.
#[derive(Debug, ToSchema)]
#[schema(as = TransferRequest)]
#[expect(
    dead_code,
    reason = "describes what waiaas_shared::request reads; never made"
)]
pub(super) struct TransferBody {
    /// `transfer` (if absent); `approve`: `spender` may take the amount of a token later; `call`: `contract` is
    /// called by a function, or `program` by a method, that the owner registered; `stake`: the amount of the network's own asset is delegated
    /// to `validator` in a new stake account of the wallet's own; `unstake`: that account is deactivated;
    /// `withdraw_stake`: all that lies in it comes back to the wallet. The last three on Solana only.
    r#type: Option<String>,
    /// The signer that the agent means.
    signer: String,
    /// From which wallet.
    wallet: String,
    /// On which network (CAIP-2).
    network: String,
    /// Which asset (CAIP-19); the network's native one if absent.
    asset: Option<String>,
    /// Of a transfer: the receiving address, or a contact of the policy as `@name`.
    to: Option<String>,
    /// Of an approval: the spender's address, or a contact of the policy as `@name`.
    spender: Option<String>,
    /// Of a call: the contract's address, or a contact of the policy as `@name`.
    contract: Option<String>,
    /// Of a stake: the validator's vote account, or a validator of the policy as `@name`.
    validator: Option<String>,
    /// Of the three about a stake: which stake account of the wallet's, 1 to 32 of `a-z`, `0-9`, `-`. Its address
    /// is derived from the wallet and this.
    seed: Option<String>,
    /// Of a call: the function as Solidity names it, such as `deposit(uint256,address)`.
    function: Option<String>,
    /// Of a call: one text for each argument. Numbers in decimal digits, addresses with their checksum, `true`
    /// or `false`, bytes as `0x` and lower-case digits.
    args: Option<Vec<String>>,
    /// Of a call: wei that go with it, as plain decimal text; none if absent.
    value: Option<String>,
    /// Of a call on Solana: the program's address, or a contact of the policy as `@name`.
    program: Option<String>,
    /// Of a call of a program: the instruction's data, as `0x` and lower-case digits.
    data: Option<String>,
    /// Of a call of a program: the instruction's accounts, in order. Which of them sign and are writable is the
    /// owner's rule.
    accounts: Option<Vec<String>>,
    /// In the asset's unit, as plain decimal text. Exactly one of `amount` and `amount_base`; neither of a call,
    /// nor of `unstake` and `withdraw_stake`.
    amount: Option<String>,
    /// In base units, as plain decimal text.
    amount_base: Option<String>,
    /// In place of recipient, asset and amount: several transfers in one transaction, in this order; one to
    /// eight. Solana only.
    transfers: Option<Vec<TransferItem>>,
    /// A text that is written to the chain's log: 1 to 128 printable ASCII characters without `|`. Public,
    /// and shown to owners. Solana only.
    memo: Option<String>,
    /// Why, in the agent's words; at most 200 characters.
    reason: Option<String>,
    /// `slow`, `normal` (if absent) or `fast`: how soon it should land. Moves the fee under its ceilings, and
    /// nothing else.
    speed: Option<String>,
    /// `false`: return the signed bytes without sending them. `true` if absent.
    submit: Option<bool>,
    /// An earlier payment of the same wallet, asset, recipient and amount that was signed and whose end
    /// nobody saw: this one takes its place. Both are charged. Solana only.
    replaces: Option<String>,
}

/// One transfer of several.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes what waiaas_shared::request reads; never made"
)]
pub(super) struct TransferItem {
    /// Which asset (CAIP-19); the network's native one if absent.
    asset: Option<String>,
    /// The receiving address, or a contact of the policy as `@name`.
    to: String,
    /// In the asset's unit, as plain decimal text. Exactly one of `amount` and `amount_base`.
    amount: Option<String>,
    /// In base units, as plain decimal text.
    amount_base: Option<String>,
}

/// A transaction that the agent brings, for its description only: it is read by `waiaas_shared::request`.
#[derive(Debug, ToSchema)]
#[schema(as = BroughtRequest)]
#[expect(
    dead_code,
    reason = "describes what waiaas_shared::request reads; never made"
)]
pub(super) struct BroughtBody {
    /// The signer that the agent means.
    signer: String,
    /// With which wallet.
    wallet: String,
    /// On which network (CAIP-2).
    network: String,
    /// Solana: the whole transaction in base64, with a place for each signature; those of others may be filled. EVM:
    /// `0x` and the unsigned transaction, which carries the wallet's next nonce.
    transaction: String,
    /// Whom the token accounts in it belong to, at most eight, where that is no contact of the policy. Solana only.
    recipients: Option<Vec<String>>,
    /// Why, in the agent's words; at most 200 characters.
    reason: Option<String>,
    /// `true`: send it, which needs that nobody else signs. `false` if absent.
    submit: Option<bool>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "WAIaaS gateway",
        description = "A self-hosted wallet for AI agents. See docs/api.md.",
        license(name = "MIT OR Apache-2.0")
    ),
    paths(
        health::alive,
        health::ready,
        health::status,
        networks::fees,
        wallets::list,
        wallets::balances,
        history::history,
        nonces::next,
        transactions::create,
        transactions::sign_brought,
        transactions::dry_run,
        transactions::list,
        transactions::show,
        transactions::cancel,
        transactions::speed_up,
        messages::sign_in,
        messages::dry_run,
        authorizations::authorize_transfer,
        authorizations::dry_run,
        policy::show,
        sessions::show,
        sessions::token,
        sessions::renew,
        sessions::revoke,
        stop::pause,
        stop::kill,
        sign::signing_page,
        document
    ),
    modifiers(&Schemes)
)]
struct Description;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        let bearer = |text: &str| {
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some(text))
                    .build(),
            )
        };
        components.add_security_scheme(
            "session_token",
            bearer("A token from POST /v1/session/token, for 15 minutes"),
        );
        components.add_security_scheme(
            "session_secret",
            bearer("waiaas_<session>_<secret in base58>"),
        );
        components.add_security_scheme(
            "agent_signature",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "Signature",
                "HTTP Message Signature (RFC 9421) of the session's agent key, with Signature-Input, \
                 Content-Digest and Idempotency-Key; see docs/api.md. Needed where the session is bound \
                 to a key.",
            ))),
        );
    }
}

/// The whole surface, the owner's side of it too.
fn description() -> utoipa::openapi::OpenApi {
    Description::openapi().merge_from(OwnerDescription::openapi())
}

/// The description as JSON text, ending in a newline.
#[must_use]
pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = description().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    })
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "health", security(()),
    responses((status = 200, description = "OpenAPI 3.1")))]
pub(super) async fn document(_: Public) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_manual() {
        let manual = include_str!("../../../docs/api.md");
        for (path, methods) in description().paths.paths {
            let methods = [
                ("GET", methods.get.is_some()),
                ("POST", methods.post.is_some()),
            ];
            for (method, _) in methods.iter().filter(|(_, known)| *known) {
                assert!(
                    manual.contains(&format!("`{method} {path}`")),
                    "docs/api.md lacks {method} {path}"
                );
            }
        }
    }

    /// To write the file anew: `cargo run -p waiaas-gateway -- --openapi > docs/openapi.json`.
    #[test]
    fn the_committed_description_is_the_routes_own() {
        let committed = include_str!("../../../docs/openapi.json");
        assert!(
            committed == text(),
            "docs/openapi.json is not what the routes say"
        );
    }
}
