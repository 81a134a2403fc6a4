//! Accounts out of lookup tables: resolved in the order and with the rights that the chain's own code gives them, the
//! same as listed accounts for everything that judges, and every small change of such a message refused or described.

use std::collections::HashSet;

use proptest::prelude::*;
use solana_address::Address;
use solana_hash::Hash;
use solana_message::compiled_instruction::CompiledInstruction;
use solana_message::v0::{LoadedAddresses, LoadedMessage, Message, MessageAddressTableLookup};
use solana_message::{MessageHeader, VersionedMessage};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::solana::{
    Loaded, LookupTable, MAX_MESSAGE_BYTES, ProgramMethod, SolanaError, WireTransaction,
    fits_listed, loaded,
};
use waiaas_shared::transaction::{DecodeError, DecodedTransaction, Known, decode};

use crate::{solana_bytes, solana_chain, solana_wallet};

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

/// Of table `table` the address at `index`: no two are alike.
fn entry(table: u8, index: u8) -> SolanaAddress {
    let mut bytes = [0xee; 32];
    bytes[0] = table;
    bytes[1] = index;
    SolanaAddress::from_bytes(bytes)
}

fn content(table: u8) -> Vec<SolanaAddress> {
    (0..=255).map(|index| entry(table, index)).collect()
}

fn read(bytes: &[u8], known: Known<'_>) -> Result<DecodedTransaction, DecodeError> {
    decode(
        solana_chain(),
        Account::Solana(solana_wallet()),
        bytes,
        known,
    )
}

fn refused(bytes: &[u8], tables: &[LookupTable<'_>]) -> SolanaError {
    match read(bytes, Known::NOTHING.looking_up(tables)) {
        Err(DecodeError::Solana(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn lookup(table: u8, writable: &[u8], read_only: &[u8]) -> MessageAddressTableLookup {
    MessageAddressTableLookup {
        account_key: Address::new_from_array([table; 32]),
        writable_indexes: writable.to_vec(),
        readonly_indexes: read_only.to_vec(),
    }
}

fn encoded(message: &Message) -> Vec<u8> {
    wincode::serialize(&VersionedMessage::V0(message.clone())).unwrap()
}

/// 1,000 lamports to each of these indices.
fn payments(lookups: Vec<MessageAddressTableLookup>, to: &[u8]) -> Message {
    let pay = |to: &u8| CompiledInstruction {
        program_id_index: 1,
        accounts: vec![0, *to],
        data: [&[2, 0, 0, 0][..], &1000_u64.to_le_bytes()].concat(),
    };
    Message {
        header: MessageHeader {
            num_required_signatures: 1,
            num_readonly_signed_accounts: 0,
            num_readonly_unsigned_accounts: 1,
        },
        account_keys: vec![
            Address::new_from_array(*solana_wallet().as_bytes()),
            Address::new_from_array([0; 32]),
        ],
        recent_blockhash: Hash::new_from_array([0xb2; 32]),
        instructions: to.iter().map(pay).collect(),
        address_table_lookups: lookups,
    }
}

/// A call of one program with every account but the payer and itself, in this order of indices.
fn call(lookups: Vec<MessageAddressTableLookup>, uses: &[u8]) -> Message {
    let mut message = payments(lookups, &[]);
    message.account_keys[1] = Address::new_from_array([0xd1; 32]);
    message.instructions = vec![CompiledInstruction {
        program_id_index: 1,
        accounts: uses.to_vec(),
        data: vec![0xf2],
    }];
    message
}

/// Up to three lookups, each of distinct indices, some written and some read.
fn lookups() -> impl Strategy<Value = Vec<MessageAddressTableLookup>> {
    let indices = prop::collection::hash_set(any::<u8>(), 1..8);
    let one = (indices, any::<prop::sample::Index>()).prop_map(|(indices, cut)| {
        let indices: Vec<u8> = indices.into_iter().collect();
        let (writable, read_only) = indices.split_at(cut.index(indices.len() + 1));
        (writable.to_vec(), read_only.to_vec())
    });
    prop::collection::vec(one, 1..4).prop_map(|all| {
        let all = (1..).zip(all);
        all.map(|(table, (writable, read_only))| lookup(table, &writable, &read_only))
            .collect()
    })
}

proptest! {
    /// INVARIANT 2: which account an index is, and whether it is writable, is what the chain's own code says.
    #[test]
    fn the_chains_own_code_resolves_alike(lookups in lookups(), turn in any::<prop::sample::Index>()) {
        let contents: Vec<Vec<SolanaAddress>> = (1..=3).map(content).collect();
        let tables: Vec<LookupTable<'_>> = (1..).zip(&contents).map(|(table, addresses)| {
            LookupTable { address: address(table), addresses }
        }).collect();
        // As the runtime makes it: each table's own part, then all parts together.
        let parts = lookups.iter().map(|lookup| {
            let table = lookup.account_key.to_bytes()[0];
            let of = |indices: &[u8]| {
                let addresses = indices.iter().map(|index| *entry(table, *index).as_bytes());
                addresses.map(Address::new_from_array).collect()
            };
            LoadedAddresses {
                writable: of(&lookup.writable_indexes),
                readonly: of(&lookup.readonly_indexes),
            }
        });
        let theirs: LoadedAddresses = parts.collect();
        let count = u8::try_from(theirs.len()).unwrap();
        let mut uses: Vec<u8> = (2..2 + count).collect();
        let turn = turn.index(uses.len());
        uses.rotate_left(turn);
        let message = call(lookups.clone(), &uses);
        prop_assert!(message.sanitize().is_ok());
        let whole = LoadedMessage::new_borrowed(&message, &theirs, &HashSet::new());
        let keys = whole.account_keys();
        let named: Vec<SolanaAddress> = uses.iter().map(|index| {
            SolanaAddress::from_bytes(keys[usize::from(*index)].to_bytes())
        }).collect();
        let writable = uses.iter().map(|index| whole.is_writable(usize::from(*index)));
        let method = ProgramMethod {
            program: address(0xd1),
            begins: vec![0xf2],
            fields: vec![],
            tail: 0,
            accounts: writable.collect(),
            outflow: vec![],
        };
        let bytes = encoded(&message);
        let known = Known::NOTHING.looking_up(&tables);
        let decoded = read(&bytes, known.running(Some(&method))).unwrap();
        let [Effect::Program { told, .. }, Effect::Fee { .. }] = decoded.effects() else {
            panic!("{:?}", decoded.effects())
        };
        prop_assert_eq!(&told.accounts, &named);
        prop_assert_eq!(decoded.bytes(), bytes.as_slice());
        // With other rights at any one place it is another call.
        for place in 0..method.accounts.len() {
            let mut other = method.clone();
            other.accounts[place] ^= true;
            let refused = read(&bytes, known.running(Some(&other)));
            prop_assert_eq!(refused, Err(DecodeError::Solana(SolanaError::ProgramAccounts)));
        }
        let ours = loaded(&bytes, &tables).unwrap();
        prop_assert_eq!(ours.writable.len() + ours.read_only.len(), usize::from(count));
        prop_assert_eq!(loaded(&bytes, &[]), Err(SolanaError::LookupTable));
    }
}

/// Whether its accounts are listed or looked up, a message does the same.
#[test]
fn looked_up_or_listed_it_does_the_same() {
    let content = [address(0xa0), address(0xa1), address(0xa2)];
    let tables = [LookupTable {
        address: address(0xb2),
        addresses: &content,
    }];
    let message = payments(vec![lookup(0xb2, &[2, 1], &[])], &[2, 3]);
    let bytes = encoded(&message);
    let looked_up = read(&bytes, Known::NOTHING.looking_up(&tables)).unwrap();
    let mut listed = payments(vec![], &[1, 2]);
    listed
        .account_keys
        .insert(1, Address::new_from_array([0xa2; 32]));
    listed
        .account_keys
        .insert(2, Address::new_from_array([0xa1; 32]));
    listed
        .instructions
        .iter_mut()
        .for_each(|one| one.program_id_index = 3);
    let listed = read(&encoded(&listed), Known::NOTHING).unwrap();
    assert_eq!(looked_up.effects(), listed.effects());
    let claim = Claim::done_by(&looked_up).unwrap();
    assert!(claim.is_done_by(&looked_up) && claim.is_done_by(&listed));
    // Its signature has its one place, and its bytes are what is signed.
    let wire = WireTransaction::unsigned(&bytes).unwrap();
    assert_eq!(WireTransaction::parse(&wire.encode()), Ok(wire));
    assert_eq!(looked_up.bytes(), bytes);
    // Where tables name nobody they change nothing.
    let plain = read(&solana_bytes(), Known::NOTHING.looking_up(&tables));
    assert_eq!(plain, read(&solana_bytes(), Known::NOTHING));
}

/// Nothing but an owner's content resolves an index: without the table, with less of it, with it at another address
/// the same bytes are refused; with other content they do something else, and nobody else's content is taken.
#[test]
fn an_index_is_what_an_owner_pinned() {
    let content = [address(0xa0), address(0xa1)];
    let table = LookupTable {
        address: address(0xb2),
        addresses: &content,
    };
    let bytes = encoded(&payments(vec![lookup(0xb2, &[1], &[])], &[2]));
    let decoded = read(&bytes, Known::NOTHING.looking_up(&[table])).unwrap();
    let to = |decoded: &DecodedTransaction| match decoded.effects() {
        [Effect::Transfer { to, .. }, Effect::Fee { .. }] => *to,
        other => panic!("{other:?}"),
    };
    assert_eq!(to(&decoded), Account::Solana(address(0xa1)));
    assert_eq!(refused(&bytes, &[]), SolanaError::LookupTable);
    let shorter = LookupTable {
        addresses: &content[..1],
        ..table
    };
    assert_eq!(refused(&bytes, &[shorter]), SolanaError::LookupIndex);
    let elsewhere = LookupTable {
        address: address(0xb3),
        ..table
    };
    assert_eq!(refused(&bytes, &[elsewhere]), SolanaError::LookupTable);
    let other = [address(0xa0), address(0xaf)];
    let other = LookupTable {
        addresses: &other,
        ..table
    };
    let decoded = read(&bytes, Known::NOTHING.looking_up(&[other])).unwrap();
    assert_eq!(to(&decoded), Account::Solana(address(0xaf)));
}

/// Every change of one byte is refused, or falls into a field whose every value is described.
#[test]
fn single_byte_changes_of_lookups() {
    let content = content(0);
    let tables = [LookupTable {
        address: address(0xb2),
        addresses: &content,
    }];
    let original = encoded(&payments(vec![lookup(0xb2, &[9], &[])], &[2]));
    // Version, header, two keys, blockhash; one instruction; one lookup.
    let (blockhash, lamports) = (69..101, 111..119);
    let index = 119 + 1 + 32 + 1;
    assert_eq!(original.len(), index + 2);
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            let known = Known::NOTHING.looking_up(&tables);
            let (Ok(decoded), true) = (read(&changed, known), changed != original) else {
                continue;
            };
            accepted += 1;
            assert_eq!(decoded.bytes(), changed);
            let [Effect::Transfer { to, amount, .. }, Effect::Fee { .. }] = decoded.effects()
            else {
                panic!("{:?}", decoded.effects())
            };
            let place = if position == index { value } else { 9 };
            assert_eq!(*to, Account::Solana(entry(0, place)));
            let told = u64::from_le_bytes(changed[lamports.clone()].try_into().unwrap());
            assert_eq!(amount.base_units(), told.into());
            assert!(
                position == index || blockhash.contains(&position) || lamports.contains(&position),
                "byte {position} became {value} and was accepted"
            );
        }
    }
    assert_eq!(accepted, (32 + 8 + 1) * 255);
    for length in 0..original.len() {
        assert!(read(&original[..length], Known::NOTHING.looking_up(&tables)).is_err());
    }
}

/// As many as a packet names, and no more than indices of one byte reach.
#[test]
fn lookups_are_bounded() {
    let contents: Vec<Vec<SolanaAddress>> = (1..=2).map(content).collect();
    let tables: Vec<_> = (1..)
        .zip(&contents)
        .map(|(table, addresses)| LookupTable {
            address: address(table),
            addresses,
        })
        .collect();
    let all: Vec<u8> = (0..=255).collect();
    let too_many = payments(vec![lookup(1, &all, &[]), lookup(2, &all, &[])], &[2]);
    assert_eq!(
        refused(&encoded(&too_many), &tables),
        SolanaError::UnusedAccount
    );
    let unused = payments(vec![lookup(1, &all, &[])], &[2]);
    assert_eq!(
        refused(&encoded(&unused), &tables),
        SolanaError::UnusedAccount
    );
    assert_eq!(
        loaded(&encoded(&unused), &tables).unwrap().writable,
        contents[0]
    );
    assert_eq!(loaded(&solana_bytes(), &tables), Ok(Loaded::default()));
    assert!(Loaded::default().is_empty());
}

/// What fits with its accounts listed is told from what does not, to the byte.
#[test]
fn what_fits_without_tables_is_known() {
    // Listed: a legacy message of a wallet, a program and the loaded accounts, and both settings with their program.
    let listed = |loaded: usize, data: usize| {
        let count = if data < 0x80 { 1 } else { 2 };
        3 + 1 + 32 * (2 + loaded + 1) + 32 + 1 + (1 + 1 + loaded + count + data) + (3 + 5) + (3 + 9)
    };
    for count in [1, 8, 20, 31, 32] {
        let indices: Vec<u8> = (0..count).collect();
        let uses: Vec<u8> = (2..2 + count).collect();
        let mut message = call(vec![lookup(1, &indices, &[])], &uses);
        let mut seen = HashSet::new();
        for data in 1..1000 {
            message.instructions[0].data = vec![0xf2; data];
            if encoded(&message).len() > MAX_MESSAGE_BYTES {
                break;
            }
            let fits = fits_listed(&encoded(&message)).unwrap();
            assert_eq!(
                fits,
                listed(count.into(), data) <= MAX_MESSAGE_BYTES,
                "{count} {data}"
            );
            seen.insert(fits);
        }
        assert!(seen.contains(&false), "{count}");
    }
    // Settings that are there already are not counted twice.
    let mut message = call(vec![lookup(1, &[0, 1, 2, 3], &[])], &[2, 3, 4, 5]);
    let room = MAX_MESSAGE_BYTES - listed(4, 0x80) + 0x80;
    message.instructions[0].data = vec![0xf2; room];
    assert_eq!(fits_listed(&encoded(&message)), Ok(true));
    let budget: SolanaAddress = "ComputeBudget111111111111111111111111111111"
        .parse()
        .unwrap();
    message
        .account_keys
        .push(Address::new_from_array(*budget.as_bytes()));
    message.header.num_readonly_unsigned_accounts += 1;
    message.instructions[0].accounts = vec![3, 4, 5, 6];
    for data in [vec![2, 0, 0, 0, 0], vec![3, 0, 0, 0, 0, 0, 0, 0, 0]] {
        message.instructions.push(CompiledInstruction {
            program_id_index: 2,
            accounts: vec![],
            data,
        });
        assert_eq!(fits_listed(&encoded(&message)), Ok(true));
    }
    message.instructions[0].data.push(0);
    assert_eq!(fits_listed(&encoded(&message)), Ok(false));
    assert_eq!(fits_listed(&solana_bytes()), Ok(true));
    assert_eq!(fits_listed(&[]), Err(SolanaError::Malformed));
}
