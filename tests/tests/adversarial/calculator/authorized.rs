//! Transfers by authorization, as this calculator counts them (O2 to O4): a payment of a token whose signed
//! thing is no transaction. What is hashed is written here a second time, from the fields alone.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::address::Account;
use waiaas_shared::authorization::TransferAuthorization;
use waiaas_shared::caip::{ChainId, Token};
use waiaas_shared::event::Spend;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_shared::session::Operation;
use waiaas_shared::time::Clocks;

use super::limits::{Case, Demand, demand};
use super::{Calculator, Charged, charged, tokens};
use crate::bytes::typed_data::Authorization;
use crate::bytes::{Moved, Outflow};

/// The longest that one may hold, whatever a policy says, in seconds.
const LONGEST: u64 = 15 * 60;

/// The fields as they are hashed here.
pub(crate) fn by_hand(said: &TransferAuthorization) -> Result<Authorization> {
    let (ChainId::Evm(chain), Token::Erc20(contract)) = (said.asset.chain(), said.asset.token())
    else {
        anyhow::bail!("a token of an EVM chain")
    };
    Ok(Authorization {
        name: said.domain.name.clone(),
        version: said.domain.version.clone(),
        chain,
        contract: *contract.as_bytes(),
        from: *said.from.as_bytes(),
        to: *said.to.as_bytes(),
        value: said.value.base_units(),
        valid_after: said.valid_after,
        valid_before: said.valid_before,
        nonce: said.nonce,
    })
}

impl Calculator {
    pub(super) fn authorized(
        &mut self,
        spend: &Spend,
        said: &TransferAuthorization,
        clocks: Clocks,
    ) -> Result<()> {
        let (run, budget) = (clocks.run.millis(), clocks.budget.millis());
        let session = spend.session.context("a session")?;
        let grant = self
            .open_to(session, spend.wallet, clocks.wall.millis())?
            .clone();
        let mut named = grant.operations.iter().flatten();
        ensure!(
            named.any(|one| *one == Operation::TransferAuthorization),
            "a session without authorizations"
        );
        let (account, networks) = self.wallets.get(&spend.wallet).context("a wallet")?.clone();
        ensure!(
            networks.contains(&spend.chain) && said.asset.chain() == spend.chain,
            "a network of the wallet"
        );
        ensure!(account == Account::Evm(said.from), "another payer");
        let by_hand = by_hand(said)?;
        ensure!(
            by_hand.payload() == spend.unsigned,
            "other bytes than the fields'"
        );
        let hidden = spend.nonce.is_some() || spend.memo.is_some() || spend.submit;
        ensure!(!hidden, "more than an authorization has");
        ensure!(
            self.authorized.insert(said.nonce),
            "a random number twice (O4)"
        );
        let now = clocks.wall.millis() / 1000;
        let holds = said.valid_before.saturating_sub(now);
        ensure!(
            said.valid_after == 0 && (1..=LONGEST).contains(&holds),
            "it holds {holds} s (O3)"
        );
        let mut outflow = Outflow {
            transfers: Vec::new(),
            memo: None,
            moved: vec![Moved {
                token: by_hand.contract.to_vec(),
                to: by_hand.to.to_vec(),
                amount: by_hand.value,
                decimals: None,
                program: None,
                later: false,
            }],
            told: None,
            program: None,
            carried: 0,
            rent: 0,
            fee: 0,
            nonce: None,
            sponsored: true,
        };
        ensure!(by_hand.value > 0, "nothing");
        let nobody = [[0; 20], by_hand.from, by_hand.contract];
        ensure!(!nobody.contains(&by_hand.to), "a payment to nobody");
        let documents: Vec<_> = self.binding(run).collect();
        for document in &documents {
            let rule = document.asset(said.asset).context("a rule of the token")?;
            let rule = rule.authorization.as_ref();
            let rule = rule.context("a token that is not authorized")?;
            ensure!(rule.domain == said.domain, "another domain");
            let most = rule.valid_for.millis() / 1000;
            ensure!(holds <= most, "it holds {holds} of {most} s (O3)");
        }
        let tokens = tokens::counted(&documents, spend.chain, &mut outflow)?;
        let taken = outflow.taken(spend.chain, &tokens);
        charged(spend, &taken)?;
        self.session_has(session, &grant, &taken)?;
        self.session_counts(session, &grant, 1)?;
        let key = (spend.wallet, spend.chain);
        let mut asks = Demand::default();
        for document in documents {
            asks = asks.strictest(demand(&Case {
                document,
                spend,
                outflow: &outflow,
                tokens: &tokens,
                account,
                grant: &grant,
                session,
                charged: &self.charged,
                outstanding: self.outstanding.get(&key).copied().unwrap_or(0),
                attested: self.attested.get(&key).copied(),
                now: budget,
            })?);
        }
        ensure!(
            asks.tier <= Tier::Notify && (asks.tier..=Tier::Notify).contains(&spend.tier),
            "not at once: {:?} (O3)",
            asks.tier
        );
        let again = self.known(spend.transaction) || self.waits.take(spend.transaction)?.is_some();
        ensure!(!again, "signed twice (O4)");
        let asked = self.asked.insert(spend.idempotency, spend.transaction);
        ensure!(asked.is_none(), "one request made two payments (O4)");
        self.charged.push(Charged {
            sequence: self.sequence,
            transaction: spend.transaction,
            wallet: spend.wallet,
            chain: spend.chain,
            session,
            at: budget,
            amount: 0,
            native: false,
            outstands: true,
            tokens,
            moved: outflow.moved,
            told: None,
            fee: 0,
            nonce: None,
            tier: spend.tier,
            counted: true,
            newest: true,
            transfers: Vec::new(),
        });
        Ok(())
    }
}
