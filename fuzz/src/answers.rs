//! What a gateway reads from its signer's socket: frames whose bodies are the answers of calls, read by the client's
//! own functions, included by their path. A signer is trusted with keys; a program in its place is not, and what
//! it answers is written again as the same answer.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "the client's own file, of which a part is used here"
)]
#[path = "../../client/src/answer.rs"]
mod answer;

use capnp::any_pointer;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderSegments};
use capnp::serialize::write_message;
use capnp_rpc::rpc_capnp::{message, return_};
use waiaas_schema::types_capnp::{
    authorization_result, draft, event_page, outcome, renew_result, sign_in_result, status,
    submit_result, verdict,
};
use waiaas_shared::address::EvmAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::authorization::{TokenDomain, TransferAuthorization};
use waiaas_shared::codec::{from_canonical, to_canonical};
use waiaas_shared::denial::Denial;
use waiaas_shared::event::{Event, EventBody};
use waiaas_shared::ids::{MessageId, SignerId, StatementId, TransactionId};
use waiaas_shared::intent::IntentView;
use waiaas_shared::policy::evaluate::Tier;

use super::documents::event_seeds;
use super::wire::{message_of, own_frame};

/// As the client has it, as far as answers are concerned.
#[allow(dead_code, reason = "told apart, and not looked into")]
#[derive(Debug)]
pub(crate) enum ClientError {
    Denied(Denial),
    Protocol,
}

pub(crate) type Result<T> = std::result::Result<T, ClientError>;

/// What the number of a question stands for here.
const KINDS: u32 = 12;

/// A stream of answers, one after another as far as they are whole.
pub fn answers(data: &[u8]) -> bool {
    let mut rest = data;
    let mut understood = false;
    while let Some((own, behind)) = own_frame(rest) {
        rest = behind;
        let Some(frame) = message_of(own) else { break };
        let Ok(body) = frame.get_root::<message::Reader<'_>>() else {
            break;
        };
        let Ok(message::Return(Ok(answer))) = body.which() else {
            continue;
        };
        let kind = answer.get_answer_id() % KINDS;
        let Ok(return_::Results(Ok(results))) = answer.which() else {
            continue;
        };
        understood |= read(kind, results.get_content());
    }
    understood
}

/// One structure of a message of its own, read back.
fn rewritten<S: ReaderSegments, T>(
    message: &Reader<S>,
    read: impl FnOnce(any_pointer::Reader<'_>) -> T,
) -> T {
    read(message.get_root().expect("its own root"))
}

fn own(message: Builder<HeapAllocator>) -> Reader<capnp::serialize::OwnedSegments> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, &message).expect("memory takes all");
    message_of(&bytes).expect("its own frame")
}

fn builder() -> Builder<HeapAllocator> {
    Builder::new(HeapAllocator::new().first_segment_words(64))
}

/// Whether the answer of this kind was understood; what was is written again and read as the same.
fn read(kind: u32, content: any_pointer::Reader<'_>) -> bool {
    match kind {
        0 => of_status(content),
        1 => of_page(content),
        2 | 3 => of_outcome(content, kind == 3),
        4 => of_verdict(content),
        5 => of_draft(content),
        6 => {
            let Ok(reader) = content.get_as::<renew_result::Reader<'_>>() else {
                return false;
            };
            let Ok(said) = answer::renewed(reader) else {
                return false;
            };
            let mut message = builder();
            let root = message.init_root::<renew_result::Builder<'_>>();
            let mut renewed = root.init_renewed();
            renewed.set_sequence(said.sequence);
            renewed.set_ends_unix_millis(said.ends.millis());
            let again = rewritten(&own(message), |it| {
                answer::renewed(it.get_as().expect("it"))
            });
            assert_eq!(again.expect("read again"), said);
            true
        }
        7 | 8 => of_login(content, kind == 8),
        9 | 10 => of_authorization(content, kind == 10),
        _ => {
            let Ok(reader) = content.get_as::<submit_result::Reader<'_>>() else {
                return false;
            };
            let Ok(said) = answer::submitted(reader) else {
                return false;
            };
            let mut message = builder();
            let root = message.init_root::<submit_result::Builder<'_>>();
            let mut accepted = root.init_accepted();
            accepted.set_sequence(said.sequence);
            accepted.set_raw(&said.raw);
            accepted.set_chain_transaction(said.chain_transaction.as_str());
            let again = rewritten(&own(message), |it| {
                answer::submitted(it.get_as().expect("it"))
            });
            assert_eq!(again.expect("read again"), said);
            true
        }
    }
}

fn of_status(content: any_pointer::Reader<'_>) -> bool {
    let Ok(reader) = content.get_as::<status::Reader<'_>>() else {
        return false;
    };
    let Ok(said) = answer::status(reader) else {
        return false;
    };
    // No text is read as a signer that it is not.
    if let Some(signer) = said.signer {
        let text = reader.get_signer_id().expect("it was read");
        assert_eq!(text.to_str(), Ok(signer.to_string().as_str()));
    }
    let again = answer::status(reader).expect("read again");
    assert_eq!(again, said);
    true
}

fn of_page(content: any_pointer::Reader<'_>) -> bool {
    let Ok(reader) = content.get_as::<event_page::Reader<'_>>() else {
        return false;
    };
    let Ok(said) = answer::page(reader) else {
        return false;
    };
    let few = |count: usize| u32::try_from(count).expect("few");
    let mut message = builder();
    let mut root = message.init_root::<event_page::Builder<'_>>();
    root.set_last(said.last);
    let mut events = root.reborrow().init_events(few(said.events.len()));
    for (place, event) in (0..).zip(&said.events) {
        let mut one = events.reborrow().get(place);
        one.set_sequence(event.sequence);
        one.set_body(&event.body);
        one.set_hash(event.hash.as_bytes());
    }
    let mut heads = root.init_heads(few(said.heads.len()));
    for (place, head) in (0..).zip(&said.heads) {
        heads.set(place, head.as_str());
    }
    let again = rewritten(&own(message), |it| answer::page(it.get_as().expect("it")));
    assert_eq!(again.expect("read again"), said);
    true
}

/// A payment; of what cannot wait, or of what can.
fn of_outcome(content: any_pointer::Reader<'_>, at_once: bool) -> bool {
    let Ok(reader) = content.get_as::<outcome::Reader<'_>>() else {
        return false;
    };
    let said = if at_once {
        answer::payment(reader).map(answer::Paid::Signed)
    } else {
        answer::paid(reader)
    };
    let Ok(said) = said else { return false };
    let mut message = builder();
    let mut root = message.init_root::<outcome::Builder<'_>>();
    match &said {
        answer::Paid::Signed(payment) => {
            root.set_transaction(payment.transaction.to_string().as_str());
            root.set_sequence(payment.sequence);
            let mut signed = root.init_signed();
            signed.set_raw(&payment.raw);
            signed.set_chain_transaction(payment.chain_transaction.as_str());
            signed.set_tier(payment.tier.as_str());
            signed.set_replay(payment.replay);
        }
        answer::Paid::Waiting { view, opened } => {
            root.set_sequence(*opened);
            let canonical = to_canonical(view.as_ref());
            // Canonical bytes have one form.
            if let Ok(outcome::Waiting(Ok(bytes))) = reader.which() {
                assert_eq!(bytes, canonical);
            }
            root.set_waiting(&canonical);
        }
    }
    let again = rewritten(&own(message), |it| answer::paid(it.get_as().expect("it")));
    assert_eq!(again.expect("read again"), said);
    true
}

fn of_verdict(content: any_pointer::Reader<'_>) -> bool {
    let Ok(reader) = content.get_as::<verdict::Reader<'_>>() else {
        return false;
    };
    let Ok(said) = answer::would_allow(reader) else {
        return false;
    };
    let mut message = builder();
    let root = message.init_root::<verdict::Builder<'_>>();
    let mut allowed = root.init_allowed();
    allowed.set_tier(said.tier.as_str());
    allowed.set_fee(said.fee.to_string().as_str());
    let again = rewritten(&own(message), |it| {
        answer::would_allow(it.get_as().expect("it"))
    });
    assert_eq!(again.expect("read again"), said);
    true
}

fn of_draft(content: any_pointer::Reader<'_>) -> bool {
    let Ok(reader) = content.get_as::<draft::Reader<'_>>() else {
        return false;
    };
    let Ok(said) = answer::drafted(reader) else {
        return false;
    };
    let mut message = builder();
    let root = message.init_root::<draft::Builder<'_>>();
    let mut issued = root.init_issued();
    issued.set_statement(said.statement.to_string().as_str());
    issued.set_text(said.text.as_str());
    let again = rewritten(&own(message), |it| {
        answer::drafted(it.get_as().expect("it"))
    });
    assert_eq!(again.expect("read again"), said);
    true
}

fn of_login(content: any_pointer::Reader<'_>, dry_run: bool) -> bool {
    let Ok(reader) = content.get_as::<sign_in_result::Reader<'_>>() else {
        return false;
    };
    if dry_run {
        return answer::would_sign_in(reader).is_ok_and(|tier| {
            // One answer is never read as the other.
            assert!(answer::signed_login(reader).is_err());
            Tier::from_text(tier.as_str()) == Some(tier)
        });
    }
    let Ok(said) = answer::signed_login(reader) else {
        return false;
    };
    assert!(answer::would_sign_in(reader).is_err());
    let mut message = builder();
    let mut root = message.init_root::<sign_in_result::Builder<'_>>();
    root.set_message(said.message.to_string().as_str());
    root.set_sequence(said.sequence);
    let mut signed = root.init_signed();
    signed.set_text(said.text.as_str());
    signed.set_payload(&said.payload);
    signed.set_signature(&said.signature);
    signed.set_tier(said.tier.as_str());
    signed.set_replay(said.replay);
    let again = rewritten(&own(message), |it| {
        answer::signed_login(it.get_as().expect("it"))
    });
    assert_eq!(again.expect("read again"), said);
    true
}

fn of_authorization(content: any_pointer::Reader<'_>, dry_run: bool) -> bool {
    let Ok(reader) = content.get_as::<authorization_result::Reader<'_>>() else {
        return false;
    };
    if dry_run {
        return answer::would_authorize(reader).is_ok_and(|tier| {
            assert!(answer::signed_transfer(reader).is_err());
            Tier::from_text(tier.as_str()) == Some(tier)
        });
    }
    let Ok(said) = answer::signed_transfer(reader) else {
        return false;
    };
    assert!(answer::would_authorize(reader).is_err());
    let mut message = builder();
    let mut root = message.init_root::<authorization_result::Builder<'_>>();
    root.set_transaction(said.transaction.to_string().as_str());
    root.set_sequence(said.sequence);
    let mut signed = root.init_signed();
    signed.set_authorization(&to_canonical(&said.authorization));
    signed.set_signature(&said.signature);
    signed.set_tier(said.tier.as_str());
    signed.set_replay(said.replay);
    let again = rewritten(&own(message), |it| {
        answer::signed_transfer(it.get_as().expect("it"))
    });
    assert_eq!(again.expect("read again"), said);
    true
}

// ---- seeds ----

/// The answer to a question of this kind.
fn answered(kind: u32, fill: impl FnOnce(any_pointer::Builder<'_>)) -> Vec<u8> {
    let mut message = builder();
    let mut answer = message.init_root::<message::Builder<'_>>().init_return();
    answer.set_answer_id(kind);
    fill(answer.init_results().get_content());
    let mut bytes = Vec::new();
    write_message(&mut bytes, &message).expect("memory takes all");
    bytes
}

fn signed(kind: u32) -> Vec<u8> {
    answered(kind, |content| {
        let mut root = content.init_as::<outcome::Builder<'_>>();
        root.set_transaction(TransactionId::from_bytes([1; 16]).to_string().as_str());
        root.set_sequence(7);
        let mut signed = root.init_signed();
        signed.set_raw(&[2; 40]);
        signed.set_chain_transaction("0x00");
        signed.set_tier("INSTANT");
        signed.set_replay(true);
    })
}

/// One of each kind that is understood, and two in one stream.
pub fn answers_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        answered(0, |content| {
            let mut root = content.init_as::<status::Builder<'_>>();
            root.set_signer_id(SignerId::from_bytes([1; 16]).to_string().as_str());
            root.set_kill("NORMAL");
            root.set_sequence(9);
            root.set_version("0.1.0");
            root.init_sandbox(1).set(0, "seccomp: yes");
        }),
        answered(1, |content| {
            let mut root = content.init_as::<event_page::Builder<'_>>();
            root.set_last(1);
            let mut event = root.reborrow().init_events(1).get(0);
            event.set_sequence(1);
            event.set_body(&[0x82, 1, 0x80]);
            event.set_hash(&[7; 32]);
            root.init_heads(1).set(0, "a note");
        }),
        signed(2),
        signed(3),
        answered(4, |content| {
            let mut allowed = content.init_as::<verdict::Builder<'_>>().init_allowed();
            allowed.set_tier("DELAY");
            allowed.set_fee("21000");
        }),
        answered(5, |content| {
            let mut issued = content.init_as::<draft::Builder<'_>>().init_issued();
            issued.set_statement(StatementId::from_bytes([1; 16]).to_string().as_str());
            issued.set_text("WAIaaS RESUME");
        }),
        answered(6, |content| {
            let mut renewed = content
                .init_as::<renew_result::Builder<'_>>()
                .init_renewed();
            renewed.set_sequence(3);
            renewed.set_ends_unix_millis(1_763_717_399_123);
        }),
        answered(7, |content| {
            let mut root = content.init_as::<sign_in_result::Builder<'_>>();
            root.set_message(MessageId::from_bytes([1; 16]).to_string().as_str());
            let mut signed = root.init_signed();
            signed.set_text("a.example wants you to sign in");
            signed.set_signature(&[5; 65]);
            signed.set_tier("NOTIFY");
        }),
        answered(8, |content| {
            content
                .init_as::<sign_in_result::Builder<'_>>()
                .set_would_sign("INSTANT");
        }),
        answered(10, |content| {
            content
                .init_as::<authorization_result::Builder<'_>>()
                .set_would_sign("NOTIFY");
        }),
        answered(11, |content| {
            let mut accepted = content
                .init_as::<submit_result::Builder<'_>>()
                .init_accepted();
            accepted.set_sequence(8);
            accepted.set_chain_transaction("");
        }),
    ];
    seeds.push(answered(9, |content| {
        let mut root = content.init_as::<authorization_result::Builder<'_>>();
        root.set_transaction(TransactionId::from_bytes([1; 16]).to_string().as_str());
        let mut signed = root.init_signed();
        signed.set_authorization(&to_canonical(&authorization()));
        signed.set_signature(&[5; 65]);
        signed.set_tier("INSTANT");
    }));
    seeds.extend(waiting().map(|view| {
        answered(2, |content| {
            let mut root = content.init_as::<outcome::Builder<'_>>();
            root.set_sequence(7);
            root.set_waiting(&to_canonical(&view));
        })
    }));
    let two = [signed(2), signed(2 + KINDS)].concat();
    seeds.push(two);
    seeds
}

fn authorization() -> TransferAuthorization {
    let token = "eip155:31337/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    TransferAuthorization {
        asset: token.parse().expect("an asset"),
        domain: TokenDomain {
            name: "USD Coin".to_owned(),
            version: "2".to_owned(),
        },
        from: EvmAddress::from_bytes([7; 20]),
        to: EvmAddress::from_bytes([0xa1; 20]),
        value: Amount::from_base_units(10_000),
        valid_after: 0,
        valid_before: 1_763_717_459,
        nonce: [9; 32],
    }
}

/// Payments that wait, as the golden events opened them.
fn waiting() -> impl Iterator<Item = IntentView> {
    event_seeds().into_iter().filter_map(|bytes| {
        let event: Event = from_canonical(&bytes).expect("a golden event");
        match event.body {
            EventBody::IntentOpened(intent) => Some(IntentView {
                intent,
                now: event.clocks,
                approved_until: None,
            }),
            _ => None,
        }
    })
}
