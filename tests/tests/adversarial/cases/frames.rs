//! Frames: what a peer can do to the reader of its bytes (W01, W02, W03, W05, W08).

use std::io::{IoSlice, Write as _};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use capnp::traits::HasTypeId as _;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use waiaas_schema::{common_capnp, gateway_capnp, types_capnp};

use super::{Case, case};
use crate::long::Rounds;
use crate::raw::{
    Answer, Random, Wire, bare, bootstrap, call, events, finish, frame, payment, status, tally,
};
use crate::rig::Rig;
use crate::runner::Template;

pub(super) const CASES: &[Case] = &[
    case("W01", lying_frames),
    case("W02", pointers),
    case("W03", nesting_and_newer_fields),
    case("W05", descriptors),
    case("W08", replays),
];

/// Spoilt frames of the longest run, of each kind.
const MUTATIONS: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(3);
/// Memory that refused frames may cost at most, KiB; the reader's own bound is far below.
const MEMORY_KIB: u64 = 4096;

pub(super) fn resident_kib(rig: &Rig) -> Result<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", rig.process_id()?))?;
    let pages: u64 = statm.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * 4)
}

pub(super) fn descriptors_open(rig: &Rig) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", rig.process_id()?))?.count())
}

/// Sends bytes on a connection of their own and closes the writing half; the signer must end it.
fn thrown(rig: &mut Rig, bytes: &[u8], what: &str) -> Result<()> {
    let mut wire = Wire::open(&rig.home.gateway_socket())?;
    let _ = wire.stream.write_all(bytes);
    let _ = wire.stream.shutdown(std::net::Shutdown::Write);
    let closed = wire.closes(PATIENCE)?;
    rig.record.captured.extend(&wire.captured);
    ensure!(closed, "{what}: the connection stays open");
    Ok(())
}

fn table(entries: &[u32]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|entry| entry.to_le_bytes())
        .collect()
}

fn lying_frames(rig: &mut Rig, _: &Template) -> Result<String> {
    let before = resident_kib(rig)?;
    let mut tried = 0;
    for entries in [
        &[u32::MAX, 0][..],
        &[511, 1],
        &[512, 1],
        &[32, 1],
        &[u32::MAX - 1, 1],
        &[0, u32::MAX],
        &[0, 65_536],
        &[1, 60_000, 60_000, 0],
        &[1, u32::MAX, u32::MAX, 0],
        &[31; 34],
    ] {
        thrown(rig, &table(entries), "a lying table")?;
        tried += 1;
    }
    for body in [&[0_u8; 8][..], &[0xff; 8], &[0; 800], &[0xff; 800]] {
        for words in [0, 1, 2, 99, 101] {
            thrown(
                rig,
                &[table(&[0, words]), body.to_vec()].concat(),
                "a lying length",
            )?;
            tried += 1;
        }
    }
    let transfer = rig.to_evm(1);
    let honest = payment(1, 1, &rig.invented(&transfer)?);
    for cut in (0..honest.len()).step_by(7) {
        let bytes = [&bootstrap(0), honest.get(..cut).unwrap_or_default()].concat();
        thrown(rig, &bytes, "half a frame")?;
        tried += 1;
    }
    // Frames of chance: any table, any words.
    let mut random = Random(1);
    for round in Rounds::new("W01", 200, MUTATIONS) {
        let segments = random.below(4);
        let mut entries = vec![u32::try_from(segments)?];
        for _ in 0..=segments {
            let words = [3, 40, 70_000].get(random.below(3)).copied().unwrap_or(3);
            entries.push(u32::try_from(random.below(words))?);
        }
        let mut bytes = table(&entries);
        for _ in 0..random.below(60) {
            bytes.extend(random.next().to_le_bytes());
        }
        thrown(rig, &bytes, &format!("frame of chance {round}"))?;
        tried += 1;
    }
    let cost = resident_kib(rig)?.saturating_sub(before);
    ensure!(cost < MEMORY_KIB, "{cost} KiB for frames that are refused");
    Ok(format!("{tried} frames refused, memory +{cost} KiB"))
}

fn pointers(rig: &mut Rig, _: &Template) -> Result<String> {
    // At itself, beyond the end, far, double far, into another segment, lists of lists, of nothing, of
    // structures that are not there, capabilities.
    let pointers: [u64; 12] = [
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
    let before = resident_kib(rig)?;
    let transfer = rig.to_evm(1);
    // Whatever still makes sense with a bit or a pointer changed is refused for its transaction.
    let mut request = rig.invented(&transfer)?;
    request.unsigned = vec![1; 64];
    let honest = payment(1, 1, &request);
    let mut tried = 0;
    for pointer in pointers {
        for word in 1..honest.len() / 8 {
            let mut bytes = honest.clone();
            if let Some(place) = bytes.get_mut(word * 8..word * 8 + 8) {
                place.copy_from_slice(&pointer.to_le_bytes());
            }
            thrown(
                rig,
                &[bootstrap(0), bytes].concat(),
                &format!("{pointer:x} in word {word}"),
            )?;
            tried += 1;
        }
    }
    let mut random = Random(2026);
    for round in Rounds::new("W02", 600, MUTATIONS) {
        let mut bytes = honest.clone();
        for _ in 0..=round % 6 {
            let place = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << random.below(8);
            }
        }
        thrown(
            rig,
            &[bootstrap(0), bytes].concat(),
            &format!("mutation {round}"),
        )?;
        tried += 1;
    }
    let cost = resident_kib(rig)?.saturating_sub(before);
    ensure!(cost < 4 * MEMORY_KIB, "{cost} KiB");
    Ok(format!(
        "{tried} spoilt calls, none answered with a signature"
    ))
}

/// A call of `decide` whose parameters have more than this version knows.
fn newer(question: u32, fill: impl FnOnce(capnp::any_pointer::Builder<'_>)) -> Vec<u8> {
    call(
        question,
        gateway_capnp::gateway::Client::TYPE_ID,
        1,
        |call| {
            fill(call.init_params().get_content());
        },
    )
}

fn nesting_and_newer_fields(rig: &mut Rig, _: &Template) -> Result<String> {
    for depth in [70, 1000, 10_000, 100_000] {
        let nested = frame(|body| {
            let mut inner = body.init_unimplemented();
            for _ in 0..depth {
                inner = inner.init_unimplemented();
            }
        });
        thrown(rig, &[bootstrap(0), nested].concat(), "deep nesting")?;
    }
    // Kinds of message that no client of these interfaces sends.
    let kinds: Vec<Vec<u8>> = vec![
        frame(|body| body.init_resolve().set_promise_id(0)),
        frame(|body| {
            body.init_disembargo();
        }),
        frame(|body| {
            body.init_provide();
        }),
        frame(|body| {
            body.init_accept();
        }),
        frame(|body| {
            body.init_join();
        }),
        frame(|body| {
            body.init_return().set_answer_id(0);
        }),
        frame(|body| {
            body.init_obsolete_save();
        }),
        bootstrap(1),
    ];
    let tried = kinds.len();
    for (number, kind) in kinds.into_iter().enumerate() {
        thrown(
            rig,
            &[bootstrap(0), kind].concat(),
            &format!("message kind {number}"),
        )?;
    }
    let transfer = rig.to_evm(1);
    let honest = payment(1, 1, &rig.invented(&transfer)?);
    // The union's number of the message and of the call's target, beyond what the protocol has.
    for (place, what) in [(16, "message"), (17, "message")] {
        let mut bytes = honest.clone();
        if let Some(byte) = bytes.get_mut(place) {
            *byte = 0x7f;
        }
        thrown(rig, &[bootstrap(0), bytes].concat(), what)?;
    }
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    let newer_fields: Vec<Vec<u8>> = vec![
        // A request of a newer schema: one more pointer, one more word.
        newer(1, |content| {
            let mut larger = content.init_as::<types_capnp::status::Builder<'_>>();
            larger.set_version("newer");
        }),
        newer(2, |mut content| {
            content
                .set_as("text in the place of a structure")
                .expect("a text");
        }),
    ];
    for bytes in &newer_fields {
        wire.stream.write_all(bytes)?;
    }
    let answers = wire.answers(newer_fields.len(), PATIENCE)?;
    ensure!(
        answers
            .iter()
            .all(|(_, answer)| matches!(answer, Answer::Refused(_))),
        "{answers:?}"
    );
    // Texts: without an end, not UTF-8, far too long.
    let mut spoilt = 0;
    for (question, change) in [(10, 0xff_u8), (11, 0xc0), (12, 0x00)] {
        let request = rig.invented(&transfer)?;
        let mut bytes = payment(question, 1, &request);
        let session = request.session.to_string();
        let place = bytes
            .windows(session.len())
            .position(|window| window == session.as_bytes());
        if let Some(byte) = place.and_then(|place| bytes.get_mut(place + 9)) {
            *byte = change;
            spoilt += 1;
        }
        wire.stream.write_all(&bytes)?;
        let answer = wire.answer_to(question, PATIENCE)?;
        ensure!(
            matches!(answer, Answer::Refused(_)),
            "a spoilt text: {answer:?}"
        );
    }
    ensure!(spoilt == 3, "the text was not found");
    let mut long = rig.invented(&transfer)?;
    long.path = "/".repeat(5000);
    wire.stream.write_all(&payment(20, 1, &long))?;
    let answer = wire.answer_to(20, PATIENCE)?;
    ensure!(
        matches!(answer, Answer::Refused(_)),
        "a long text: {answer:?}"
    );
    rig.record.captured.extend(&wire.captured);
    Ok(format!(
        "{tried} message kinds end the connection; newer structures and texts refused"
    ))
}

fn descriptors(rig: &mut Rig, _: &Template) -> Result<String> {
    let wire = Wire::open(&rig.home.gateway_socket())?;
    std::thread::sleep(Duration::from_millis(100));
    let before = descriptors_open(rig)?;
    let own = [wire.stream.as_raw_fd(); 100];
    let mut sent = 0;
    for question in 0..200 {
        let bytes = if question == 0 {
            bootstrap(0)
        } else {
            status(question)
        };
        let parts = [IoSlice::new(&bytes)];
        let rights = [ControlMessage::ScmRights(&own)];
        if sendmsg::<()>(
            wire.stream.as_raw_fd(),
            &parts,
            &rights,
            MsgFlags::empty(),
            None,
        )
        .is_err()
        {
            break;
        }
        sent += own.len();
    }
    ensure!(sent > 0, "nothing was passed");
    std::thread::sleep(Duration::from_millis(200));
    let after = descriptors_open(rig)?;
    ensure!(after <= before + 1, "{after} descriptors after {before}");
    Ok(format!(
        "{sent} descriptors passed, {before} open before, {after} after"
    ))
}

fn replays(rig: &mut Rig, _: &Template) -> Result<String> {
    let (first, second) = (rig.to_evm(11), rig.to_solana(12));
    let (first, second) = (rig.request(&first)?, rig.request(&second)?);
    let signed = [rig.send(&first)?, rig.send(&second)?];
    let sequence = rig.status()?.sequence;
    let stream = [
        bootstrap(0),
        status(1),
        payment(2, 1, &first),
        payment(3, 1, &second),
        finish(2),
        events(4, 0, 0),
        payment(5, 1, &first),
    ];
    let mut random = Random(8);
    let (mut again, mut others) = (0, 0);
    for round in 0..60 {
        let mut wire = Wire::open(&rig.home.gateway_socket())?;
        let mut order: Vec<_> = (1..stream.len()).collect();
        if round % 3 > 0 {
            (1..order.len()).for_each(|place| order.swap(place, random.below(place + 1)));
        }
        let mut bytes = stream.first().cloned().unwrap_or_default();
        for place in order {
            let part = stream.get(place).cloned().unwrap_or_default();
            bytes.extend(&part);
            if round % 3 == 2 {
                bytes.extend(&part);
            }
        }
        let _ = wire.stream.write_all(&bytes);
        for (_, answer) in wire.answers(stream.len() - 1, Duration::from_millis(120))? {
            match answer {
                Answer::Results(Some(raw)) => {
                    ensure!(
                        signed.iter().any(|one| one.raw == raw),
                        "other bytes were signed"
                    );
                    rig.record.raws.push(raw);
                    again += 1;
                }
                _ => others += 1,
            }
        }
        rig.record.captured.extend(&wire.captured);
    }
    // Under other names: interfaces and question numbers mixed.
    let mut wire = Wire::introduced(&rig.home.gateway_socket())?;
    for question in [7, 8, 9, u32::MAX] {
        wire.stream.write_all(&payment(question, 1, &first))?;
        wire.stream.write_all(&bare(
            question ^ 1024,
            common_capnp::common::Client::TYPE_ID,
            3,
        ))?;
    }
    let renumbered = wire.answers(8, PATIENCE)?;
    ensure!(renumbered.len() == 8, "{:?}", tally(&renumbered));
    for (_, answer) in &renumbered {
        if let Answer::Results(Some(raw)) = answer {
            ensure!(
                signed.iter().any(|one| &one.raw == raw),
                "other bytes were signed"
            );
        }
    }
    let grown = rig.status()?.sequence - sequence;
    ensure!(grown == 0, "{grown} new events");
    Ok(format!(
        "{again} times the same bytes, {others} other answers, no new event"
    ))
}
