//! The core against its invariants, each broken on purpose. A small world: one signer, one owner, a
//! Solana and an EVM wallet on test networks, a policy, a key-bound and a bearer session.

mod agents;
mod alarm;
mod alarm_subjects;
mod allowances;
mod approvals;
mod batch;
mod calls;
mod credit;
mod dead_man;
mod drafted;
mod held_back;
mod intent;
mod kinds;
mod machine;
mod maturity;
mod owner;
mod owner_runs;
mod owners;
mod people;
mod recovery;
mod renewal;
mod replace;
mod replays;
mod rotation;
mod scopes;
mod snapshot;
mod spend;
mod stop;
mod suspension;
mod token_releases;
mod tokens;
mod tokens_solana;
mod variant;
mod withdrawals;
mod world;
