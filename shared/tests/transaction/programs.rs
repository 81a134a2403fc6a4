//! Calls of programs that an owner registered: every small change of one, what stands beside it, other rights, and
//! claims, which never make bytes do more.

use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::AssetId;
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::request::{Action, Transfer};
use waiaas_shared::solana::build::{BatchRequest, CallRequest, Part, TransferRequest, batch, call};
use waiaas_shared::solana::{
    Field, Leaving, ProgramCall, ProgramMethod, SolanaError, program_effects,
};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use crate::{solana_chain, solana_wallet};

const AMOUNT: u64 = 0x0102_0304_0506_0708;

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

fn token() -> AssetId {
    format!("{}/token:{}", solana_chain(), address(0xc1))
        .parse()
        .unwrap()
}

fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

/// Two bytes of method, an amount of a token, a bool, up to three bytes more; the wallet, an account that is
/// written, one that is read.
fn method() -> ProgramMethod {
    let field = |kind: &str, spends| Field {
        kind: kind.parse().unwrap(),
        spends,
    };
    ProgramMethod {
        program: address(0xd1),
        begins: vec![0xf2, 0x23],
        fields: vec![field("u64", Some(token())), field("bool", None)],
        tail: 3,
        accounts: vec![true, true, false],
        outflow: vec![Leaving {
            asset: solana_chain().native_asset(),
            up_to: units(11),
        }],
    }
}

fn accounts() -> [SolanaAddress; 3] {
    [solana_wallet(), address(0xa1), address(0xa2)]
}

fn data(behind: &[u8]) -> Vec<u8> {
    [&[0xf2, 0x23][..], &AMOUNT.to_le_bytes(), &[1], behind].concat()
}

fn told(behind: &[u8]) -> ProgramCall {
    ProgramCall::read(solana_wallet(), &method(), &accounts(), &data(behind)).unwrap()
}

fn build(told: &ProgramCall) -> Result<Vec<u8>, SolanaError> {
    call(&CallRequest {
        told,
        blockhash: [0xb2; 32],
        compute_unit_limit: 80_000,
        micro_lamports_per_compute_unit: 100_000,
    })
}

fn read(bytes: &[u8], method: Option<&ProgramMethod>) -> Result<DecodedTransaction, DecodeError> {
    let wallet = Account::Solana(solana_wallet());
    decode(
        solana_chain(),
        wallet,
        bytes,
        Known::NOTHING.running(method),
    )
}

const fn solana(error: SolanaError) -> DecodeError {
    DecodeError::Solana(error)
}

#[test]
fn what_is_built_is_read_back_of_programs() {
    for behind in [&[][..], &[7, 8, 9]] {
        let told = told(behind);
        let bytes = build(&told).unwrap();
        let decoded = read(&bytes, Some(&method())).unwrap();
        assert_eq!(decoded.bytes(), bytes);
        let native = solana_chain().native_asset();
        let fee = Effect::Fee {
            asset: native,
            max: units(5000 + 8000),
        };
        let expected = [
            Effect::Program {
                asset: native,
                value: units(11),
                told: Box::new(told.clone()),
            },
            Effect::Call {
                target: Account::Solana(address(0xd1)),
                method: vec![0xf2, 0x23],
                asset: token(),
                value: units(AMOUNT.into()),
                told: None,
            },
            fee,
        ];
        assert_eq!(decoded.effects(), expected);
        assert_eq!(told.tail(), behind);
        assert!(told.signs());
        // Whoever did not register it reads nothing, and another method as little.
        let unknown = Err(solana(SolanaError::UnknownProgram));
        assert_eq!(read(&bytes, None), unknown);
        let elsewhere = ProgramMethod {
            program: address(0xd2),
            ..method()
        };
        assert_eq!(read(&bytes, Some(&elsewhere)), unknown);
        let other = ProgramMethod {
            begins: vec![0xf2, 0x24],
            ..method()
        };
        assert_eq!(
            read(&bytes, Some(&other)),
            Err(solana(SolanaError::ProgramData))
        );
    }
}

/// A reserved program stays what it is, whatever somebody registered.
#[test]
fn what_is_known_makes_no_reserved_program_callable() {
    let transfer = TransferRequest {
        from: solana_wallet(),
        to: address(0xa1),
        lamports: 5,
        blockhash: [0xb2; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 0,
    };
    let bytes = waiaas_shared::solana::build::transfer(&transfer).unwrap();
    let system = ProgramMethod {
        program: SolanaAddress::from_bytes([0; 32]),
        begins: vec![2],
        fields: vec![],
        tail: 64,
        accounts: vec![true, true],
        outflow: vec![],
    };
    let plain = read(&bytes, None).unwrap();
    assert_eq!(read(&bytes, Some(&system)).unwrap(), plain);
    assert!(matches!(plain.effects(), [Effect::Transfer { .. }, _]));
}

#[test]
fn a_call_stands_alone() {
    let known = method();
    let built = build(&told(&[])).unwrap();
    // A second instruction of the program, the same bytes again: the count of instructions and its copy.
    let count = 4 + 32 * usize::from(built[3]) + 32;
    let [.., call_at] = instructions(&built)[..] else {
        panic!("three")
    };
    let mut twice = built.clone();
    twice[count] += 1;
    twice.extend_from_slice(&built[call_at..]);
    assert_eq!(
        read(&twice, Some(&known)),
        Err(solana(SolanaError::ProgramSequence))
    );
    // Without it nothing is left.
    let mut none = built.clone();
    none[count] -= 1;
    none.truncate(call_at);
    assert!(read(&none, Some(&known)).is_err());
    // A transfer, or a memo, beside it: built for an account that is the program's own address.
    let beside = batch(&BatchRequest {
        from: solana_wallet(),
        parts: &[Part::Lamports {
            to: address(0xa1),
            lamports: 5,
        }],
        memo: None,
        blockhash: [0xb2; 32],
        compute_unit_limit: 80_000,
        micro_lamports_per_compute_unit: 0,
    })
    .unwrap();
    // Its System program becomes the registered one's neighbour: a third instruction calls the program.
    let mut mixed = beside.clone();
    mixed[2] += 1;
    mixed[3] += 1;
    let keys_end = 4 + 32 * usize::from(beside[3]);
    mixed.splice(keys_end..keys_end, *address(0xd1).as_bytes());
    let count = keys_end + 32 + 32;
    mixed[count] += 1;
    mixed.extend_from_slice(&[beside[3], 0, 2, 0xf2, 0x23]);
    assert_eq!(
        read(&mixed, Some(&known)),
        Err(solana(SolanaError::ProgramSequence))
    );
    assert_eq!(read(&mixed, None), Err(solana(SolanaError::UnknownProgram)));
}

/// Where each instruction of a message with short lengths begins.
fn instructions(bytes: &[u8]) -> Vec<usize> {
    let mut at = 4 + 32 * usize::from(bytes[3]) + 32;
    let count = bytes[at];
    at += 1;
    (0..count)
        .map(|_| {
            let begins = at;
            let accounts = usize::from(bytes[at + 1]);
            let data = usize::from(bytes[at + 2 + accounts]);
            at += 3 + accounts + data;
            begins
        })
        .collect()
}

/// Every change of one byte is refused, or falls into what the effects describe: accounts, arguments, what follows
/// them, blockhash, and the settings of the fee.
#[test]
fn single_byte_changes_programs() {
    let known = method();
    let original = build(&told(&[7, 8])).unwrap();
    let before = read(&original, Some(&known)).unwrap();
    let keys = 4..4 + 32 * usize::from(original[3]);
    let blockhash = keys.end..keys.end + 32;
    let [_, _, call_at] = instructions(&original)[..] else {
        panic!("three")
    };
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            let (Ok(decoded), true) = (read(&changed, Some(&known)), changed != original) else {
                continue;
            };
            accepted += 1;
            let Effect::Program { told, .. } = &decoded.effects()[0] else {
                panic!("byte {position} became {value}: {:?}", decoded.effects())
            };
            // What was read gives the bytes that were read, but for the settings that the effects do not name.
            assert_eq!(told.from, solana_wallet());
            assert_eq!(told.method, known);
            if blockhash.contains(&position) {
                assert_eq!(decoded.effects(), before.effects());
            } else if (blockhash.end..call_at).contains(&position) {
                let but_fee =
                    |one: &DecodedTransaction| one.effects().split_last().unwrap().1.to_vec();
                assert_eq!(but_fee(&decoded), but_fee(&before));
            } else {
                assert_ne!(
                    decoded.effects(),
                    before.effects(),
                    "byte {position} became {value}"
                );
                assert_eq!(build(told).unwrap().len(), changed.len());
            }
        }
    }
    assert!(accepted > 100 * 200, "the free fields are free: {accepted}");
}

#[test]
fn data_and_accounts_have_their_form() {
    let read_call = |method: &ProgramMethod, accounts: &[SolanaAddress], data: &[u8]| {
        ProgramCall::read(solana_wallet(), method, accounts, data).map(|_| ())
    };
    let known = method();
    assert_eq!(read_call(&known, &accounts(), &data(&[])), Ok(()));
    for wrong in [
        vec![],
        vec![0xf2],
        vec![0xf2, 0x24],
        data(&[])[..10].to_vec(),
        data(&[1, 2, 3, 4]),
        // A bool is 0 or 1.
        [&data(&[])[..10], &[2]].concat(),
    ] {
        assert_eq!(
            read_call(&known, &accounts(), &wrong),
            Err(SolanaError::ProgramData),
            "{wrong:?}"
        );
    }
    for wrong in [&accounts()[..2], &[accounts(), accounts()].concat()] {
        assert_eq!(
            read_call(&known, wrong, &data(&[])),
            Err(SolanaError::InstructionAccounts)
        );
    }
}

/// Rights stand in the message, not in the instruction.
#[test]
fn rights_are_those_that_were_registered() {
    let refused = Err(solana(SolanaError::ProgramAccounts));
    let bytes = build(&told(&[])).unwrap();
    for accounts in [
        vec![true, true, true],
        vec![true, false, false],
        vec![false, true, false],
    ] {
        let other = ProgramMethod {
            accounts,
            ..method()
        };
        assert_eq!(read(&bytes, Some(&other)), refused);
        let told = ProgramCall {
            method: other,
            ..told(&[])
        };
        let built = build(&told);
        // The payer is written wherever it stands.
        assert_eq!(built.is_ok(), told.method.accounts[0]);
    }
    // Who stands at a place that is written is written wherever it stands, the payer always.
    for account in [address(0xa1), solana_wallet()] {
        let mut told = told(&[]);
        told.accounts[2] = account;
        assert_eq!(build(&told), Err(SolanaError::ProgramAccounts));
    }
    // The program itself may stand among the accounts, only to be read.
    let mut itself = told(&[]);
    itself.accounts[2] = address(0xd1);
    assert!(build(&itself).is_ok());
    itself.accounts[1] = address(0xd1);
    assert!(build(&itself).is_err());
}

#[test]
fn claims_are_compared_to_the_last_account_and_byte() {
    let claimed = |told: ProgramCall| {
        let native = solana_chain().native_asset();
        Claim::of(Transfer {
            action: Action::Call,
            asset: native,
            to: Account::Solana(told.method.program),
            amount: told.leaving(native),
            mint: None,
            call: None,
            stake: None,
            program: Some(Box::new(told)),
        })
    };
    let claim = claimed(told(&[7]));
    let done = |told: &ProgramCall, method: &ProgramMethod| {
        let bytes = build(told).unwrap();
        claim.is_done_by(&read(&bytes, Some(method)).unwrap())
    };
    assert!(done(&told(&[7]), &method()));
    assert!(!done(&told(&[8]), &method()));
    assert!(!done(&told(&[]), &method()));
    let mut elsewhere = told(&[7]);
    elsewhere.accounts[1] = address(0xa3);
    assert!(!done(&elsewhere, &method()));
    let mut more = told(&[7]);
    more.data[2] += 1;
    assert!(!done(&more, &method()));
    // Counted otherwise it is another call.
    let mut uncounted = told(&[7]);
    uncounted.method.fields[0].spends = None;
    assert!(!done(&uncounted, &uncounted.method));
    // A claim whose amount is not what leaves, or of another program, is none.
    let of = |change: fn(&mut Transfer)| {
        let mut transfer = claim.first().clone();
        change(&mut transfer);
        transfer.effects()
    };
    assert_eq!(of(|_| {}), program_effects(solana_chain(), &told(&[7])));
    assert_eq!(of(|it| it.amount = units(12)), []);
    assert_eq!(of(|it| it.to = Account::Solana(address(0xd2))), []);
    assert_eq!(of(|it| it.action = Action::Transfer), []);
}
