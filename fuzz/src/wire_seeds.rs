//! What the targets of frames begin with: what honest peers send, and what only a hostile one does.

use capnp::any_pointer;
use capnp::message::{AllocationStrategy, Builder, HeapAllocator};
use capnp::serialize::write_message;
use capnp::traits::HasTypeId as _;
use capnp_rpc::rpc_capnp::message;
use waiaas_schema::admin_capnp::admin;
use waiaas_schema::common_capnp::common;
use waiaas_schema::gateway_capnp::gateway;

use super::{ADMIN, COMMON, GATEWAY};

fn bytes(message: &Builder<HeapAllocator>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, message).expect("memory takes all");
    bytes
}

fn called(
    question: u32,
    (interface, method): (u64, u16),
    segment: u32,
    fill: impl FnOnce(any_pointer::Builder<'_>),
) -> Vec<u8> {
    let allocator = HeapAllocator::new()
        .first_segment_words(segment)
        .allocation_strategy(AllocationStrategy::FixedSize);
    let mut message = Builder::new(allocator);
    let mut call = message.init_root::<message::Builder<'_>>().init_call();
    call.set_question_id(question);
    call.set_interface_id(interface);
    call.set_method_id(method);
    call.reborrow().init_target().set_imported_cap(0);
    fill(call.init_params().get_content());
    bytes(&message)
}

/// A payment as the gateway hands it on.
fn payment(question: u32, segment: u32) -> Vec<u8> {
    called(
        question,
        (gateway::Client::TYPE_ID, 1),
        segment,
        |content| {
            let params = content.init_as::<gateway::sign_params::Builder<'_>>();
            let mut request = params.init_request();
            request.set_session("session_00000000000000000000000001");
            request.set_method("POST");
            request.set_path("/v1/transactions");
            request.set_query("?");
            request.set_idempotency_key("0123456789abcdef");
            request.set_body(br#"{"signer":"signer_00000000000000000000000001"}"#);
            request.set_unsigned(&[0x80; 40]);
        },
    )
}

/// A statement with two owners' signatures.
fn statement(question: u32) -> Vec<u8> {
    called(question, (common::Client::TYPE_ID, 7), 64, |content| {
        let mut params = content.init_as::<common::submit_statement_params::Builder<'_>>();
        params.set_statement("statement_00000000000000000000000001");
        let mut signatures = params.init_signatures(2);
        for place in 0..2 {
            let mut signature = signatures.reborrow().get(place);
            signature.set_owner("eip155:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
            signature.set_envelope("eip191");
            signature.set_signature(&[7; 65]);
        }
    })
}

/// A wallet's networks: a list of texts.
fn networks(question: u32) -> Vec<u8> {
    called(question, (admin::Client::TYPE_ID, 3), 64, |content| {
        let mut params = content.init_as::<admin::create_wallet_params::Builder<'_>>();
        params.set_password(b"password");
        params.set_family("evm");
        params.set_first_nonce(7);
        let mut networks = params.init_networks(2);
        networks.set(0, "eip155:1");
        networks.set(1, "eip155:8453");
    })
}

/// Pointers of a hostile peer: at itself, beyond the end, far, double far, into a segment that is not there, lists
/// of lists, of nothing, of structures that are not there, capabilities.
const POINTERS: [u64; 12] = [
    0x0000_0001_ffff_fffc,
    0x0001_0001_7fff_fffc,
    0x0000_0001_0000_0002,
    0x0000_0005_0000_0006,
    0xffff_ffff_0000_0001,
    0x0000_0007_0000_0001,
    0x0000_0000_ffff_ffff,
    0x0001_0000_0000_0003,
    0xffff_fff8_0000_0001,
    0xffff_ffff_ffff_fffd,
    0x0000_0000_0000_0004,
    0x0002_0000_ffff_fff8,
];

/// A payment with one of its words replaced by each of them, behind a Bootstrap that passes.
fn hostile(bootstrap: &[u8]) -> Vec<Vec<u8>> {
    let honest = payment(1, 256);
    let mut streams = Vec::new();
    // Behind the table, which is one word.
    for word in 1..honest.len() / 8 {
        for pointer in POINTERS {
            let mut frame = honest.clone();
            let place = frame.chunks_exact_mut(8).nth(word);
            place
                .expect("a word")
                .copy_from_slice(&pointer.to_le_bytes());
            streams.push([bootstrap, &frame].concat());
        }
    }
    streams
}

/// What honest peers send: the Bootstrap alone and before a call of every method, in one segment and in several,
/// an end; and what only a hostile one sends.
pub fn frames_seeds() -> Vec<Vec<u8>> {
    let mut bootstrap = Builder::new_default();
    let mut body = bootstrap
        .init_root::<message::Builder<'_>>()
        .init_bootstrap();
    body.set_question_id(0);
    let bootstrap = bytes(&bootstrap);
    let mut finish = Builder::new_default();
    let mut body = finish.init_root::<message::Builder<'_>>().init_finish();
    body.set_question_id(0);
    let finish = bytes(&finish);
    let mut seeds = vec![bootstrap.clone()];
    let methods = [
        (common::Client::TYPE_ID, COMMON),
        (gateway::Client::TYPE_ID, GATEWAY),
        (admin::Client::TYPE_ID, ADMIN),
    ];
    for (interface, walks) in methods {
        for method in 0..u16::try_from(walks.len()).expect("a few") {
            seeds.push(called(2, (interface, method), 32, |_| {}));
        }
    }
    seeds.push([&bootstrap[..], &payment(1, 256), &finish, &payment(2, 8)].concat());
    seeds.push([&bootstrap[..], &statement(1), &networks(3), &networks(2)].concat());
    seeds.extend(hostile(&bootstrap));
    seeds
}

/// Frames of the other target, each alone, and some that have no words.
pub fn frame_table_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        payment(1, 256),
        payment(1, 8),
        payment(2, 3),
        statement(1),
        networks(3),
    ];
    seeds.push(
        [1_u32, 1, 1, 0]
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect(),
    );
    if let Some(last) = seeds.last_mut() {
        last.extend([0; 16]);
    }
    seeds
}
