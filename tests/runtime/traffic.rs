//! Octets: many connections, large transfers, back-pressure, wake-ups, strangers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rialto::base::{CoreId, ShardId};
use rialto::runtime::{RuntimeHandle, RuntimeOptions};
use rialto::server::query::{CoreCommand, CoreReply, CoreStats, ShardQuery, ShardReply};

use super::*;
use fakes::exchange;

pub fn core_stats(handle: &RuntimeHandle, core: u16) -> CoreStats {
    match wait_for(handle.core_command(CoreId(core), CoreCommand::Stats)) {
        Ok(CoreReply::Stats(stats)) => *stats,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_hundred_connections_over_two_cores_and_two_shards_get_all_their_octets() {
    const OCTETS: usize = 100_000;
    let (runtime, server) = start(exchange(2, 2, 200));
    let threads: Vec<_> = (0..4)
        .map(|part| {
            thread::spawn(move || {
                let mut streams: Vec<_> = (0..50)
                    .map(|index| connect(part * 50 + index, server))
                    .collect();
                let octets = vec![0; OCTETS];
                streams
                    .iter_mut()
                    .for_each(|stream| stream.write_all(&octets).unwrap());
                streams
                    .iter_mut()
                    .for_each(|stream| expect_pattern(stream, 0, OCTETS).unwrap());
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let octets_in: Vec<u64> = (0..2)
        .map(|core| core_stats(runtime.handle(), core).octets_in)
        .collect();
    assert_eq!(
        octets_in,
        [100 * OCTETS as u64; 2],
        "each core has its own clients"
    );
    for shard in 0..2 {
        let reply = wait_for(
            runtime
                .handle()
                .shard_query(ShardId(shard), ShardQuery::Stats),
        )
        .unwrap();
        let ShardReply::Stats(stats) = reply else {
            panic!("{reply:?}")
        };
        assert!(stats.shard == ShardId(shard) && stats.messages > 0);
    }
    shut_down(runtime);
}

#[test]
fn a_large_transfer_to_a_slow_reader_survives_mailboxes_of_two() {
    const OCTETS: usize = 32 << 20;
    let tight = RuntimeOptions {
        to_shard_max: 2,
        to_core_max: 2,
        ..options()
    };
    let (runtime, server) = start_with(exchange(1, 2, 2), tight);
    let socket = socket(0);
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.connect_timeout(&server.into(), PATIENCE).unwrap();
    let mut reader = TcpStream::from(socket);
    let mut writer = reader.try_clone().unwrap();
    let sender = thread::spawn(move || writer.write_all(&vec![0; OCTETS]).unwrap());
    // The echo fills every buffer on the way meanwhile.
    thread::sleep(Duration::from_millis(300));
    assert!(!sender.is_finished(), "back-pressure reaches the sender");
    assert_eq!(
        core_stats(runtime.handle(), 0).core,
        CoreId(0),
        "commands are answered all the same"
    );
    // In parts, so that the server is stalled and resumed again and again.
    for part in 0..OCTETS as u64 >> 20 {
        thread::sleep(Duration::from_millis(5));
        expect_pattern(&mut reader, part << 20, 1 << 20).unwrap();
    }
    sender.join().unwrap();
    shut_down(runtime);
}

#[test]
fn no_wake_up_is_lost_when_everybody_sleeps_between_messages() {
    let (runtime, server) = start(exchange(2, 2, 2));
    let mut streams = [connect(0, server), connect(1, server)];
    let start = Instant::now();
    for position in 0..1_000 {
        streams
            .iter_mut()
            .for_each(|stream| echo(stream, position, 1).unwrap());
    }
    // Two messages a round, each through socket, core, shard, core, socket.
    println!("one octet there and back: {:?}", start.elapsed() / 2_000);
    shut_down(runtime);
}

#[test]
fn strangers_and_the_silent_do_not_harm_the_others() {
    let (runtime, server) = start(exchange(2, 1, 60));
    let silent: Vec<TcpStream> = (10..60).map(|index| connect(index, server)).collect();
    let strangers: Vec<TcpStream> = (500..900).map(|index| connect(index, server)).collect();
    let mut streams: Vec<_> = (0..10).map(|index| connect(index, server)).collect();
    streams
        .iter_mut()
        .for_each(|stream| echo(stream, 0, 10_000).unwrap());
    for mut stranger in strangers {
        assert!(
            matches!(stranger.read(&mut [0]), Ok(0) | Err(_)),
            "a stranger is not listened to"
        );
    }
    assert_eq!(core_stats(runtime.handle(), 0).refused_connections, 400);
    drop(silent);
    shut_down(runtime);
}

#[test]
fn a_second_connection_of_a_client_may_be_refused_and_a_later_one_taken() {
    let (runtime, server) = start(exchange(2, 1, 2));
    let mut first = connect(1, server);
    echo(&mut first, 0, 10).unwrap();
    assert!(matches!(connect(1, server).read(&mut [0]), Ok(0) | Err(_)));
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while echo(&mut connect(1, server), 0, 10).is_err() {
        assert!(Instant::now() < deadline);
    }
    shut_down(runtime);
}

#[test]
fn one_octet_segments_and_a_burst_are_read_alike() {
    let (runtime, server) = start(exchange(1, 1, 1));
    let mut stream = connect(0, server);
    stream.set_nodelay(true).unwrap();
    for _ in 0..2_000 {
        stream.write_all(&[0]).unwrap();
    }
    expect_pattern(&mut stream, 0, 2_000).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let burst = thread::spawn(move || writer.write_all(&vec![0; 1_000_000]).unwrap());
    expect_pattern(&mut stream, 2_000, 1_000_000).unwrap();
    burst.join().unwrap();
    shut_down(runtime);
}

#[test]
fn what_a_write_leads_to_is_said_at_once() {
    let (runtime, server) = start(exchange(1, 1, 1));
    let mut stream = connect(0, server);
    stream.write_all(&[fakes::CHAIN]).unwrap();
    expect_pattern(&mut stream, 0, 1 + fakes::CHAIN_LEN as usize).unwrap();
    shut_down(runtime);
}
