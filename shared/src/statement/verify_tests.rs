//! Signatures that must count, made by programs that are not ours, and everything near them that must
//! not (ATTACKS.md P01, P04, P07 to P09, P12).

use ed25519_dalek::{Signer as _, SigningKey};
use k256::ecdsa::signature::hazmat::PrehashSigner as _;
use sha2::Digest as _;

use super::*;
use crate::address::SolanaAddress;
use crate::statement::text::samples::{
    OWNER_ED25519, OWNER_EVM, Sample, all_samples, read, samples,
};
use crate::statement::text::tests::{assert_golden, forged};

/// Order of secp256k1 (SEC 2, section 2.4.1).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// The secret of RFC 8032 section 7.1, test 1.
fn solana_secret() -> SigningKey {
    let mut secret = [0; 32];
    hex::decode_to_slice(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        &mut secret,
    )
    .unwrap();
    SigningKey::from_bytes(&secret)
}

fn solana_key() -> OwnerKey {
    OwnerKey::Ed25519(read(OWNER_ED25519))
}

fn evm_key() -> OwnerKey {
    OwnerKey::Secp256k1(read(OWNER_EVM))
}

fn key_for(envelope: Envelope) -> OwnerKey {
    if envelope == Envelope::Eip191 {
        evm_key()
    } else {
        solana_key()
    }
}

/// As the owner's wallet would; nothing if the envelope has no room for the text.
fn sign(text: &StatementText, envelope: Envelope) -> Option<Vec<u8>> {
    let payload = match payload(text.as_str(), envelope, &key_for(envelope)) {
        Err(EnvelopeError::TooLong) => return None,
        other => other.unwrap(),
    };
    if envelope != Envelope::Eip191 {
        return Some(solana_secret().sign(&payload).to_bytes().to_vec());
    }
    // The key of EIP-155's example.
    let secret = k256::ecdsa::SigningKey::from_slice(&[0x46; 32]).unwrap();
    let (signature, recovery): (EcdsaSignature, RecoveryId) =
        secret.sign_prehash(&keccak256(&payload)).unwrap();
    Some(
        [
            &signature.to_bytes()[..],
            &[27 + u8::from(recovery.is_y_odd())],
        ]
        .concat(),
    )
}

fn sample(name: &str) -> Sample {
    all_samples()
        .into_iter()
        .find(|sample| sample.name == name)
        .unwrap()
}

/// The text and each envelope of one sample, signed.
fn signed(name: &str) -> (StatementText, Vec<(Envelope, Vec<u8>)>) {
    let text = sample(name).text();
    let signatures = Envelope::ALL
        .into_iter()
        .filter_map(|envelope| Some((envelope, sign(&text, envelope)?)));
    let signatures = signatures.collect();
    (text, signatures)
}

/// What each wallet signs, byte for byte. Where a text is too long for one, the file says so.
#[test]
fn each_envelope_is_its_golden_file() {
    for sample in all_samples() {
        let text = sample.text();
        let lines: Vec<_> = Envelope::ALL
            .into_iter()
            .map(|envelope| {
                let payload = payload(text.as_str(), envelope, &key_for(envelope));
                format!(
                    "{} {}",
                    envelope.as_str(),
                    payload.map_or("too-long".to_owned(), hex::encode)
                )
            })
            .collect();
        assert_golden(&format!("{}.payloads.txt", sample.name), &lines.join("\n"));
    }
}

/// tests/golden/statements/signatures.txt was made by @solana/kit 8.4.0 (off-chain messages and plain
/// bytes) and viem 2.56.9 (`personal_sign`) from the texts alone, and checked by solders 0.29.0 and
/// eth-account 0.14.0; the lines of kinds 6 and from 9 on by the latter two, which make the others too
/// (`tests/foreign/statements.py`).
#[test]
fn signatures_of_other_programs_count() {
    let vectors = include_str!("../../tests/golden/statements/signatures.txt");
    let mut seen = Vec::new();
    for line in vectors.lines() {
        let [name, envelope, signature] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let envelope = Envelope::from_text(envelope).unwrap();
        let signature = hex::decode(signature).unwrap();
        let text = sample(name).text();
        assert_eq!(
            verify(&text, &key_for(envelope), envelope, &signature),
            Ok(()),
            "{name} {envelope:?}"
        );
        seen.push((name, envelope));
    }
    for sample in all_samples() {
        for envelope in Envelope::ALL {
            let fits = sign(&sample.text(), envelope).is_some();
            assert_eq!(
                seen.contains(&(sample.name, envelope)),
                fits,
                "{} {envelope:?}",
                sample.name
            );
        }
    }
}

/// P09: a signature counts for its own statement in its own envelope, and for nothing else.
#[test]
fn no_signature_serves_twice() {
    let all: Vec<_> = samples()
        .iter()
        .map(|sample| {
            let (text, signatures) = signed(sample.name);
            (sample.name, text, signatures)
        })
        .collect();
    for (name, text, _) in &all {
        for (other, _, signatures) in &all {
            for (made, signature) in signatures {
                for envelope in Envelope::ALL {
                    for key in [solana_key(), evm_key()] {
                        let counts = verify(text, &key, envelope, signature).is_ok();
                        let own = name == other && envelope == *made && key == key_for(envelope);
                        assert_eq!(
                            counts, own,
                            "{made:?} of {other} as {envelope:?} of {name} by {key}"
                        );
                    }
                }
            }
        }
    }
}

/// What the command line finds out about a pasted signature is what the signer will verify.
#[test]
fn the_envelope_is_found_from_the_signature() {
    let (text, signatures) = signed("release-pause");
    let (other, _) = signed("release-pause-wallet");
    for (envelope, signature) in &signatures {
        for key in [solana_key(), evm_key()] {
            let own = (key == key_for(*envelope)).then_some(*envelope);
            assert_eq!(envelope_of(text.as_str(), &key, signature), own);
            assert_eq!(envelope_of(other.as_str(), &key, signature), None);
        }
        assert_eq!(
            envelope_of("Pay everything", &key_for(*envelope), signature),
            None
        );
    }
}

/// P04 and P12: the text that was signed is the text that counts, to the bit.
#[test]
fn every_flipped_bit_of_the_text_is_refused() {
    let (text, signatures) = signed("withdraw");
    assert_eq!(signatures.len(), 4);
    let bytes = text.as_str().as_bytes();
    for place in 0..bytes.len() {
        // The eighth bit makes no UTF-8.
        for bit in 0..7 {
            let mut other = bytes.to_vec();
            other[place] ^= 1 << bit;
            let other = forged(std::str::from_utf8(&other).unwrap());
            for (envelope, signature) in &signatures {
                assert!(
                    verify(&other, &key_for(*envelope), *envelope, signature).is_err(),
                    "{place} {bit}"
                );
            }
        }
    }
}

/// The same below the form of the text: every bit of what the wallet signed.
#[test]
fn every_flipped_bit_of_the_payload_is_refused() {
    let (text, signatures) = signed("withdraw");
    for (envelope, signature) in signatures {
        let key = key_for(envelope);
        let counts = |payload: &[u8]| match key {
            OwnerKey::Ed25519(address) => ed25519(payload, address.as_bytes(), &signature),
            OwnerKey::Secp256k1(address) => recover(payload, &signature) == Some(address),
        };
        let mut payload = payload(text.as_str(), envelope, &key).unwrap();
        assert!(counts(&payload));
        for place in 0..payload.len() {
            for bit in 0..8 {
                payload[place] ^= 1 << bit;
                assert!(!counts(&payload), "{envelope:?} {place} {bit}");
                payload[place] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_signature_is_refused() {
    let (text, signatures) = signed("withdraw");
    for (envelope, signature) in signatures {
        let key = key_for(envelope);
        assert_eq!(verify(&text, &key, envelope, &signature), Ok(()));
        for place in 0..signature.len() {
            for bit in 0..8 {
                let mut other = signature.clone();
                other[place] ^= 1 << bit;
                assert_eq!(
                    verify(&text, &key, envelope, &other),
                    Err(EnvelopeError::Signature),
                    "{envelope:?} {place} {bit}"
                );
            }
        }
        for length in 0..signature.len() {
            assert!(verify(&text, &key, envelope, &signature[..length]).is_err());
        }
        assert!(verify(&text, &key, envelope, &[&signature[..], &[0]].concat()).is_err());
    }
}

#[test]
fn every_flipped_bit_of_the_key_is_refused() {
    let (text, signatures) = signed("withdraw");
    for (envelope, signature) in signatures {
        let flip = |bytes: &mut [u8], bit: usize| bytes[bit / 8] ^= 1 << (bit % 8);
        let others: Vec<_> = match key_for(envelope) {
            OwnerKey::Ed25519(address) => (0..256)
                .map(|bit| {
                    let mut bytes = *address.as_bytes();
                    flip(&mut bytes, bit);
                    OwnerKey::Ed25519(SolanaAddress::from_bytes(bytes))
                })
                .collect(),
            OwnerKey::Secp256k1(address) => (0..160)
                .map(|bit| {
                    let mut bytes = *address.as_bytes();
                    flip(&mut bytes, bit);
                    OwnerKey::Secp256k1(EvmAddress::from_bytes(bytes))
                })
                .collect(),
        };
        for key in others {
            assert!(verify(&text, &key, envelope, &signature).is_err(), "{key}");
        }
    }
}

/// P01: no signature at all, and signatures of nothing.
#[test]
fn empty_and_constant_signatures_are_refused() {
    let text = sample("withdraw").text();
    for envelope in Envelope::ALL {
        for byte in [0, 1, 0x1b, 0x7f, 0xff] {
            for length in [0, 1, 63, 64, 65, 66, 128] {
                let signature = vec![byte; length];
                assert!(
                    verify(&text, &key_for(envelope), envelope, &signature).is_err(),
                    "{envelope:?} {byte} {length}"
                );
            }
        }
    }
    // Recovery of a zero signature must not answer with the zero address either.
    let zero = OwnerKey::Secp256k1(EvmAddress::from_bytes([0; 20]));
    assert!(verify(&text, &zero, Envelope::Eip191, &[0; 65]).is_err());
}

/// P07 and P08: of the two forms that the mathematics allows, one counts.
#[test]
fn a_high_s_is_refused() {
    let (text, signatures) = signed("withdraw");
    let (_, low) = signatures
        .into_iter()
        .find(|(envelope, _)| *envelope == Envelope::Eip191)
        .unwrap();
    let mut high = low.clone();
    let mut borrow = 0;
    for place in (0..32).rev() {
        let digit = i16::from(ORDER[place]) - i16::from(low[32 + place]) - borrow;
        borrow = i16::from(digit < 0);
        high[32 + place] = u8::try_from(digit.rem_euclid(256)).unwrap();
    }
    high[64] = 55 - low[64];
    // It is the same signature in its other form.
    let normal = EcdsaSignature::from_slice(&high[..64])
        .unwrap()
        .normalize_s();
    assert_eq!(&normal.to_bytes()[..], &low[..64]);
    for v in 0..=255 {
        high[64] = v;
        assert_eq!(
            verify(&text, &evm_key(), Envelope::Eip191, &high),
            Err(EnvelopeError::Signature)
        );
    }
}

/// Wallets write the parity as 0 or 1, or as 27 or 28; nothing else is one.
#[test]
fn v_has_four_values() {
    let (text, signatures) = signed("withdraw");
    let (_, signature) = signatures
        .into_iter()
        .find(|(envelope, _)| *envelope == Envelope::Eip191)
        .unwrap();
    let right = signature[64];
    for v in 0..=255 {
        let mut other = signature.clone();
        other[64] = v;
        let counts = verify(&text, &evm_key(), Envelope::Eip191, &other).is_ok();
        assert_eq!(counts, v == right || v == right - 27, "{v}");
    }
}

/// r and s at or above the group's order are no second form of small ones.
#[test]
fn numbers_beyond_the_order_are_refused() {
    let (text, signatures) = signed("withdraw");
    let (_, signature) = signatures
        .into_iter()
        .find(|(envelope, _)| *envelope == Envelope::Eip191)
        .unwrap();
    for part in [0..32, 32..64] {
        for number in [[0; 32], ORDER, [0xff; 32]] {
            let mut other = signature.clone();
            other[part.clone()].copy_from_slice(&number);
            assert!(verify(&text, &evm_key(), Envelope::Eip191, &other).is_err());
        }
    }
}

/// Vectors of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020; cases.json of
/// novifinancial/ed25519-speccheck, by their number there): message, key, signature.
const SPECCHECK: [(&str, &str, &str, &str); 9] = [
    (
        "0: small-order key and nonce, S = 0",
        "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "1: small-order key",
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
    ),
    (
        "2: small-order nonce",
        "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
    ),
    (
        "4: valid only with the cofactor",
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
    ),
    (
        "5: valid only with the cofactor, reduced early",
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
    ),
    (
        "6: S above the order",
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
    ),
    (
        "7: S far above the order",
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
    ),
    (
        "8: non-canonical nonce",
        "fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607",
    ),
    (
        "9: non-canonical nonce, hashed as sent",
        "84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09",
    ),
];

#[test]
fn weak_keys_and_loose_signatures_are_refused() {
    for (case, message, key, signature) in SPECCHECK {
        let [message, key, signature] =
            [message, key, signature].map(|text| hex::decode(text).unwrap());
        assert!(
            !ed25519(&message, &key.try_into().unwrap(), &signature),
            "{case}"
        );
    }
    // The identity point as key and nonce fits every text, without the strict check.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let loose = VerifyingKey::from_bytes(&identity).unwrap();
    let text = sample("withdraw").text();
    use ed25519_dalek::Verifier as _;
    assert!(
        loose
            .verify(text.as_str().as_bytes(), &Signature::from_bytes(&signature))
            .is_ok()
    );
    let key = OwnerKey::Ed25519(SolanaAddress::from_bytes(identity));
    assert!(verify(&text, &key, Envelope::Ed25519Plain, &signature).is_err());
}

/// The same point in its second encoding is no second owner: all 19 y coordinates at or above
/// 2^255 - 19, with both signs.
#[test]
fn keys_have_one_encoding() {
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut key = [0xff; 32];
            key[0] = low;
            key[31] = high;
            assert!(!is_canonical(&key));
        }
    }
    let mut last = [0xff; 32];
    last[0] = 0xec;
    last[31] = 0x7f;
    assert!(is_canonical(&last));
    assert!(is_canonical(solana_secret().verifying_key().as_bytes()));
}

#[test]
fn only_statements_are_wrapped() {
    for text in [
        "",
        "pay",
        "WAIaaS WITHDRAW\nSigning this pays.",
        "\u{1}\0\u{1}",
    ] {
        for envelope in Envelope::ALL {
            assert_eq!(
                payload(text, envelope, &key_for(envelope)),
                Err(EnvelopeError::NotAStatement)
            );
        }
    }
    let text = sample("withdraw").text();
    for envelope in Envelope::ALL {
        let other = if envelope == Envelope::Eip191 {
            solana_key()
        } else {
            evm_key()
        };
        assert!(envelope.fits(&key_for(envelope)) && !envelope.fits(&other));
        assert_eq!(
            payload(text.as_str(), envelope, &other),
            Err(EnvelopeError::Family)
        );
        assert_eq!(
            verify(&text, &other, envelope, &[0; 64]),
            Err(EnvelopeError::Family)
        );
    }
}

/// A form for hardware wallets is one line, which stands for exactly one text.
#[test]
fn the_hardware_form_is_one_line() {
    let text = sample("withdraw").text();
    let message = payload(text.as_str(), Envelope::Ed25519OffchainV0, &solana_key()).unwrap();
    let (header, line) = message.split_at(85);
    assert_eq!(&header[..17], b"\xffsolana offchain\0");
    assert_eq!(header[17..49], sha2::Sha256::digest(b"waiaas")[..]);
    assert_eq!(header[49..51], [0, 1]);
    assert_eq!(&header[51..83], solana_secret().verifying_key().as_bytes());
    assert_eq!(
        usize::from(u16::from_le_bytes([header[83], header[84]])),
        line.len()
    );
    assert!(line.iter().all(|byte| (0x20..=0x7e).contains(byte)));
    assert_eq!(
        std::str::from_utf8(line).unwrap().replace(" | ", "\n"),
        text.as_str()
    );
    // Withdrawals, pause, kill, time and nonces fit a hardware wallet; several transfers may not, nor
    // what a call or a broken rule says in full.
    for sample in all_samples() {
        let fits = payload(
            sample.text().as_str(),
            Envelope::Ed25519OffchainV0,
            &solana_key(),
        )
        .is_ok();
        let long = [
            "adopt-policy",
            "adopt-policy-later",
            "release-kill",
            "grant-session",
            "grant-session-narrow",
            "approve-payment-batch",
            "approve-payment-beyond",
            "approve-payment-call",
            "approve-payment-call-not-listed",
            "approve-payment-program",
            "approve-payment-program-not-listed",
            "approve-payment-stake",
            "approve-payment-stake-not-listed",
        ]
        .contains(&sample.name);
        assert!(fits || long, "{}", sample.name);
    }
}

#[test]
fn envelopes_have_stable_names_and_numbers() {
    for (number, envelope) in (0..).zip(Envelope::ALL) {
        assert_eq!(crate::codec::to_canonical(&envelope), [number]);
        assert_eq!(crate::codec::from_canonical(&[number]), Ok(envelope));
        assert_eq!(Envelope::from_text(envelope.as_str()), Some(envelope));
    }
    assert!(crate::codec::from_canonical::<Envelope>(&[4]).is_err());
    assert_eq!(Envelope::from_text("eip712"), None);
}
