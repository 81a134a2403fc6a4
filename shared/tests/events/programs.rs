//! Calls of a program, waiting and signed. Only values: nothing is checked here. Used by `samples`.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::effect::Effect;
use waiaas_shared::event::{Charge, EventBody, Spend};
use waiaas_shared::intent::Intent;
use waiaas_shared::request::Action;
use waiaas_shared::solana::{Field, Leaving, ProgramCall, ProgramMethod, program_effects};

pub(crate) fn about_programs(intent: &Intent, spend: &Spend) -> Vec<(String, EventBody)> {
    let chain: ChainId = "solana:localnet".parse().expect("a chain");
    let asset = chain.native_asset();
    let address = |byte| SolanaAddress::from_bytes([byte; 32]);
    let wallet = address(0x33);
    let token = format!("{chain}/token:{}", address(0x55));
    let method = ProgramMethod {
        program: address(0x66),
        begins: vec![0xf2, 0x23],
        fields: vec![Field {
            kind: "u64".parse().expect("a type"),
            spends: Some(token.parse().expect("a token")),
        }],
        tail: 2,
        accounts: vec![true, false],
        outflow: vec![Leaving {
            asset,
            up_to: Amount::from_base_units(11),
        }],
    };
    let data = [&[0xf2, 0x23][..], &700_u64.to_le_bytes(), &[9]].concat();
    let told = ProgramCall::read(wallet, &method, &[wallet, address(0x77)], &data);
    let told = told.expect("of its form");
    let mut effects = program_effects(chain, &told);
    effects.push(Effect::Fee {
        asset,
        max: Amount::from_base_units(5000),
    });
    let charge = |asset, units| Charge {
        asset,
        amount: Amount::from_base_units(units),
    };
    let mut charges = vec![
        charge(asset, 5011),
        charge(token.parse().expect("a token"), 700),
    ];
    charges.sort_by_key(|charge| charge.asset);
    let waits = Intent {
        asset,
        to: Account::Solana(method.program),
        amount: told.leaving(asset),
        action: Some(Action::Call),
        program: Some(Box::new(told)),
        ..intent.clone()
    };
    let signed = Spend {
        chain,
        effects,
        charges,
        nonce: None,
        ..spend.clone()
    };
    vec![
        (
            "intent-opened-program".to_owned(),
            EventBody::IntentOpened(waits),
        ),
        (
            "spend-committed-program".to_owned(),
            EventBody::SpendCommitted(signed),
        ),
    ]
}
