//! The behaviours, one test each (ATTACKS.md W01, W02, W04, W05, W07, W08).

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use tokio::task::LocalSet;
use waiaas_client::{AdminClient, ClientError, Ticket};

use crate::Test;
use crate::peer::{Signer, bootstrap, closes, events, finish, frame, open, push, sign, status};

pub(crate) const TESTS: &[Test] = &[
    ("calls_that_never_return", calls_that_never_return),
    (
        "large_calls_that_never_return",
        large_calls_that_never_return,
    ),
    ("calls_given_up_at_once", calls_given_up_at_once),
    (
        "calls_left_behind_by_connections_that_come_and_go",
        calls_left_behind,
    ),
    ("bootstraps_without_end", bootstraps_without_end),
    ("a_reader_that_never_reads", a_reader_that_never_reads),
    ("waits_without_end", waits_without_end),
    ("mutated_frames", mutated_frames),
    ("a_thousand_connections", a_thousand_connections),
    ("one_byte_at_a_time", one_byte_at_a_time),
    ("oversize_and_lying_frames", oversize_and_lying_frames),
    ("handcrafted_pointers", handcrafted_pointers),
    ("descriptors_by_the_hundred", descriptors_by_the_hundred),
    (
        "secret_channel_under_the_filters",
        secret_channel_under_the_filters,
    ),
];

/// How long a write may block before the other side counts as not reading.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads and drops what comes, until the other side closes.
fn drain(stream: &UnixStream) {
    let mut stream = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while matches!(stream.read(&mut buffer), Ok(bytes) if bytes > 0) {}
    });
}

fn calls_that_never_return() {
    Signer::start().under(|signer| {
        let mut stream = open(&signer.gateway());
        drain(&stream);
        assert!(push(&mut stream, &bootstrap(0), PATIENCE));
        for question in 1..=200_000 {
            assert!(
                push(&mut stream, &sign(question, "/hang", 10), PATIENCE),
                "it stops reading at {question}"
            );
        }
    });
}

fn large_calls_that_never_return() {
    Signer::start().under(|signer| {
        let mut streams: Vec<_> = (0..6).map(|_| open(&signer.gateway())).collect();
        for stream in &mut streams {
            drain(stream);
            push(stream, &bootstrap(0), PATIENCE);
            let mut question = 1;
            while question < 1000 && push(stream, &sign(question, "/hang", 60_000), PATIENCE) {
                question += 1;
            }
            assert!(question < 30, "{question} calls of 120 KB are kept");
        }
    });
}

fn calls_given_up_at_once() {
    Signer::start().under(|signer| {
        let mut stream = open(&signer.gateway());
        drain(&stream);
        push(&mut stream, &bootstrap(0), PATIENCE);
        for question in 1..=100_000 {
            let both = [sign(question, "/hang", 10), finish(question)].concat();
            if !push(&mut stream, &both, PATIENCE) {
                break;
            }
        }
    });
}

fn calls_left_behind() {
    Signer::start().under(|signer| {
        for _ in 0..500 {
            let mut stream = open(&signer.gateway());
            let large: Vec<u8> = (1..8)
                .flat_map(|question| sign(question, "/hang", 60_000))
                .collect();
            push(
                &mut stream,
                &[bootstrap(0), large].concat(),
                Duration::from_millis(200),
            );
        }
        // Its places are gone for good, as this authority never answers; an honest gateway holds its own.
        assert!(signer.descriptors() < 50, "{}", signer.descriptors());
        // Let one who comes afterwards in: that authority is not the behaviour under test.
    });
}

fn bootstraps_without_end() {
    Signer::start().under(|signer| {
        let flood: Vec<u8> = (0..1000).flat_map(bootstrap).collect();
        let mut stream = open(&signer.gateway());
        for _ in 0..500 {
            push(&mut stream, &flood, PATIENCE);
        }
        assert!(closes(&mut stream, PATIENCE));
        for _ in 0..1000 {
            let mut stream = open(&signer.gateway());
            push(&mut stream, &flood, PATIENCE);
        }
    });
}

fn a_reader_that_never_reads() {
    Signer::start().under(|signer| {
        let mut streams: Vec<_> = (0..7).map(|_| open(&signer.gateway())).collect();
        for stream in &mut streams {
            push(stream, &bootstrap(0), PATIENCE);
            let mut question = 1;
            // Pages of a quarter of a megabyte, small answers, and calls that are refused.
            while question < 1_000_000 {
                let calls = [
                    events(question, 0, 0),
                    status(question + 1),
                    sign(question + 2, "/", 10),
                ];
                if !push(stream, &calls.concat(), Duration::from_millis(300)) {
                    break;
                }
                question += 3;
            }
            assert!(question < 1_000_000, "it reads for ever");
        }
    });
}

fn waits_without_end() {
    Signer::start().under(|signer| {
        let mut streams: Vec<_> = (0..7).map(|_| open(&signer.gateway())).collect();
        for stream in &mut streams {
            drain(stream);
            push(stream, &bootstrap(0), PATIENCE);
            for question in 1..10_000 {
                push(stream, &events(question, 1_000_000, u32::MAX), PATIENCE);
            }
        }
    });
}

/// SplitMix64: the same mutations in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }
}

fn mutated_frames() {
    let honest = [
        bootstrap(0),
        status(1),
        sign(2, "/v1/transactions", 100),
        finish(0),
        events(3, 0, 0),
        sign(4, "/v1/transactions", 10),
        finish(2),
        status(5),
    ]
    .concat();
    Signer::start().under(|signer| {
        let mut random = Random(2026);
        for round in 0..4000 {
            let mut bytes = honest.clone();
            match round % 4 {
                // One bit, several bits, a cut, a piece twice.
                0 => bytes[random.below(honest.len())] ^= 1 << random.below(8),
                1 => (0..8).for_each(|_| bytes[random.below(honest.len())] ^= 1 << random.below(8)),
                2 => bytes.truncate(random.below(honest.len())),
                _ => {
                    let (from, length) = (random.below(honest.len()), random.below(200));
                    let piece: Vec<u8> = honest[from..].iter().copied().take(length).collect();
                    bytes.splice(from..from, piece);
                }
            }
            let mut stream = open(&signer.gateway());
            let _ = stream.write_all(&bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            assert!(
                closes(&mut stream, Duration::from_secs(5)),
                "round {round} stays open"
            );
        }
    });
}

fn a_thousand_connections() {
    Signer::start().under(|signer| {
        let mut streams: Vec<_> = (0..1000).map(|_| open(&signer.gateway())).collect();
        std::thread::sleep(Duration::from_millis(300));
        let open = signer.descriptors();
        assert!(open < 50, "{open} descriptors");
        let closed = streams
            .iter_mut()
            .filter_map(|stream| closes(stream, Duration::from_millis(1)).then_some(()))
            .count();
        assert!(closed >= 990, "{closed}");
    });
}

fn one_byte_at_a_time() {
    Signer::start().under(|signer| {
        let mut streams: Vec<_> = (0..7).map(|_| open(&signer.gateway())).collect();
        for stream in &mut streams {
            push(stream, &bootstrap(0), PATIENCE);
        }
        let flood = sign(1, "/", 1000);
        let start = Instant::now();
        let mut sent = 0;
        // All seven are closed when their time is over, though each keeps sending.
        while start.elapsed() < Duration::from_secs(20) && !streams.is_empty() {
            streams.retain_mut(|stream| stream.write_all(&flood[sent..=sent]).is_ok());
            sent += 1;
            std::thread::sleep(Duration::from_millis(200));
        }
        assert!(
            streams.is_empty(),
            "{} are still served after {:?}",
            streams.len(),
            start.elapsed()
        );
    });
}

fn oversize_and_lying_frames() {
    let table = |entries: &[u32]| {
        entries
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let cost = Signer::start().under(|signer| {
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
        ] {
            let mut stream = open(&signer.gateway());
            push(&mut stream, &table(entries), PATIENCE);
            assert!(closes(&mut stream, PATIENCE), "{entries:?}");
        }
        // A frame that says less or more than there is, and one without a root.
        for body in [&[0_u8; 8][..], &[0xff; 8], &[0; 800]] {
            for words in [0, 1, 100] {
                let mut stream = open(&signer.gateway());
                let _ = stream.write_all(&[table(&[0, words]), body.to_vec()].concat());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                assert!(closes(&mut stream, PATIENCE), "{words} words");
            }
        }
    });
    assert!(
        cost < 1024 * 1024,
        "{cost} bytes for frames that are refused"
    );
}

fn handcrafted_pointers() {
    // A root that points at itself, beyond the end, far away, to another segment, as a list of lists.
    let pointers: [u64; 8] = [
        0x0000_0001_ffff_fffc,
        0x0001_0001_7fff_fffc,
        0x0000_0001_0000_0002,
        0x0000_0005_0000_0006,
        0xffff_ffff_0000_0001,
        0x0000_0007_0000_0001,
        0x0000_0000_ffff_ffff,
        0x0001_0000_0000_0003,
    ];
    Signer::start().under(|signer| {
        let call = sign(1, "/v1/transactions", 100);
        for pointer in pointers {
            // In the place of every word of a real call, the root among them.
            for word in 1..call.len() / 8 {
                let mut bytes = call.clone();
                bytes[word * 8..word * 8 + 8].copy_from_slice(&pointer.to_le_bytes());
                let mut stream = open(&signer.gateway());
                let _ = stream.write_all(&[bootstrap(0), bytes].concat());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                assert!(
                    closes(&mut stream, Duration::from_secs(5)),
                    "{pointer:x} in word {word}"
                );
            }
        }
        // The same text in as many fields as there are: the traversal limit ends it.
        let nested = frame(|body| {
            let mut inner = body.init_unimplemented();
            for _ in 0..1000 {
                inner = inner.init_unimplemented();
            }
        });
        let mut stream = open(&signer.gateway());
        let _ = stream.write_all(&[bootstrap(0), nested].concat());
        assert!(closes(&mut stream, PATIENCE));
    });
}

fn descriptors_by_the_hundred() {
    Signer::start().under(|signer| {
        let stream = open(&signer.gateway());
        let before = signer.descriptors();
        let own = [stream.as_raw_fd(); 100];
        for question in 0..200 {
            let bytes = if question == 0 {
                bootstrap(0)
            } else {
                status(question)
            };
            let parts = [std::io::IoSlice::new(&bytes)];
            let rights = [ControlMessage::ScmRights(&own)];
            let sent = sendmsg::<()>(stream.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None);
            if sent.is_err() {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        assert!(
            signer.descriptors() <= before + 2,
            "{} after {before}",
            signer.descriptors()
        );
    });
}

/// Every system call of the admin socket's thread, and peers that misuse the secret channel.
fn secret_channel_under_the_filters() {
    Signer::start().under(|signer| {
        let raw = |bytes: &[u8]| {
            let mut stream = UnixStream::connect(signer.admin()).unwrap();
            let _ = stream.write_all(&[&b"WAIASSEC"[..], bytes].concat());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            assert!(closes(&mut stream, PATIENCE), "{bytes:?}");
        };
        for bytes in [
            &b""[..],
            b"X",
            b"P",
            b"P\0\0",
            b"P\x01\x04",
            b"P\x05\0abcd",
            b"T",
            b"T0123456789abcde",
            b"T0123456789abcdef",
        ] {
            raw(bytes);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, async {
            let client = AdminClient::connect(&signer.admin()).await.unwrap();
            let ticket = client
                .put_secret(b"correct horse battery staple")
                .await
                .unwrap();
            assert!(matches!(
                client.take_secret(&ticket).await,
                Err(ClientError::SecretRefused)
            ));
            let phrase = client.initialize(&ticket).await.unwrap().phrase;
            assert_eq!(
                client.take_secret(&phrase).await.unwrap().as_slice(),
                b"correct horse battery staple"
            );
            let unknown = client.take_secret(&Ticket::from_bytes([0; 16])).await;
            assert!(matches!(unknown, Err(ClientError::SecretRefused)));
            assert_eq!(client.status().await.unwrap().sequence, 100);
        });
    });
}
