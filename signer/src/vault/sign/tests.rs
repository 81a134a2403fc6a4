//! Faults: no bit of a key can flip and still give a signature.

use super::super::testing::{arena, locked};
use super::*;

#[test]
fn any_flipped_bit_of_an_ed25519_key_refuses() {
    let arena = arena();
    let mut key = Ed25519Key::from_seed(&locked(&arena, &[3; 32]), &arena).unwrap();
    let before = key.sign(b"message").unwrap();
    for bit in 0..(EXPANDED_BYTES + CHECK_BYTES) * 8 {
        key.flip(bit);
        assert_eq!(key.sign(b"message"), Err(SignError::Fault), "bit {bit}");
        key.flip(bit);
    }
    assert_eq!(key.sign(b"message"), Ok(before));
}

#[test]
fn any_flipped_bit_of_a_secp256k1_key_refuses() {
    let arena = arena();
    let mut key = Secp256k1Key::from_scalar(&locked(&arena, &[3; 32]), &arena).unwrap();
    let before = key.sign_unverified(&[7; 32]).unwrap();
    for bit in 0..(SCALAR_BYTES + CHECK_BYTES) * 8 {
        key.flip(bit);
        assert_eq!(
            key.sign_unverified(&[7; 32]),
            Err(SignError::Fault),
            "bit {bit}"
        );
        key.flip(bit);
    }
    assert_eq!(key.sign_unverified(&[7; 32]), Ok(before));
}

/// The check value is only the first net. Here it is made to fit another key, as if the fault had
/// struck before it was computed, and verification has to catch the signature. (A wallet's is verified
/// where it is assembled: shared/tests/transaction/signatures.rs.)
#[test]
fn a_head_signed_by_another_key_is_not_released() {
    let arena = arena();
    let seeds = [locked(&arena, &[3; 32]), locked(&arena, &[4; 32])];
    let [mut first, second] = seeds.map(|seed| Ed25519Key::from_seed(&seed, &arena).unwrap());
    first.secret = second.secret;
    assert_eq!(first.sign(b"message"), Err(SignError::Fault));
}

#[test]
fn a_flipped_public_key_refuses() {
    let arena = arena();
    let seeds = [locked(&arena, &[3; 32]), locked(&arena, &[4; 32])];
    let [mut first, second] = seeds.map(|seed| Ed25519Key::from_seed(&seed, &arena).unwrap());
    first.public = second.public;
    assert_eq!(first.sign(b"message"), Err(SignError::Fault));
}

#[test]
fn what_is_no_scalar_is_no_key() {
    let arena = arena();
    for bytes in [[0; 32], [0xff; 32]] {
        let scalar = locked(&arena, &bytes);
        assert!(matches!(
            Secp256k1Key::from_scalar(&scalar, &arena),
            Err(KeyError::Invalid)
        ));
    }
    let short = locked(&arena, &[1; 31]);
    assert!(Secp256k1Key::from_scalar(&short, &arena).is_err());
}

/// EIP-2: s is at most half the order, whatever the digest.
#[test]
fn signatures_are_low_and_repeat() {
    let half = hex::decode("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");
    let half = half.unwrap();
    let arena = arena();
    let key = Secp256k1Key::from_scalar(&locked(&arena, &[3; 32]), &arena).unwrap();
    let mut parities = [false; 2];
    for message in 0..64_u8 {
        let digest = [message; 32];
        let signature = key.sign_unverified(&digest).unwrap();
        assert!(signature.s.as_slice() <= half.as_slice());
        assert_eq!(key.sign_unverified(&digest), Ok(signature));
        parities[usize::from(signature.y_parity)] = true;
    }
    assert_eq!(parities, [true, true]);
}
