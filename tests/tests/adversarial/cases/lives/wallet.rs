//! Wallets' keys: moved and ended by a gateway, or by an owner with a gateway beside it (R04, R05).

use anyhow::{Context as _, Result, bail, ensure};
use waiaas_client::NewWallet;
use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::policy::limits::{Counts, Limits};
use waiaas_shared::policy::scope::{AssetLimits, Scope, ScopeRule};
use waiaas_shared::statement::StatementFacts;
use waiaas_tests::agent::{Transfer, grant, key};
use waiaas_tests::stage::{EVM, LIMIT};

use super::{BOUNDS, address, forged, lives, paid, small, undrafted, unpaid};
use crate::cases::waiting::{open_other, tighten, waits};
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::DELAYED;

pub(in crate::cases) const CASES: &[Case] = &[case("R04", moved_keys), case("R05", ended_wallets)];

/// Signed by the owner and handed in by the gateway: the wallet with its new address.
fn rotate(rig: &mut Rig, wallet: NewWallet) -> Result<NewWallet> {
    let facts = StatementFacts::RotateWallet {
        wallet: wallet.wallet,
        first_nonce: 0,
    };
    let drafted = rig.draft(&facts)?;
    let signature = rig.owner_signature(&drafted.text)?;
    let rotated = rig.submit(drafted.statement, std::slice::from_ref(&signature))?;
    let again = refusal(rig.submit(drafted.statement, &[signature]))?;
    ensure!(
        again == Code::StatementUnknown,
        "a second rotation: {again}"
    );
    match rig.event(rotated.sequence)? {
        EventBody::WalletRotated { account, .. } => Ok(NewWallet { account, ..wallet }),
        other => bail!("another event: {other:?}"),
    }
}

fn moved_keys(_: &mut Rig, template: &Template) -> Result<String> {
    let tried = Template::aside(template.rig()?, |rig| {
        let (evm, solana) = (rig.cast.other_evm, rig.cast.other_solana);
        let mut tried = 0;
        for (wallet, first_nonce) in [(evm, 0), (evm, 1 << 30), (solana, 0)] {
            let facts = StatementFacts::RotateWallet {
                wallet: wallet.wallet,
                first_nonce,
            };
            let drafted = rig.draft(&facts)?;
            tried += forged(rig, &drafted)?;
            ensure!(address(rig, wallet)? == wallet.account, "it moved");
        }
        // Two payments an hour from that wallet, whatever key it has.
        tighten(rig, |document| {
            document.scopes.push(ScopeRule {
                limits: vec![AssetLimits {
                    asset: EVM.native_asset(),
                    limits: Limits {
                        counts: Counts {
                            hour: Some(2),
                            ..Counts::default()
                        },
                        ..Limits::default()
                    },
                }],
                ..ScopeRule::new(Scope::Wallet(evm.wallet))
            });
        })?;
        let other = rig.cast.other.clone();
        let key_of_first = rig.fresh_key();
        let transfer = small(rig);
        let request = other.request(&transfer, &key_of_first)?;
        let first = rig.send(&request)?;
        rig.cast.other_evm = rotate(rig, evm)?;
        ensure!(rig.cast.other_evm.account != evm.account, "the old key");
        // What the old key signed is given no more, by its name or by its request; nor made with the new.
        let gateway = rig.gateway();
        let code = refusal(rig.block(gateway.signed_transaction(first.transaction)))?;
        ensure!(code == Code::WalletClosed, "by its name: {code}");
        let again = other.sign(request)?;
        rig.refuse("by its request", again, &[Code::WalletClosed])?;
        // No fresh budget: the second payment of the hour passes, the third does not, for nobody.
        paid(rig, &other)?;
        let count = [Code::HourCount, Code::PaymentCount];
        let fresh = lives(rig, 50, BOUNDS, None)?;
        for agent in [other.clone(), fresh] {
            let key = rig.fresh_key();
            let transfer = small(rig);
            let request = agent.request(&transfer, &key)?;
            rig.refuse("a third payment", request, &count)?;
            tried += 1;
        }
        // On Solana the bytes name who pays: the old address pays nothing any more.
        let moved = rotate(rig, solana)?;
        let pay = |from: NewWallet, rig: &Rig| Transfer {
            from,
            ..rig.to_solana(9)
        };
        let key = rig.fresh_key();
        let old = other.request(&pay(solana, rig), &key)?;
        let old_key = [Code::TransactionUndecodable];
        rig.refuse("the old address", old, &old_key)?;
        let key = rig.fresh_key();
        let new = other.request(&pay(moved, rig), &key)?;
        rig.send(&new).context("from the new address")?;
        // A withdrawal from the old address is the owner's.
        let facts = StatementFacts::Withdraw {
            wallet: evm.wallet,
            asset: EVM.native_asset(),
            to: waiaas_tests::stage::EVM_TO.parse()?,
            amount: waiaas_shared::amount::Amount::from_base_units(1),
            fee_ceiling: waiaas_shared::amount::Amount::from_base_units(LIMIT),
            nonce: None,
            from: Some(evm.account),
        };
        let drafted = rig.draft(&facts)?;
        let codes = [
            Code::QuorumMissing,
            Code::StatementMismatch,
            Code::StatementSignature,
        ];
        let signature = rig.signature_by(&key_99(), drafted.text.as_bytes())?;
        for signatures in [vec![], vec![signature]] {
            let code = refusal(rig.submit(drafted.statement, &signatures))?;
            ensure!(codes.contains(&code), "a withdrawal: {code}");
            tried += 1;
        }
        rig.crash();
        rig.resume()?;
        ensure!(address(rig, evm)? == rig.cast.other_evm.account);
        let key = rig.fresh_key();
        let old = other.request(&pay(solana, rig), &key)?;
        rig.refuse("the old address again", old, &old_key)?;
        Ok(tried + 6)
    })?;
    Ok(format!(
        "{tried} ways to move a key, to use the old one, and to begin a budget anew refused"
    ))
}

fn key_99() -> ed25519_dalek::SigningKey {
    key(99)
}

fn ended_wallets(_: &mut Rig, template: &Template) -> Result<String> {
    let tried = Template::aside(template.rig()?, |rig| {
        let wallet = rig.cast.other_evm;
        let other = rig.cast.other.clone();
        let waiting = open_other(rig, DELAYED)?;
        let name = rig.fresh_key();
        let transfer = small(rig);
        let request = other.request(&transfer, &name)?;
        let before = rig.send(&request)?;
        let closing = StatementFacts::CloseWallet {
            wallet: wallet.wallet,
        };
        let drafted = rig.draft(&closing)?;
        let mut tried = forged(rig, &drafted)?;
        ensure!(
            waits(rig, waiting.transaction)?,
            "it closed without its owner"
        );
        // An owner ends it: what waited ends with it, and nothing is signed for it.
        rig.say(&closing)?;
        ensure!(!waits(rig, waiting.transaction)?, "it waits on");
        let unknown = [Code::IntentUnknown];
        rig.unreleased(
            "what waited",
            waiting.transaction,
            &waiting.unsigned,
            &unknown,
        )?;
        // Nothing opens it: no other statement, no second word, no restart.
        let grants = grant(&key(51), &[wallet], &[EVM], LIMIT, u128::MAX);
        for (facts, code) in [
            (closing.clone(), Code::WalletClosed),
            (
                StatementFacts::RotateWallet {
                    wallet: wallet.wallet,
                    first_nonce: 0,
                },
                Code::WalletClosed,
            ),
            (
                StatementFacts::ReleasePause {
                    wallet: Some(wallet.wallet),
                },
                Code::NotPaused,
            ),
            (
                StatementFacts::GrantSession { grant: grants },
                Code::WalletClosed,
            ),
        ] {
            undrafted(rig, &facts, code)?;
            tried += 1;
        }
        rig.say(&StatementFacts::AttestNonce {
            wallet: wallet.wallet,
            chain: EVM,
            next: 900,
            from: None,
        })?;
        // The one that was drafted before, with the owner's true signature over another closing's text.
        let signature = rig.owner_signature(&drafted.text)?;
        let code = refusal(rig.submit(drafted.statement, &[signature]))?;
        ensure!(code == Code::WalletClosed, "closed twice: {code}");
        for restart in [false, true] {
            if restart {
                rig.crash();
                rig.resume()?;
            }
            unpaid(rig, "closed", &other, Code::WalletClosed)?;
            let gateway = rig.gateway();
            let code = refusal(rig.block(gateway.signed_transaction(before.transaction)))?;
            ensure!(code == Code::WalletClosed, "by its name: {code}");
            tried += 2;
        }
        // Pausing and resuming it changes nothing either.
        rig.block(rig.gateway().pause(Some(wallet.wallet)))?;
        rig.record.accepted += 1;
        rig.say(&StatementFacts::ReleasePause {
            wallet: Some(wallet.wallet),
        })?;
        unpaid(rig, "resumed", &other, Code::WalletClosed)?;
        Ok(tried + 2)
    })?;
    Ok(format!(
        "{tried} ways to close a wallet, and to open it again, refused"
    ))
}
