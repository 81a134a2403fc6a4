//! The process under test: the signer's sealing and its rpc threads; the authority answers at once,
//! except for payments of the path `/hang`, which it keeps for ever.

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use waiaas_shared::amount::Amount;
use waiaas_shared::denial::Code;
use waiaas_shared::digest::Digest;
use waiaas_shared::ids::SignerId;
use waiaas_shared::policy::evaluate::Tier;
use waiaas_signer::authority::ask::{Ask, EventsAnswer, Initialized, Status, Verdict};
use waiaas_signer::authority::lanes::Lanes;
use waiaas_signer::ledger::{Page, StoredEvent};
use waiaas_signer::rpc::{self, Channels, PeerPolicy};
use waiaas_signer::sandbox::{self, Role, SandboxError};
use waiaas_signer::sys::memory::SecretArena;

/// The process ends by itself if its test was killed, in seconds.
const LIFETIME: u32 = 180;
/// Size of an event's body, in bytes: pages are as large as they get.
const EVENT: usize = 16 * 1024;

pub(crate) fn run(state: &Path) -> ExitCode {
    nix::unistd::alarm::set(LIFETIME);
    match serve(state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve(state: &Path) -> Result<(), SandboxError> {
    let prepared = sandbox::prepare()?;
    let arena = SecretArena::new(64 * 1024).expect("locked memory");
    let gateway = UnixListener::bind(state.join("gateway.sock")).expect("a socket");
    let admin = UnixListener::bind(state.join("admin.sock")).expect("a socket");
    let own = nix::unistd::geteuid().as_raw();
    let (_sequence, last_sequence) = watch::channel(100);
    let channels = Channels {
        lanes: Lanes::default(),
        last_sequence,
        arena: arena.clone(),
    };
    let peers = PeerPolicy {
        allowed_uids: vec![own],
        claim_holds: false,
    };

    let mut confined = prepared.confine(state, &arena)?;
    let lanes = channels.lanes.clone();
    let authority = confined.spawn(
        Role::Kdf,
        "authority",
        || Ok(()),
        move |(), _| answer_for_ever(&lanes),
    )?;
    let (gateway_channels, gateway_peers) = (channels.clone(), peers.clone());
    let set_up = move || rpc::prepare(gateway, rpc::Role::Gateway, gateway_channels, gateway_peers);
    let _gateway = confined.spawn(Role::Rpc, "rpc-gateway", set_up, rpc::run)?;
    let set_up = move || rpc::prepare(admin, rpc::Role::Admin, channels, peers);
    let _admin = confined.spawn(Role::Rpc, "rpc-admin", set_up, rpc::run)?;
    confined.seal()?;
    let _ = authority.join();
    Ok(())
}

fn answer_for_ever(lanes: &Lanes) {
    let mut kept = Vec::new();
    loop {
        let taken = lanes.take(Instant::now() + Duration::from_secs(1));
        for ask in taken
            .urgent
            .into_iter()
            .chain(taken.reads)
            .chain(taken.commands)
        {
            kept.extend(answer(ask));
        }
    }
}

/// Answers, or gives back what is never answered. A peer that has gone is no reason to stop.
fn answer(ask: Ask) -> Option<Ask> {
    match ask {
        Ask::Sign(request, reply) if request.path == "/hang" => {
            return Some(Ask::Sign(request, reply));
        }
        Ask::Status(reply) => drop(reply.send(Ok(status()))),
        Ask::Events(after, bytes, reply) => {
            let event = |sequence| StoredEvent {
                sequence,
                body: vec![0; EVENT],
                hash: Digest::from_bytes([0; 32]),
            };
            let events = (after + 1..).take(bytes / EVENT).map(event).collect();
            drop(reply.send(Ok(EventsAnswer {
                page: Page {
                    events,
                    heads: Vec::new(),
                },
                last: 100,
            })));
        }
        Ask::Decide(_, reply) => drop(reply.send(Ok(Verdict {
            tier: Tier::Instant,
            fee: Amount::ZERO,
        }))),
        Ask::Sign(_, reply) => drop(reply.send(Err(Code::Locked.into()))),
        Ask::Kill(_, reply) => drop(reply.send(Ok(1))),
        // The words are the password: it went all the way and comes back.
        Ask::Initialize(phrase, reply) => {
            drop(reply.send(Ok(Initialized {
                signer: SignerId::from_bytes([1; 16]),
                phrase,
            })));
        }
        _ => {}
    }
    None
}

fn status() -> Status {
    Status {
        signer: None,
        unlocked: false,
        kill: "NORMAL",
        kill_epoch: 0,
        frozen: false,
        frozen_by: Vec::new(),
        clock_closed: false,
        policy_epoch: 0,
        sequence: 100,
        head: String::new(),
        unlock_failures: 0,
        retired: false,
        owner_changes: 0,
        dead_man_left: None,
        dead_man_paused: false,
        suspended: 0,
    }
}
