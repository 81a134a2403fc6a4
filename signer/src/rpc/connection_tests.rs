//! Connections against hostile and broken peers, over real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::{LocalSet, spawn_local};
use waiaas_schema::gateway_capnp::gateway;

use super::*;

/// Answers one method, panics in two ways in the others.
#[derive(Debug)]
struct Fragile;

impl waiaas_schema::common_capnp::common::Server for Fragile {
    async fn kill(
        self: Rc<Self>,
        _: waiaas_schema::common_capnp::common::KillParams,
        mut results: waiaas_schema::common_capnp::common::KillResults,
    ) -> capnp::Result<()> {
        results.get().set_sequence(7);
        Ok(())
    }

    async fn pause(
        self: Rc<Self>,
        _: waiaas_schema::common_capnp::common::PauseParams,
        _: waiaas_schema::common_capnp::common::PauseResults,
    ) -> capnp::Result<()> {
        panic!("at once");
    }

    async fn revoke_session(
        self: Rc<Self>,
        _: waiaas_schema::common_capnp::common::RevokeSessionParams,
        _: waiaas_schema::common_capnp::common::RevokeSessionResults,
    ) -> capnp::Result<()> {
        tokio::task::yield_now().await;
        panic!("later");
    }
}

impl gateway::Server for Fragile {
    async fn sign(
        self: Rc<Self>,
        params: gateway::SignParams,
        _: gateway::SignResults,
    ) -> capnp::Result<()> {
        std::future::pending::<()>().await;
        drop(params);
        Ok(())
    }
}

fn paused(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// A served connection and the task that serves it. When that ends, nothing of the connection is left.
fn connection() -> (UnixStream, tokio::task::JoinHandle<()>) {
    let (peer, own) = UnixStream::pair().unwrap();
    let interface: gateway::Client = capnp_rpc::new_client(Fragile);
    let served = async move {
        let link = Link::new(own);
        let left = Rc::downgrade(&link);
        serve(link, interface.client).await;
        assert!(
            left.upgrade().is_none(),
            "tables, calls or the descriptor are left behind"
        );
    };
    (peer, spawn_local(served))
}

fn client(stream: UnixStream) -> waiaas_schema::common_capnp::common::Client {
    use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
    let (reader, writer) = stream.into_split();
    let network = capnp_rpc::twoparty::VatNetwork::new(
        reader.compat(),
        writer.compat_write(),
        Side::Client,
        waiaas_schema::reader_options(),
    );
    let mut system = capnp_rpc::RpcSystem::new(Box::new(network), None);
    let interface = system.bootstrap(Side::Server);
    spawn_local(system);
    interface
}

async fn killed(client: &waiaas_schema::common_capnp::common::Client) -> capnp::Result<u64> {
    Ok(client
        .kill_request()
        .send()
        .promise
        .await?
        .get()?
        .get_sequence())
}

#[test]
fn a_panic_ends_its_own_connection() {
    paused(async {
        let (older, older_served) = connection();
        let older = client(older);
        assert_eq!(killed(&older).await.unwrap(), 7);
        for later in [false, true] {
            let (peer, served) = connection();
            let fragile = client(peer);
            assert_eq!(killed(&fragile).await.unwrap(), 7);
            let error = if later {
                fragile
                    .revoke_session_request()
                    .send()
                    .promise
                    .await
                    .map(|_| ())
                    .unwrap_err()
            } else {
                fragile
                    .pause_request()
                    .send()
                    .promise
                    .await
                    .map(|_| ())
                    .unwrap_err()
            };
            assert_eq!(error.kind, capnp::ErrorKind::Disconnected);
            served.await.expect("the panic was caught, not passed on");
            assert!(killed(&fragile).await.is_err());
        }
        assert_eq!(killed(&older).await.unwrap(), 7);
        assert!(!older_served.is_finished());
    });
}

#[test]
fn a_peer_that_never_introduces_itself_is_left() {
    paused(async {
        let (_peer, served) = connection();
        let start = Instant::now();
        served.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), FRAME_PATIENCE.as_secs());
    });
}

#[test]
fn slow_bytes_are_given_one_patience_and_silence_between_frames_is_free() {
    paused(async {
        let (peer, served) = connection();
        let honest = client(peer);
        assert_eq!(killed(&honest).await.unwrap(), 7);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(killed(&honest).await.unwrap(), 7, "an hour of silence");
        assert!(!served.is_finished());

        let (mut peer, served) = connection();
        let start = Instant::now();
        let frame = bootstrap();
        for byte in &frame {
            if peer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        served.await.unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{:?}",
            start.elapsed()
        );
    });
}

fn bootstrap() -> Vec<u8> {
    let mut message = Builder::new_default();
    message
        .init_root::<message::Builder<'_>>()
        .init_bootstrap()
        .set_question_id(0);
    capnp::serialize::write_message_to_words(&message)
}

fn call_of(interface: u64, method: u16) -> impl Fn(u32) -> Vec<u8> {
    move |question| {
        let mut message = Builder::new_default();
        let mut call = message.init_root::<message::Builder<'_>>().init_call();
        call.set_question_id(question);
        call.set_interface_id(interface);
        call.set_method_id(method);
        call.reborrow().init_target().set_imported_cap(0);
        call.init_params();
        capnp::serialize::write_message_to_words(&message)
    }
}

fn kill_call(question: u32) -> Vec<u8> {
    use capnp::traits::HasTypeId as _;
    call_of(waiaas_schema::common_capnp::common::Client::TYPE_ID, 10)(question)
}

#[test]
fn a_peer_that_never_reads_stops_being_read_and_is_left() {
    paused(async {
        let (mut peer, served) = connection();
        peer.write_all(&bootstrap()).await.unwrap();
        let mut sent = 0_usize;
        let mut question = 1;
        while let Ok(Ok(())) =
            timeout(Duration::from_secs(1), peer.write_all(&kill_call(question))).await
        {
            question += 1;
            sent += 1;
            assert!(sent < 1_000_000, "it is read for ever");
        }
        // Both kernel buffers and the bounded queue are full.
        assert!(!served.is_finished());
        served.await.unwrap();
    });
}

#[test]
fn open_calls_leave_nothing_behind_however_it_ends() {
    use capnp::traits::HasTypeId as _;
    let sign = call_of(gateway::Client::TYPE_ID, 1);
    for ending in ["peer leaves", "stops reading", "refused message"] {
        paused(async {
            let (mut peer, served) = connection();
            peer.write_all(&bootstrap()).await.unwrap();
            for question in 1..100 {
                peer.write_all(&sign(question)).await.unwrap();
            }
            match ending {
                "peer leaves" => drop(peer),
                "stops reading" => {
                    let kill = call_of(waiaas_schema::common_capnp::common::Client::TYPE_ID, 10);
                    let mut question = 1000;
                    let patience = Duration::from_secs(1);
                    while let Ok(Ok(())) = timeout(patience, peer.write_all(&kill(question))).await
                    {
                        question += 1;
                    }
                }
                _ => {
                    peer.write_all(&bootstrap()).await.unwrap();
                    let mut rest = Vec::new();
                    peer.read_to_end(&mut rest).await.unwrap();
                }
            }
            served.await.expect(ending);
        });
    }
}

#[test]
fn exceptions_leave_nothing_behind() {
    paused(async {
        let (peer, _served) = connection();
        let honest = client(peer);
        // `status` is not implemented here: each answer is an exception.
        for _ in 0..2000 {
            let error = honest
                .status_request()
                .send()
                .promise
                .await
                .map(|_| ())
                .unwrap_err();
            assert_eq!(error.kind, capnp::ErrorKind::Unimplemented);
        }
        assert_eq!(killed(&honest).await.unwrap(), 7);
    });
}

#[test]
fn a_question_is_free_again_after_an_exception() {
    paused(async {
        let (mut peer, _served) = connection();
        peer.write_all(&bootstrap()).await.unwrap();
        // The same number again and again, never finished: methods that are not there.
        let mut call = kill_call(5);
        let method = call.windows(2).position(|bytes| bytes == [10, 0]).unwrap();
        call[method] = 99;
        let mut buffer = vec![0; 4096];
        assert!(peer.read(&mut buffer).await.unwrap() > 0);
        for _ in 0..100 {
            peer.write_all(&call).await.unwrap();
            let read = peer.read(&mut buffer).await.unwrap();
            let answer = String::from_utf8_lossy(&buffer[..read]).into_owned();
            assert!(answer.contains("not implemented"), "{answer}");
        }
    });
}
