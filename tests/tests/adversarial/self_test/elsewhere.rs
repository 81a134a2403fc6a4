//! The judge in another language, checked: of each doctored log it must say what is wrong.

mod rules;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use waiaas_shared::amount::Amount;
use waiaas_shared::codec::to_canonical;
use waiaas_shared::event::{Event, EventBody, Spend};
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::statement::StatementFacts;

use crate::bytes;
use crate::checks::judged_elsewhere;

type Change = fn(&mut Vec<Event>) -> Result<()>;

/// What the judge says of these events; nothing if they are within every limit.
fn said(events: &[Event]) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let export = folder.path().join("export.jsonl");
    let lines = (1..).zip(events).map(|(sequence, event)| {
        let body = STANDARD.encode(to_canonical(event));
        json!({ "sequence": sequence, "body": body, "hash": "" }).to_string() + "\n"
    });
    std::fs::write(&export, lines.collect::<String>())?;
    match judged_elsewhere(&export, false) {
        Ok(()) => Ok(String::new()),
        Err(wrong) => Ok(format!("{wrong:#}")),
    }
}

/// The last payment on an EVM chain, or on Solana.
fn spend(events: &mut [Event], evm: bool) -> Result<&mut Spend> {
    let bodies = events.iter_mut().rev().map(|event| &mut event.body);
    let mut spends = bodies.filter_map(|body| match body {
        EventBody::SpendCommitted(spend) => Some(spend),
        _ => None,
    });
    spends
        .find(|spend| spend.nonce.is_some() == evm)
        .context("a payment")
}

/// The policy's document, changed.
fn document(events: &mut [Event], change: impl FnOnce(&mut PolicyDocument)) -> Result<()> {
    let mut bodies = events.iter_mut().map(|event| &mut event.body);
    let found = bodies.find_map(|body| match body {
        EventBody::StatementIssued {
            facts: StatementFacts::AdoptPolicy { document },
            ..
        } => Some(document),
        _ => None,
    });
    let bytes = found.context("a policy")?;
    let mut document = PolicyDocument::from_bytes(bytes)?;
    change(&mut document);
    *bytes = document.to_bytes();
    Ok(())
}

fn assets(document: &mut PolicyDocument, change: impl Fn(&mut [&mut Amount])) {
    for rule in &mut document.assets {
        change(&mut [
            &mut rule.per_transaction,
            &mut rule.hour,
            &mut rule.month,
            &mut rule.notify_up_to,
        ]);
    }
}

/// Authorizations that the judge must refuse, beside an honest log with one, with payments that were brought and
/// calls of programs.
pub(super) fn authorized(events: &[Event]) -> Result<()> {
    let honest = said(events)?;
    ensure!(honest.is_empty(), "an honest log: {honest}");
    let changes: [(&str, &str, Change); 4] = [
        ("a smaller charge of one", "it pays", |events| {
            let mut bodies = events.iter_mut().map(|event| &mut event.body);
            let spend = bodies.find_map(|body| match body {
                EventBody::TransferAuthorized { spend, .. } => Some(spend),
                _ => None,
            });
            let charge = spend.and_then(|spend| spend.charges.first_mut());
            charge.context("a charge")?.amount = Amount::from_base_units(1);
            Ok(())
        }),
        ("a token without leave", "may not be authorized", |events| {
            document(events, |document| {
                for rule in &mut document.assets {
                    rule.authorization = None;
                }
            })
        }),
        (
            "tokens that are outstanding",
            "outstanding tokens",
            |events| {
                document(events, |document| {
                    for rule in &mut document.assets {
                        if rule.authorization.is_some() {
                            rule.outstanding = Some(Amount::from_base_units(1));
                        }
                    }
                })
            },
        ),
        ("what a call lets leave", "the bytes take", |events| {
            document(events, |document| {
                for rule in document
                    .calls
                    .iter_mut()
                    .filter_map(|rule| rule.program.as_mut())
                {
                    for one in &mut rule.outflow {
                        one.up_to = Amount::from_base_units(one.up_to.base_units() + 1);
                    }
                }
            })
        }),
    ];
    for (what, word, change) in changes {
        let mut events = events.to_vec();
        change(&mut events)?;
        let said = said(&events)?;
        ensure!(said.contains(word), "the judge overlooks {what}: {said}");
    }
    Ok(())
}

/// An honest log is within its limits; each of these is not.
pub(super) fn all(events: &[Event]) -> Result<()> {
    let honest = said(events)?;
    ensure!(honest.is_empty(), "an honest log: {honest}");
    rules::all(events)?;
    let changes: [(&str, &str, Change); 12] = [
        ("a smaller charge on EVM", "the bytes take", |events| {
            let charge = spend(events, true)?.charges.first_mut();
            charge.context("a charge")?.amount = Amount::from_base_units(1);
            Ok(())
        }),
        ("a smaller charge on Solana", "the bytes take", |events| {
            let charge = spend(events, false)?.charges.first_mut();
            charge.context("a charge")?.amount = Amount::from_base_units(1);
            Ok(())
        }),
        (
            "another recipient's bytes",
            "unlisted recipient",
            |events| {
                let spend = spend(events, true)?;
                let said = bytes::read_evm(&spend.unsigned)?;
                let value = said.transfers.first().context("a transfer")?.1;
                let mut fields = bytes::fields(31_337, &[0xbb; 20], value, &[]);
                if let Some(field) = fields.get_mut(1) {
                    *field = bytes::Rlp::number(spend.nonce.unwrap_or(0).into());
                }
                spend.unsigned = bytes::typed(2, fields);
                Ok(())
            },
        ),
        ("another nonce", "another nonce", |events| {
            spend(events, true)?.nonce = Some(99);
            Ok(())
        }),
        ("a lower tier", "is asked for", |events| {
            let bodies = events.iter_mut().map(|event| &mut event.body);
            for body in bodies {
                if let EventBody::SpendCommitted(spend) = body {
                    spend.tier = waiaas_shared::policy::evaluate::Tier::Instant;
                }
            }
            Ok(())
        }),
        ("a limit per transaction", "in one transaction", |events| {
            document(events, |document| {
                assets(document, |of| *of[0] = Amount::from_base_units(1));
            })
        }),
        ("a limit of the hour", "in one hour", |events| {
            document(events, |document| {
                assets(document, |of| *of[1] = Amount::from_base_units(1));
            })
        }),
        ("a limit of the month", "in one month", |events| {
            document(events, |document| {
                assets(document, |of| *of[2] = Amount::from_base_units(1));
            })
        }),
        ("a fee above its ceiling", "the fee's ceiling", |events| {
            document(events, |document| {
                for rule in &mut document.assets {
                    rule.fee_ceiling = rule.fee_ceiling.map(|_| Amount::from_base_units(1));
                }
            })
        }),
        ("what is outstanding", "outstanding", |events| {
            document(events, |document| {
                for rule in &mut document.assets {
                    rule.outstanding = rule.outstanding.map(|_| Amount::from_base_units(1));
                }
            })
        }),
        (
            "more payments than counted",
            "payments in one day",
            |events| {
                document(events, |document| {
                    for rule in &mut document.assets {
                        rule.counts.day = Some(1);
                    }
                })
            },
        ),
        ("a policy that is not there", "without a policy", |events| {
            events.retain(|event| !matches!(event.body, EventBody::PolicyAdopted { .. }));
            Ok(())
        }),
    ];
    for (what, word, change) in changes {
        let mut events = events.to_vec();
        change(&mut events)?;
        let said = said(&events)?;
        ensure!(said.contains(word), "the judge overlooks {what}: {said}");
    }
    Ok(())
}
