//! The one compiled-in type: its hashes as the field publishes them, and what none of them can be.

use k256::ecdsa::SigningKey;

use super::*;
use crate::evm::{address_of, keccak256};
use crate::transaction::{Signature, SignatureError, SigningPayload};

type Change = fn(&mut TransferAuthorization);

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("a key")
}

pub(super) fn sample() -> TransferAuthorization {
    TransferAuthorization {
        asset: "eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e"
            .parse()
            .expect("an asset"),
        domain: TokenDomain {
            name: "USDC".to_owned(),
            version: "2".to_owned(),
        },
        from: address_of(key().verifying_key()),
        to: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
            .parse()
            .expect("an address"),
        value: Amount::from_base_units(10_000),
        valid_after: VALID_AFTER,
        valid_before: 1_800_000_300,
        nonce: [0xf3; 32],
    }
}

fn signature(message: &AuthorizationMessage, key: &SigningKey) -> Signature {
    let SigningPayload::Secp256k1Prehash(prehash) = message.signing_payload() else {
        panic!("an EVM signature");
    };
    let (signature, recovery) = key.sign_prehash_recoverable(&prehash);
    Signature::Secp256k1 {
        r_and_s: signature.to_bytes().into(),
        y_is_odd: recovery.is_y_odd(),
    }
}

/// The constant of EIP-3009, as contracts have it.
#[test]
fn the_type_is_the_one_of_the_standard() {
    assert_eq!(
        hex::encode(keccak256(TYPE_TEXT.as_bytes())),
        "7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267"
    );
}

#[test]
fn what_is_signed_is_domain_and_fields_behind_their_prefix() {
    let message = AuthorizationMessage::compose(&sample()).expect("sound");
    let payload = message.payload();
    assert_eq!((payload.len(), &payload[..2]), (66, &[0x19, 0x01][..]));
    // Every field changes the bytes, and none moves into another's place.
    let mut seen = vec![payload.to_vec()];
    let changes: [Change; 8] = [
        |fields| fields.domain.name.push('x'),
        |fields| fields.domain.version.push('1'),
        |fields| {
            fields.asset = "eip155:8453/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e"
                .parse()
                .expect("an asset");
        },
        |fields| {
            fields.asset = "eip155:84532/erc20:0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
                .parse()
                .expect("an asset");
            fields.to = EvmAddress::from_bytes([9; 20]);
        },
        |fields| fields.to = EvmAddress::from_bytes([9; 20]),
        |fields| fields.value = Amount::from_base_units(10_001),
        |fields| fields.valid_before += 1,
        |fields| fields.nonce[31] ^= 1,
    ];
    for change in changes {
        let mut fields = sample();
        change(&mut fields);
        let other = AuthorizationMessage::compose(&fields).expect("sound");
        assert!(!seen.contains(&other.payload().to_vec()), "{fields:?}");
        seen.push(other.payload().to_vec());
    }
}

#[test]
fn fields_that_no_authorization_has_are_refused() {
    let changes: [(Change, Code); 12] = [
        (
            |fields| fields.asset = ChainId::Evm(1).native_asset(),
            Code::AuthorizationNotListed,
        ),
        (|fields| fields.value = Amount::ZERO, Code::AmountInvalid),
        (
            |fields| fields.to = EvmAddress::from_bytes([0; 20]),
            Code::AuthorizationRecipient,
        ),
        (
            |fields| {
                let mut precompile = [0; 20];
                precompile[19] = 4;
                fields.to = EvmAddress::from_bytes(precompile);
            },
            Code::AuthorizationRecipient,
        ),
        (
            |fields| fields.to = fields.from,
            Code::AuthorizationRecipient,
        ),
        (
            |fields| fields.to = fields.token().expect("a token").1,
            Code::AuthorizationRecipient,
        ),
        (|fields| fields.valid_before = 0, Code::BodyMalformed),
        (
            |fields| fields.valid_after = fields.valid_before,
            Code::BodyMalformed,
        ),
        (|fields| fields.domain.name.clear(), Code::BodyMalformed),
        (
            |fields| fields.domain.version = "2 ".to_owned(),
            Code::BodyMalformed,
        ),
        (
            |fields| fields.domain.name = "USD | to".to_owned(),
            Code::BodyMalformed,
        ),
        (
            |fields| fields.domain.name = "USD\u{20ae}0".to_owned(),
            Code::BodyMalformed,
        ),
    ];
    for (place, (change, code)) in changes.into_iter().enumerate() {
        let mut fields = sample();
        change(&mut fields);
        let refused = AuthorizationMessage::compose(&fields).map(drop);
        assert_eq!(refused, Err(code), "{place}");
    }
}

#[test]
fn invariant_04_only_the_wallets_own_signature_leaves() {
    let compose = || AuthorizationMessage::compose(&sample()).expect("sound");
    let sound = signature(&compose(), &key());
    let signed = compose().assemble(&sound).expect("the wallet's");
    let Signature::Secp256k1 { r_and_s, y_is_odd } = sound else {
        panic!("an EVM signature");
    };
    assert_eq!(signed.signature[..64], r_and_s);
    assert_eq!(signed.signature[64], 27 + u8::from(y_is_odd));
    let other = SigningKey::from_slice(&[8; 32]).expect("a key");
    let foreign = signature(&compose(), &other);
    assert_eq!(compose().assemble(&foreign), Err(SignatureError::Invalid));
    let flipped = Signature::Secp256k1 {
        r_and_s,
        y_is_odd: !y_is_odd,
    };
    assert!(compose().assemble(&flipped).is_err());
    assert_eq!(
        compose().assemble(&Signature::Ed25519([1; 64])),
        Err(SignatureError::WrongCurve)
    );
    let mut altered = sample();
    altered.value = Amount::from_base_units(10_001);
    let altered = AuthorizationMessage::compose(&altered).expect("sound");
    assert_eq!(altered.assemble(&sound), Err(SignatureError::Invalid));
}

/// The project's own vectors, which eth-account wrote (`tests/foreign/authorization.py`) and viem verifies.
#[test]
fn vectors_have_their_digests_and_signatures() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/vectors/eip3009/authorizations.json"
    );
    let file = std::fs::read_to_string(file).expect("the vectors");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&file).expect("a list");
    assert_eq!(cases.len(), 5);
    for case in cases {
        let (domain, fields) = (&case["domain"], &case["authorization"]);
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let bytes = |value| hex::decode(text(value).trim_start_matches("0x")).expect("digits");
        let seconds = |value| text(value).parse::<u64>().expect("a number");
        let asset = format!(
            "eip155:{}/erc20:{}",
            domain["chainId"],
            text(&domain["verifyingContract"])
        );
        let authorization = TransferAuthorization {
            asset: asset.parse().expect("an asset"),
            domain: TokenDomain {
                name: text(&domain["name"]),
                version: text(&domain["version"]),
            },
            from: text(&fields["from"]).parse().expect("an address"),
            to: text(&fields["to"]).parse().expect("an address"),
            value: text(&fields["value"]).parse().expect("an amount"),
            valid_after: seconds(&fields["validAfter"]),
            valid_before: seconds(&fields["validBefore"]),
            nonce: bytes(&fields["nonce"]).try_into().expect("32 bytes"),
        };
        let message = AuthorizationMessage::compose(&authorization).expect("sound");
        let digest = keccak256(message.payload());
        assert_eq!(digest.to_vec(), bytes(&case["digest"]), "{}", case["name"]);
        let whole = bytes(&case["signature"]);
        let signature = Signature::Secp256k1 {
            r_and_s: whole[..64].try_into().expect("64 bytes"),
            y_is_odd: whole[64] == 28,
        };
        let signed = message.assemble(&signature).expect("the payer's");
        assert_eq!(signed.signature.to_vec(), whole);
    }
}
