//! What a request asks for about a stake account, resolved by a document: the account's address from wallet and
//! seed, the validator by its name or address, the amount in units. Judges nothing.

use super::{Action, Item, Transfer, TransferRequest};
use crate::address::Account;
use crate::amount::Amount;
use crate::caip::{AccountId, AssetId};
use crate::denial::Code;
use crate::policy::document::PolicyDocument;
use crate::solana::StakeAccount;

impl TransferRequest {
    pub(super) fn resolve_staking(
        &self,
        item: &Item,
        asset: AssetId,
        document: &PolicyDocument,
        from: Account,
    ) -> Result<Transfer, Code> {
        // The wallet is bound to the network, so it is of its family.
        let Account::Solana(wallet) = from else {
            return Err(Code::SolanaOnly);
        };
        if asset != self.network.native_asset() {
            return Err(Code::BodyMalformed);
        }
        let seed = item.seed.clone().ok_or(Code::BodyMalformed)?;
        let account = StakeAccount::of(wallet, seed);
        let (to, amount) = if self.action == Action::Stake {
            let rule = document.asset(asset);
            let decimals = || rule.map(|rule| rule.decimals).ok_or(Code::AssetNotListed);
            let validator = self.validator(&item.to, document)?;
            (validator, self.amount_with(item, decimals)?)
        } else {
            // How much comes back, nobody has to say.
            (Account::Solana(account.address()), Amount::ZERO)
        };
        Ok(Transfer {
            action: self.action,
            asset,
            to,
            amount,
            mint: None,
            call: None,
            stake: Some(account),
            program: None,
        })
    }

    /// A vote account, by its address or by what the document calls it.
    fn validator(&self, text: &str, document: &PolicyDocument) -> Result<Account, Code> {
        match text.strip_prefix('@') {
            Some(name) => document
                .validators()
                .find(|known| known.name == name && known.account.chain() == self.network)
                .map(|known| known.account.account())
                .ok_or(Code::ValidatorNotListed),
            None => {
                let account = text.parse().map_err(|_| Code::BodyMalformed)?;
                AccountId::new(self.network, account)
                    .map(|validator| validator.account())
                    .map_err(|_| Code::BodyMalformed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::SolanaAddress;
    use crate::effect::Effect;
    use crate::policy::document::Validator;
    use crate::policy::document::tests::sample;
    use crate::solana::Staking;

    const VOTE: &str = "9QU2QSxhb24FUX3Tu2FpczXjpK3VYrvRudywSZaM29mF";

    fn wallet() -> SolanaAddress {
        SolanaAddress::from_bytes([1; 32])
    }

    fn document() -> PolicyDocument {
        PolicyDocument {
            validators: Some(vec![Validator {
                account: format!("solana:localnet:{VOTE}")
                    .parse()
                    .expect("an account"),
                name: "one".to_owned(),
            }]),
            ..sample()
        }
    }

    fn body(rest: &str) -> String {
        format!(
            r#"{{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"solana:localnet",{rest}}}"#
        )
    }

    fn asked(rest: &str) -> Result<Vec<Effect>, Code> {
        let request = TransferRequest::parse(body(rest).as_bytes())?;
        let claim = request.resolve(&document(), Account::Solana(wallet()))?;
        let own = StakeAccount::of(wallet(), "june-1".parse().expect("a seed"));
        assert_eq!(claim.seed(), Some(own.seed()), "{rest}");
        Ok(claim.effects())
    }

    #[test]
    fn each_kind_is_read_and_resolved() {
        let asset: AssetId = "solana:localnet/slip44:501".parse().expect("an asset");
        let account = || StakeAccount::of(wallet(), "june-1".parse().expect("a seed"));
        let stake = |staking| {
            Ok(vec![Effect::Stake {
                asset,
                account: account(),
                staking,
            }])
        };
        let delegate = |amount: u128| Staking::Delegate {
            validator: VOTE.parse().expect("an address"),
            amount: Amount::from_base_units(amount),
        };
        for (rest, staking) in [
            (
                r#""type":"stake","validator":"@one","amount":"0.5","seed":"june-1""#,
                delegate(500_000_000),
            ),
            (
                r#""type":"stake","validator":"9QU2QSxhb24FUX3Tu2FpczXjpK3VYrvRudywSZaM29mF","amount_base":"7","seed":"june-1","asset":"solana:localnet/slip44:501""#,
                delegate(7),
            ),
            (r#""type":"unstake","seed":"june-1""#, Staking::Deactivate),
            (
                r#""type":"withdraw_stake","seed":"june-1""#,
                Staking::Withdraw {
                    amount: Amount::ZERO,
                },
            ),
        ] {
            assert_eq!(asked(rest), stake(staking), "{rest}");
        }
    }

    #[test]
    fn what_does_not_belong_to_a_stake_is_refused() {
        let stake = r#""type":"stake","validator":"@one","amount":"0.5","seed":"june-1""#;
        for (rest, code) in [
            (
                r#""type":"stake","validator":"@two","amount":"0.5","seed":"june-1""#,
                Code::ValidatorNotListed,
            ),
            (
                r#""type":"stake","validator":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","amount":"0.5","seed":"june-1""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"stake","validator":"@one","amount":"0","seed":"june-1""#,
                Code::AmountInvalid,
            ),
            (
                r#""type":"stake","validator":"@one","seed":"june-1""#,
                Code::AmountInvalid,
            ),
            (
                r#""type":"stake","validator":"@one","amount":"0.5""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"stake","validator":"@one","amount":"0.5","seed":"June""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"stake","amount":"0.5","seed":"june-1""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"stake","to":"@one","amount":"0.5","seed":"june-1""#,
                Code::BodyMalformed,
            ),
            (&format!("{stake},\"to\":\"@one\""), Code::BodyMalformed),
            (
                &format!("{stake},\"spender\":\"@one\""),
                Code::BodyMalformed,
            ),
            (&format!("{stake},\"value\":\"1\""), Code::BodyMalformed),
            (&format!("{stake},\"memo\":\"x\""), Code::BodyMalformed),
            (
                &format!("{stake},\"asset\":\"solana:localnet/token:{VOTE}\""),
                Code::BodyMalformed,
            ),
            (r#""type":"unstake""#, Code::BodyMalformed),
            (
                r#""type":"unstake","seed":"june-1","amount":"1""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"unstake","seed":"june-1","validator":"@one""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"withdraw_stake","seed":"june-1","to":"@one""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"withdraw_stake","seed":"june-1","amount_base":"1""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"withdraw_stake","seed":"june-1","transfers":[]"#,
                Code::BodyMalformed,
            ),
            (
                r#""to":"@one","amount":"1","seed":"june-1""#,
                Code::BodyMalformed,
            ),
            (
                r#""to":"@one","amount":"1","validator":"@one""#,
                Code::BodyMalformed,
            ),
            (
                r#""type":"withdraw-stake","seed":"june-1""#,
                Code::BodyMalformed,
            ),
        ] {
            assert_eq!(asked(rest), Err(code), "{rest}");
        }
        let elsewhere = body(stake).replace("solana:localnet", "eip155:31337");
        assert_eq!(
            TransferRequest::parse(elsewhere.as_bytes()),
            Err(Code::SolanaOnly)
        );
    }
}
