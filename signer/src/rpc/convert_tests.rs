//! Readers to domain values and back: strict both ways.

use capnp::message::Builder;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, ChainId};
use waiaas_shared::codec::to_canonical;
use waiaas_shared::denial::Violation;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::{OwnerId, SessionId, WalletId};
use waiaas_shared::time::Millis;

use super::*;
use crate::ledger::{Page, StoredEvent};

fn spend_message(
    change: impl FnOnce(types_capnp::spend_request::Builder<'_>),
) -> Result<SpendRequest, Unfit> {
    let mut message = Builder::new_default();
    let mut request = message.init_root::<types_capnp::spend_request::Builder<'_>>();
    request.set_session(SessionId::from_bytes([7; 16]).to_string());
    request.set_method("POST");
    request.set_path("/v1/transactions");
    request.set_query("?");
    request.set_idempotency_key("key");
    request.set_body(b"{}");
    request.set_unsigned(&[1, 2, 3]);
    change(request);
    spend(message.get_root_as_reader().unwrap(), false)
}

#[test]
fn a_request_is_taken_as_it_is() {
    let request = spend_message(|mut request| {
        request.set_signature_input("sig=()");
        request.set_signature("sig=:AA==:");
    })
    .unwrap();
    assert_eq!(request.session, SessionId::from_bytes([7; 16]));
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/v1/transactions")
    );
    assert_eq!(
        (request.query.as_str(), request.idempotency_key.as_str()),
        ("?", "key")
    );
    assert_eq!(
        (request.signature_input.as_str(), request.signature.as_str()),
        ("sig=()", "sig=:AA==:")
    );
    assert_eq!(
        (request.body.as_slice(), request.unsigned.as_slice()),
        (&b"{}"[..], &[1, 2, 3][..])
    );
    assert!(request.used.is_none() && !request.dry_run);
}

#[test]
fn garbage_in_each_field_is_refused() {
    let long = "x".repeat(TEXT_LIMIT_BYTES + 1);
    let longer = "x".repeat(HEADER_LIMIT_BYTES + 1);
    let not_text = capnp::text::Reader(b"\xff\xfe");
    let wallet = WalletId::from_bytes([7; 16]).to_string();
    let field = |name| Err(Unfit::Malformed(Malformed::Field(name)));
    let check = |result: Result<SpendRequest, Unfit>, expected: Result<(), Unfit>| {
        assert_eq!(result.map(|_| ()), expected);
    };
    for session in ["", "session_", "x", wallet.as_str(), long.as_str()] {
        check(
            spend_message(|mut request| request.set_session(session)),
            field("session"),
        );
    }
    check(
        spend_message(|mut request| request.set_session(not_text)),
        field("session"),
    );
    check(
        spend_message(|mut request| request.set_method(not_text)),
        field("method"),
    );
    check(
        spend_message(|mut request| request.set_method(&long)),
        field("method"),
    );
    check(
        spend_message(|mut request| request.set_path(&long)),
        field("path"),
    );
    check(
        spend_message(|mut request| request.set_query(&long)),
        field("query"),
    );
    check(
        spend_message(|mut request| request.set_idempotency_key(&long)),
        field("idempotencyKey"),
    );
    check(
        spend_message(|mut request| request.set_signature_input(&longer)),
        field("signatureInput"),
    );
    check(
        spend_message(|mut request| request.set_signature(&longer)),
        field("signature"),
    );
    let large = vec![0; BODY_LIMIT_BYTES + 1];
    let too_large = || Err(Unfit::Denied(Code::BodyTooLarge.into()));
    check(
        spend_message(|mut request| request.set_body(&large)),
        too_large(),
    );
    check(
        spend_message(|mut request| request.set_unsigned(&large)),
        too_large(),
    );
    let most = vec![0; BODY_LIMIT_BYTES];
    check(spend_message(|mut request| request.set_body(&most)), Ok(()));
}

#[test]
fn fields_of_a_newer_version_are_not_ignored() {
    // A structure with more in it than this version knows, where a request is expected.
    let mut message = Builder::new_default();
    message
        .init_root::<types_capnp::status::Builder<'_>>()
        .set_kill_epoch(1);
    let refused = spend(message.get_root_as_reader().unwrap(), false).map(|_| ());
    assert_eq!(refused, Err(Unfit::Malformed(Malformed::UnknownFields)));
}

#[test]
fn names_have_a_closed_list() {
    for (text, expected) in [
        ("solana", Some(Family::Solana)),
        ("evm", Some(Family::Evm)),
        ("Evm", None),
        ("", None),
    ] {
        assert_eq!(family(text.into()).ok(), expected, "{text}");
    }
    for envelope_known in Envelope::ALL {
        assert_eq!(envelope(envelope_known.as_str().into()), Ok(envelope_known));
    }
    for text in ["", "ed25519", "EIP191", "eip191 ", "raw"] {
        assert_eq!(
            envelope(text.into()),
            Err(Malformed::Field("envelope")),
            "{text}"
        );
    }
}

#[test]
fn lists_are_bounded() {
    // No quorum is larger than what one submission carries.
    let keys = u32::try_from(waiaas_shared::owner_change::KEYS_LIMIT);
    assert!(keys.is_ok_and(|keys| keys <= SIGNATURES_LIMIT));
    let mut message = Builder::new_default();
    let list = message
        .init_root::<waiaas_schema::admin_capnp::admin::withdraw_params::Builder<'_>>()
        .init_signatures(SIGNATURES_LIMIT + 1);
    assert_eq!(
        signatures(list.into_reader()),
        Err(Malformed::Field("signatures"))
    );

    let mut message = Builder::new_default();
    let mut list = message
        .init_root::<waiaas_schema::admin_capnp::admin::create_wallet_params::Builder<'_>>()
        .init_networks(2);
    list.set(0, "eip155:1");
    list.set(1, "solana:localnet");
    assert_eq!(
        networks::<ChainId>(list.reborrow().into_reader()).unwrap(),
        [
            "eip155:1".parse().unwrap(),
            "solana:localnet".parse().unwrap()
        ]
    );
    list.set(1, "eip155:01");
    assert_eq!(
        networks::<ChainId>(list.into_reader()),
        Err(Malformed::Field("networks"))
    );
    assert_eq!(
        signature(&[0; SIGNATURE_LIMIT_BYTES + 1]),
        Err(Malformed::Field("signature"))
    );
}

#[test]
fn signatures_are_read_whole() {
    let owner = OwnerId::from_bytes([3; 16]);
    let mut message = Builder::new_default();
    let mut list = message
        .init_root::<waiaas_schema::admin_capnp::admin::withdraw_params::Builder<'_>>()
        .init_signatures(1);
    let mut entry = list.reborrow().get(0);
    entry.set_owner(owner.to_string());
    entry.set_envelope("eip191");
    entry.set_signature(&[9; 65]);
    let expected = OwnerSignature {
        owner,
        envelope: Envelope::Eip191,
        signature: vec![9; 65],
    };
    assert_eq!(
        signatures(list.reborrow().into_reader()).unwrap(),
        [expected]
    );
    list.reborrow().get(0).set_owner("owner_1");
    assert_eq!(
        signatures(list.into_reader()),
        Err(Malformed::Field("owner"))
    );
}

#[test]
fn facts_are_canonical_or_refused() {
    let statement = StatementFacts::ReleasePause { wallet: None };
    let bytes = to_canonical(&statement);
    assert_eq!(facts(&bytes), Ok(statement));
    let refused = Err(Unfit::Denied(Code::StatementMalformed.into()));
    assert_eq!(facts(&[bytes.as_slice(), &[0]].concat()), refused);
    assert_eq!(facts(b""), refused);
    assert_eq!(facts(&vec![0; FACTS_LIMIT_BYTES + 1]), refused);
}

#[test]
fn violations_keep_their_values() {
    let asset: AssetId = "solana:localnet/slip44:501".parse().unwrap();
    let _: SolanaAddress = "11111111111111111111111111111111".parse().unwrap();
    let denial = Denial::from_violations(vec![
        Violation {
            retry_after: Some(Millis::from_millis(0)),
            ..Violation::limit(
                Code::DayLimit,
                asset,
                Amount::from_base_units(5),
                Amount::ZERO,
            )
        },
        Violation {
            argument: Some(2),
            ..Violation::of(Code::Locked)
        },
    ])
    .unwrap();
    let mut message = Builder::new_default();
    let outcome = message.init_root::<types_capnp::outcome::Builder<'_>>();
    write_outcome(&Err(denial), outcome);
    let outcome: types_capnp::outcome::Reader<'_> = message.get_root_as_reader().unwrap();
    let types_capnp::outcome::Denied(Ok(list)) = outcome.which().unwrap() else {
        panic!("denied")
    };
    let texts = |entry: types_capnp::violation::Reader<'_>| {
        [
            entry.get_code(),
            entry.get_asset(),
            entry.get_observed(),
            entry.get_allowed(),
        ]
        .map(|text| text.unwrap().to_string().unwrap())
    };
    assert_eq!(
        texts(list.get(0)),
        ["day_limit", "solana:localnet/slip44:501", "5", "0"]
    );
    assert_eq!(
        list.get(0).get_retry_after_millis(),
        1,
        "0 would say: never"
    );
    assert_eq!(texts(list.get(1)), ["locked", "", "", ""]);
    assert_eq!(list.get(1).get_retry_after_millis(), 0);
    let places = [list.get(0), list.get(1)].map(|entry| entry.get_argument());
    assert_eq!(places, [0, 2]);
}

fn page_of(count: u64, body: usize, note: usize) -> EventsAnswer {
    let event = |sequence| StoredEvent {
        sequence,
        body: vec![0; body],
        hash: Digest::from_bytes([1; 32]),
    };
    let page = Page {
        events: (1..=count).map(event).collect(),
        heads: (1..=count)
            .map(|sequence| (sequence, "n".repeat(note)))
            .collect(),
    };
    EventsAnswer { page, last: count }
}

#[test]
fn a_page_fits_a_frame_and_always_goes_on() {
    for (count, body, note, most) in [
        (10, 100, 300, 10),
        (5000, 40, 300, 5000),
        (3, 256 * 1024, 300, 1),
        (1, 500 * 1024, 300, 1),
    ] {
        let mut message = Builder::new_default();
        write_page(&page_of(count, body, note), message.init_root());
        let page: types_capnp::event_page::Reader<'_> = message.get_root_as_reader().unwrap();
        let events = page.get_events().unwrap();
        assert!(
            (1..=most).contains(&u64::from(events.len())),
            "{count} {body}: {}",
            events.len()
        );
        assert_eq!(
            page.get_heads().unwrap().len(),
            events.len(),
            "only heads of events inside"
        );
        assert_eq!(page.get_last(), count);
        let bytes = message.size_in_words() * 8;
        assert!(
            bytes < waiaas_schema::FRAME_LIMIT_BYTES,
            "{count} {body}: {bytes}"
        );
    }
}
