//! Each method over a real Unix socket, from the client library to a made-up authority and back.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use capnp::traits::HasTypeId as _;
use waiaas_client::{AdminSocket, Client, ClientError, GatewaySocket, SpendRequest, Ticket};
use waiaas_shared::address::Account;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId, Family};
use waiaas_shared::denial::{Code, Denial, Violation};
use waiaas_shared::digest::Digest;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{OwnerId, SessionId, SignerId, StatementId, TransactionId, WalletId};
use waiaas_shared::keys::{KeyPath, OwnerKey};
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{Credential, SessionGrant, SessionLimit, SessionUsage};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature};
use waiaas_shared::time::{Millis, WallTime};
use waiaas_shared::view::{OwnerView, Remaining, SessionState, SessionView, WalletView};

use super::*;
use crate::authority::ask::{Ask, Drafted, EventsAnswer, Initialized, Signed, Status, Verdict};
use crate::ledger::{Page, StoredEvent};
use crate::sys::memory::LockedBytes;

/// A served socket with an authority made of a closure.
struct Rig {
    folder: tempfile::TempDir,
    lanes: Lanes,
    sequence: watch::Sender<u64>,
    arena: SecretArena,
    stop: Arc<AtomicBool>,
}

impl Rig {
    fn new(role: Role, mut answer: impl FnMut(Ask) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (sequence, last_sequence) = watch::channel(0);
        let (lanes, arena) = (Lanes::default(), SecretArena::new(16 * 1024).unwrap());
        let channels = Channels {
            lanes: lanes.clone(),
            last_sequence,
            arena: arena.clone(),
        };
        let peers = PeerPolicy {
            allowed_uids: vec![nix::unistd::geteuid().as_raw()],
            claim_holds: true,
        };
        let serve_for_ever =
            move || serve(prepare(listener, role, channels, peers).unwrap(), lines());
        std::thread::Builder::new().spawn(serve_for_ever).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (inbox, stopped) = (lanes.clone(), Arc::clone(&stop));
        let work = move || {
            while !stopped.load(Ordering::Relaxed) {
                let taken = inbox.take(Instant::now() + Duration::from_millis(20));
                taken
                    .urgent
                    .into_iter()
                    .chain(taken.reads)
                    .chain(taken.commands)
                    .for_each(&mut answer);
            }
        };
        std::thread::Builder::new().spawn(work).unwrap();
        Self {
            folder,
            lanes,
            sequence,
            arena,
            stop,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn with<S: waiaas_client::Socket>(&self, test: impl AsyncFnOnce(Client<S>)) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let path = self.path();
        LocalSet::new().block_on(&runtime, async move {
            test(Client::connect(&path).await.unwrap()).await
        });
    }

    fn gateway(&self, test: impl AsyncFnOnce(Client<GatewaySocket>)) {
        self.with(test);
    }

    fn admin(&self, test: impl AsyncFnOnce(Client<AdminSocket>)) {
        self.with(test);
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn lines() -> Vec<String> {
    vec!["secrets in memfd_secret".to_owned(), "MDWE on".to_owned()]
}

fn denial() -> Denial {
    let asset: AssetId = "solana:localnet/slip44:501".parse().unwrap();
    let limit = Violation {
        retry_after: Some(Millis::from_millis(1234)),
        ..Violation::limit(
            Code::DayLimit,
            asset,
            Amount::MAX,
            Amount::from_base_units(7),
        )
    };
    Denial::from_violations(vec![limit, Violation::of(Code::RecipientNotListed)]).unwrap()
}

fn denied<T: std::fmt::Debug>(result: waiaas_client::Result<T>) -> Denial {
    match result {
        Err(ClientError::Denied(denial)) => denial,
        other => panic!("{other:?}"),
    }
}

fn code(code: Code) -> Denial {
    code.into()
}

fn wallet() -> WalletView {
    WalletView {
        wallet: WalletId::from_bytes([1; 16]),
        path: KeyPath {
            family: Family::Solana,
            index: 3,
        },
        account: account(),
        networks: vec!["solana:localnet".parse().unwrap()],
        paused: true,
        nonces: Vec::new(),
    }
}

fn account() -> Account {
    "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
        .parse()
        .unwrap()
}

fn signed() -> Signed {
    Signed {
        transaction: TransactionId::from_bytes([5; 16]),
        sequence: 42,
        raw: vec![1; 300],
        chain_transaction: "5sig".to_owned(),
        tier: Tier::Notify,
        replay: true,
    }
}

fn spend() -> SpendRequest {
    SpendRequest {
        session: SessionId::from_bytes([2; 16]),
        method: "POST".to_owned(),
        path: "/v1/transactions".to_owned(),
        query: "?a=b".to_owned(),
        idempotency_key: "order-1".to_owned(),
        body: b"{\"a\":1}".to_vec(),
        signature_input: "sig1=()".to_owned(),
        signature: "sig1=:AAAA:".to_owned(),
        unsigned: vec![9; 200],
    }
}

fn signature() -> OwnerSignature {
    OwnerSignature {
        owner: OwnerId::from_bytes([8; 16]),
        envelope: Envelope::Ed25519OffchainV0,
        signature: vec![6; 64],
    }
}

const STATEMENT: StatementId = StatementId::from_bytes([4; 16]);

/// Each method answers once as wanted, once with a refusal.
fn alternating() -> impl FnMut() -> bool {
    let mut refuse = true;
    move || {
        refuse = !refuse;
        refuse
    }
}

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
            clock_closed: true,
            policy_epoch: 5,
            sequence: 77,
            head: "note".to_owned(),
            unlock_failures: 2,
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
        },
        usage: SessionUsage::default(),
        state: SessionState::Expired,
        remaining: vec![Remaining {
            wallet: wallet().wallet,
            asset,
            per_transaction: Amount::ZERO,
            window: Amount::ZERO,
            session: Amount::MAX,
        }],
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
            assert!(request.prior.is_none());
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
                        Ok(signed())
                    })
                    .unwrap();
            }
            Ask::SignedTransaction(transaction, reply) => {
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
        check(client.sign(&spend()).await.unwrap());
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

fn locked(arena: &SecretArena, text: &[u8]) -> LockedBytes {
    let mut bytes = arena.take(text.len()).unwrap();
    bytes.fill(|bytes| bytes.copy_from_slice(text));
    bytes
}

#[test]
fn passwords_go_in_and_the_phrase_comes_out_through_locked_memory() {
    let phrase = b"abandon abandon about";
    let words = SecretArena::new(4096).unwrap();
    let mut turns: Vec<_> = (0..6).map(|_| RefCell::new(alternating())).collect();
    turns.push(RefCell::new(alternating()));
    let rig = Rig::new(Role::Admin, move |ask| {
        let refuse = |place: usize| (turns[place].borrow_mut())();
        let good = |password: &LockedBytes| assert!(password.matches(b"correct horse"));
        match ask {
            Ask::Initialize(password, reply) => {
                good(&password);
                let created = Initialized {
                    signer: SignerId::from_bytes([1; 16]),
                    phrase: locked(&words, phrase),
                };
                reply
                    .send(if refuse(0) {
                        Err(code(Code::AlreadyInitialized))
                    } else {
                        Ok(created)
                    })
                    .unwrap();
            }
            Ask::Unlock(password, vouched, reply) => {
                good(&password);
                assert!(vouched);
                reply
                    .send(if refuse(1) {
                        Err(code(Code::PasswordWrong))
                    } else {
                        Ok(())
                    })
                    .unwrap();
            }
            Ask::Lock(Origin::Admin, reply) => {
                reply
                    .send(if refuse(2) {
                        Err(code(Code::Locked))
                    } else {
                        Ok(())
                    })
                    .unwrap();
            }
            Ask::CreateWallet(password, family, networks, nonce, reply) => {
                good(&password);
                assert_eq!((family, nonce), (Family::Evm, 17));
                assert_eq!(networks, [ChainId::Evm(1), ChainId::Evm(31_337)]);
                reply
                    .send(if refuse(3) {
                        Err(denial())
                    } else {
                        Ok(wallet())
                    })
                    .unwrap();
            }
            Ask::Submit(STATEMENT, signatures, Origin::Admin, Some(password), reply) => {
                good(&password);
                assert_eq!(signatures, [signature()]);
                reply
                    .send(if refuse(4) { Err(denial()) } else { Ok(23) })
                    .unwrap();
            }
            Ask::Enrol(password, STATEMENT, Envelope::Eip191, signature, reply) => {
                good(&password);
                assert_eq!(signature, [7; 65]);
                reply
                    .send(if refuse(5) {
                        Err(denial())
                    } else {
                        Ok(OwnerId::from_bytes([8; 16]))
                    })
                    .unwrap();
            }
            Ask::Withdraw(STATEMENT, signatures, unsigned, reply) => {
                assert_eq!((signatures, unsigned), (vec![signature()], vec![9; 100]));
                reply
                    .send(if refuse(6) {
                        Err(denial())
                    } else {
                        Ok(signed())
                    })
                    .unwrap();
            }
            other => panic!("{other:?}"),
        }
    });
    rig.admin(async |client| {
        let password = async || client.put_secret(b"correct horse").await.unwrap();
        let created = client.initialize(&password().await).await.unwrap();
        assert_eq!(created.signer, SignerId::from_bytes([1; 16]));
        assert_eq!(
            client
                .take_secret(&created.phrase)
                .await
                .unwrap()
                .as_slice(),
            phrase
        );
        let again = client.take_secret(&created.phrase).await;
        assert!(matches!(again, Err(ClientError::SecretRefused)), "once");
        assert_eq!(
            denied(client.initialize(&password().await).await),
            code(Code::AlreadyInitialized)
        );

        client.unlock(&password().await, true).await.unwrap();
        assert_eq!(
            denied(client.unlock(&password().await, true).await),
            code(Code::PasswordWrong)
        );
        client.lock().await.unwrap();
        assert_eq!(denied(client.lock().await), code(Code::Locked));

        let networks = [ChainId::Evm(1), ChainId::Evm(31_337)];
        let create = async || {
            client
                .create_wallet(&password().await, Family::Evm, &networks, 17)
                .await
        };
        let created = create().await.unwrap();
        assert_eq!(
            (created.wallet, created.account),
            (wallet().wallet, account())
        );
        assert_eq!(denied(create().await), denial());

        let submit = async || {
            client
                .submit_with_password(&password().await, STATEMENT, &[signature()])
                .await
        };
        assert_eq!(submit().await.unwrap().sequence, 23);
        assert_eq!(denied(submit().await), denial());
        let enrol = async || {
            client
                .enrol_owner(&password().await, STATEMENT, Envelope::Eip191, &[7; 65])
                .await
        };
        assert_eq!(enrol().await.unwrap(), OwnerId::from_bytes([8; 16]));
        assert_eq!(denied(enrol().await), denial());
        let withdraw = async || client.withdraw(STATEMENT, &[signature()], &[9; 100]).await;
        let submitted = withdraw().await.unwrap();
        assert_eq!((submitted.sequence, submitted.raw), (42, signed().raw));
        assert_eq!(submitted.chain_transaction, signed().chain_transaction);
        assert_eq!(denied(withdraw().await), denial());
    });
}

#[test]
fn a_ticket_is_good_once_and_a_password_never_comes_out_again() {
    let rig = Rig::new(Role::Admin, |ask| match ask {
        Ask::Unlock(_, _, reply) => reply.send(Ok(())).unwrap(),
        other => panic!("{other:?}"),
    });
    rig.admin(async |client| {
        let ticket = client.put_secret(b"correct horse").await.unwrap();
        assert!(matches!(
            client.take_secret(&ticket).await,
            Err(ClientError::SecretRefused)
        ));
        client.unlock(&ticket, false).await.unwrap();
        assert_eq!(
            denied(client.unlock(&ticket, false).await),
            code(Code::SecretUnknown)
        );
        let made_up = Ticket::from_bytes([0; 16]);
        assert_eq!(
            denied(client.unlock(&made_up, false).await),
            code(Code::SecretUnknown)
        );

        for wrong in [&b""[..], &[0; 1025]] {
            assert!(matches!(
                client.put_secret(wrong).await,
                Err(ClientError::SecretLength)
            ));
        }
        client.put_secret(&[1; 1024]).await.unwrap();
        // Four wait at once; the fifth is told no.
        for _ in 0..3 {
            client.put_secret(b"x").await.unwrap();
        }
        assert!(matches!(
            client.put_secret(b"x").await,
            Err(ClientError::SecretRefused)
        ));
        // The four lie in the arena, and nothing of those before them.
        let left = 16 * 1024 - 1024 - 3 * 64;
        assert!(rig.arena.take(left + 1).is_err());
        assert!(rig.arena.take(left).is_ok());
    });
}

#[test]
fn secrets_have_no_way_over_the_gateways_socket() {
    let rig = Rig::new(Role::Gateway, |ask| panic!("{ask:?}"));
    rig.admin(async |client| {
        assert!(matches!(
            client.put_secret(b"x").await,
            Err(ClientError::SecretRefused | ClientError::NotAdmitted)
        ));
        let ticket = Ticket::from_bytes([0; 16]);
        // No such method there: the interface is not the admin's.
        for refused in [
            client.unlock(&ticket, false).await.map(|_| ()),
            client.initialize(&ticket).await.map(|_| ()),
            client.lock().await,
            client
                .create_wallet(&ticket, Family::Evm, &[], 0)
                .await
                .map(|_| ()),
            client
                .submit_with_password(&ticket, STATEMENT, &[])
                .await
                .map(|_| ()),
            client
                .enrol_owner(&ticket, STATEMENT, Envelope::Eip191, &[])
                .await
                .map(|_| ()),
            client.withdraw(STATEMENT, &[], &[]).await.map(|_| ()),
        ] {
            assert!(matches!(refused, Err(ClientError::Protocol)), "{refused:?}");
        }
    });
}

/// W09, W10, W12: every number of a method, on the interfaces that exist and on one that does not.
#[test]
fn no_other_method_is_reachable() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    let rig = Rig::new(Role::Gateway, move |ask| {
        let name = format!("{ask:?}");
        record
            .lock()
            .unwrap()
            .push(name.split(['(', ' ']).next().unwrap().to_owned());
    });
    let path = rig.path();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
        let mut stream = UnixStream::connect(&path).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, RPC_PREFACE)
            .await
            .unwrap();
        let (reader, writer) = stream.into_split();
        let side = capnp_rpc::rpc_twoparty_capnp::Side::Client;
        let network = capnp_rpc::twoparty::VatNetwork::new(
            reader.compat(),
            writer.compat_write(),
            side,
            waiaas_schema::reader_options(),
        );
        let mut system = capnp_rpc::RpcSystem::new(Box::new(network), None);
        let interface: capnp::capability::Client =
            system.bootstrap(capnp_rpc::rpc_twoparty_capnp::Side::Server);
        spawn_local(system);
        let call = |type_id: u64, method: u16| {
            let request = interface
                .new_call::<capnp::any_pointer::Owned, capnp::any_pointer::Owned>(
                    type_id, method, None,
                );
            async move { request.send().promise.await.map(|_| ()) }
        };
        let admin = waiaas_schema::admin_capnp::admin::Client::TYPE_ID;
        let gateway = waiaas_schema::gateway_capnp::gateway::Client::TYPE_ID;
        let common = waiaas_schema::common_capnp::common::Client::TYPE_ID;
        for (type_id, own) in [(admin, 0), (gateway, 3), (common, 11), (0, 0)] {
            let numbers: Vec<u16> = (own..=u16::MAX).collect();
            for some in numbers.chunks(128) {
                let calls = some.iter().map(|method| call(type_id, *method));
                for answer in futures::future::join_all(calls).await {
                    assert_eq!(answer.unwrap_err().kind, capnp::ErrorKind::Unimplemented);
                }
            }
        }
        assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
        // Methods that are there, with nothing in their parameters: refused before they ask, or an ask
        // of what they are for.
        for method in 0..3 {
            let _ = call(gateway, method).await;
        }
        for method in 0..11 {
            let _ = call(common, method).await;
        }
    });
    let mut asked = asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(
        asked,
        [
            "Events", "Kill", "Owners", "Pause", "Policy", "Status", "Wallets"
        ]
    );
}

#[test]
fn a_full_lane_and_an_ended_authority_are_told_apart() {
    let rig = Rig::new(Role::Gateway, drop);
    rig.gateway(async |client| {
        assert!(matches!(
            client.kill().await,
            Err(ClientError::Disconnected)
        ));
        rig.stop.store(true, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        let (mut held, mut full) = (Vec::new(), false);
        for _ in 0..10_000 {
            let (reply, answer) = tokio::sync::oneshot::channel();
            held.push(answer);
            full |= rig.lanes.push(Ask::Kill(Origin::Admin, reply)).is_err();
            if full {
                break;
            }
        }
        assert!(full);
        assert_eq!(denied(client.kill().await), code(Code::Overloaded));
    });
}

#[test]
fn connections_beyond_the_seats_and_other_prefaces_are_closed() {
    use std::io::{Read as _, Write as _};
    let rig = Rig::new(Role::Gateway, |ask| match ask {
        Ask::Kill(_, reply) => reply.send(Ok(1)).unwrap(),
        other => panic!("{other:?}"),
    });
    for preface in [
        &b"WAIASSEC"[..],
        b"WAIASRPD",
        b"GET / HT",
        b"\0\0\0\0\0\0\0\0",
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(rig.path()).unwrap();
        stream.write_all(preface).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "{preface:?}");
    }
    rig.gateway(async |client| {
        let mut others = Vec::new();
        let path = rig.path();
        for _ in 1..Role::Gateway.seats() {
            // A place may still be on its way back from above.
            others.push(loop {
                match Client::<GatewaySocket>::connect(&path).await {
                    Ok(other) => break other,
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            });
        }
        for _ in 0..20 {
            let refused = Client::<GatewaySocket>::connect(&path).await;
            assert!(matches!(refused, Err(ClientError::NotAdmitted)));
        }
        assert_eq!(client.kill().await.unwrap(), 1);
        drop(others);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(
            Client::<GatewaySocket>::connect(&path)
                .await
                .unwrap()
                .kill()
                .await
                .unwrap(),
            1
        );
    });
}

#[test]
fn a_remote_serves_many_threads_and_connects_again() {
    let path = tempfile::tempdir().unwrap();
    let socket = path.path().join("socket");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let remote = waiaas_client::Remote::<GatewaySocket>::start(socket.clone()).unwrap();
    let kill = || runtime.block_on(remote.call(async |client| client.kill().await));
    assert!(
        matches!(kill(), Err(ClientError::Unsafe(_))),
        "nobody is there yet"
    );
    // Somebody who closes at once, then nobody behind the socket, then the signer.
    let listener = UnixListener::bind(&socket).unwrap();
    let closing = std::thread::Builder::new()
        .spawn(move || drop(listener.accept()))
        .unwrap();
    assert!(matches!(kill(), Err(ClientError::NotAdmitted)));
    closing.join().unwrap();
    assert!(matches!(kill(), Err(ClientError::Connect { .. })));
    let rig = Rig::new(Role::Gateway, |ask| match ask {
        Ask::Kill(_, reply) => reply.send(Ok(1)).unwrap(),
        other => panic!("{other:?}"),
    });
    std::fs::rename(rig.path(), &socket).unwrap();
    assert_eq!(kill().unwrap(), 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let remote = remote.clone();
            let ask = move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                assert_eq!(
                    runtime
                        .block_on(remote.call(async |client| client.kill().await))
                        .unwrap(),
                    1
                );
            };
            std::thread::Builder::new()
                .spawn_scoped(scope, ask)
                .unwrap();
        }
    });
}
