//! Payments about stake accounts: each of the three, waiting and signed. Only values: nothing is checked here. Used
//! by `samples`.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, EventBody, Spend};
use waiaas_shared::intent::Intent;
use waiaas_shared::request::Action;
use waiaas_shared::solana::{STAKE_RENT, StakeAccount, Staking};

pub(crate) fn about_stakes(intent: &Intent, spend: &Spend) -> Vec<(String, EventBody)> {
    let chain: ChainId = "solana:localnet".parse().expect("a chain");
    let asset = chain.native_asset();
    let units = Amount::from_base_units;
    let rent = units(STAKE_RENT.into());
    let wallet = SolanaAddress::from_bytes([0x33; 32]);
    let validator = SolanaAddress::from_bytes([0x44; 32]);
    let account = StakeAccount::of(wallet, "june-1".parse().expect("a seed"));
    let own = Account::Solana(account.address());
    let amount = units(2_500_000_000);
    let returned = units(2_502_282_880);
    [
        (
            "stake",
            Action::Stake,
            Account::Solana(validator),
            amount,
            Staking::Delegate { validator, amount },
        ),
        (
            "unstake",
            Action::Unstake,
            own,
            Amount::ZERO,
            Staking::Deactivate,
        ),
        (
            "withdraw-stake",
            Action::WithdrawStake,
            own,
            Amount::ZERO,
            Staking::Withdraw { amount: returned },
        ),
    ]
    .into_iter()
    .flat_map(|(name, action, to, amount, staking)| {
        let stakes = action == Action::Stake;
        let max = units(5000);
        let of_rent = stakes.then_some(Effect::Rent {
            asset,
            amount: rent,
        });
        let stake = Effect::Stake {
            asset,
            account: account.clone(),
            staking,
        };
        let effects: Vec<Effect> = of_rent
            .into_iter()
            .chain([stake, Effect::Fee { asset, max }])
            .collect();
        let mut amounts = effects.iter().map(Effect::amount);
        let sum = amounts.try_fold(Amount::ZERO, Amount::checked_add);
        let charge = Charge {
            asset,
            amount: sum.expect("fits"),
        };
        let waits = Intent {
            asset,
            to,
            amount,
            action: Some(action),
            rent_ceiling: stakes.then_some(rent),
            stake: Some(account.clone()),
            program: None,
            ..intent.clone()
        };
        let signed = Spend {
            chain,
            effects,
            charges: vec![charge],
            nonce: None,
            ..spend.clone()
        };
        [
            (
                format!("intent-opened-{name}"),
                EventBody::IntentOpened(waits),
            ),
            (
                format!("spend-committed-{name}"),
                EventBody::SpendCommitted(signed),
            ),
        ]
    })
    .collect()
}
