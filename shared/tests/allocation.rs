//! What a decoder sets aside is bounded by a number that stands here, whatever lengths its input claims (up to
//! 2^64 - 1) or has. Counted by an allocator of this test's own, the peak of one thread.
#![expect(clippy::unwrap_used, reason = "helpers of tests may be blunt")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::ChainId;
use waiaas_shared::codec::from_canonical;
use waiaas_shared::event::Event;
use waiaas_shared::policy::document::PolicyDocument;
use waiaas_shared::request::TransferRequest;
use waiaas_shared::request_signature::Parameters;
use waiaas_shared::transaction::{Known, decode};

/// A Solana message is at most 1,167 bytes; each list of it may set aside 32 KiB before it is read.
const SOLANA_BYTES: usize = 128 * 1024;
/// An EVM transaction that is read has at most 12 words of call data; nothing longer is copied.
const EVM_BYTES: usize = 8 * 1024;
/// What a canonical document, event, body or header is read into: so many times its own length, and not what it
/// claims.
const TIMES: usize = 64;
/// And what any of them needs besides.
const BESIDES: usize = 16 * 1024;
/// As long as a hostile input gets here.
const LONG: usize = 1 << 20;

struct Counting;

thread_local! {
    /// Bytes in use, and the most that ever were.
    static USED: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // A thread that ends has no counter any more.
    let _ = USED.try_with(|used| {
        let (now, peak) = used.get();
        let now = now.saturating_add(bytes);
        used.set((now, peak.max(now)));
    });
}

fn size(layout: Layout) -> isize {
    // A layout is never larger than this.
    isize::try_from(layout.size()).unwrap_or(isize::MAX)
}

#[expect(
    unsafe_code,
    reason = "an allocator can be nothing else; it counts and hands on"
)]
// SAFETY: both methods hand their arguments to `System` unchanged and return what it returns; counting
// allocates nothing (the thread's counter is a constant without a destructor) and cannot panic.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout));
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(size(layout).saturating_neg());
        // SAFETY: the pointer came from `alloc` above with this layout, so from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were in use at once while this ran, beyond those before.
fn peak<T>(work: impl FnOnce() -> T) -> usize {
    let before = USED.with(|used| {
        let (now, _) = used.get();
        used.set((now, now));
        now
    });
    let result = work();
    let (_, peak) = USED.with(Cell::get);
    drop(result);
    usize::try_from(peak.saturating_sub(before)).unwrap()
}

#[test]
fn the_counter_counts() {
    let bytes = peak(|| vec![0_u8; LONG]);
    assert!((LONG..2 * LONG).contains(&bytes), "{bytes}");
    assert!(peak(|| ()) < 64);
}

fn solana(bytes: &[u8]) -> usize {
    let chain: ChainId = "solana:localnet".parse().unwrap();
    let wallet = Account::Solana(SolanaAddress::from_bytes([7; 32]));
    peak(|| decode(chain, wallet, bytes, Known::NOTHING))
}

fn evm(bytes: &[u8]) -> usize {
    let wallet = Account::Evm(EvmAddress::from_bytes([7; 20]));
    peak(|| decode(ChainId::Evm(31_337), wallet, bytes, Known::NOTHING))
}

/// Claims put at each place of the sample, in front of what stands there and in place of it.
fn hostile(sample: &[u8], claims: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for place in 0..=sample.len() {
        let (before, behind) = sample.split_at(place);
        for &claim in claims {
            all.push([before, claim, behind].concat());
            all.push([before, claim, behind.get(1..).unwrap_or_default()].concat());
            all.push([before, claim, &[0xff; 64]].concat());
        }
    }
    all
}

#[test]
fn a_solana_message_sets_aside_no_more_than_it_may_be_long() {
    let request = waiaas_shared::solana::build::TransferRequest {
        from: SolanaAddress::from_bytes([7; 32]),
        to: SolanaAddress::from_bytes([0xa1; 32]),
        lamports: 1,
        blockhash: [0xb2; 32],
        compute_unit_limit: 450,
        micro_lamports_per_compute_unit: 1,
    };
    let legacy = waiaas_shared::solana::build::transfer(&request).unwrap();
    let versioned = [&[0x80][..], &legacy, &[0]].concat();
    // 65,535, 16,384, 127, and numbers that are none.
    let claims: [&[u8]; 5] = [
        &[0xff, 0xff, 0x03],
        &[0x80, 0x80, 0x01],
        &[0x7f],
        &[0xff, 0xff, 0xff],
        &[0x80, 0x80, 0x80, 0x80],
    ];
    let mut most = 0;
    for sample in [legacy, versioned] {
        for bytes in hostile(&sample, &claims) {
            most = most.max(solana(&bytes));
        }
        let long = [&sample[..], &vec![0xff; LONG]].concat();
        assert!(solana(&long) < 1024, "what is too long is not read at all");
    }
    assert!(most < SOLANA_BYTES, "{most} bytes");
}

#[test]
fn an_evm_transaction_sets_aside_what_its_methods_need() {
    let request = waiaas_shared::evm::build::TransferRequest {
        chain_id: 31_337,
        from: EvmAddress::from_bytes([7; 20]),
        to: EvmAddress::from_bytes([0xa1; 20]),
        value: 1,
        gas_limit: 21_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
    };
    let sample = waiaas_shared::evm::build::transfer(&request).unwrap();
    // Strings and lists of 2^64 - 1, 2^32, 2^16 and 55 bytes.
    let claims: [&[u8]; 8] = [
        &[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xbb, 0xff, 0xff, 0xff, 0xff],
        &[0xfb, 0xff, 0xff, 0xff, 0xff],
        &[0xb9, 0xff, 0xff],
        &[0xf9, 0xff, 0xff],
        &[0xb7],
        &[0xf7],
    ];
    let mut most = 0;
    for bytes in hostile(&sample, &claims) {
        most = most.max(evm(&bytes));
    }
    // A megabyte that is really there: as call data, as an access list, and behind the transaction.
    for begins in [0xba_u8, 0xfa] {
        let [_, high, middle, low] = u32::try_from(LONG).unwrap().to_be_bytes();
        let item = [&[begins, high, middle, low][..], &vec![0; LONG]].concat();
        // The last two fields are one byte each.
        let fields = &sample[2..sample.len() - 2];
        let rest: &[u8] = if begins == 0xba { &[0xc0] } else { &[0x80] };
        let payload = if begins == 0xba {
            [fields, &item, rest].concat()
        } else {
            [fields, rest, &item].concat()
        };
        let [_, high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let bytes = [&[0x02, 0xfa, high, middle, low][..], &payload].concat();
        most = most.max(evm(&bytes));
    }
    most = most.max(evm(&[&sample[..], &vec![0; LONG]].concat()));
    assert!(most < EVM_BYTES, "{most} bytes");
}

/// Heads of CBOR for byte strings, texts, lists and maps of 2^64 - 1 and 2^32 - 1, and of no stated length.
const CBOR: [&[u8]; 12] = [
    &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5a, 0xff, 0xff, 0xff, 0xff],
    &[0x7a, 0xff, 0xff, 0xff, 0xff],
    &[0x9a, 0xff, 0xff, 0xff, 0xff],
    &[0xba, 0xff, 0xff, 0xff, 0xff],
    &[0x5f],
    &[0x7f],
    &[0x9f],
    &[0xbf],
];

/// Reads each hostile form of a sample within its bound.
fn within(name: &str, sample: &[u8], claims: &[&[u8]], read: impl Fn(&[u8]) -> usize) {
    for bytes in hostile(sample, claims) {
        let (most, bound) = (read(&bytes), TIMES * bytes.len() + BESIDES);
        assert!(
            most < bound,
            "{name}: {most} bytes for {}",
            hex::encode(&bytes)
        );
    }
}

#[test]
fn canonical_bytes_set_aside_what_they_are_and_not_what_they_claim() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events");
    let mut events = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let sample = hex::decode(text.lines().next().unwrap()).unwrap();
        // Long texts are alike inside.
        let sample = sample.get(..128).unwrap_or(&sample);
        let name = path.display().to_string();
        within(&name, sample, &CBOR, |bytes| {
            peak(|| from_canonical::<Event>(bytes))
        });
        events += 1;
    }
    assert!(events > 30, "{events}");
    let policy = PolicyDocument::closed(1).to_bytes();
    within("policy", &policy, &CBOR, |bytes| {
        peak(|| PolicyDocument::from_bytes(bytes))
    });
}

#[test]
fn bodies_and_headers_set_aside_what_they_are() {
    let body = r#"{"signer":"signer_00000000000000000000000001","wallet":"wallet_00000000000000000000000001","network":"solana:localnet","transfers":[{"to":"@a","amount":"1"}]}"#;
    let claims: [&[u8]; 4] = [
        b"[[[[[[[[[[[[[[[[",
        b"{\"a\":{\"a\":{\"a\":",
        b"\"\\u0000",
        b"1e999999999",
    ];
    within("body", body.as_bytes(), &claims, |bytes| {
        peak(|| TransferRequest::parse(bytes))
    });
    for filler in ["[", "{\"a\":", "\"", " "] {
        let long = filler.repeat(LONG / filler.len());
        let most = peak(|| TransferRequest::parse(long.as_bytes()));
        assert!(most < BESIDES, "{most} bytes for a body that is too long");
    }
    let long = "waiaas=".to_owned() + &"(".repeat(LONG);
    assert!(peak(|| Parameters::parse(&long)) < BESIDES);
}
