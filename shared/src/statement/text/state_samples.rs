//! Statements of the same kinds in other states: what the policy says of a call or a validator, or says no
//! more, what a payment breaks, a key of before a rotation, withdrawals of tokens. Named as their golden
//! files are.

use super::samples::*;
use super::*;
use crate::denial::Violation;
use crate::policy::scope::Scope;
use crate::policy::windows::Window;

const MINT: &str = "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

/// Each of them.
pub(in crate::statement) fn state_samples() -> Vec<Sample> {
    let calls = TestView::new(Some(call_samples::policy()));
    let programs = TestView::new(Some(program_samples::policy()));
    let stakes = TestView::new(Some(stake_samples::policy()));
    let [first, later] = [first_policy(), later_policy()].map(|policy| TestView::new(Some(policy)));
    let approvals = [
        ("approve-payment-call", 8, &calls),
        ("approve-payment-call-not-listed", 8, &later),
        ("approve-payment-program", 12, &programs),
        ("approve-payment-program-not-listed", 12, &first),
        ("approve-payment-stake", 9, &stakes),
        ("approve-payment-stake-not-listed", 9, &first),
        ("approve-payment-unstake", 10, &stakes),
        ("approve-payment-withdraw-stake", 11, &stakes),
        ("approve-payment-beyond", 1, &beyond()),
    ];
    let mut samples: Vec<_> = approvals
        .into_iter()
        .map(|(name, number, view)| Sample {
            name,
            view: view.clone(),
            facts: StatementFacts::ApprovePayment {
                transaction: transaction_id(number),
            },
        })
        .collect();
    samples.push(Sample {
        name: "attest-nonce-former",
        view: first,
        facts: StatementFacts::AttestNonce {
            wallet: wallet_id(3),
            chain: read("eip155:31337"),
            next: 12,
            from: Some(read("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")),
        },
    });
    samples.extend(token_withdrawals());
    samples
}

/// A payment that breaks rules which ask instead of refusing.
fn beyond() -> TestView {
    let mut view = TestView::new(Some(first_policy()));
    let beyond = Intent {
        asked: Some(broken()),
        ..intent(1)
    };
    view.intents.insert(transaction_id(1), beyond);
    view
}

/// A token on each family of chains.
fn token_withdrawals() -> [Sample; 2] {
    let mut policy = first_policy();
    policy.assets.push(rule(MINT, "USDC", 6, 50));
    policy.sort();
    policy.check().expect("a sound document");
    let withdraw = |wallet, asset, to, fee_ceiling, nonce| StatementFacts::Withdraw {
        wallet: wallet_id(wallet),
        asset: read(asset),
        to: read::<AccountId>(to).account(),
        amount: units(12_500_000),
        fee_ceiling: units(fee_ceiling),
        nonce,
        from: None,
    };
    [
        Sample {
            name: "withdraw-token",
            view: TestView::new(Some(policy)),
            facts: withdraw(1, MINT, RECIPIENT_SOLANA, 10_000, None),
        },
        Sample {
            name: "withdraw-token-evm",
            view: TestView::new(Some(later_policy())),
            facts: withdraw(3, USDC, RECIPIENT_EVM, 420_000_000_000_000, Some(8)),
        },
    ]
}

/// Rules of each kind that asks.
fn broken() -> Vec<Violation> {
    let coin: AssetId = read("eip155:31337/slip44:60");
    let ether = 1_000_000_000_000_000_000;
    let limit = |code, observed: u128, allowed: u128| {
        Violation::limit(code, coin, units(observed), units(allowed))
    };
    let dollars = Violation {
        asset: None,
        scope: Some(Scope::Pool("ops".to_owned())),
        window: Some(Window::Day),
        ..limit(Code::UsdLimit, 812_500_000, 500_000_000)
    };
    let number = Violation {
        asset: None,
        scope: Some(Scope::Global),
        window: Some(Window::Month),
        ..limit(Code::PaymentCount, 31, 30)
    };
    let shop = Some(read(
        "eip155:31337:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    ));
    let recipient = Violation {
        recipient: shop,
        window: Some(Window::Week),
        ..limit(Code::RecipientLimit, ether / 4, ether / 5)
    };
    vec![
        limit(Code::PerTransactionLimit, ether / 4, ether / 5),
        limit(Code::DayCount, 101, 100),
        Violation {
            recipient: shop,
            ..Violation::of(Code::RecipientNotListed)
        },
        recipient,
        Violation {
            scope: Some(Scope::Wallet(wallet_id(1))),
            ..limit(Code::MonthLimit, ether / 4, ether / 5)
        },
        dollars,
        number,
    ]
}
