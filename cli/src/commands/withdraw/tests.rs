//! What is built does what the owner signed, within the fee ceiling.

use waiaas_shared::effect::Effect;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::transaction::{Known, decode};

use super::costs::TOKEN_GAS;
use super::*;
use crate::chain_node::GasPrice;

#[test]
fn what_is_built_does_what_was_asked_within_the_fee() {
    let solana: ChainId = "solana:localnet".parse().unwrap();
    let evm: ChainId = "eip155:31337".parse().unwrap();
    let cases = [
        (
            solana,
            "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
            "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2",
            Costs::Solana {
                blockhash: [9; 32],
                unit_price: 1000,
                token: None,
                create: false,
            },
        ),
        (
            evm,
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            Costs::Evm {
                gas: 21_000,
                price: GasPrice {
                    max_fee: 3,
                    priority: 1,
                },
                network: NetworkTerms::default(),
            },
        ),
        (
            evm,
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            Costs::Evm {
                gas: 21_000,
                price: GasPrice {
                    max_fee: 3,
                    priority: 3,
                },
                network: NetworkTerms {
                    legacy: true,
                    data_fee: Some(Amount::from_base_units(400)),
                },
            },
        ),
    ];
    for (chain, from, to, costs) in cases {
        let (from, to): (Account, Account) = (from.parse().unwrap(), to.parse().unwrap());
        let amount = Amount::from_base_units(7);
        let asset = chain.native_asset();
        let transfer = Transfer {
            action: Action::Transfer,
            asset,
            to,
            amount,
            mint: None,
            call: None,
            stake: None,
            program: None,
        };
        let bytes = costs.build(from, &transfer).unwrap();
        let network = match costs {
            Costs::Evm { network, .. } => network,
            Costs::Solana { .. } => NetworkTerms::default(),
        };
        let decoded = decode(chain, from, &bytes, Known::NOTHING.on(network)).unwrap();
        assert_eq!(
            decoded.effects().first(),
            Some(&Effect::Transfer { asset, to, amount })
        );
        assert_eq!(Some(decoded.fee_max().base_units()), costs.fee());
        assert!(costs.check(decoded.fee_max()).is_ok());
        let less = Amount::from_base_units(decoded.fee_max().base_units() - 1);
        assert!(
            costs.check(less).is_err(),
            "a node cannot raise the owner's ceiling"
        );
    }
}

#[test]
fn kinds_do_not_mix() {
    let evm: Account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        .parse()
        .unwrap();
    let costs = Costs::Solana {
        blockhash: [9; 32],
        unit_price: 0,
        token: None,
        create: false,
    };
    let solana: ChainId = "solana:localnet".parse().unwrap();
    let transfer = Transfer {
        action: Action::Transfer,
        asset: solana.native_asset(),
        to: evm,
        amount: Amount::from_base_units(1),
        mint: None,
        call: None,
        stake: None,
        program: None,
    };
    assert!(costs.build(evm, &transfer).is_err());
}

#[test]
fn a_token_is_withdrawn_by_its_own_call() {
    let transfer = Transfer {
        action: Action::Transfer,
        asset: "eip155:1/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
            .parse()
            .unwrap(),
        to: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
            .parse()
            .unwrap(),
        amount: Amount::from_base_units(7),
        mint: None,
        call: None,
        stake: None,
        program: None,
    };
    let from: Account = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
        .parse()
        .unwrap();
    let costs = Costs::Evm {
        gas: TOKEN_GAS,
        price: GasPrice {
            max_fee: 3,
            priority: 1,
        },
        network: NetworkTerms::default(),
    };
    let bytes = costs.build(from, &transfer).unwrap();
    let decoded = decode(ChainId::Evm(1), from, &bytes, Known::NOTHING).unwrap();
    assert_eq!(decoded.effects().first(), transfer.effects().first());
    assert_eq!(Some(decoded.fee_max().base_units()), costs.fee());
}

#[test]
fn a_solana_token_is_withdrawn_to_the_recipients_own_account() {
    let asset: AssetId = "solana:localnet/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
        .parse()
        .unwrap();
    let (from, to): (Account, Account) = (
        "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi"
            .parse()
            .unwrap(),
        "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2"
            .parse()
            .unwrap(),
    );
    for (program, create) in [
        ("spl-token", false),
        ("spl-token", true),
        ("token-2022", true),
    ] {
        let policy = format!(
            "version = 1\nepoch = 1\n[[asset]]\nid = \"{asset}\"\nsymbol = \"T\"\ndecimals = 6\n\
             token-program = \"{program}\"\nper-transaction = \"1\"\nhour = \"1\"\nday = \"1\"\nweek = \"1\"\n\
             month = \"1\"\ninstant-up-to = \"0\"\nnotify-up-to = \"0\"\n"
        );
        let policy = waiaas_shared::policy::toml_form::parse(&policy).unwrap();
        let mint = registered(asset, Some(&policy)).unwrap();
        let transfer = Transfer {
            action: Action::Transfer,
            asset,
            to,
            amount: Amount::from_base_units(7),
            mint,
            call: None,
            stake: None,
            program: None,
        };
        let costs = Costs::Solana {
            blockhash: [9; 32],
            unit_price: 1000,
            token: mint,
            create,
        };
        let bytes = costs.build(from, &transfer).unwrap();
        let known = Known::of(&to, &mint);
        let decoded = decode(asset.chain(), from, &bytes, known).unwrap();
        assert_eq!(
            decoded
                .effects()
                .iter()
                .find(|effect| effect.asset() == asset),
            transfer.effects().first()
        );
        let rent = decoded.effects().iter().find_map(|effect| match effect {
            Effect::Rent { amount, .. } => Some(amount.base_units()),
            _ => None,
        });
        assert_eq!(rent.is_some(), create);
        // Rent and fee are what the owner's ceiling has to allow.
        let cost = decoded.fee_max().base_units() + rent.unwrap_or(0);
        assert_eq!(Some(cost), costs.fee());
    }
    assert!(registered(asset, None).is_err());
}
