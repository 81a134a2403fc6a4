//! Documents that a change of owners voided: they tighten on, and never end the ones before them.

use super::*;
use crate::keys::OwnerKey;
use crate::owner_change::{KnownKey, NewKey, OwnerChange};
use crate::statement::verify::Envelope;

const LEAVING: OwnerId = OwnerId::from_bytes([3; 16]);
const STAYING: OwnerId = OwnerId::from_bytes([4; 16]);
const ADOPTED: u64 = 24 * HOUR;

fn looser() -> PolicyDocument {
    let mut looser = with_rule(|rule| rule.instant_up_to = units(40));
    looser.epoch = 2;
    looser
}

fn key() -> OwnerKey {
    OwnerKey::Secp256k1(crate::address::EvmAddress::from_bytes([7; 20]))
}

impl Log {
    /// A change of owners that waits; its name.
    fn schedules(&mut self, change: OwnerChange) -> StatementId {
        let statement = StatementId::from_bytes([self.name(); 16]);
        let effective = self.clocks().run.after(Millis::from_hours(72));
        self.push(EventBody::OwnerChangeScheduled {
            change,
            effective,
            statement,
            signers: vec![STAYING],
        });
        statement
    }

    /// The newest document was signed by these.
    fn signed_by(&mut self, owners: &[OwnerId]) {
        let adopted = self
            .events
            .iter_mut()
            .rev()
            .find_map(|event| match &mut event.body {
                EventBody::PolicyAdopted { signers, .. } => Some(signers),
                _ => None,
            });
        *adopted.expect("a document") = owners.to_vec();
    }
}

fn removal() -> OwnerChange {
    OwnerChange::RemoveOwner(KnownKey {
        id: LEAVING,
        key: key(),
    })
}

/// A looser document of these owners, adopted as a change waits that is in effect before it matures.
fn changed(change: Option<OwnerChange>, signers: &[OwnerId]) -> Log {
    let mut log = Log::under(&open_to_all());
    let scheduled = change.map(|change| log.schedules(change));
    log.hours(71);
    let matures = log.millis + ADOPTED;
    log.adopt(&looser(), matures);
    log.signed_by(signers);
    log.hours(1);
    if let Some(change) = scheduled {
        log.push(EventBody::OwnerChangeEffective { change });
    }
    log.hours(48);
    log
}

#[test]
fn invariant_17_what_a_removed_owner_signed_never_matures_in_a_replay_either() {
    let signers = [STAYING, LEAVING];
    let mut log = changed(Some(removal()), &signers);
    log.pays(20, Tier::Notify);
    let report = log.judged_by(&looser());
    assert_eq!((report.unexplained, report.counts.easier), (0, 1));
    // What the signer never does is called out.
    let mut believed = changed(Some(removal()), &signers);
    believed.pays(20, Tier::Instant);
    assert_eq!(believed.judged_by(&looser()).unexplained, 1);
}

#[test]
fn what_others_signed_and_what_had_matured_stays() {
    let others = [
        changed(None, &[LEAVING]),
        changed(Some(removal()), &[STAYING]),
        changed(Some(OwnerChange::SetQuorum { quorum: 1 }), &[LEAVING]),
    ];
    for mut log in others {
        log.pays(20, Tier::Instant);
        assert_eq!(log.judged_by(&looser()).unexplained, 0);
    }
    let mut matured = Log::under(&open_to_all());
    let change = matured.schedules(removal());
    matured.adopt(&looser(), 60 * HOUR);
    matured.signed_by(&[LEAVING]);
    matured.hours(72);
    matured.push(EventBody::OwnerChangeEffective { change });
    matured.pays(20, Tier::Instant);
    assert_eq!(matured.judged_by(&looser()).unexplained, 0);
}

#[test]
fn a_recovery_voids_what_anybody_signed() {
    let recovery = OwnerChange::Recover {
        key: NewKey {
            id: STAYING,
            key: key(),
            envelope: Envelope::Eip191,
        },
        guardians: vec![],
    };
    let mut log = changed(Some(recovery), &[STAYING]);
    log.pays(20, Tier::Notify);
    assert_eq!(log.judged_by(&looser()).unexplained, 0);
}
