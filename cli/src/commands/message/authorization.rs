//! `waiaas message transfer-authorization`: a transfer of a token that somebody else brings to the chain (EIP-3009), as
//! x402 asks for it. What is paid goes in; nonce, times and digest are the signer's.

use serde_json::{Map, Value, json};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::ids::{SignerId, WalletId};

use super::{Asking, Route, text};
use crate::app::App;
use crate::failure::Failure;
use crate::output::printable;

const ROUTE: Route = Route {
    path: "/v1/messages/transfer-authorization",
    dry_run: "/v1/messages/transfer-authorization/dry-run",
};

/// An authorization.
#[derive(Debug, clap::Args)]
pub(crate) struct AuthorizationArgs {
    /// From which wallet
    #[arg(long, value_name = "WALLET")]
    wallet: WalletId,
    /// Which token; its name says on which network
    #[arg(long, value_name = "CAIP19")]
    asset: AssetId,
    /// Who receives: an address, or a contact as @name
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// How much, in the token's unit
    #[arg(long, value_name = "DECIMAL", required_unless_present = "amount_base")]
    amount: Option<String>,
    /// How much, in base units
    #[arg(long, value_name = "UNITS", conflicts_with = "amount")]
    amount_base: Option<Amount>,
    /// For how many seconds it may be used (x402: maxTimeoutSeconds); without it: as long as policy lets
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    expires_in: Option<u64>,
    #[command(flatten)]
    asking: Asking,
}

pub(super) async fn run(app: &App, args: AuthorizationArgs) -> Result<(), Failure> {
    let answer = args
        .asking
        .ask(app, &ROUTE, |signer| body(&args, signer))
        .await?;
    match answer {
        Some(signed) => app.output.data(words(&signed), &signed),
        None => Ok(()),
    }
}

/// Who pays whom how much until when, then the signature.
fn words(signed: &Value) -> String {
    let nothing = Value::Null;
    let fields = signed.get("authorization").unwrap_or(&nothing);
    let mut words = Vec::new();
    for field in ["from", "to", "value", "validAfter", "validBefore", "nonce"] {
        words.push(printable(&format!("{field}: {}", text(fields, field))));
    }
    for field in ["signature", "transaction"] {
        words.push(printable(&format!("{field}: {}", text(signed, field))));
    }
    words.join("\n")
}

/// The body, with nothing that was not asked for.
fn body(args: &AuthorizationArgs, signer: SignerId) -> Value {
    let mut body = Map::new();
    let mut set = |field: &str, value: Value| drop(body.insert(field.to_owned(), value));
    set("signer", json!(signer));
    set("wallet", json!(args.wallet));
    set("network", json!(args.asset.chain()));
    set("asset", json!(args.asset));
    set("to", json!(args.to));
    if let Some(amount) = &args.amount {
        set("amount", json!(amount));
    }
    if let Some(units) = &args.amount_base {
        set("amount_base", json!(units));
    }
    if let Some(seconds) = args.expires_in {
        set("expires_in", json!(seconds));
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use waiaas_shared::request::AuthorizationRequest;
    use waiaas_shared::time::Millis;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: AuthorizationArgs,
    }

    fn parsed(more: &[&str]) -> Result<AuthorizationArgs, clap::Error> {
        let least = [
            "transfer-authorization",
            "--wallet",
            "wallet_00000000000000000000000001",
            "--asset",
            "eip155:31337/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "--to",
            "@shop",
            "--bearer-file",
            "secret",
        ];
        <Line as clap::Parser>::try_parse_from(least.iter().chain(more)).map(|line| line.args)
    }

    /// The body is one that signer and gateway read, strictly.
    #[test]
    fn bodies_are_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let read = |more: &[&str]| {
            let body = body(&parsed(more).unwrap(), signer).to_string();
            AuthorizationRequest::parse(body.as_bytes()).unwrap()
        };
        let least = read(&["--amount", "0.01"]);
        assert_eq!(least.valid_for(), None);
        let item = &least.transfer().items[0];
        assert_eq!(
            (item.to.as_str(), item.amount.as_deref()),
            ("@shop", Some("0.01"))
        );
        let most = read(&["--amount-base", "10000", "--expires-in", "60"]);
        assert_eq!(most.valid_for(), Some(Millis::from_secs(60)));
        for more in [
            &[][..],
            &["--amount", "1", "--amount-base", "1"],
            &["--amount", "1", "--expires-in", "0"],
            &["--amount", "1", "--dry-run", "--idempotency-key", "a"],
        ] {
            assert!(parsed(more).is_err(), "{more:?}");
        }
    }

    #[test]
    fn an_answer_steers_no_terminal() {
        let signed = json!({
            "authorization": { "from": "0x01\u{1b}[2J", "value": "10000" },
            "signature": "0x00",
        });
        let words = words(&signed);
        assert!(!words.contains('\u{1b}'), "{words}");
        assert!(words.contains("value: 10000\n") && words.contains("signature: 0x00"));
    }
}
