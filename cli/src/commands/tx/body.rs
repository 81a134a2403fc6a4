//! The body of a payment as the gateway takes it and the agent signs it: what the arguments say, and
//! nothing else.

use std::str::FromStr;

use serde_json::{Map, Value, json};
use waiaas_shared::caip::AssetId;
use waiaas_shared::ids::SignerId;
use waiaas_shared::request::Action;

use super::SendArgs;

/// One more transfer of the same transaction.
#[derive(Debug, Clone)]
pub(super) struct Also {
    to: String,
    amount: String,
    asset: Option<AssetId>,
}

impl FromStr for Also {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('=').collect();
        let (to, amount, asset) = match parts[..] {
            [to, amount] => (to, amount, None),
            [to, amount, asset] => {
                let asset = asset.parse().map_err(|_| "the asset is no CAIP-19 name")?;
                (to, amount, Some(asset))
            }
            _ => return Err("expected ADDRESS=DECIMAL or ADDRESS=DECIMAL=CAIP19"),
        };
        if to.is_empty() || amount.is_empty() {
            return Err("expected an address and an amount");
        }
        Ok(Self {
            to: to.to_owned(),
            amount: amount.to_owned(),
            asset,
        })
    }
}

/// The body, with nothing that was not asked for.
pub(super) fn body(args: &SendArgs, signer: SignerId) -> Value {
    let mut body = Map::new();
    let mut set = |field: &str, value: Value| drop(body.insert(field.to_owned(), value));
    set("signer", json!(signer));
    set("wallet", json!(args.wallet));
    set("network", json!(args.network));
    if let Some(function) = &args.call {
        set("type", json!("call"));
        set("contract", json!(args.to));
        set("function", json!(function));
        set("args", json!(args.arguments));
        if let Some(value) = args.value {
            set("value", json!(value));
        }
    } else if let Some(data) = &args.data {
        set("type", json!("call"));
        set("program", json!(args.to));
        set("data", json!(data));
        set("accounts", json!(args.accounts));
    } else if args.unstake || args.withdraw_stake {
        let action = if args.unstake {
            Action::Unstake
        } else {
            Action::WithdrawStake
        };
        set("type", json!(action.as_str()));
    } else if args.also.is_empty() {
        if args.approve {
            set("type", json!("approve"));
            set("spender", json!(args.to));
        } else if args.stake {
            set("type", json!("stake"));
            set("validator", json!(args.to));
        } else {
            set("to", json!(args.to));
        }
        if let Some(asset) = args.asset {
            set("asset", json!(asset));
        }
        if let Some(amount) = &args.amount {
            set("amount", json!(amount));
        }
        if let Some(amount) = args.amount_base {
            set("amount_base", json!(amount));
        }
    } else {
        set("transfers", transfers(args));
    }
    // Given without one of them, it is refused.
    if let Some(seed) = &args.seed {
        set("seed", json!(seed.as_str()));
    }
    if let Some(memo) = &args.memo {
        set("memo", json!(memo.as_str()));
    }
    if let Some(reason) = &args.reason {
        set("reason", json!(reason));
    }
    if let Some(earlier) = args.replaces {
        set("replaces", json!(earlier));
    }
    if let Some(speed) = args.speed {
        set("speed", json!(speed.as_str()));
    }
    if args.no_submit {
        set("submit", json!(false));
    }
    Value::Object(body)
}

/// The first transfer, and those that go with it.
fn transfers(args: &SendArgs) -> Value {
    let item = |to: &str, asset: Option<AssetId>, amount: (&str, Value)| {
        let mut item = Map::from_iter([
            ("to".to_owned(), json!(to)),
            (amount.0.to_owned(), amount.1),
        ]);
        if let Some(asset) = asset {
            item.insert("asset".to_owned(), json!(asset));
        }
        Value::Object(item)
    };
    let amount = match (&args.amount, args.amount_base) {
        (Some(amount), _) => ("amount", json!(amount)),
        (None, base) => ("amount_base", json!(base)),
    };
    let to = args.to.as_deref().unwrap_or_default();
    let first = item(to, args.asset, amount);
    let also = args
        .also
        .iter()
        .map(|also| item(&also.to, also.asset, ("amount", json!(also.amount))));
    std::iter::once(first).chain(also).collect()
}

#[cfg(test)]
mod tests {
    use waiaas_shared::amount::Amount;
    use waiaas_shared::request::{Speed, TransferRequest};

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: SendArgs,
    }

    const LEAST: [&str; 11] = [
        "send",
        "--wallet",
        "wallet_00000000000000000000000001",
        "--network",
        "eip155:31337",
        "--to",
        "@hosting",
        "--amount",
        "0.5",
        "--bearer-file",
        "secret",
    ];

    fn parsed(more: &[&str]) -> Result<SendArgs, clap::Error> {
        let line = LEAST.iter().chain(more);
        <Line as clap::Parser>::try_parse_from(line).map(|line| line.args)
    }

    /// The body is one that signer and gateway read, strictly.
    #[test]
    fn bodies_are_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let least = body(&parsed(&[]).unwrap(), signer).to_string();
        let read = TransferRequest::parse(least.as_bytes()).unwrap();
        assert!(read.submit && read.items[0].asset.is_none() && read.reason.is_none());
        let more = [
            "--asset",
            "eip155:31337/slip44:60",
            "--reason",
            "June",
            "--no-submit",
            "--speed",
            "fast",
            "--replaces",
            "tx_00000000000000000000000001",
        ];
        let most = body(&parsed(&more).unwrap(), signer).to_string();
        let read = TransferRequest::parse(most.as_bytes()).unwrap();
        assert!(!read.submit && read.items[0].asset.is_some() && read.replaces.is_some());
        assert_eq!(read.reason.as_deref(), Some("June"));
        assert_eq!(read.speed, Speed::Fast);
        assert!(parsed(&["--speed", "urgent"]).is_err());
        let token = "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        let approval = parsed(&["--asset", token, "--approve"]).unwrap();
        let approval = body(&approval, signer).to_string();
        let read = TransferRequest::parse(approval.as_bytes()).unwrap();
        assert_eq!(read.action, Action::Approve);
    }

    #[test]
    fn several_transfers_and_a_memo_are_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let token = "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
        let third = format!("9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM=12.5={token}");
        let more = [
            "--network",
            "solana:localnet",
            "--also",
            "@baker=0.25",
            "--also",
            &third,
            "--memo",
            "payroll 11",
        ];
        let line = LEAST.iter().filter(|part| !part.contains("eip155"));
        let line = line.filter(|part| **part != "--network").chain(&more);
        let line: Line = clap::Parser::try_parse_from(line).unwrap();
        let several = body(&line.args, signer).to_string();
        let read = TransferRequest::parse(several.as_bytes()).unwrap();
        let told: Vec<_> = read
            .items
            .iter()
            .map(|item| {
                (
                    item.to.as_str(),
                    item.amount.as_deref(),
                    item.asset.is_some(),
                )
            })
            .collect();
        let address = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";
        assert_eq!(
            told,
            [
                ("@hosting", Some("0.5"), false),
                ("@baker", Some("0.25"), false),
                (address, Some("12.5"), true),
            ]
        );
        assert_eq!(read.memo, Some("payroll 11".parse().unwrap()));
        for wrong in ["@baker", "=1", "@baker=", "@baker=1=usdc", "@baker=1==2"] {
            assert!(parsed(&["--also", wrong]).is_err(), "{wrong}");
        }
        assert!(parsed(&["--memo", "a|b"]).is_err());
        let token = "eip155:31337/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        let approval = ["--asset", token, "--approve", "--also", "@baker=1"];
        assert!(parsed(&approval).is_err());
    }

    #[test]
    fn a_call_is_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let without_amount: Vec<&str> = LEAST
            .into_iter()
            .filter(|word| !["--amount", "0.5"].contains(word))
            .collect();
        let call = [
            "--call",
            "f(int8,bool)",
            "--arg",
            "-5",
            "--arg",
            "true",
            "--value",
            "7",
        ];
        let line = without_amount.iter().chain(&call);
        let args = <Line as clap::Parser>::try_parse_from(line).unwrap().args;
        let read = TransferRequest::parse(body(&args, signer).to_string().as_bytes()).unwrap();
        let told = read.items[0].call.as_ref().unwrap();
        assert_eq!(told.arguments, ["-5", "true"]);
        assert_eq!(read.items[0].amount_base, Some(Amount::from_base_units(7)));
        assert!(parsed(&call).is_err(), "an amount besides");
        let alone = without_amount.iter().chain(&["--arg", "1"]);
        assert!(<Line as clap::Parser>::try_parse_from(alone).is_err());
    }

    #[test]
    fn a_call_of_a_program_is_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let one = "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2";
        let least: Vec<&str> = LEAST
            .into_iter()
            .filter(|word| !["--amount", "0.5"].contains(word))
            .map(|word| {
                if word == "eip155:31337" {
                    "solana:localnet"
                } else {
                    word
                }
            })
            .collect();
        let call = ["--data", "0x0102ff", "--account", one, "--account", one];
        let line = least.iter().chain(&call);
        let args = <Line as clap::Parser>::try_parse_from(line).unwrap().args;
        let read = TransferRequest::parse(body(&args, signer).to_string().as_bytes()).unwrap();
        let told = read.items[0].program.as_ref().unwrap();
        assert_eq!(told.data, [1, 2, 255]);
        assert_eq!(told.accounts, [one.parse().unwrap(), one.parse().unwrap()]);
        assert!(parsed(&call).is_err(), "an amount besides");
        for wrong in [
            &["--account", one][..],
            &["--data", "0x01", "--call", "f()"],
        ] {
            let line = least.iter().chain(wrong);
            assert!(
                <Line as clap::Parser>::try_parse_from(line).is_err(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn stakes_are_read_by_the_other_side() {
        let signer: SignerId = "signer_00000000000000000000000001".parse().unwrap();
        let begins = |more: &[&'static str]| {
            let line = LEAST
                .iter()
                .take(3)
                .chain(&["--network", "solana:localnet"]);
            let line = line.chain(&["--bearer-file", "secret"]).chain(more);
            <Line as clap::Parser>::try_parse_from(line).map(|line| line.args)
        };
        let read = |more: &[&'static str]| {
            let body = body(&begins(more).unwrap(), signer).to_string();
            TransferRequest::parse(body.as_bytes())
        };
        let stake = [
            "--stake", "--to", "@one", "--amount", "2.5", "--seed", "june-1",
        ];
        let asked = read(&stake).unwrap();
        assert_eq!(asked.action, Action::Stake);
        assert_eq!(asked.items[0].to, "@one");
        assert_eq!(asked.items[0].amount.as_deref(), Some("2.5"));
        for (flag, action) in [
            ("--unstake", Action::Unstake),
            ("--withdraw-stake", Action::WithdrawStake),
        ] {
            let asked = read(&[flag, "--seed", "june-1"]).unwrap();
            assert_eq!(asked.action, action);
            let seed = asked.items[0].seed.as_ref().unwrap();
            assert_eq!(seed.as_str(), "june-1");
            for more in [&["--to", "@one"][..], &["--amount", "1"], &["--stake"]] {
                let line = [&[flag, "--seed", "june-1"][..], more].concat();
                assert!(begins(&line).is_err(), "{line:?}");
            }
            assert!(begins(&[flag]).is_err(), "{flag} without a seed");
        }
        assert!(begins(&["--seed", "june-1"]).is_err(), "a seed alone");
        assert!(begins(&["--unstake", "--seed", "June"]).is_err());
        // A seed of what is no stake is refused by the other side.
        assert!(read(&["--to", "@one", "--amount", "1", "--seed", "june-1"]).is_err());
    }

    #[test]
    fn arguments_that_contradict_are_refused() {
        for more in [
            &["--amount-base", "5"][..],
            &["--wait", "61"],
            &["--dry-run", "--no-submit"],
            &["--session", "session_00000000000000000000000001"],
            &["--agent-key", "key.json"],
            &["--approve"],
        ] {
            assert!(parsed(more).is_err(), "{more:?}");
        }
    }
}
