//! What owners do beside limits: withdrawals, and credits of what was charged.

use anyhow::{Context as _, Result, ensure};
use waiaas_shared::caip::AccountId;
use waiaas_shared::event::{Charge, Spend};
use waiaas_shared::ids::StatementId;
use waiaas_shared::statement::StatementFacts;

use super::{Calculator, account_bytes, outflow};

impl Calculator {
    pub(super) fn withdrawal(&mut self, statement: StatementId, spend: &Spend) -> Result<()> {
        let (own, _) = self.wallets.get(&spend.wallet).context("a wallet")?;
        let account = spend.from.unwrap_or(*own);
        let outflow = outflow(account, &spend.unsigned, &[])?;
        let Some(StatementFacts::Withdraw {
            wallet,
            asset,
            to,
            amount,
            fee_ceiling,
            nonce,
            from,
            ..
        }) = self.owners.facts(statement)
        else {
            anyhow::bail!("no such statement");
        };
        let to = AccountId::new(asset.chain(), *to)?.account();
        ensure!(
            *wallet == spend.wallet && asset.chain() == spend.chain,
            "another wallet"
        );
        ensure!(
            outflow.transfers == [(account_bytes(to), amount.base_units())]
                && outflow.memo.is_none()
                && outflow.moved.is_empty()
                && outflow.program.is_none()
                && !outflow.sponsored,
            "another effect"
        );
        ensure!(outflow.fee <= fee_ceiling.base_units(), "a higher fee");
        ensure!(*from == spend.from, "another key");
        match (nonce, from) {
            (Some(_), _) => {}
            (None, None) => self.next_nonce(spend, outflow.nonce)?,
            (None, Some(former)) => {
                let next = self.lives.former_nonce(*former, spend.chain);
                if let Some(next) = next {
                    ensure!(Some(*next) == outflow.nonce, "another nonce (O5)");
                    *next += 1;
                }
            }
        }
        Ok(())
    }

    /// An owner gave back what one entry was charged.
    pub(super) fn credit(&mut self, sequence: u64, amounts: &[Charge]) -> Result<()> {
        ensure!(self.credited.insert(sequence), "credited twice");
        let mut charged = self.charged.iter_mut();
        let one = charged
            .find(|one| one.sequence == sequence)
            .context("a credit of nothing")?;
        for given in amounts {
            let taken = if given.asset == one.chain.native_asset() {
                &mut one.amount
            } else {
                one.tokens.get_mut(&given.asset).context("another asset")?
            };
            *taken = taken
                .checked_sub(given.amount.base_units())
                .context("more than was charged")?;
        }
        Ok(())
    }
}
