//! Several owners in the scripted world: their keys, and what they say together.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AccountId, ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::digest::{Domain, hash};
use waiaas_shared::event::{EventBody, Origin};
use waiaas_shared::ids::{OwnerId, SessionId, StatementId};
use waiaas_shared::keys::OwnerKey;
use waiaas_shared::owner_change::Standing;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::session::Credential;
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::statement::verify::{Envelope, OwnerSignature, payload};
use waiaas_shared::time::Millis;

use super::world::{EVM, FEE, RECIPIENT, World, evm_recipient, owner_key, sign_text, unsigned};
use crate::core::command::{Command, Outcome, Recovery, Rehearsal, Submission, Withdrawal};

pub(super) fn account(text: &str) -> AccountId {
    AccountId::new(EVM, text.parse().expect("an address")).expect("an account")
}

/// A key, and the identifier under which it signs.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) id: OwnerId,
    pub(super) key: SigningKey,
}

impl Hand {
    /// The world's first owner.
    pub(super) fn first(world: &World) -> Self {
        Self {
            id: world.owner,
            key: owner_key(),
        }
    }

    /// A key that nobody registered.
    pub(super) fn new(seed: u8) -> Self {
        Self {
            id: OwnerId::from_bytes([seed; 16]),
            key: SigningKey::from_bytes(&[seed; 32]),
        }
    }

    pub(super) fn owner_key(&self) -> OwnerKey {
        OwnerKey::Ed25519(SolanaAddress::from_bytes(
            self.key.verifying_key().to_bytes(),
        ))
    }

    pub(super) fn signature(&self, text: &str) -> OwnerSignature {
        OwnerSignature {
            owner: self.id,
            envelope: Envelope::Ed25519Plain,
            signature: sign_text(&self.key, text),
        }
    }

    pub(super) fn rehearsal(&self, statement: StatementId, text: &str) -> Rehearsal {
        let envelope = Envelope::Ed25519OffchainV1;
        let bytes = payload(text, envelope, &self.owner_key()).expect("a statement");
        Rehearsal {
            statement,
            envelope,
            signature: self.key.sign(&bytes).to_bytes().to_vec(),
        }
    }
}

/// Two owners who must both sign.
pub(super) fn two_owners() -> (World, [Hand; 2]) {
    let mut world = World::new();
    let one = Hand::first(&world);
    let two = world.add_owner(2, &[&one]);
    world.set_quorum(2, &[&one]);
    (world, [one, two])
}

/// Three owners of whom two must sign.
pub(super) fn three_owners() -> (World, [Hand; 3]) {
    let mut world = World::new();
    let one = Hand::first(&world);
    let two = world.add_owner(2, &[&one]);
    let three = world.add_owner(3, &[&one]);
    world.set_quorum(2, &[&one]);
    (world, [one, two, three])
}

/// Documents wait from now on: a wallet is on a main network.
pub(super) fn main_network(world: &mut World) {
    world
        .wallet(Family::Evm, [9; 32], vec![ChainId::Evm(1)])
        .expect("a main-network wallet");
}

impl World {
    /// Drafts, has these owners sign, submits over `admin.sock`.
    pub(super) fn say_as(
        &mut self,
        facts: StatementFacts,
        hands: &[&Hand],
        with_password: bool,
    ) -> Result<Outcome, Vec<Code>> {
        let (statement, text) = self.draft(facts, Origin::Admin)?;
        let submission = Submission {
            statement,
            signatures: hands.iter().map(|hand| hand.signature(&text)).collect(),
            origin: Origin::Admin,
            with_password,
        };
        self.run(&Command::Submit(submission))
    }

    /// A new key's statement, signed by owners and by the key.
    pub(super) fn key_submission(
        &mut self,
        facts: StatementFacts,
        hands: &[&Hand],
        new: &Hand,
    ) -> (Submission, Rehearsal) {
        let (statement, text) = self.draft(facts, Origin::Admin).expect("a draft");
        let submission = Submission {
            statement,
            signatures: hands.iter().map(|hand| hand.signature(&text)).collect(),
            origin: Origin::Admin,
            with_password: true,
        };
        (submission, new.rehearsal(statement, &text))
    }

    pub(super) fn register(
        &mut self,
        facts: StatementFacts,
        hands: &[&Hand],
        new: &Hand,
    ) -> Result<OwnerId, Vec<Code>> {
        let (submission, rehearsal) = self.key_submission(facts, hands, new);
        let command = Command::Register {
            submission,
            rehearsal,
        };
        match self.run(&command)? {
            Outcome::Owner(owner) => Ok(owner),
            other => panic!("{other:?}"),
        }
    }

    /// Another owner, after the wait.
    pub(super) fn add_owner(&mut self, seed: u8, hands: &[&Hand]) -> Hand {
        let mut new = Hand::new(seed);
        let facts = StatementFacts::AddOwner {
            key: new.owner_key(),
        };
        new.id = self.register(facts, hands, &new).expect("asked");
        self.pass(Millis::from_hours(72));
        new
    }

    /// A guardian, after the wait.
    pub(super) fn add_guardian(&mut self, seed: u8, hands: &[&Hand]) -> Hand {
        let mut new = Hand::new(seed);
        let facts = StatementFacts::AddGuardian {
            key: new.owner_key(),
        };
        new.id = self.register(facts, hands, &new).expect("asked");
        self.pass(Millis::from_hours(72));
        new
    }

    pub(super) fn set_quorum(&mut self, quorum: u32, hands: &[&Hand]) {
        self.say_as(StatementFacts::SetQuorum { quorum }, hands, true)
            .expect("asked");
        self.pass(Millis::from_hours(72));
    }

    /// Begins a recovery to a new key, with these guardians as witnesses.
    pub(super) fn recover(
        &mut self,
        new: &mut Hand,
        guardians: &[&Hand],
    ) -> Result<StatementId, Vec<Code>> {
        let facts = StatementFacts::RecoverOwners {
            key: new.owner_key(),
        };
        let (statement, text) = self.draft(facts, Origin::Admin)?;
        let recovery = Recovery {
            rehearsal: new.rehearsal(statement, &text),
            guardians: guardians.iter().map(|hand| hand.signature(&text)).collect(),
        };
        self.run(&Command::Recover(recovery))?;
        let Some(EventBody::OwnerChangeScheduled { change, .. }) = self.events.last() else {
            panic!("{:?}", self.events.last())
        };
        new.id = change.new_key().expect("a recovery's key").id;
        Ok(statement)
    }

    /// The change that was asked for last.
    pub(super) fn last_scheduled(&self) -> StatementId {
        let mut events = self.events.iter().rev();
        events
            .find_map(|body| match body {
                EventBody::OwnerChangeScheduled { statement, .. }
                | EventBody::WithdrawalEnrolled { statement, .. } => Some(*statement),
                _ => None,
            })
            .expect("a change was asked for")
    }

    pub(super) fn standing(&self, owner: OwnerId) -> Standing {
        let views = self.state.owner_views(self.clocks);
        let view = views.iter().find(|view| view.owner == owner);
        view.expect("an owner").standing
    }

    pub(super) fn adopt_as(
        &mut self,
        document: &PolicyDocument,
        hands: &[&Hand],
    ) -> Result<Outcome, Vec<Code>> {
        let document = document.to_bytes();
        self.say_as(StatementFacts::AdoptPolicy { document }, hands, false)
    }

    /// A bearer session.
    pub(super) fn grant_as(&mut self, hands: &[&Hand]) -> Result<SessionId, Vec<Code>> {
        let grant = self.a_grant(Credential::Bearer(hash(Domain::SessionSecret, &[b"other"])));
        match self.say_as(StatementFacts::GrantSession { grant }, hands, false)? {
            Outcome::Session(session) => Ok(session),
            other => panic!("{other:?}"),
        }
    }

    /// A small payment under this bearer session.
    pub(super) fn pays(&mut self, session: SessionId) -> Result<(), Vec<Code>> {
        let key = format!("pays-{}", self.events.len());
        let request = self.request(session, &key, 1000, RECIPIENT);
        self.run(&Command::Spend(request)).map(drop)
    }

    pub(super) fn withdraw_as(
        &mut self,
        to: &str,
        amount: u128,
        hands: &[&Hand],
    ) -> Result<Outcome, Vec<Code>> {
        let facts = StatementFacts::Withdraw {
            wallet: self.evm_wallet,
            asset: EVM.native_asset(),
            to: to.parse().expect("an address"),
            amount: Amount::from_base_units(amount),
            fee_ceiling: Amount::from_base_units(FEE),
            nonce: None,
            from: None,
        };
        let (statement, text) = self.draft(facts, Origin::Admin)?;
        self.run(&Command::Withdraw(Withdrawal {
            statement,
            signatures: hands.iter().map(|hand| hand.signature(&text)).collect(),
            unsigned: unsigned(31_337, 0, amount, evm_recipient(to)),
        }))
    }
}
