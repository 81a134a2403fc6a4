//! INVARIANT 4: a faulty signature never leaves, whichever bit of it is wrong.

use ed25519_dalek::Signer as _;
use waiaas_shared::amount::Amount;
use waiaas_shared::effect::Effect;
use waiaas_shared::transaction::{
    DecodedTransaction, Signature, SignatureError, SigningPayload, assemble, signing_payload,
};

use crate::{evm_bytes, evm_key, read_evm, read_solana, solana_bytes, solana_key};

fn sign_evm(transaction: &DecodedTransaction, key: &k256::ecdsa::SigningKey) -> ([u8; 64], bool) {
    let SigningPayload::Secp256k1Prehash(prehash) = signing_payload(transaction) else {
        panic!("an EVM transaction")
    };
    let (signature, recovery) = key.sign_prehash_recoverable(&prehash);
    (signature.to_bytes().into(), recovery.is_y_odd())
}

#[test]
fn faulty_ed25519_signatures_never_leave() {
    let transaction = read_solana(&solana_bytes()).unwrap();
    let SigningPayload::Ed25519Message(message) = signing_payload(&transaction) else {
        panic!("a Solana message")
    };
    assert_eq!(message, solana_bytes());
    let good = solana_key().sign(message).to_bytes();
    let signed = assemble(&transaction, &Signature::Ed25519(good)).unwrap();
    assert_eq!(
        signed.bytes(),
        [&[1][..], &good, &solana_bytes()[..]].concat()
    );
    assert_eq!(signed.id(), bs58::encode(good).into_string());
    for bit in 0..512 {
        let mut faulty = good;
        faulty[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            assemble(&transaction, &Signature::Ed25519(faulty)),
            Err(SignatureError::Invalid),
            "{bit}"
        );
    }
    let other_key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    for wrong in [
        other_key.sign(message).to_bytes(),
        solana_key().sign(&message[1..]).to_bytes(),
    ] {
        assert_eq!(
            assemble(&transaction, &Signature::Ed25519(wrong)),
            Err(SignatureError::Invalid)
        );
    }
    let other_curve = Signature::Secp256k1 {
        r_and_s: good,
        y_is_odd: false,
    };
    assert_eq!(
        assemble(&transaction, &other_curve),
        Err(SignatureError::WrongCurve)
    );
}

#[test]
fn faulty_secp256k1_signatures_never_leave() {
    let transaction = read_evm(&evm_bytes()).unwrap();
    let (r_and_s, y_is_odd) = sign_evm(&transaction, &evm_key());
    let good = Signature::Secp256k1 { r_and_s, y_is_odd };
    assert!(assemble(&transaction, &good).is_ok());
    for bit in 0..512 {
        let mut faulty = r_and_s;
        faulty[bit / 8] ^= 1 << (bit % 8);
        let faulty = Signature::Secp256k1 {
            r_and_s: faulty,
            y_is_odd,
        };
        assert!(assemble(&transaction, &faulty).is_err(), "{bit}");
    }
    let refused = |r_and_s: [u8; 64], y_is_odd: bool| {
        assemble(&transaction, &Signature::Secp256k1 { r_and_s, y_is_odd }).unwrap_err()
    };
    assert_eq!(refused(r_and_s, !y_is_odd), SignatureError::Invalid);
    assert_eq!(refused([0; 64], false), SignatureError::Invalid);
    assert_eq!(refused([0xff; 64], true), SignatureError::Invalid);

    // The same signature in its high-s form: valid mathematics, refused (EIP-2).
    let (r, s) = k256::ecdsa::Signature::from_slice(&r_and_s)
        .unwrap()
        .split_scalars();
    let high = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    assert_eq!(
        refused(high.to_bytes().into(), !y_is_odd),
        SignatureError::HighS
    );

    // Another key; the same key over the same payment with another nonce.
    let other_key = k256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
    let (wrong, parity) = sign_evm(&transaction, &other_key);
    assert_eq!(refused(wrong, parity), SignatureError::Invalid);
    let (wrong, parity) = sign_evm(&transaction.with_nonce(1).unwrap(), &evm_key());
    assert_eq!(refused(wrong, parity), SignatureError::Invalid);

    assert_eq!(
        assemble(&transaction, &Signature::Ed25519(r_and_s)),
        Err(SignatureError::WrongCurve)
    );
}

/// The fee stands in the effects once, so that whoever sums effects sums the fee.
#[test]
fn the_fee_is_an_effect() {
    for transaction in [
        read_solana(&solana_bytes()).unwrap(),
        read_evm(&evm_bytes()).unwrap(),
    ] {
        let fees: Vec<Amount> = transaction
            .effects()
            .iter()
            .filter_map(|effect| match effect {
                Effect::Fee { max, .. } => Some(*max),
                _ => None,
            })
            .collect();
        assert_eq!(fees, [transaction.fee_max()]);
        assert!(transaction.fee_max() > Amount::ZERO);
    }
}
