//! The methods about owners: what they name arrives whole, each secret under its own ticket and once.

use waiaas_client::Ticket;
use waiaas_shared::denial::Code;
use waiaas_shared::ids::OwnerId;
use waiaas_shared::statement::verify::Envelope;

use super::super::*;
use super::rig::*;
use crate::authority::ask::Ask;

const OWNER: OwnerId = OwnerId::from_bytes([8; 16]);

#[test]
fn keys_recoveries_and_suspensions_arrive_whole() {
    let mut refuses = alternating();
    let rig = Rig::new(Role::Admin, move |ask| {
        let refuses = refuses();
        match ask {
            Ask::Register(password, signatures, rehearsal, reply) => {
                assert!(password.matches(b"correct horse"));
                assert_eq!(signatures, [signature()]);
                assert_eq!(rehearsal.statement, STATEMENT);
                assert_eq!(rehearsal.envelope, Envelope::Eip191);
                assert_eq!(rehearsal.signature, [7; 65]);
                let answer = if refuses { Err(denial()) } else { Ok(OWNER) };
                reply.send(answer).unwrap();
            }
            Ask::Recover(password, phrase, recovery, reply) => {
                assert!(password.matches(b"correct horse"));
                assert!(phrase.matches(b"legal winner thank"));
                assert_eq!(recovery.rehearsal.statement, STATEMENT);
                assert_eq!(recovery.rehearsal.envelope, Envelope::Ed25519Plain);
                assert_eq!(recovery.rehearsal.signature, [6; 64]);
                assert_eq!(recovery.guardians, [signature()]);
                let answer = if refuses { Err(denial()) } else { Ok(31) };
                reply.send(answer).unwrap();
            }
            Ask::SuspendOwner(password, owner, reply) => {
                assert!(password.matches(b"correct horse"));
                assert_eq!(owner, OWNER);
                let answer = if refuses { Err(denial()) } else { Ok(32) };
                reply.send(answer).unwrap();
            }
            other => panic!("{other:?}"),
        }
    });
    rig.admin(async |client| {
        let secret = async |text: &[u8]| client.put_secret(text).await.unwrap();
        let password = async || secret(b"correct horse").await;
        let register = async || {
            let envelope = Envelope::Eip191;
            client
                .register_key(
                    &password().await,
                    STATEMENT,
                    &[signature()],
                    envelope,
                    &[7; 65],
                )
                .await
        };
        assert_eq!(register().await.unwrap(), OWNER);
        assert_eq!(denied(register().await), denial());

        let recover = async |password: &Ticket, phrase: &Ticket| {
            let rehearsal: (Envelope, &[u8]) = (Envelope::Ed25519Plain, &[6; 64]);
            client
                .recover_owners(password, phrase, STATEMENT, rehearsal, &[signature()])
                .await
        };
        let words = secret(b"legal winner thank").await;
        let sound = recover(&password().await, &words).await.unwrap();
        assert_eq!(sound.sequence, 31);
        // A ticket serves once, and one that is wrong uses up the other.
        let unused = password().await;
        assert_eq!(
            denied(recover(&unused, &words).await),
            code(Code::SecretUnknown)
        );
        assert_eq!(
            denied(client.suspend_owner(&unused, OWNER).await),
            code(Code::SecretUnknown)
        );
        let words = secret(b"legal winner thank").await;
        assert_eq!(denied(recover(&password().await, &words).await), denial());

        let suspended = client.suspend_owner(&password().await, OWNER).await;
        assert_eq!(suspended.unwrap().sequence, 32);
        let refused = client.suspend_owner(&password().await, OWNER).await;
        assert_eq!(denied(refused), denial());
    });
}
