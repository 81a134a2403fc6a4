//! Calls of programs after their request: read by an owner, released, given again, judged by a later document.

use super::*;

#[test]
fn invariant_13_an_owner_reads_every_account_and_byte() {
    let mut stage = stage();
    let request = closing(&stage, "a", &[0xab, 0xcd]);
    let transaction = waiting(stage.0.run(&Command::Spend(request)));
    let facts = StatementFacts::ApprovePayment { transaction };
    let (_, text) = stage.0.draft(facts, Origin::Admin).expect("a text");
    for line in [
        format!("Program: {}", program()),
        "Method: 0x09".to_owned(),
        "Counted as leaving: nothing".to_owned(),
        "Behind the arguments: 0xabcd".to_owned(),
        format!("Account 1 of 1: {}, writable", vault()),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    // Approved, it is released as it was read, and as nothing else.
    stage
        .0
        .say(StatementFacts::ApprovePayment { transaction }, false)
        .expect("approved");
    let release = |behind: &[u8]| {
        Command::Release(Release {
            transaction,
            unsigned: bytes(&[vault()], &[&CLOSE[..], behind].concat()),
            prior: None,
        })
    };
    assert_eq!(
        stage.0.run(&release(&[0xab])).err(),
        Some(vec![Code::BodyMismatch])
    );
    assert_eq!(signed(stage.0.run(&release(&[0xab, 0xcd]))), transaction);
}

#[test]
fn invariant_13_a_call_of_a_program_that_cannot_be_shown_whole_does_not_wait() {
    let mut document = program_policy(1);
    for rule in &mut document.calls {
        if let Some(program) = &mut rule.program
            && rule.method == CLOSE
        {
            let one = place(AccountAccepts::Any, false);
            program.accounts.extend(vec![one; 14]);
            let word = FieldRule {
                kind: "bytes32".parse().expect("a type"),
                accepts: FieldAccepts::Any,
                spends: None,
            };
            program.fields = vec![word; 16];
            program.tail = 256;
        }
    }
    let mut stage = stage_with(&document, Some(vec![Operation::Call]));
    let rule = document.calls.iter().find(|rule| rule.method == CLOSE);
    let method = rule.and_then(CallRule::program_method).expect("a method");
    // The same account again and again, so that the message is short enough for a packet.
    let accounts: Vec<SolanaAddress> = std::iter::once(vault())
        .chain(std::iter::repeat_n(address(0xa0), 14))
        .collect();
    let data = [&CLOSE[..], &[0xff; 512], &[0xff; 256]].concat();
    let unsigned = bytes_of(&method, &accounts, &data);
    let request = asks(&stage, "a", (&accounts, &data), unsigned);
    assert_eq!(refused(&mut stage.0, &request), [Code::IntentTooLong]);
}

#[test]
fn invariant_19_a_call_of_a_program_is_replayed_without_a_second_charge() {
    let mut stage = stage();
    let request = deposit(&stage, "a", 700);
    let first = signed(stage.0.run(&Command::Spend(request.clone())));
    let (sequence, charged_at, spend) = stage
        .0
        .moments()
        .find_map(|(sequence, at, body)| match body {
            EventBody::SpendCommitted(spend) => Some((sequence, at, spend.clone())),
            _ => None,
        })
        .expect("charged");
    let prior = Prior {
        sequence,
        charged_at,
        spend,
        variant: None,
    };
    let again = SpendRequest {
        used: Some(Used::Paid(Box::new(prior))),
        ..request
    };
    match stage.0.run(&Command::Spend(again)) {
        Ok(Outcome::Sign(order)) => {
            assert_eq!(order.sealed().transaction, first);
            assert_eq!(
                order.transaction().bytes(),
                bytes(&accounts(), &data(700, wallet(), &[]))
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.0.spends().len(), 1);
}

/// A later document that counts less, or lets more be called, binds with the earlier one.
#[test]
fn invariant_10_a_call_must_pass_every_binding_document() {
    // A wallet on a main network, where documents wait before they stop to bind.
    let mut world = bare(ChainId::Evm(1), &program_policy(1));
    let session = granted(&mut world, Some(vec![Operation::Call]));
    let mut stage = (world, session);
    let first = deposit(&stage, "a", 700);
    signed(stage.0.run(&Command::Spend(first)));
    let mut later = program_policy(2);
    for rule in &mut later.calls {
        if let Some(program) = rule.program.as_mut().filter(|it| it.signs()) {
            program.outflow[0].up_to = units(1);
        }
    }
    stage.0.adopt(&later, true).expect("a later policy");
    assert_eq!(stage.0.state.binding(stage.0.clocks.run).len(), 2);
    let request = deposit(&stage, "b", 700);
    assert_eq!(refused(&mut stage.0, &request), [Code::CallConflict]);
}
