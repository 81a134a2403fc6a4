//! What is reachable over a socket, and by how many.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use capnp::traits::HasTypeId as _;
use waiaas_client::{Client, ClientError, GatewaySocket};
use waiaas_shared::denial::Code;
use waiaas_shared::event::Origin;

use super::super::*;
use super::rig::*;
use crate::authority::ask::Ask;

#[test]
fn no_other_method_is_reachable() {
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    let rig = Rig::new(Role::Gateway, move |ask| {
        let name = format!("{ask:?}");
        record
            .lock()
            .unwrap()
            .push(name.split(['(', ' ']).next().unwrap().to_owned());
    });
    let path = rig.path();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
        let mut stream = UnixStream::connect(&path).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, RPC_PREFACE)
            .await
            .unwrap();
        let (reader, writer) = stream.into_split();
        let side = capnp_rpc::rpc_twoparty_capnp::Side::Client;
        let network = capnp_rpc::twoparty::VatNetwork::new(
            reader.compat(),
            writer.compat_write(),
            side,
            waiaas_schema::reader_options(),
        );
        let mut system = capnp_rpc::RpcSystem::new(Box::new(network), None);
        let interface: capnp::capability::Client =
            system.bootstrap(capnp_rpc::rpc_twoparty_capnp::Side::Server);
        spawn_local(system);
        let call = |type_id: u64, method: u16| {
            let request = interface
                .new_call::<capnp::any_pointer::Owned, capnp::any_pointer::Owned>(
                    type_id, method, None,
                );
            async move { request.send().promise.await.map(|_| ()) }
        };
        let admin = waiaas_schema::admin_capnp::admin::Client::TYPE_ID;
        let gateway = waiaas_schema::gateway_capnp::gateway::Client::TYPE_ID;
        let common = waiaas_schema::common_capnp::common::Client::TYPE_ID;
        for (type_id, own) in [(admin, 0), (gateway, 7), (common, 19), (0, 0)] {
            let numbers: Vec<u16> = (own..=u16::MAX).collect();
            for some in numbers.chunks(128) {
                let calls = some.iter().map(|method| call(type_id, *method));
                for answer in futures::future::join_all(calls).await {
                    assert_eq!(answer.unwrap_err().kind, capnp::ErrorKind::Unimplemented);
                }
            }
        }
        assert_eq!(*asked.lock().unwrap(), Vec::<String>::new());
        // Methods that are there, with nothing in their parameters: refused before they ask, or an ask
        // of what they are for.
        for method in 0..7 {
            let _ = call(gateway, method).await;
        }
        for method in 0..19 {
            let _ = call(common, method).await;
        }
    });
    let mut asked = asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(
        asked,
        [
            "Agents",
            "Events",
            "Heartbeat",
            "Intents",
            "Kill",
            "Owners",
            "Pause",
            "Policy",
            "Status",
            "Wallets"
        ]
    );
}

#[test]
fn a_full_lane_and_an_ended_authority_are_told_apart() {
    let rig = Rig::new(Role::Gateway, drop);
    rig.gateway(async |client| {
        assert!(matches!(
            client.kill().await,
            Err(ClientError::Disconnected)
        ));
        rig.stop.store(true, Ordering::Relaxed);
        sleep(Duration::from_millis(100)).await;
        let (mut held, mut full) = (Vec::new(), false);
        for _ in 0..10_000 {
            let (reply, answer) = tokio::sync::oneshot::channel();
            held.push(answer);
            full |= rig.lanes.push(Ask::Kill(Origin::Admin, reply)).is_err();
            if full {
                break;
            }
        }
        assert!(full);
        assert_eq!(denied(client.kill().await), code(Code::Overloaded));
    });
}

#[test]
fn connections_beyond_the_seats_and_other_prefaces_are_closed() {
    use std::io::{Read as _, Write as _};
    let rig = Rig::new(Role::Gateway, |ask| match ask {
        Ask::Kill(_, reply) => reply.send(Ok(1)).unwrap(),
        other => panic!("{other:?}"),
    });
    for preface in [
        &b"WAIASSEC"[..],
        b"WAIASRPD",
        b"GET / HT",
        b"\0\0\0\0\0\0\0\0",
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(rig.path()).unwrap();
        stream.write_all(preface).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "{preface:?}");
    }
    rig.gateway(async |client| {
        let mut others = Vec::new();
        let path = rig.path();
        for _ in 1..Role::Gateway.seats() {
            // A place may still be on its way back from above.
            others.push(loop {
                match Client::<GatewaySocket>::connect(&path).await {
                    Ok(other) => break other,
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            });
        }
        for _ in 0..20 {
            let refused = Client::<GatewaySocket>::connect(&path).await;
            assert!(matches!(refused, Err(ClientError::NotAdmitted)));
        }
        assert_eq!(client.kill().await.unwrap(), 1);
        drop(others);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(
            Client::<GatewaySocket>::connect(&path)
                .await
                .unwrap()
                .kill()
                .await
                .unwrap(),
            1
        );
    });
}

#[test]
fn a_remote_serves_many_threads_and_connects_again() {
    let path = tempfile::tempdir().unwrap();
    let socket = path.path().join("socket");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let remote = waiaas_client::Remote::<GatewaySocket>::on_a_thread(socket.clone()).unwrap();
    let kill = || runtime.block_on(remote.call(async |client| client.kill().await));
    assert!(
        matches!(kill(), Err(ClientError::Unsafe(_))),
        "nobody is there yet"
    );
    // Somebody who closes at once, then nobody behind the socket, then the signer.
    let listener = UnixListener::bind(&socket).unwrap();
    let closing = std::thread::Builder::new()
        .spawn(move || drop(listener.accept()))
        .unwrap();
    assert!(matches!(kill(), Err(ClientError::NotAdmitted)));
    closing.join().unwrap();
    assert!(matches!(kill(), Err(ClientError::Connect { .. })));
    let rig = Rig::new(Role::Gateway, |ask| match ask {
        Ask::Kill(_, reply) => reply.send(Ok(1)).unwrap(),
        other => panic!("{other:?}"),
    });
    std::fs::rename(rig.path(), &socket).unwrap();
    assert_eq!(kill().unwrap(), 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let remote = remote.clone();
            let ask = move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                assert_eq!(
                    runtime
                        .block_on(remote.call(async |client| client.kill().await))
                        .unwrap(),
                    1
                );
            };
            std::thread::Builder::new()
                .spawn_scoped(scope, ask)
                .unwrap();
        }
    });
}
