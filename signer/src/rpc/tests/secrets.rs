//! The methods of the owner's socket, and the secrets that they name.

use std::cell::RefCell;

use waiaas_client::{ClientError, Ticket};
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;
use waiaas_shared::ids::{OwnerId, SignerId};
use waiaas_shared::statement::verify::Envelope;

use super::super::*;
use super::rig::*;
use crate::authority::ask::{Ask, Initialized};
use crate::sys::memory::LockedBytes;

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
            Ask::Unlock(password, wish, reply) => {
                good(&password);
                assert!(wish.vouch);
                assert_eq!(wish.presented.as_deref(), Some("a note"));
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

        client
            .unlock(&password().await, true, Some("a note"))
            .await
            .unwrap();
        assert_eq!(
            denied(client.unlock(&password().await, true, Some("a note")).await),
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
        client.unlock(&ticket, false, None).await.unwrap();
        assert_eq!(
            denied(client.unlock(&ticket, false, None).await),
            code(Code::SecretUnknown)
        );
        let made_up = Ticket::from_bytes([0; 16]);
        assert_eq!(
            denied(client.unlock(&made_up, false, None).await),
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
            client.unlock(&ticket, false, None).await.map(|_| ()),
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
