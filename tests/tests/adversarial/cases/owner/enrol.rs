//! An approver of the attacker's own, and too much to decide (P14, P15).

use anyhow::{Result, ensure};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::statement::{OPEN_LIMIT, StatementFacts};
use waiaas_tests::agent::key;
use waiaas_tests::stage::{EVM, LIMIT, account};

use super::quorum::a_fourth;
use super::refuse;
use crate::cases::waiting::{approval, open};
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::ASKED;

pub(in crate::cases) const CASES: &[Case] = &[case("P14", own_approver), case("P15", too_many)];

fn own_approver(rig: &mut Rig, template: &Template) -> Result<String> {
    let mut tried = 0;
    for number in [66, 11] {
        let own = OwnerKey::Ed25519(SolanaAddress::from_bytes(
            key(number).verifying_key().to_bytes(),
        ));
        let facts = StatementFacts::EnrolOwner {
            key: own,
            withdrawals: Vec::new(),
        };
        let code = refusal(rig.draft(&facts))?;
        ensure!(
            [Code::AdminOnly, Code::OwnerKnown].contains(&code),
            "{code}"
        );
        tried += 1;
    }
    // An address of the attacker's, even with the owner's true signature, waits for the password.
    let thief = account(EVM, "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359");
    let drafted = rig.draft(&StatementFacts::EnrolWithdrawal { account: thief })?;
    let signature = rig.owner_signature(&drafted.text)?;
    let code = refuse(rig, "an address", drafted.statement, &[signature])?;
    ensure!(code == Code::AdminOnly, "{code}");
    // And a withdrawal to where nobody enrolled is not even written down.
    let facts = StatementFacts::Withdraw {
        wallet: rig.cast.evm.wallet,
        asset: EVM.native_asset(),
        to: thief.account(),
        amount: Amount::from_base_units(1),
        fee_ceiling: Amount::from_base_units(LIMIT),
        nonce: None,
        from: None,
    };
    let code = refusal(rig.draft(&facts))?;
    ensure!(code == Code::WithdrawalAddress, "{code}");
    tried += 2;
    // The owner tricked into signing for another owner or guardian: over the gateway there is no door.
    let rehearsed = key(66);
    let own = OwnerKey::Ed25519(SolanaAddress::from_bytes(
        rehearsed.verifying_key().to_bytes(),
    ));
    for facts in [
        StatementFacts::AddOwner { key: own },
        StatementFacts::AddGuardian { key: own },
        StatementFacts::SetQuorum { quorum: 1 },
    ] {
        let drafted = rig.draft(&facts)?;
        let signatures = [
            rig.owner_signature(&drafted.text)?,
            rig.signature_by(&rehearsed, drafted.text.as_bytes())?,
        ];
        let (honest, both) = (signatures.get(..1).unwrap_or_default(), &signatures[..]);
        refuse(rig, facts.heading(), drafted.statement, honest)?;
        refuse(rig, facts.heading(), drafted.statement, both)?;
        tried += 2;
    }
    let facts = StatementFacts::RecoverOwners { key: own };
    let code = refusal(rig.draft(&facts))?;
    ensure!(code == Code::AdminOnly, "a recovery: {code}");
    tried += 1 + scheduled(rig, &rehearsed, own)?;
    ensure!(
        rig.block(rig.owner().admin.owners())?.len() == 1,
        "another owner"
    );
    rig.use_up("a change of owners waits");
    let of_three = Template::aside(template.of_three_owners()?.rig_in_hand()?, a_fourth)?;
    Ok(format!(
        "{tried} attempts refused, and {of_three} where two of three must sign; what owner and password did enrol counts for nothing before its 72 hours"
    ))
}

/// With the owner's signature and the password the key is announced; it signs nothing for 72 hours of
/// the waiting clock, restarts or not, and one owner's word takes it back.
fn scheduled(rig: &mut Rig, rehearsed: &ed25519_dalek::SigningKey, own: OwnerKey) -> Result<usize> {
    use ed25519_dalek::Signer as _;
    use waiaas_shared::statement::verify::{Envelope, payload};
    let admin = &rig.owner().admin;
    let drafted = rig.block(admin.draft_statement(&StatementFacts::AddOwner { key: own }))?;
    let honest = rig.owner_signature(&drafted.text)?;
    let bytes = payload(&drafted.text, Envelope::Ed25519Plain, &own)?;
    let rehearsal = rehearsed.sign(&bytes).to_bytes();
    let ticket = rig.block(admin.put_secret(waiaas_tests::owner::PASSWORD))?;
    let id = rig.block(admin.register_key(
        &ticket,
        drafted.statement,
        &[honest],
        Envelope::Ed25519Plain,
        &rehearsal,
    ))?;
    rig.record.accepted += 2;
    let transfer = rig.to_evm(ASKED);
    let asked = open(rig, &transfer)?;
    let mut tried = 0;
    for restart in [false, true] {
        if restart {
            rig.crash();
            rig.resume()?;
        }
        for facts in [approval(asked.transaction), StatementFacts::Retire] {
            let drafted = rig.draft(&facts)?;
            let early = rig.signature_by_id(id, rehearsed, drafted.text.as_bytes());
            let code = refuse(rig, "before its time", drafted.statement, &[early])?;
            ensure!(code == Code::OwnerUnknown, "{code}");
            tried += 1;
        }
    }
    let change = drafted.statement;
    rig.say(&StatementFacts::CancelOwnerChange { change })?;
    Ok(tried)
}

fn too_many(rig: &mut Rig, _: &Template) -> Result<String> {
    let (waiting, doubled) = asked_too_often(rig)?;
    let (mut open, mut refused) = (0, 0);
    for next in 0..1000 {
        let attest = StatementFacts::AttestNonce {
            wallet: rig.cast.evm.wallet,
            chain: EVM,
            next: 9000 + next,
            from: None,
        };
        match rig.draft(&attest) {
            Ok(_) => open += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::StatementTooMany, "{code}");
                refused += 1;
            }
        }
    }
    ensure!(open <= OPEN_LIMIT && refused > 900, "{open} open");
    // The owner's own socket has places of its own.
    let attest = StatementFacts::AttestNonce {
        wallet: rig.cast.other_evm.wallet,
        chain: EVM,
        next: 1,
        from: None,
    };
    rig.say_with_password(&attest)?;
    rig.use_up("the gateway's statements are all open");
    Ok(format!(
        "{open} of 1000 texts opened, the rest refused; {waiting} of 1000 payments wait for the owner and {doubled} of 200 equal ones; the owner's own socket is free"
    ))
}

/// A thousand payments that ask, each a little different, then equal ones: how many wait of each.
fn asked_too_often(rig: &mut Rig) -> Result<(usize, usize)> {
    let mut requests = Vec::new();
    for number in 0..1000 {
        let transfer = rig.to_evm(ASKED + number);
        requests.push(rig.invented(&transfer)?);
    }
    let mut waiting = 0;
    for request in &requests {
        match rig.ask(request) {
            Ok(_) => waiting += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::IntentTooMany, "{code}");
            }
        }
    }
    ensure!(waiting == 16, "{waiting} of one session wait");
    let mut equal = 0;
    for _ in 0..200 {
        let transfer = rig.to_solana(ASKED);
        let request = rig.request(&transfer)?;
        match rig.ask(&request) {
            Ok(_) => equal += 1,
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::IntentDuplicate, "{code}");
            }
        }
    }
    ensure!(equal == 1, "{equal} equal payments wait");
    // Opened and cancelled over and over: a session's hour has its end.
    let mut opened = 0;
    for number in 0..80 {
        let transfer = rig.to_evm(ASKED * 2 + number);
        let request = rig.request(&transfer)?;
        match rig.ask(&request) {
            Ok(waiaas_client::Paid::Waiting { view, .. }) => {
                rig.cancel(view.intent.transaction)?;
                opened += 1;
            }
            Ok(_) => anyhow::bail!("signed at once"),
            Err(error) => {
                let code = refusal::<()>(Err(error))?;
                ensure!(code == Code::IntentTooMany, "{code}");
            }
        }
    }
    ensure!(opened <= 60, "{opened} opened in an hour");
    Ok((waiting, equal))
}
