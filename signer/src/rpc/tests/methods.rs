//! The methods that both sockets have, and those of the gateway's.

use std::time::Instant;

use waiaas_client::{ClientError, GatewaySocket, SpendRequest};
use waiaas_shared::agent::AgentStage;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{OwnerId, SessionId, SignerId, WalletId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit, SessionUsage};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::Envelope;
use waiaas_shared::time::{RunTime, WallTime};
use waiaas_shared::view::{OwnerView, Remaining, SessionState, SessionView};

use super::super::*;
use super::rig::*;
use crate::authority::ask::{Ask, Drafted, EventsAnswer, Paid, Status, Verdict};
use crate::core::state::Freeze;
use crate::ledger::{Page, StoredEvent};

#[test]
fn status_says_all_of_it() {
    let mut refuses = alternating();
    let rig = Rig::new(Role::Gateway, move |ask| {
        let Ask::Status(reply) = ask else {
            panic!("{ask:?}")
        };
        let status = Status {
            signer: Some(SignerId::from_bytes([1; 16])),
            unlocked: true,
            kill: "ACTIVATED",
            kill_epoch: 3,
            frozen: true,
            frozen_by: vec![Freeze::Asked, Freeze::HeadMissed],
            clock_closed: true,
            policy_epoch: 5,
            sequence: 77,
            head: "note".to_owned(),
            unlock_failures: 2,
            retired: true,
            owner_changes: 4,
            dead_man_left: None,
            dead_man_paused: false,
            suspended: 0,
        };
        reply
            .send(if refuses() {
                Err(Code::Overloaded.into())
            } else {
                Ok(status)
            })
            .unwrap();
    });
    rig.gateway(async |client| {
        let status = client.status().await.unwrap();
        assert_eq!(status.signer, Some(SignerId::from_bytes([1; 16])));
        assert_eq!(
            (status.kill.as_str(), status.kill_epoch, status.policy_epoch),
            ("ACTIVATED", 3, 5)
        );
        assert!(status.unlocked && status.frozen && status.clock_closed);
        assert_eq!((status.retired, status.owner_changes), (true, 4));
        assert_eq!(status.frozen_by, ["asked", "head_missed"]);
        assert_eq!(
            (
                status.sequence,
                status.head.as_str(),
                status.unlock_failures
            ),
            (77, "note", 2)
        );
        assert_eq!(status.sandbox, lines());
        assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
        assert!(
            !status.claim_holds,
            "both ends of this test run under one uid"
        );
        assert_eq!(denied(client.status().await), code(Code::Overloaded));
    });
}

#[test]
fn events_wait_for_the_next_and_no_longer_than_asked() {
    let rig = Rig::new(Role::Gateway, |ask| {
        let Ask::Events(after, bytes, reply) = ask else {
            panic!("{ask:?}")
        };
        assert_eq!(bytes, 1000);
        let event = StoredEvent {
            sequence: after + 1,
            body: vec![1, 2],
            hash: Digest::from_bytes([9; 32]),
        };
        let page = if after < 5 {
            Page {
                events: vec![event],
                heads: vec![(after + 1, "head".to_owned())],
            }
        } else {
            Page::default()
        };
        reply.send(Ok(EventsAnswer { page, last: 5 })).unwrap();
    });
    rig.gateway(async |client| {
        rig.sequence.send(5).unwrap();
        let page = client
            .events(4, 1000, Duration::from_secs(20))
            .await
            .unwrap();
        assert_eq!(
            (page.events[0].sequence, page.events[0].body.as_slice()),
            (5, &[1, 2][..])
        );
        assert_eq!(
            (page.events[0].hash, page.heads, page.last),
            (Digest::from_bytes([9; 32]), vec!["head".to_owned()], 5)
        );

        // Nothing new: it waits until the sequence moves.
        let start = Instant::now();
        let (page, ()) = tokio::join!(client.events(5, 1000, Duration::from_secs(20)), async {
            sleep(Duration::from_millis(100)).await;
            rig.sequence.send(6).unwrap();
        });
        assert!(page.unwrap().events.is_empty());
        assert!(
            start.elapsed() >= Duration::from_millis(100)
                && start.elapsed() < Duration::from_secs(5)
        );

        let start = Instant::now();
        client
            .events(6, 1000, Duration::from_millis(50))
            .await
            .unwrap();
        assert!(start.elapsed() >= Duration::from_millis(50));
        // Waiting calls keep no other waiting.
        let waits = (0..100).map(|_| client.events(6, 1000, Duration::from_secs(20)));
        let all = futures::future::join_all(waits);
        let (_, ()) = tokio::join!(all, async {
            assert_eq!(
                client
                    .events(0, 1000, Duration::ZERO)
                    .await
                    .unwrap()
                    .events
                    .len(),
                1
            );
            rig.sequence.send(7).unwrap();
        });
    });
}

#[test]
fn views_arrive_as_they_left() {
    let asset: AssetId = "solana:localnet/slip44:501".parse().unwrap();
    let session = SessionView {
        session: SessionId::from_bytes([2; 16]),
        grant: SessionGrant {
            wallets: vec![wallet().wallet],
            limits: vec![SessionLimit {
                asset,
                per_transaction: Amount::MAX,
                total: Amount::MAX,
            }],
            count: 9,
            expires: WallTime::from_millis(1),
            credential: Credential::Bearer(Digest::from_bytes([1; 32])),
            recipients: None,
            operations: None,
            renewal: None,
            agent: None,
        },
        usage: SessionUsage::default(),
        state: SessionState::Expired,
        remaining: vec![Remaining {
            wallet: wallet().wallet,
            asset,
            per_transaction: Amount::ZERO,
            window: Amount::ZERO,
            session: Amount::MAX,
            windows: Vec::new(),
        }],
        ends: WallTime::from_millis(2),
        renewals: 1,
        stage: Some(AgentStage::Suspended),
    };
    let owner = OwnerView {
        owner: OwnerId::from_bytes([8; 16]),
        key: OwnerKey::Ed25519(
            "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
                .parse()
                .unwrap(),
        ),
        envelope: Envelope::Ed25519Plain,
        withdrawals: Vec::new(),
        standing: Standing::Suspended,
        quorum: 2,
        guardians: Vec::new(),
        pending: Vec::new(),
        now: RunTime::from_millis(7),
    };
    let (sent_session, sent_owner) = (session.clone(), owner.clone());
    let rig = Rig::new(Role::Admin, move |ask| match ask {
        Ask::Remaining(id, reply) => {
            let known = (id == sent_session.session).then(|| sent_session.clone());
            reply.send(Ok(known)).unwrap();
        }
        Ask::Wallets(reply) => reply.send(Ok(vec![wallet(), wallet()])).unwrap(),
        Ask::Owners(reply) => reply.send(Ok(vec![sent_owner.clone()])).unwrap(),
        Ask::Policy(reply) => reply.send(Ok(vec![vec![1, 2], vec![3]])).unwrap(),
        other => panic!("{other:?}"),
    });
    rig.admin(async |client| {
        assert_eq!(
            client.remaining(session.session).await.unwrap(),
            Some(session)
        );
        assert_eq!(
            client
                .remaining(SessionId::from_bytes([0; 16]))
                .await
                .unwrap(),
            None
        );
        assert_eq!(client.wallets().await.unwrap(), [wallet(), wallet()]);
        assert_eq!(client.owners().await.unwrap(), [owner]);
        assert_eq!(client.policy().await.unwrap(), [vec![1, 2], vec![3]]);
    });
}

#[test]
fn statements_are_drafted_and_submitted() {
    let facts = StatementFacts::ReleasePause {
        wallet: Some(wallet().wallet),
    };
    let expected = facts.clone();
    let (mut refuses, mut rejects) = (alternating(), alternating());
    let rig = Rig::new(Role::Gateway, move |ask| match ask {
        Ask::Draft(facts, Origin::Gateway, reply) => {
            assert_eq!(facts, expected);
            let drafted = Drafted {
                statement: STATEMENT,
                text: "RELEASE PAUSE\n".to_owned(),
            };
            reply
                .send(if refuses() {
                    Err(denial())
                } else {
                    Ok(drafted)
                })
                .unwrap();
        }
        Ask::Submit(STATEMENT, signatures, Origin::Gateway, None, reply) => {
            assert_eq!(signatures, [signature(), signature()]);
            reply
                .send(if rejects() { Err(denial()) } else { Ok(11) })
                .unwrap();
        }
        other => panic!("{other:?}"),
    });
    rig.gateway(async |client| {
        let drafted = client.draft_statement(&facts).await.unwrap();
        assert_eq!(
            (drafted.statement, drafted.text.as_str()),
            (STATEMENT, "RELEASE PAUSE\n")
        );
        assert_eq!(denied(client.draft_statement(&facts).await), denial());
        let signatures = [signature(), signature()];
        let submitted = client
            .submit_statement(STATEMENT, &signatures)
            .await
            .unwrap();
        assert_eq!((submitted.sequence, submitted.raw.len()), (11, 0));
        assert_eq!(
            denied(client.submit_statement(STATEMENT, &signatures).await),
            denial()
        );
    });
}

#[test]
fn stopping_names_its_origin() {
    for (role, origin) in [
        (Role::Gateway, Origin::Gateway),
        (Role::Admin, Origin::Admin),
    ] {
        let rig = Rig::new(role, move |ask| match ask {
            Ask::Pause(wallet, from, reply) if from == origin => {
                let unknown = wallet == Some(WalletId::from_bytes([0; 16]));
                let answer = if unknown {
                    Err(Code::WalletUnknown.into())
                } else {
                    Ok(1)
                };
                reply.send(answer).unwrap();
            }
            Ask::Revoke(session, from, reply) if from == origin => {
                assert_eq!(session, SessionId::from_bytes([2; 16]));
                reply.send(Ok(2)).unwrap();
            }
            Ask::Kill(from, reply) if from == origin => reply.send(Ok(3)).unwrap(),
            other => panic!("{other:?}"),
        });
        rig.with::<GatewaySocket>(async |client| {
            assert_eq!(client.pause(None).await.unwrap(), 1);
            assert_eq!(client.pause(Some(wallet().wallet)).await.unwrap(), 1);
            let unknown = client.pause(Some(WalletId::from_bytes([0; 16]))).await;
            assert_eq!(denied(unknown), code(Code::WalletUnknown));
            assert_eq!(
                client
                    .revoke_session(SessionId::from_bytes([2; 16]))
                    .await
                    .unwrap(),
                2
            );
            assert_eq!(client.kill().await.unwrap(), 3);
        });
    }
}

#[test]
fn payments_arrive_whole_and_answers_come_back_whole() {
    let mut turns = [alternating(), alternating(), alternating()];
    let rig = Rig::new(Role::Gateway, move |ask| {
        let whole = |request: &crate::core::command::SpendRequest| {
            let wanted = spend();
            assert_eq!(request.session, wanted.session);
            assert_eq!(
                (&request.method, &request.path, &request.query),
                (&wanted.method, &wanted.path, &wanted.query)
            );
            assert_eq!(request.idempotency_key, wanted.idempotency_key);
            assert_eq!(
                (&request.body, &request.unsigned),
                (&wanted.body, &wanted.unsigned)
            );
            assert_eq!(
                (&request.signature_input, &request.signature),
                (&wanted.signature_input, &wanted.signature)
            );
            assert!(request.used.is_none());
        };
        match ask {
            Ask::Decide(request, reply) => {
                whole(&request);
                assert!(request.dry_run);
                let passes = Verdict {
                    tier: Tier::Instant,
                    fee: Amount::from_base_units(5000),
                };
                reply
                    .send(if turns[0]() {
                        Err(denial())
                    } else {
                        Ok(passes)
                    })
                    .unwrap();
            }
            Ask::Sign(request, reply) => {
                whole(&request);
                assert!(!request.dry_run);
                reply
                    .send(if turns[1]() {
                        Err(denial())
                    } else {
                        Ok(Paid::Signed(signed()))
                    })
                    .unwrap();
            }
            Ask::SignedTransaction(transaction, Origin::Gateway, reply) => {
                assert_eq!(transaction, signed().transaction);
                reply
                    .send(if turns[2]() {
                        Err(code(Code::TransactionUnknown))
                    } else {
                        Ok(signed())
                    })
                    .unwrap();
            }
            other => panic!("{other:?}"),
        }
    });
    rig.gateway(async |client| {
        let passes = client.decide(&spend()).await.unwrap();
        assert_eq!(
            (passes.tier, passes.fee),
            (Tier::Instant, Amount::from_base_units(5000))
        );
        assert_eq!(denied(client.decide(&spend()).await), denial());
        let check = |payment: waiaas_client::SignedPayment| {
            let wanted = signed();
            assert_eq!(
                (payment.transaction, payment.sequence),
                (wanted.transaction, wanted.sequence)
            );
            assert_eq!(
                (payment.raw, payment.chain_transaction),
                (wanted.raw, wanted.chain_transaction)
            );
            assert_eq!((payment.tier, payment.replay), (wanted.tier, wanted.replay));
        };
        match client.sign(&spend()).await.unwrap() {
            waiaas_client::Paid::Signed(payment) => check(payment),
            other => panic!("{other:?}"),
        }
        assert_eq!(denied(client.sign(&spend()).await), denial());
        check(
            client
                .signed_transaction(signed().transaction)
                .await
                .unwrap(),
        );
        assert_eq!(
            denied(client.signed_transaction(signed().transaction).await),
            code(Code::TransactionUnknown)
        );
        // What does not fit is refused as data, before the authority hears of it.
        let large = SpendRequest {
            body: vec![0; waiaas_schema::BODY_LIMIT_BYTES + 1],
            ..spend()
        };
        assert_eq!(denied(client.sign(&large).await), code(Code::BodyTooLarge));
        let long = SpendRequest {
            path: "/".repeat(5000),
            ..spend()
        };
        assert!(matches!(
            client.sign(&long).await,
            Err(ClientError::Malformed)
        ));
    });
}
