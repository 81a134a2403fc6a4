//! The starter policy itself, as an owner adopts it from its file, through a day of two owners and an agent
//! who pays in its token: each of its tiers, its sum of a day, and the alarm that stands in it as a comment,
//! which goes off. Canonical bytes are those of `shared/tests/golden/policies`, where a test compares them
//! with the file.

use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::event::EventBody;
use waiaas_shared::ids::TransactionId;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::{SessionGrant, SessionLimit};
use waiaas_shared::solana::build::{TokenTransferRequest, token_transfer};
use waiaas_shared::solana::{Token, TokenProgram};
use waiaas_shared::statement::StatementFacts;
use waiaas_shared::time::Millis;
use waiaas_shared::view::SessionState;

use super::people::Hand;
use super::tokens_solana::{address, wallet};
use super::world::{RECIPIENT, World, agent_key, key_bound, sign_request};
use crate::core::command::{Command, Outcome, Release, SpendRequest};

const STARTER: &str = include_str!("../../../../shared/tests/golden/policies/starter.txt");
/// The next one: the same with its alarm.
const ALARM: &str = include_str!("../../../../shared/tests/golden/policies/starter-alarm.txt");
const MINT: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";
/// Base units of USDC in a thousandth.
const THOUSANDTH: u64 = 1_000;
const MINUTE: u64 = 60_000;

fn document(canonical: &str) -> PolicyDocument {
    let bytes = hex::decode(canonical.trim()).expect("hexadecimal");
    PolicyDocument::from_bytes(&bytes).expect("a document")
}

struct Life {
    world: World,
    owners: [Hand; 2],
    usdc: AssetId,
    requests: u64,
}

impl Life {
    /// Two owners who must both sign, a wallet on the policy's own cluster, an agent.
    fn begin() -> Self {
        let starter = document(STARTER);
        let mut assets = starter.assets.iter().map(|rule| rule.asset);
        let usdc = assets
            .find(|asset| *asset != asset.chain().native_asset())
            .expect("a token");
        let mut world = World::empty();
        world.owner = world.enrol(vec![]).expect("the first owner");
        let one = Hand::first(&world);
        let two = world.add_owner(2, &[&one]);
        world.set_quorum(2, &[&one]);
        let network = vec![usdc.chain()];
        world.solana_wallet = world
            .wallet(Family::Solana, [2; 32], network)
            .expect("a wallet");
        let mut life = Self {
            world,
            owners: [one, two],
            usdc,
            requests: 0,
        };
        life.adopt(&starter, true).expect("the starter policy");
        let limit = |asset, most| SessionLimit {
            asset,
            per_transaction: Amount::from_base_units(most),
            total: Amount::from_base_units(10 * most),
        };
        let mut limits = vec![
            limit(usdc, 500_000_000),
            limit(usdc.chain().native_asset(), 10_000_000),
        ];
        limits.sort_by_key(|limit| limit.asset);
        let grant = SessionGrant {
            wallets: vec![life.world.solana_wallet],
            limits,
            ..life.world.a_grant(key_bound())
        };
        match life.say(StatementFacts::GrantSession { grant }) {
            Ok(Outcome::Session(session)) => life.world.keyed = session,
            other => panic!("{other:?}"),
        }
        life
    }

    fn say(&mut self, facts: StatementFacts) -> Result<Outcome, Vec<Code>> {
        let [one, two] = &self.owners;
        self.world.say_as(facts, &[one, two], false)
    }

    fn adopt(&mut self, document: &PolicyDocument, first: bool) -> Result<Outcome, Vec<Code>> {
        let [one, two] = &self.owners;
        let facts = StatementFacts::AdoptPolicy {
            document: document.to_bytes(),
        };
        self.world.say_as(facts, &[one, two], first)
    }

    fn bytes(to: SolanaAddress, amount: u64) -> Vec<u8> {
        let token = Token {
            mint: MINT.parse().expect("a mint"),
            decimals: 6,
            program: TokenProgram::Token,
        };
        token_transfer(&TokenTransferRequest {
            from: wallet(),
            to,
            token,
            amount,
            create: true,
            blockhash: [9; 32],
            compute_unit_limit: 40_000,
            micro_lamports_per_compute_unit: 0,
        })
        .expect("built")
    }

    /// The agent asks for so many thousandths of USDC.
    fn asks(&mut self, to: u8, thousandths: u64) -> Result<Outcome, Vec<Code>> {
        self.requests += 1;
        let (to, amount) = (address(to), thousandths * THOUSANDTH);
        let signer = self.world.state.signer().expect("a signer");
        let body = format!(
            r#"{{"signer":"{signer}","wallet":"{}","network":"{}","asset":"{}","to":"{to}","amount_base":"{amount}"}}"#,
            self.world.solana_wallet,
            self.usdc.chain(),
            self.usdc,
        );
        let key = format!("starter-{}", self.requests);
        let request = SpendRequest {
            body: body.into_bytes(),
            unsigned: Self::bytes(to, amount),
            ..self.world.request(self.world.keyed, &key, 1, RECIPIENT)
        };
        let nonce = format!("starter-{:016}", self.requests);
        let seconds = self.world.clocks.wall.millis() / 1000;
        let request = sign_request(request, &agent_key(), &nonce, seconds);
        self.world.run(&Command::Spend(request))
    }

    fn pays(&mut self, thousandths: u64) -> Tier {
        match self.asks(0x51, thousandths) {
            Ok(Outcome::Sign(order)) => order.sealed().tier,
            other => panic!("{other:?}"),
        }
    }

    fn waits(&mut self, to: u8, thousandths: u64) -> (TransactionId, Tier) {
        match self.asks(to, thousandths) {
            Ok(Outcome::Waiting(view)) => (view.intent.transaction, view.intent.tier()),
            other => panic!("{other:?}"),
        }
    }

    fn release(
        &mut self,
        transaction: TransactionId,
        to: u8,
        thousandths: u64,
    ) -> Result<Tier, Vec<Code>> {
        let command = Command::Release(Release {
            transaction,
            unsigned: Self::bytes(address(to), thousandths * THOUSANDTH),
            prior: None,
        });
        match self.world.run(&command)? {
            Outcome::Sign(order) => Ok(order.sealed().tier),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_starter_policy_from_its_file_with_two_owners_and_its_alarm() {
    let mut life = Life::begin();
    let shop = 0x51;

    // A first payment asks, however small it is, and one of two owners is not enough.
    let (first, tier) = life.waits(shop, 500);
    assert_eq!(tier, Tier::Approval);
    let approve = StatementFacts::ApprovePayment { transaction: first };
    let [one, _] = life.owners.clone();
    let alone = life.world.say_as(approve.clone(), &[&one], false);
    assert_eq!(alone.map(drop), Err(vec![Code::QuorumMissing]));
    assert_eq!(
        life.release(first, shop, 500),
        Err(vec![Code::IntentNotApproved])
    );
    life.say(approve).expect("approved by both");
    assert_eq!(life.release(first, shop, 500), Ok(Tier::Approval));

    // At once up to 1, told up to 10, after 15 minutes up to 50; to the unit.
    assert_eq!(life.pays(1_000), Tier::Instant);
    assert_eq!(life.pays(1_001), Tier::Notify);
    assert_eq!(life.pays(10_000), Tier::Notify);
    let (delayed, tier) = life.waits(shop, 10_001);
    assert_eq!(tier, Tier::Delay);
    life.world.pass(Millis::from_millis(15 * MINUTE - 1));
    assert_eq!(
        life.release(delayed, shop, 10_001),
        Err(vec![Code::IntentNotReady])
    );
    life.world.pass(Millis::from_millis(1));
    assert_eq!(life.release(delayed, shop, 10_001), Ok(Tier::Delay));

    // 22.502 of the day are spent: what takes it above 50 without the owners asks them, with 500 at most.
    assert_eq!(life.pays(9_998), Tier::Notify);
    assert_eq!(life.pays(9_999), Tier::Notify);
    assert_eq!(life.pays(7_501), Tier::Notify);
    let (over, tier) = life.waits(shop, 1);
    assert_eq!(tier, Tier::Approval);
    let cancelled = life.world.run(&Command::CancelIntent {
        transaction: over,
        origin: waiaas_shared::event::Origin::Gateway,
    });
    cancelled.expect("cancelled");
    let refused = life.asks(shop, 500_001).expect_err("above everything");
    assert!(
        refused.contains(&Code::PerTransactionLimit) && refused.contains(&Code::TierNotAvailable),
        "{refused:?}"
    );

    // The owners add the alarm: it holds at once, beside the document before it.
    life.adopt(&document(ALARM), false).expect("the next one");
    let keyed = life.world.keyed;
    for number in 0..9 {
        life.asks(shop, 600_000 + number).expect_err("too much");
        assert_eq!(life.world.state_of(keyed), SessionState::Active, "{number}");
    }
    life.asks(shop, 700_000).expect_err("too much");
    assert_eq!(life.world.state_of(keyed), SessionState::Suspended);
    let raised = life.world.events.iter().any(|event| {
        matches!(event, EventBody::AlarmRaised { observed, .. } if observed.base_units() == 10)
    });
    assert!(raised, "its alarm");
    assert_eq!(
        life.asks(shop, 1).map(drop),
        Err(vec![Code::SessionSuspended])
    );
    let resume = StatementFacts::ResumeSession { session: keyed };
    life.say(resume).expect("resumed by both");

    // A day later the sum begins again; what was paid before is no first payment any more.
    life.world.pass(Millis::from_hours(25));
    assert_eq!(life.pays(1_000), Tier::Instant);
    assert_eq!(life.waits(0x52, 1).1, Tier::Approval, "somebody new");
}
