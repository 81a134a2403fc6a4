//! Transactions that an agent brings: messages of version 1, and messages whose fee somebody else pays. Every small
//! change of one is refused or described by a second reader; each signature has its place.

use ed25519_dalek::{Signer as _, SigningKey};
use waiaas_shared::address::{Account, SolanaAddress};
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::solana::{SolanaError, WireTransaction};
use waiaas_shared::transaction::{
    DecodeError, DecodedTransaction, Known, Signature, SignatureError, assemble, decode,
};

use crate::reference::Reference;
use crate::{
    read_solana, solana_bytes, solana_chain, solana_key, solana_wallet, version_zero_bytes,
};

fn sponsor_key() -> SigningKey {
    SigningKey::from_bytes(&[0x77; 32])
}

fn sponsor() -> [u8; 32] {
    sponsor_key().verifying_key().to_bytes()
}

fn read(bytes: &[u8]) -> Result<DecodedTransaction, DecodeError> {
    let wallet = Account::Solana(solana_wallet());
    decode(
        solana_chain(),
        wallet,
        bytes,
        Known::NOTHING.sponsored(true),
    )
}

/// A message of the legacy form, taken apart by position.
struct Parts {
    header: [u8; 3],
    keys: Vec<[u8; 32]>,
    blockhash: [u8; 32],
    instructions: Vec<(u8, Vec<u8>, Vec<u8>)>,
}

impl Parts {
    fn of(message: &[u8]) -> Self {
        let mut rest = message;
        let mut take = |count: usize| {
            let (taken, left) = rest.split_at(count);
            rest = left;
            taken.to_vec()
        };
        let header = take(3).try_into().unwrap();
        let keys = (0..take(1)[0]).map(|_| take(32).try_into().unwrap());
        let keys = keys.collect();
        let blockhash = take(32).try_into().unwrap();
        let instructions = (0..take(1)[0]).map(|_| {
            let program = take(1)[0];
            let uses = take(1)[0];
            let uses = take(uses.into());
            let length = take(1)[0];
            (program, uses, take(length.into()))
        });
        Self {
            header,
            keys,
            blockhash,
            instructions: instructions.collect(),
        }
    }

    fn legacy(&self) -> Vec<u8> {
        let short = |length: usize| u8::try_from(length).unwrap();
        let mut bytes = self.header.to_vec();
        bytes.push(short(self.keys.len()));
        bytes.extend(self.keys.concat());
        bytes.extend(self.blockhash);
        bytes.push(short(self.instructions.len()));
        for (program, uses, data) in &self.instructions {
            bytes.extend([*program, short(uses.len())]);
            bytes.extend(uses);
            bytes.push(short(data.len()));
            bytes.extend(data);
        }
        bytes
    }

    /// SIMD-0385, with a priority fee and a unit limit.
    fn one(&self, fee: u64, units: u32) -> Vec<u8> {
        let short = |length: usize| u8::try_from(length).unwrap();
        let mut bytes = vec![0x81];
        bytes.extend(self.header);
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(self.blockhash);
        bytes.extend([short(self.instructions.len()), short(self.keys.len())]);
        bytes.extend(self.keys.concat());
        bytes.extend(fee.to_le_bytes());
        bytes.extend(units.to_le_bytes());
        for (program, uses, data) in &self.instructions {
            bytes.extend([*program, short(uses.len())]);
            bytes.extend(u16::try_from(data.len()).unwrap().to_le_bytes());
        }
        for (_, uses, data) in &self.instructions {
            bytes.extend(uses);
            bytes.extend(data);
        }
        bytes
    }

    /// The same, its fee paid by somebody else who signs first.
    fn sponsored(mut self, by: [u8; 32]) -> Self {
        self.header[0] += 1;
        self.keys.insert(0, by);
        for (program, uses, _) in &mut self.instructions {
            *program += 1;
            uses.iter_mut().for_each(|index| *index += 1);
        }
        self
    }

    /// Without what sets the fee of other versions.
    fn plain(mut self) -> Self {
        self.instructions.retain(|(_, uses, _)| !uses.is_empty());
        let program = self.keys.iter().position(|key| *key == [0; 32]).unwrap();
        let dropped = self.keys.len() - 1 - usize::from(program + 1 == self.keys.len());
        self.keys.remove(dropped);
        self.header[2] -= 1;
        let program = self.keys.iter().position(|key| *key == [0; 32]).unwrap();
        self.instructions[0].0 = u8::try_from(program).unwrap();
        self
    }
}

fn version_one() -> Vec<u8> {
    Parts::of(&solana_bytes()).plain().one(77, 450)
}

fn sponsored() -> Vec<u8> {
    Parts::of(&solana_bytes()).sponsored(sponsor()).legacy()
}

#[test]
fn version_one_does_what_the_same_instructions_do_and_pays_by_its_header() {
    let one = read_solana(&version_one()).unwrap();
    let legacy = read_solana(&solana_bytes()).unwrap();
    let moved = |decoded: &DecodedTransaction| {
        let effects = decoded.effects().iter().filter(|effect| !effect.is_cost());
        effects.cloned().collect::<Vec<_>>()
    };
    assert_eq!(moved(&one), moved(&legacy));
    assert_eq!(one.fee_max().base_units(), 5000 + 77);
    assert_eq!(one.bytes(), version_one());
}

/// Every change of one byte is refused, or falls into a field whose every value is described.
#[test]
fn single_byte_changes_of_version_one() {
    let original = version_one();
    let before = Reference::of(&read_solana(&original).unwrap());
    // Fixed header to 42; three addresses; fee and limit; one head of 4; two indices; 12 bytes of data.
    let (blockhash, recipient) = (8..40, 42 + 32..42 + 64);
    let (fee, units) = (138..146, 146..150);
    let lamports = 160..168;
    assert_eq!(original.len(), lamports.end);
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            let (Ok(decoded), true) = (read_solana(&changed), changed != original) else {
                continue;
            };
            accepted += 1;
            assert_eq!(decoded.bytes(), changed);
            let after = Reference::of(&decoded);
            let (one, other) = (before.transfers[0], after.transfers[0]);
            if recipient.contains(&position) {
                let to = SolanaAddress::from_bytes(changed[recipient.clone()].try_into().unwrap());
                assert_eq!(other, (Account::Solana(to), one.1));
            } else if lamports.contains(&position) {
                let amount = u64::from_le_bytes(changed[lamports.clone()].try_into().unwrap());
                assert_eq!(other, (one.0, amount.into()));
            } else if fee.contains(&position) {
                let fee = u64::from_le_bytes(changed[fee.clone()].try_into().unwrap());
                assert_eq!(after.fee, 5000 + u128::from(fee));
                assert_eq!(one, other);
            } else {
                // The mask may name the limit of loaded accounts in place of that of units: neither is paid for.
                let limit = (position, value) == (4, 0b1011);
                assert!(
                    blockhash.contains(&position) || units.contains(&position) || limit,
                    "byte {position} became {value} and was accepted"
                );
                assert_eq!(before, after);
            }
        }
    }
    assert!(accepted > 80 * 200, "the free fields are free: {accepted}");
}

/// Of a message that another pays for, only recipient, amount, blockhash, sponsor and the sponsor's fee are free.
#[test]
fn single_byte_changes_of_a_sponsored_message() {
    let original = sponsored();
    let before = read(&original).unwrap();
    let (payer, recipient) = (4..36, 4 + 64..4 + 96);
    let blockhash = 4 + 32 * 5..4 + 32 * 6;
    let limit = blockhash.end + 5..blockhash.end + 9;
    let price = blockhash.end + 13..blockhash.end + 21;
    let lamports = original.len() - 8..original.len();
    let mut accepted = 0;
    for position in 0..original.len() {
        for value in 0..=255_u8 {
            let mut changed = original.clone();
            changed[position] = value;
            // Nobody built it for a request that the wallet pays for.
            assert!(read_solana(&changed).is_err(), "{position} {value}");
            let (Ok(decoded), true) = (read(&changed), changed != original) else {
                continue;
            };
            accepted += 1;
            assert!(decoded.is_sponsored());
            assert!(!decoded.effects().iter().any(Effect::is_fee));
            if recipient.contains(&position) || lamports.contains(&position) {
                assert_ne!(decoded.effects(), before.effects());
            } else {
                let free = [&payer, &blockhash, &limit, &price];
                assert!(
                    free.iter().any(|field| field.contains(&position)),
                    "byte {position} became {value} and was accepted"
                );
                assert_eq!(decoded.effects(), before.effects());
            }
        }
    }
    assert!(accepted > 100 * 200, "the free fields are free: {accepted}");
}

#[test]
fn no_part_and_no_more_of_them_is_read() {
    for bytes in [version_one(), sponsored()] {
        assert!(read(&bytes).is_ok());
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length}");
            assert!(read(&bytes[length + 1..]).is_err(), "{length}");
        }
        for value in 0..=255 {
            assert!(read(&[&bytes[..], &[value]].concat()).is_err());
            assert!(read(&[&[value], &bytes[..]].concat()).is_err());
        }
    }
}

/// Who signs, in which order, written or only read: the wallet pays alone, or signs second for what leaves it.
#[test]
fn invariant_03_the_role_follows_from_the_bytes() {
    let legacy = solana_bytes();
    let known = [
        (Known::NOTHING, false),
        (Known::NOTHING.sponsored(true), true),
    ];
    for (known, brought) in known {
        let wallet = Account::Solana(solana_wallet());
        let read = |parts: &Parts| decode(solana_chain(), wallet, &parts.legacy(), known);
        // (a) alone and paying.
        let alone = read(&Parts::of(&legacy)).unwrap();
        assert!(!alone.is_sponsored());
        assert!(alone.effects().last().unwrap().is_fee());
        // (b) second, for its own transfer.
        let second = Parts::of(&legacy).sponsored(sponsor());
        match read(&second) {
            Ok(decoded) => assert!(brought && decoded.is_sponsored()),
            Err(error) => {
                assert!(!brought);
                assert_eq!(error, SolanaError::SignerCount.into());
            }
        }
        // The transfer is the sponsor's own.
        let mut theirs = Parts::of(&legacy).sponsored(sponsor());
        theirs.instructions.last_mut().unwrap().1[0] = 0;
        assert!(read(&theirs).is_err());
        // The wallet pays, and another signs second.
        let mut paying = Parts::of(&legacy).sponsored(sponsor());
        paying.keys.swap(0, 1);
        assert!(read(&paying).is_err());
        // Only read, and it pays.
        let mut only_read = Parts::of(&legacy).sponsored(sponsor());
        only_read.header[1] = 1;
        assert!(read(&only_read).is_err());
        // A third signer, whoever it is.
        for place in [0, 1, 2] {
            let mut third = Parts::of(&legacy).sponsored(sponsor());
            third.header[0] = 3;
            third.keys.insert(place, [0x78; 32]);
            for (program, uses, _) in &mut third.instructions {
                *program += 1;
                for index in uses {
                    *index += u8::from(usize::from(*index) >= place);
                }
            }
            assert!(read(&third).is_err());
        }
        // The wallet is named and signs nothing.
        let mut unsigned = Parts::of(&legacy).sponsored(sponsor());
        unsigned.header[0] = 1;
        assert!(read(&unsigned).is_err());
    }
}

/// What it does is asked for by one claim, which the same bytes fulfil.
#[test]
fn invariant_03_a_brought_transaction_claims_what_it_does() {
    for bytes in [
        solana_bytes(),
        version_zero_bytes(),
        version_one(),
        sponsored(),
    ] {
        let decoded = read(&bytes).unwrap();
        let claim = Claim::done_by(&decoded).unwrap();
        assert!(claim.is_done_by(&decoded));
        let effects = decoded.effects().iter().filter(|effect| !effect.is_cost());
        assert_eq!(claim.effects(), effects.cloned().collect::<Vec<_>>());
    }
}

/// INVARIANT 4: the wallet's signature is verified and stands in its own place; nobody else's is touched.
#[test]
fn invariant_04_the_signature_goes_into_its_own_place() {
    for message in [sponsored(), {
        let parts = Parts::of(&solana_bytes()).plain().sponsored(sponsor());
        parts.one(77, 450)
    }] {
        let transaction = read(&message).unwrap();
        let ours = solana_key().sign(&message).to_bytes();
        let signed = assemble(&transaction, &Signature::Ed25519(ours)).unwrap();
        // Nobody knows yet what the chain will call it.
        assert_eq!(signed.id(), "");
        let wire = WireTransaction::parse(signed.bytes()).unwrap();
        assert_eq!(wire.message(), message);
        assert_eq!(wire.name(), None);
        assert_eq!(wire.missing(), [SolanaAddress::from_bytes(sponsor())]);
        let theirs = sponsor_key().sign(&message).to_bytes();
        assert_eq!(
            assemble(&transaction, &Signature::Ed25519(theirs)),
            Err(SignatureError::Invalid)
        );
        // With theirs it is whole.
        let mut with_theirs = WireTransaction::unsigned(&message).unwrap().encode();
        let at = if message[0] == 0x81 { message.len() } else { 1 };
        with_theirs[at..at + 64].copy_from_slice(&theirs);
        let with_theirs = WireTransaction::parse(&with_theirs).unwrap();
        assert!(with_theirs.holds(solana_wallet()));
        let whole = wire.clone().joined(&with_theirs).unwrap();
        assert_eq!(whole.name(), Some(theirs));
        assert!(whole.missing().is_empty());
        assert!(whole.holds(SolanaAddress::from_bytes([0; 32])));
        assert_eq!(WireTransaction::parse(&whole.encode()), Ok(whole.clone()));
        let signatures = [theirs, ours].concat();
        let bytes = if message[0] == 0x81 {
            [&message[..], &signatures].concat()
        } else {
            [&[2][..], &signatures, &message].concat()
        };
        assert_eq!(whole.encode(), bytes);
        // A signature that is not its signer's is seen, each bit of it.
        for bit in 0..512 {
            let mut faulty = bytes.clone();
            faulty[at + bit / 8] ^= 1 << (bit % 8);
            let faulty = WireTransaction::parse(&faulty).unwrap();
            assert!(!faulty.holds(solana_wallet()), "{bit}");
        }
        // Another message's signatures are of no use.
        assert_eq!(
            wire.joined(&WireTransaction::unsigned(&version_one()).unwrap()),
            None
        );
    }
}

#[test]
fn a_transaction_has_a_place_for_each_signature() {
    let message = solana_bytes();
    let whole = WireTransaction::unsigned(&message).unwrap().encode();
    assert_eq!(whole.len(), 65 + message.len());
    for length in 0..whole.len() {
        assert!(WireTransaction::parse(&whole[..length]).is_err());
    }
    let more = [&[2][..], &[0; 128], &message].concat();
    assert_eq!(WireTransaction::parse(&more), Err(SolanaError::SignerCount));
    let none = [&[0][..], &message].concat();
    assert_eq!(WireTransaction::parse(&none), Err(SolanaError::Malformed));
    let one = version_one();
    let whole = [&one[..], &[0; 64]].concat();
    assert_eq!(WireTransaction::parse(&whole).unwrap().message(), one);
    for length in 0..whole.len() {
        assert!(WireTransaction::parse(&whole[..length]).is_err());
    }
    assert!(WireTransaction::parse(&[&whole[..], &[0; 64]].concat()).is_err());
}

/// Signatures stand where the message's version puts them: the same transaction is not written in two ways.
#[test]
fn invariant_02_a_transaction_has_one_framing() {
    for message in [
        solana_bytes(),
        version_zero_bytes(),
        version_one(),
        sponsored(),
    ] {
        let own = WireTransaction::unsigned(&message).unwrap().encode();
        let count = u8::try_from((own.len() - message.len()) / 64).unwrap();
        let signatures = vec![0; 64 * usize::from(count)];
        let framings = [
            [&[count][..], &signatures, &message].concat(),
            [&message[..], &signatures].concat(),
        ];
        assert!(framings.contains(&own));
        for bytes in framings.iter().filter(|bytes| **bytes != own) {
            assert!(WireTransaction::parse(bytes).is_err());
        }
    }
    // This one was read before, and written again in the other form.
    let behind = [&[1][..], &[0; 64], &version_one()].concat();
    assert_eq!(
        WireTransaction::parse(&behind),
        Err(SolanaError::NotCanonical)
    );
}
