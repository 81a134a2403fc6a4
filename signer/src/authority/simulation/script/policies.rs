//! Policies that owners propose: tighter or looser in few points each, with thresholds from which on
//! payments wait, scopes of every kind, and the way back to the first one.

use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::policy::limits::{Counts, Cumulative, Limits};
use waiaas_shared::policy::scope::{AssetLimits, Hours, Pool, Scope, ScopeRule};
use waiaas_shared::policy::windows::Window;

use super::*;

const fn units(amount: u64) -> Amount {
    Amount::from_base_units(amount as u128)
}

impl Script {
    /// The policy that was adopted last.
    pub(super) fn newest(&self) -> PolicyDocument {
        let history = &self.world.history;
        let mut statements = history.entries.iter().rev();
        let adopted = statements.find_map(|entry| match &entry.event.body {
            EventBody::PolicyAdopted { statement, .. } => history.said.get(statement),
            _ => None,
        });
        match adopted.map(|said| &said.facts) {
            Some(StatementFacts::AdoptPolicy { document }) => {
                PolicyDocument::clone(&history.policies[document])
            }
            _ => starting_policy(),
        }
    }

    /// Some policy, tighter or looser than the last, in at most eight points: more must be split.
    pub(super) fn policy(&mut self) -> PolicyDocument {
        let mut policy = self.newest();
        policy.epoch += if self.random.once_in(10) {
            self.random.below(3)
        } else {
            1
        };
        policy.epoch = policy.epoch.max(1);
        match self.random.below(4) {
            0 => {
                let maturities = [0, HOUR, DAY, 2 * DAY];
                let maturity = self.random.pick(&maturities).unwrap_or(DAY);
                policy.maturity = Millis::from_millis(maturity);
                self.amounts(&mut policy);
            }
            1 => self.scope(&mut policy),
            2 => self.waits(&mut policy),
            _ => self.amounts(&mut policy),
        }
        if self.random.once_in(5) {
            let chain = self.chain();
            let listed = Recipient {
                account: account(chain, 1),
                name: "contact-1".to_owned(),
            };
            let before = policy.recipients.len();
            policy.recipients.retain(|known| *known != listed);
            if policy.recipients.len() == before {
                policy.recipients.push(listed);
            }
        }
        policy.sort();
        policy
    }

    fn amounts(&mut self, policy: &mut PolicyDocument) {
        let chain = self.chain();
        if self.random.once_in(15) && policy.scopes.is_empty() {
            let asset = chain.native_asset();
            policy.assets.retain(|rule| rule.asset != asset);
            if chain == EVM {
                policy.calls.clear();
            }
            return;
        }
        let rule = rule_of(policy, chain);
        if self.random.once_in(2) {
            let mut window = u64::try_from(rule.per_transaction.base_units()).unwrap_or(0);
            let mut next = |most| {
                window += self.random.below(most);
                units(window)
            };
            rule.hour = next(1_000_000);
            rule.day = next(1_500_000);
            rule.week = next(3_000_000);
            rule.month = next(9_000_000);
        } else {
            let most = u64::try_from(rule.hour.base_units())
                .unwrap_or(0)
                .min(900_000);
            let per_transaction = self.random.between(most.min(25_000), most);
            let notify = self.random.between(per_transaction / 2, per_transaction);
            rule.per_transaction = units(per_transaction);
            rule.approve_up_to = units(per_transaction);
            rule.delay_up_to = units(per_transaction);
            rule.notify_up_to = units(notify);
            rule.instant_up_to = units(self.random.below(notify));
        }
        match self.random.below(6) {
            0 => {
                let few = u32::try_from(self.random.between(3, 40)).expect("small");
                rule.counts.day = self.random.once_in(2).then_some(few);
            }
            1 => {
                let fees = [Some(21_000), Some(50_000), Some(20_999), None];
                rule.fee_ceiling = self.random.pick(&fees).flatten().map(units);
            }
            2 if chain == EVM => {
                rule.outstanding = Some(units(self.random.between(300_000, 3_000_000)));
            }
            _ => {}
        }
    }

    /// From which amount, sum or recipient on a payment waits, and how long.
    fn waits(&mut self, policy: &mut PolicyDocument) {
        let chain = self.chain();
        match self.random.below(5) {
            0 => {
                let delays = [60_000, 15 * 60_000, 2 * HOUR];
                policy.delay = Millis::from_millis(self.random.pick(&delays).unwrap_or(HOUR));
            }
            1 => {
                let within = [60_000, HOUR, DAY];
                let within = self.random.pick(&within).unwrap_or(HOUR);
                policy.release_within = Millis::from_millis(within);
            }
            2 => {
                let tiers = [None, Some(Tier::Delay), Some(Tier::Approval)];
                policy.first_payment = self.random.pick(&tiers).flatten();
            }
            3 => {
                let entry = Cumulative {
                    window: Window::Day,
                    above: units(self.random.below(900_000)),
                    tier: self.random.pick(&Tier::ALL[1..]).unwrap_or(Tier::Delay),
                };
                let keep = !self.random.once_in(3);
                rule_of(policy, chain).cumulative = if keep { vec![entry] } else { Vec::new() };
            }
            _ => {
                let rule = rule_of(policy, chain);
                let most = rule.per_transaction;
                let third = u64::try_from(most.base_units()).unwrap_or(0) / 3;
                rule.notify_up_to = units(third);
                rule.instant_up_to = rule.instant_up_to.min(rule.notify_up_to);
                rule.delay_up_to = units(third * 2);
                rule.approve_up_to = most;
            }
        }
    }

    /// A stricter policy from the first step on, under which most payments wait.
    pub(super) fn begin_with_waits(&mut self) {
        let mut policy = self.newest();
        policy.epoch += 1;
        for chain in [EVM, solana()] {
            let rule = rule_of(&mut policy, chain);
            rule.notify_up_to = units(30_000);
            rule.instant_up_to = units(25_000);
            rule.delay_up_to = units(100_000);
        }
        policy.sort();
        let facts = self.world.policy_facts(&policy);
        self.owner_says(facts, None);
    }

    /// Adds, changes or takes away one scope.
    fn scope(&mut self, policy: &mut PolicyDocument) {
        let (evm, solana_wallet) = (self.world.known.evm, self.world.known.solana);
        if policy.pools.is_empty() {
            let mut wallets = vec![evm, solana_wallet];
            wallets.sort();
            policy.pools = vec![Pool {
                name: "all".to_owned(),
                wallets,
            }];
        }
        let session = self.session().id;
        let scope = match self.random.below(6) {
            0 => Scope::Global,
            1 => Scope::Pool("all".to_owned()),
            2 => Scope::Wallet(evm),
            3 => Scope::EverySession,
            4 => Scope::Session(session),
            _ => Scope::BearerSessions,
        };
        let before = policy.scopes.len();
        policy.scopes.retain(|rule| rule.scope != scope);
        if policy.scopes.len() < before && self.random.once_in(2) {
            return;
        }
        let mut rule = ScopeRule::new(scope);
        let asset = self.chain().native_asset();
        let amount = |random: &mut Random| Some(units(random.between(50_000, 900_000)));
        match self.random.below(7) {
            0 | 1 if policy.assets.iter().any(|one| one.asset == asset) => {
                let limits = Limits {
                    day: amount(&mut self.random),
                    ..Limits::default()
                };
                rule.limits = vec![AssetLimits { asset, limits }];
            }
            2 => {
                for one in &mut policy.assets {
                    one.price.get_or_insert(UsdPrice(1_000_000_000_000));
                }
                rule.usd = Some(Limits {
                    hour: Some(units(self.random.between(200_000_000, 900_000_000))),
                    ..Limits::default()
                });
            }
            3 => {
                let counts = Counts {
                    hour: Some(u32::try_from(self.random.between(1, 6)).expect("small")),
                    ..Counts::default()
                };
                rule.usd = Some(Limits {
                    counts,
                    ..Limits::default()
                });
            }
            4 => {
                rule.hours = Some(vec![Hours {
                    utc_offset: 0,
                    days: 0x7f,
                    from: 480,
                    to: 1320,
                }]);
            }
            5 => rule.cool_down = Some(Millis::from_millis(self.random.between(1_000, HOUR))),
            _ => rule.delay = Some(Millis::from_millis(self.random.between(60_000, 3 * HOUR))),
        }
        policy.scopes.push(rule);
    }

    /// Back to the starting policy, in documents of few points each.
    pub(super) fn loosen(&mut self) {
        let start = starting_policy();
        for part in 0..8 {
            let mut policy = self.newest();
            policy.epoch += 1;
            policy.maturity = Millis::from_millis(DAY);
            match part {
                0 => policy.scopes.truncate(policy.scopes.len() / 2),
                1 => {
                    policy.scopes.clear();
                    policy.pools.clear();
                }
                2 | 4 => {
                    let chain = if part == 2 { EVM } else { solana() };
                    let goal = starting_rule(chain);
                    let rule = rule_of(&mut policy, chain);
                    (rule.hour, rule.day) = (goal.hour, goal.day);
                    (rule.week, rule.month) = (goal.week, goal.month);
                    rule.cumulative.clear();
                }
                3 | 5 => {
                    let chain = if part == 3 { EVM } else { solana() };
                    *rule_of(&mut policy, chain) = starting_rule(chain);
                }
                6 => policy.recipients.clone_from(&start.recipients),
                _ => {
                    policy = start.clone();
                    policy.epoch = self.newest().epoch + 1;
                }
            }
            policy.sort();
            let facts = self.world.policy_facts(&policy);
            self.expect(facts, Some(true));
        }
    }
}
