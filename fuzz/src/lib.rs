//! Fuzz targets: for each decoder of bytes from outside one function that reads them and holds the decoder to its
//! promises: no panic; what is accepted is written again as the identical bytes; what it does is described whole.
//! `fuzz_targets/` hands each to libFuzzer; `tests/tests/fuzz.rs` includes this file and runs them on every test
//! run. Uses nothing but `waiaas_shared` and the standard library; `wire` and `answers` the crates that frames are read
//! with; `wire`, `answers` and `keystore` files of the signer and the client, by their paths.

pub mod answers;
pub mod bodies;
pub mod brought;
pub mod chains;
pub mod documents;
pub mod keystore;
pub mod texts;
pub mod wire;

/// A decoder under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, that of the libFuzzer target as well.
    pub name: &'static str,
    /// Reads bytes; whether the decoder accepted them. Panics where a promise is broken.
    pub run: fn(&[u8]) -> bool,
    /// What to begin with: sound inputs of every shape.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How much dearer one run is than the cheapest target's, roughly.
    pub cost: u64,
}

/// All of them.
pub const TARGETS: [Target; 19] = [
    Target {
        name: "solana_message",
        run: chains::solana,
        seeds: chains::solana_seeds,
        cost: 1,
    },
    Target {
        name: "wire_transaction",
        run: chains::wire,
        seeds: chains::wire_seeds,
        cost: 1,
    },
    Target {
        name: "brought_transaction",
        run: brought::brought,
        seeds: brought::brought_seeds,
        cost: 2,
    },
    Target {
        name: "evm_transaction",
        run: chains::evm,
        seeds: chains::evm_seeds,
        cost: 1,
    },
    Target {
        name: "policy_toml",
        run: documents::policy_toml,
        seeds: documents::policy_toml_seeds,
        cost: 10,
    },
    Target {
        name: "policy_canonical",
        run: documents::policy_canonical,
        seeds: documents::policy_canonical_seeds,
        cost: 4,
    },
    Target {
        name: "statement",
        run: documents::statement,
        seeds: documents::statement_seeds,
        cost: 2,
    },
    Target {
        name: "log_event",
        run: documents::event,
        seeds: documents::event_seeds,
        cost: 2,
    },
    Target {
        name: "signed_head",
        run: texts::signed_head,
        seeds: texts::signed_head_seeds,
        cost: 1,
    },
    Target {
        name: "heartbeat",
        run: texts::heartbeat,
        seeds: texts::heartbeat_seeds,
        cost: 1,
    },
    Target {
        name: "request_signature",
        run: texts::request_signature,
        seeds: texts::request_signature_seeds,
        cost: 1,
    },
    Target {
        name: "request_body",
        run: texts::request_body,
        seeds: texts::request_body_seeds,
        cost: 2,
    },
    Target {
        name: "sign_in_body",
        run: bodies::sign_in_body,
        seeds: bodies::sign_in_body_seeds,
        cost: 1,
    },
    Target {
        name: "authorization_body",
        run: bodies::authorization_body,
        seeds: bodies::authorization_body_seeds,
        cost: 4,
    },
    Target {
        name: "abi_call",
        run: bodies::abi_call,
        seeds: bodies::abi_call_seeds,
        cost: 2,
    },
    Target {
        name: "frame_table",
        run: wire::frame_table,
        seeds: wire::frame_table_seeds,
        cost: 1,
    },
    Target {
        name: "frames",
        run: wire::frames,
        seeds: wire::frames_seeds,
        cost: 2,
    },
    Target {
        name: "answers",
        run: answers::answers,
        seeds: answers::answers_seeds,
        cost: 2,
    },
    Target {
        name: "keystore",
        run: keystore::keystore,
        seeds: keystore::keystore_seeds,
        cost: 1,
    },
];
