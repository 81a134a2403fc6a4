//! Documents old, broken, extreme; what loosens waits (P16, P17, P21, P22).

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::denial::Code;
use waiaas_shared::policy::document::{MATURITY_LONGEST, PolicyDocument};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_tests::stage::LIMIT;

use super::{adoption, limit, loosen, units};
use crate::cases::time::FEE;
use crate::cases::{Case, case};
use crate::rig::{Rig, refusal};
use crate::runner::Template;
use crate::stand::WINDOW;

pub(in crate::cases) const CASES: &[Case] = &[
    case("P16", older_policies),
    case("P17", broken_policies),
    case("P21", loosening_waits),
    case("P22", extremes),
];

fn older_policies(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut adopted = vec![rig.cast.policy.clone()];
    let mut statements = Vec::new();
    for step in 1..=4 {
        let document = rig.next_policy(|document| limit(document, LIMIT - step, WINDOW - step))?;
        let drafted = rig.draft(&adoption(&document))?;
        let signature = rig.owner_signature(&drafted.text)?;
        rig.submit(drafted.statement, std::slice::from_ref(&signature))?;
        statements.push((drafted.statement, signature));
        adopted.push(document);
    }
    let mut tried = 0;
    for document in &adopted {
        let code = refusal(rig.draft(&adoption(document)))?;
        ensure!(
            code == Code::PolicyEpoch,
            "epoch {}: {code}",
            document.epoch
        );
        tried += 1;
    }
    for (statement, signature) in &statements {
        let code = refusal(rig.submit(*statement, std::slice::from_ref(signature)))?;
        ensure!(code == Code::StatementUnknown, "{code}");
        tried += 1;
    }
    for epoch in [0, 5, 7, 8, u64::MAX] {
        let document = rig.next_policy(|document| document.epoch = epoch)?;
        let code = refusal(rig.draft(&adoption(&document)))?;
        ensure!(
            [Code::PolicyEpoch, Code::PolicyMalformed].contains(&code),
            "epoch {epoch}: {code}"
        );
        tried += 1;
    }
    // Two drafts of one epoch: the second signature comes too late.
    let (one, other) = (
        rig.next_policy(|document| limit(document, 7, 7))?,
        rig.next_policy(|document| loosen(document, LIMIT))?,
    );
    let (one, other) = (rig.draft(&adoption(&one))?, rig.draft(&adoption(&other))?);
    let (first, second) = (
        rig.owner_signature(&one.text)?,
        rig.owner_signature(&other.text)?,
    );
    rig.submit(one.statement, &[first])?;
    let code = refusal(rig.submit(other.statement, &[second]))?;
    ensure!(code == Code::PolicyEpoch, "{code}");
    rig.use_up("the policy was tightened");
    Ok(format!("{} older or skipped epochs refused", tried + 1))
}

fn broken_policies(rig: &mut Rig, _: &Template) -> Result<String> {
    let sound = rig.next_policy(|_| {})?.to_bytes();
    let mut tried = 0;
    let mut refuse = |rig: &mut Rig, what: &str, document: Vec<u8>| -> Result<()> {
        let code = refusal(rig.draft(&StatementFacts::AdoptPolicy { document }))
            .with_context(|| what.to_owned())?;
        ensure!(
            [Code::PolicyMalformed, Code::PolicyEpoch].contains(&code),
            "{what}: {code}"
        );
        tried += 1;
        Ok(())
    };
    for cut in (0..sound.len()).step_by(11) {
        refuse(
            rig,
            &format!("cut at {cut}"),
            sound.get(..cut).unwrap_or_default().to_vec(),
        )?;
    }
    refuse(rig, "a byte behind", [&sound[..], &[0]].concat())?;
    refuse(rig, "twice", [&sound[..], &sound].concat())?;
    // The outer map: one more field, a field twice, a length without end.
    let (first, rest) = sound.split_first().context("a map")?;
    ensure!(first & 0xe0 == 0xa0, "the document is a map");
    refuse(
        rig,
        "an unknown field",
        [&[first + 1], rest, &[0x18, 0xff, 0x00]].concat(),
    )?;
    refuse(
        rig,
        "a field twice",
        [&[first + 1], rest.get(..2).unwrap_or_default(), rest].concat(),
    )?;
    refuse(rig, "a map without end", [&[0xbf], rest, &[0xff]].concat())?;
    refuse(
        rig,
        "a longer length",
        [&[0xb8, first & 0x1f], rest].concat(),
    )?;
    refuse(rig, "text", b"version = 1\nepoch = 2\n".to_vec())?;
    refuse(rig, "nothing", Vec::new())?;
    refuse(
        rig,
        "too large",
        vec![0; waiaas_shared::policy::document::LIMIT_BYTES + 1],
    )?;
    let doubled = rig.next_policy(|document| document.assets.extend(document.assets.clone()))?;
    refuse(rig, "an asset twice", doubled.to_bytes())?;
    let doubled =
        rig.next_policy(|document| document.recipients.extend(document.recipients.clone()))?;
    refuse(rig, "a recipient twice", doubled.to_bytes())?;
    let mut unsorted = rig.next_policy(|_| {})?;
    unsorted.assets.reverse();
    refuse(rig, "out of order", unsorted.to_bytes())?;
    let version = rig.next_policy(|document| document.version = 2)?;
    refuse(rig, "another version", version.to_bytes())?;
    // Signed by whoever is not the owner, or by the owner for another signer: P01 and P03.
    Ok(format!("{tried} documents refused whole"))
}

fn loosening_waits(rig: &mut Rig, _: &Template) -> Result<String> {
    let tighter = rig.next_policy(|document| limit(document, LIMIT / 2, WINDOW / 2))?;
    rig.adopt(&tighter)?;
    let above = rig.to_evm(LIMIT / 2);
    let request = rig.request(&above)?;
    rig.refuse(
        "tightening holds at once",
        request,
        &[Code::PerTransactionLimit],
    )?;
    let mut waiting = 0;
    for with_password in [false, true] {
        let looser = rig.next_policy(|document| {
            loosen(document, LIMIT * 4);
            document.maturity = Millis::from_hours(0);
        })?;
        if with_password {
            rig.say_with_password(&adoption(&looser))?;
        } else {
            rig.adopt(&looser)?;
        }
        let request = rig.request(&above)?;
        rig.refuse("loosening waits", request, &[Code::PerTransactionLimit])?;
        waiting += 1;
    }
    // The document's own wish for a short wait does not count: the earlier ones decide.
    rig.crash();
    rig.resume()?;
    let request = rig.request(&above)?;
    rig.refuse("behind a restart", request, &[Code::PerTransactionLimit])?;
    let gateway = rig.gateway();
    let binding = rig.block(gateway.policy())?.len();
    ensure!(binding == 4, "{binding} documents bind");
    rig.use_up("the policy was tightened");
    Ok(format!(
        "a tightening held at once, {waiting} loosenings wait; {binding} documents bind"
    ))
}

fn extremes(rig: &mut Rig, _: &Template) -> Result<String> {
    let mut refused = 0;
    type Change = fn(&mut PolicyDocument);
    let broken: [(&str, Change); 9] = [
        ("windows that fall", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.month = units(0))
        }),
        ("more at once than in an hour", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.hour = units(1))
        }),
        ("instant above notify", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.instant_up_to = units(u128::MAX))
        }),
        ("notify above all", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.notify_up_to = units(u128::MAX))
        }),
        ("no outstanding cap", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.outstanding = None)
        }),
        ("a cap on every chain", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.outstanding = Some(units(1)))
        }),
        ("a maturity without end", |document| {
            document.maturity = MATURITY_LONGEST.max(Millis::from_millis(u64::MAX))
        }),
        ("a nameless asset", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.symbol = String::new())
        }),
        ("signing without sending everywhere", |document| {
            document
                .assets
                .iter_mut()
                .for_each(|rule| rule.sign_only = true)
        }),
    ];
    for (what, change) in broken {
        let document = rig.next_policy(change)?;
        let code = refusal(rig.draft(&adoption(&document))).with_context(|| what.to_owned())?;
        ensure!(code == Code::PolicyMalformed, "{what}: {code}");
        refused += 1;
    }
    // Everything at its largest: what cannot be summed is not even written down, and of what can be,
    // sums stay checked and earlier documents bind.
    for most in [u128::MAX, u128::MAX / 2, u128::MAX / 1000, 1 << 100] {
        let widest = rig.next_policy(|document| {
            limit(document, most, most);
            let natives = document
                .assets
                .iter_mut()
                .filter(|rule| rule.fee_ceiling.is_some());
            for rule in natives {
                rule.fee_ceiling = Some(units(LIMIT / 10));
            }
        })?;
        match rig.adopt(&widest) {
            Ok(_) => break,
            Err(error) => {
                let code = refusal::<()>(Err(error.downcast()?))?;
                ensure!(
                    [Code::Overflow, Code::StatementMalformed].contains(&code),
                    "{code}"
                );
                refused += 1;
            }
        }
    }
    for amount in [u128::MAX, u128::MAX - FEE, u128::from(u64::MAX), LIMIT] {
        let transfer = rig.to_evm(amount);
        if let Ok(request) = rig.invented(&transfer) {
            rig.refuse(
                "a huge amount",
                request,
                &[
                    Code::PerTransactionLimit,
                    Code::TransactionUndecodable,
                    Code::Overflow,
                ],
            )?;
            refused += 1;
        }
    }
    // Everything at zero, and nobody listed: nothing passes. An empty list is not "all".
    let nobody = rig.next_policy(|document| {
        *document = PolicyDocument {
            epoch: document.epoch,
            ..rig.cast.policy.clone()
        };
        document.recipients.clear();
    })?;
    rig.adopt(&nobody)?;
    let transfer = rig.to_evm(1);
    let request = rig.request(&transfer)?;
    rig.refuse("nobody listed", request, &[Code::RecipientNotListed])?;
    let zero = rig.next_policy(|document| limit(document, 0, 0))?;
    rig.adopt(&zero)?;
    let request = rig.request(&transfer)?;
    rig.refuse(
        "all zero",
        request,
        &[Code::RecipientNotListed, Code::PerTransactionLimit],
    )?;
    rig.use_up("the policy lets nothing pass");
    Ok(format!("{} extremes refused or strict", refused + 2))
}
