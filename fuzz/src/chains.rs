//! Unsigned transactions of both chains, before one wallet that knows two tokens, a function, a method of a program
//! and a stake account; and transactions with their signatures.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::abi::{Invocation, Word};
use waiaas_shared::evm::{self, Form, NetworkTerms, Registered};
use waiaas_shared::policy::evaluate::charges;
use waiaas_shared::solana::build::{
    BatchRequest, CallRequest, Part, StakingRequest, batch, call, staking as staking_message,
};
use waiaas_shared::solana::{
    Field, Leaving, LookupTable, ProgramCall, ProgramMethod, StakeAccount, StakeSeed, Staking,
    Token, TokenProgram, WireTransaction,
};
use waiaas_shared::transaction::{
    DecodedTransaction, Known, SigningPayload, decode, signing_payload,
};

pub(crate) const WALLET: SolanaAddress = SolanaAddress::from_bytes([7; 32]);
pub(crate) const TABLE: SolanaAddress = SolanaAddress::from_bytes([0x7a; 32]);
const EVM_CHAIN: u64 = 31_337;
const EVM_WALLET: EvmAddress = EvmAddress::from_bytes([7; 20]);
const VAULT: EvmAddress = EvmAddress::from_bytes([0xd4; 20]);

/// What holds of everything that was accepted.
pub(crate) fn whole(decoded: &DecodedTransaction, data: &[u8]) {
    assert_eq!(decoded.bytes(), data, "other bytes are kept");
    let effects = if decoded.is_sponsored() {
        // Somebody else pays the fee.
        assert_eq!(decoded.fee_max(), Amount::ZERO);
        decoded.effects()
    } else {
        let (fee, effects) = decoded.effects().split_last().expect("a fee at least");
        assert!(matches!(fee, Effect::Fee { max, .. } if *max == decoded.fee_max()));
        effects
    };
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Fee { .. }))
    );
    assert!(
        effects.iter().any(|effect| !effect.is_cost()),
        "a fee for nothing"
    );
    assert!(
        effects
            .iter()
            .all(|effect| effect.asset().chain() == decoded.chain())
    );
    // Sums of what it takes can be made, or are refused: never wrap.
    let _ = charges(decoded.effects());
}

pub(crate) fn tokens() -> [Token; 2] {
    TokenProgram::ALL.map(|program| Token {
        mint: SolanaAddress::from_bytes(match program {
            TokenProgram::Token => [0xc1; 32],
            TokenProgram::Token2022 => [0xc2; 32],
        }),
        decimals: 6,
        program,
    })
}

pub(crate) fn recipients() -> [SolanaAddress; 3] {
    [0xa1, 0xa2, 0xa3].map(|byte| SolanaAddress::from_bytes([byte; 32]))
}

/// What an owner pinned of the one table: recipients, the wallet, programs.
pub(crate) fn pinned() -> Vec<SolanaAddress> {
    let [one, two, three] = recipients();
    let [token, _] = tokens();
    let mut addresses = vec![one, two, three, WALLET, SolanaAddress::from_bytes([0; 32])];
    addresses.extend([one, two].map(|owner| token.account_of(owner)));
    addresses.extend([token.mint, token.program.id()]);
    addresses
}

/// A Solana message.
pub fn solana(data: &[u8]) -> bool {
    let chain: ChainId = "solana:localnet".parse().expect("a chain");
    let owners = recipients().map(Account::Solana);
    let method = method();
    let seed = seed();
    let known = Known {
        owners: &owners,
        tokens: &tokens(),
        seed: Some(&seed),
        sponsored: true,
        program: Some(&method),
        tables: &[LookupTable {
            address: TABLE,
            addresses: &pinned(),
        }],
        ..Known::NOTHING
    };
    let Ok(decoded) = decode(chain, Account::Solana(WALLET), data, known) else {
        return false;
    };
    whole(&decoded, data);
    assert_eq!(
        signing_payload(&decoded),
        SigningPayload::Ed25519Message(data)
    );
    // Whoever receives was known: bytes alone name nobody's token account.
    let lamports = chain.native_asset();
    for effect in decoded.effects() {
        if let Effect::Transfer { asset, to, .. } = effect {
            assert!(*asset == lamports || owners.contains(to));
        }
        // A call is of the registered method, by the wallet, and its parts are its data.
        if let Effect::Program { told, .. } = effect {
            assert!(told.from == WALLET && told.method == method);
            let read = ProgramCall::read(WALLET, &method, &told.accounts, &told.data);
            assert_eq!(read.as_ref(), Ok(told.as_ref()));
            let values: Vec<u8> = told
                .fields()
                .flat_map(|(_, value)| value.to_vec())
                .collect();
            assert_eq!(
                [&method.begins[..], &values, told.tail()].concat(),
                told.data
            );
        }
    }
    // What it does is asked for by one claim, and with places for its signatures it is itself again.
    let claim = Claim::done_by(&decoded).expect("a request asks for it");
    assert!(claim.is_done_by(&decoded));
    let wire = WireTransaction::unsigned(data).expect("a message");
    assert_eq!(
        wire.missing().len(),
        1 + usize::from(decoded.is_sponsored())
    );
    // In one framing, and in no other.
    let signatures = vec![0; 64 * wire.missing().len()];
    let count = u8::try_from(wire.missing().len()).expect("few");
    let framings = [
        [&[count][..], &signatures, data].concat(),
        [data, &signatures].concat(),
    ];
    for bytes in framings.iter().filter(|bytes| **bytes != wire.encode()) {
        assert_ne!(WireTransaction::parse(bytes).as_ref(), Ok(&wire));
    }
    assert_eq!(WireTransaction::parse(&wire.encode()), Ok(wire));
    // What is known makes comparisons succeed, and never changes what bytes do.
    if let Ok(bare) = decode(chain, Account::Solana(WALLET), data, Known::NOTHING) {
        assert_eq!(bare.effects(), decoded.effects());
    }
    true
}

/// A transaction of Solana with places for its signatures.
pub fn wire(data: &[u8]) -> bool {
    let Ok(wire) = WireTransaction::parse(data) else {
        return false;
    };
    assert_eq!(wire.encode(), data, "another framing was read");
    assert!(wire.missing().len() <= 127);
    // With itself it is itself, and without its signatures it is its message.
    assert_eq!(wire.clone().joined(&wire).as_ref(), Some(&wire));
    let bare = WireTransaction::unsigned(wire.message()).expect("a message");
    assert_eq!(bare.message(), wire.message());
    let _ = wire.holds(WALLET);
    true
}

/// Each message with empty places, and with others in them.
pub fn wire_seeds() -> Vec<Vec<u8>> {
    let messages = solana_seeds();
    let bare = messages.iter().map(|message| {
        let wire = WireTransaction::unsigned(message).expect("a message");
        wire.encode()
    });
    let bare: Vec<_> = bare.collect();
    let filled = bare.iter().zip(&messages).map(|(bytes, message)| {
        let mut bytes = bytes.clone();
        // In front behind their count, or behind a message of version 1.
        let places = if message.first() == Some(&0x81) {
            bytes.split_at_mut(message.len()).1
        } else {
            let end = bytes.len() - message.len();
            bytes.get_mut(1..end).expect("places")
        };
        places.fill(7);
        bytes
    });
    filled.chain(bare.clone()).collect()
}

fn seed() -> StakeSeed {
    "june-1".parse().expect("a seed")
}

/// Every template of the stake program.
pub(crate) fn stakes() -> Vec<Vec<u8>> {
    let [validator, ..] = recipients();
    let account = StakeAccount::of(WALLET, seed());
    let amount = Amount::from_base_units(5_000_000);
    let all = [
        Staking::Delegate { validator, amount },
        Staking::Deactivate,
        Staking::Withdraw { amount },
    ];
    let message = |staking| {
        let built = staking_message(&StakingRequest {
            from: WALLET,
            account: &account,
            staking,
            blockhash: [0xb2; 32],
            compute_unit_limit: 300_000,
            micro_lamports_per_compute_unit: 100_000,
        });
        built.expect("a sound stake")
    };
    all.map(message).to_vec()
}

/// A method of a program: two bytes, an amount, a bool, up to four bytes more, on the wallet and two accounts.
pub(crate) fn method() -> ProgramMethod {
    let field = |kind: &str, spends| Field {
        kind: kind.parse().expect("a type"),
        spends,
    };
    let [token, _] = tokens();
    let asset = |text: String| -> AssetId { text.parse().expect("an asset") };
    ProgramMethod {
        program: SolanaAddress::from_bytes([0xd1; 32]),
        begins: vec![0xf2, 0x23],
        fields: vec![
            field(
                "u64",
                Some(asset(format!("solana:localnet/token:{}", token.mint))),
            ),
            field("bool", None),
        ],
        tail: 4,
        accounts: vec![true, true, false],
        outflow: vec![Leaving {
            asset: asset("solana:localnet/slip44:501".to_owned()),
            up_to: waiaas_shared::amount::Amount::from_base_units(11),
        }],
    }
}

/// Calls of the method, with and without bytes behind it, the wallet among the accounts or not.
fn calls() -> Vec<Vec<u8>> {
    let [one, two, three] = recipients();
    let method = method();
    let data = [&[0xf2, 0x23][..], &700_u64.to_le_bytes(), &[1]].concat();
    let behind = [&data[..], &[7; 4]].concat();
    let mut calls = Vec::new();
    for (accounts, data) in [([WALLET, one, two], data), ([three, one, two], behind)] {
        let told = ProgramCall::read(WALLET, &method, &accounts, &data).expect("of its form");
        let built = call(&CallRequest {
            told: &told,
            blockhash: [0xb2; 32],
            compute_unit_limit: 300_000,
            micro_lamports_per_compute_unit: 100_000,
        });
        calls.push(built.expect("a sound call"));
    }
    calls
}

/// Every form that the builders make: one and several, either token, with and without accounts and memo, in
/// either version.
pub fn solana_seeds() -> Vec<Vec<u8>> {
    let [first, second] = tokens();
    let [one, two, three] = recipients();
    let memo = "invoice 4711".parse().expect("a memo");
    let lamports = |to, lamports| Part::Lamports { to, lamports };
    let move_tokens = |to, token, create| Part::Tokens {
        to,
        token,
        amount: 5,
        create,
    };
    let lists = [
        vec![lamports(one, 1_000_000)],
        vec![move_tokens(one, first, false)],
        vec![move_tokens(two, second, true)],
        vec![
            move_tokens(one, first, true),
            lamports(two, 7),
            move_tokens(three, second, false),
            lamports(one, u64::MAX),
        ],
    ];
    let mut seeds = Vec::new();
    for parts in &lists {
        for memo in [None, Some(&memo)] {
            let built = batch(&BatchRequest {
                from: WALLET,
                parts,
                memo,
                blockhash: [0xb2; 32],
                compute_unit_limit: 300_000,
                micro_lamports_per_compute_unit: 100_000,
            });
            let built = built.expect("a sound request");
            seeds.push([&[0x80][..], &built, &[0]].concat());
            seeds.push(built);
        }
    }
    let lamports = [&[2, 0, 0, 0][..], &7_u64.to_le_bytes()].concat();
    let (wallet, one, sponsor) = (WALLET.as_bytes(), one.as_bytes(), &[0xf1; 32]);
    // Version 1 with a fee and a limit; and a message whose fee somebody else pays.
    seeds.push(
        [
            &[0x81, 1, 0, 1, 7, 0, 0, 0][..],
            &[0xb2; 32],
            &[1, 3],
            wallet,
            one,
            &[0; 32],
            &300_u64.to_le_bytes(),
            &450_u32.to_le_bytes(),
            &[2, 2, 12, 0, 0, 1],
            &lamports,
        ]
        .concat(),
    );
    seeds.push(
        [
            &[2, 0, 1, 4][..],
            sponsor,
            wallet,
            one,
            &[0; 32],
            &[0xb2; 32],
            &[1, 3, 2, 1, 2, 12],
            &lamports,
        ]
        .concat(),
    );
    // Lamports, and a call, to accounts that are looked up.
    let data = [&[0xf2, 0x23][..], &700_u64.to_le_bytes(), &[1]].concat();
    for (program, called, read) in [
        ([0; 32], [&[2, 0, 2, 12][..], &lamports].concat(), &[0][..]),
        ([0xd1; 32], [&[3, 0, 2, 3, 11][..], &data].concat(), &[1, 1]),
    ] {
        seeds.push(
            [
                &[0x80, 1, 0, 1, 2][..],
                wallet,
                &program,
                &[0xb2; 32],
                &[1, 1],
                &called,
                &[1],
                TABLE.as_bytes(),
                &[1, 0],
                read,
            ]
            .concat(),
        );
    }
    seeds.extend(calls());
    seeds.extend(stakes());
    seeds
}

fn registered() -> Registered {
    let token = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    Registered {
        contract: VAULT,
        function: "deposit(uint256,address,bool,bytes4)"
            .parse()
            .expect("a function"),
        spends: vec![Some(token.parse().expect("an asset")), None, None, None],
    }
}

/// An EVM transaction.
pub fn evm(data: &[u8]) -> bool {
    let known = registered();
    let chain = ChainId::Evm(EVM_CHAIN);
    let read = |bytes: &[u8], known| decode(chain, Account::Evm(EVM_WALLET), bytes, known);
    let terms = NetworkTerms {
        legacy: true,
        data_fee: None,
    };
    let known = Known::NOTHING.calling(Some(&known)).on(terms);
    let Ok(decoded) = read(data, known) else {
        return false;
    };
    whole(&decoded, data);
    let of_our_digest = |one: &DecodedTransaction| match signing_payload(one) {
        SigningPayload::Secp256k1Prehash(digest) => digest,
        SigningPayload::Ed25519Message(_) => panic!("another curve"),
    };
    // The nonce changes bytes and digest, and nothing that they do (invariant 6).
    let nonce = decoded.account_nonce().expect("a nonce");
    assert_eq!(decoded.require_zero_nonce().is_ok(), nonce == 0);
    let other = decoded
        .with_nonce(nonce.checked_sub(1).unwrap_or(1))
        .expect("a nonce below the last");
    assert_eq!(other.effects(), decoded.effects());
    assert_ne!(of_our_digest(&other), of_our_digest(&decoded));
    assert_eq!(
        other.with_nonce(nonce).expect("the nonce that it had"),
        decoded
    );
    if let Ok(bare) = read(data, Known::NOTHING) {
        assert_eq!(bare.effects(), decoded.effects());
    }
    true
}

/// The chain's coin, each method of a token, and the registered function, in both forms.
pub fn evm_seeds() -> Vec<Vec<u8>> {
    let chain = ChainId::Evm(EVM_CHAIN);
    let terms = evm::build::Terms {
        chain_id: EVM_CHAIN,
        from: EVM_WALLET,
        gas_limit: 65_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    };
    let to = Account::Evm(EvmAddress::from_bytes([0xa1; 20]));
    let amount = waiaas_shared::amount::Amount::from_base_units;
    let token = EvmAddress::from_bytes([0xc3; 20]);
    let asset = |name: &str| -> AssetId {
        format!("eip155:{EVM_CHAIN}/{name}")
            .parse()
            .expect("an asset")
    };
    let transfer = |asset, units| Effect::Transfer {
        asset,
        to,
        amount: amount(units),
    };
    let known = registered();
    let told = Invocation {
        from: EVM_WALLET,
        function: known.function.clone(),
        arguments: [700, 1 << 90, 1, 0].map(Word::from_number).to_vec(),
        spends: known.spends.clone(),
    };
    let call = evm::call_effects(chain, VAULT, amount(5), &told).expect("a sound call");
    let effects = [
        transfer(chain.native_asset(), 1 << 60),
        transfer(asset(&format!("erc20:{token}")), 5_000_000),
        transfer(asset(&format!("erc721:{token}/771769")), 1),
        transfer(asset(&format!("erc1155:{token}/7")), 3),
        Effect::Approval {
            asset: asset(&format!("erc20:{token}")),
            spender: to,
            amount: amount(5_000_000),
        },
    ];
    let legacy = evm::build::Terms {
        max_priority_fee_per_gas: terms.max_fee_per_gas,
        ..terms
    };
    let all = effects.iter().chain(call.first());
    all.flat_map(|effect| {
        [(Form::Eip1559, &terms), (Form::Legacy, &legacy)].map(|(form, terms)| {
            let message = evm::build::message(EVM_WALLET, effect).expect("a message");
            evm::build::transaction_as(form, terms, message, Some(&known))
                .expect("a sound transaction")
        })
    })
    .collect()
}
