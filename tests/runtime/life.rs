//! Start, idleness, outgoing connections, reload and the end.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rialto::base::{ClientSlot, CoreId, Generation, ShardId};
use rialto::runtime::Stopped;
use rialto::server::query::{CoreCommand, CoreReply, ShardQuery, ShardReply};

use super::traffic::core_stats;
use super::*;
use fakes::{GOODBYE, change, client, exchange, index_addresses};

#[test]
fn what_cannot_be_bound_is_said_before_anything_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut exchange_in_use = exchange(1, 1, 0);
    exchange_in_use.listen = vec![taken.local_addr().unwrap()];
    let mut exchange_foreign = exchange(1, 1, 0);
    exchange_foreign.listen = vec!["192.0.2.77:1790".parse().unwrap()];
    for (case, exchange, part) in [
        (
            "an address in use",
            exchange_in_use,
            "another process listens there",
        ),
        (
            "an address of another machine",
            exchange_foreign,
            "no interface of this machine",
        ),
        (
            "no session cores",
            exchange(1, 0, 0),
            "at least one session core and one shard",
        ),
    ] {
        let error = try_start(exchange, options())
            .err()
            .expect(case)
            .to_string();
        assert!(error.contains(part), "{case}: {error}");
    }
}

#[test]
fn listeners_of_both_families_share_a_port() {
    // A port that is free for one may be taken for the other.
    let (runtime, port) = (0..20)
        .find_map(|_| {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let mut exchange = exchange(1, 1, 1);
            exchange.listen = ["0.0.0.0", "[::]"]
                .map(|host| format!("{host}:{port}").parse().unwrap())
                .to_vec();
            change(&mut exchange, 0, |client| {
                client.address = "::1".parse().unwrap()
            });
            index_addresses(&mut exchange);
            Some((try_start(exchange, options()).ok()?, port))
        })
        .expect("one of twenty ports is free");
    let mut stream = TcpStream::connect(("::1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    echo(&mut stream, 0, 1_000).unwrap();
    drop(stream);
    shut_down(runtime);
}

#[test]
fn pinned_threads_idle_at_next_to_nothing_and_deadlines_are_kept() {
    let pinned = RuntimeOptions {
        pin: true,
        ..options()
    };
    let (runtime, server) = start_with(exchange(1, 2, 100), pinned);
    let mut streams: Vec<_> = (0..100).map(|index| connect(index, server)).collect();
    streams
        .iter_mut()
        .for_each(|stream| echo(stream, 0, 100).unwrap());
    let before = runtime.handle().threads();
    let names: Vec<_> = before.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["core-0", "shard-0", "shard-1"]);
    assert!(
        before
            .iter()
            .all(|row| row.cpu.is_some() && row.queued == 0 && !row.cpu_time.is_zero()),
        "{before:?}"
    );
    thread::sleep(Duration::from_secs(1));
    for (after, before) in runtime.handle().threads().iter().zip(&before) {
        let spent = after.cpu_time - before.cpu_time;
        assert!(
            spent < Duration::from_millis(10),
            "{} spends {spent:?} a second on nothing",
            after.name
        );
    }
    assert_eq!(
        core_stats(runtime.handle(), 0).updates_out,
        3,
        "three deadlines, one after another"
    );
    drop(streams);
    shut_down(runtime);
}

#[test]
fn cores_hear_of_each_other() {
    let (runtime, _) = start(exchange(3, 1, 0));
    let deadline = Instant::now() + PATIENCE;
    while (0..3).any(|core| core_stats(runtime.handle(), core).updates_in != 2) {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(5));
    }
    shut_down(runtime);
}

#[test]
fn active_clients_are_connected_to_from_the_listening_address() {
    let mut exchange = exchange(1, 1, 2);
    let far = TcpListener::bind("127.77.1.1:0").unwrap();
    let closed = TcpListener::bind("127.77.1.2:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (index, port) in [(0, far.local_addr().unwrap().port()), (1, closed.port())] {
        change(&mut exchange, index, |client| {
            client.session.passive = false;
            client.port = port;
        });
    }
    let (runtime, server) = start(exchange);
    let (mut stream, remote) = far.accept().unwrap();
    assert_eq!(remote.ip(), server.ip());
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello");
    echo(&mut stream, 0, 5_000).unwrap();
    let ask = runtime.handle().core_command(
        CoreId(0),
        CoreCommand::Refresh {
            slot: ClientSlot(1),
        },
    );
    let Ok(CoreReply::Refused(why)) = wait_for(ask) else {
        panic!("a fake answers")
    };
    assert!(why.contains("refused"), "the failure is in words: {why}");
    drop(stream);
    shut_down(runtime);
}

#[test]
fn a_reload_brings_new_clients_without_touching_the_old() {
    let (runtime, server) = start(exchange(2, 2, 1));
    let mut old = connect(0, server);
    echo(&mut old, 0, 100).unwrap();
    let mut new = exchange(2, 2, 1);
    new.generation = Generation(2);
    new.clients.push(Some(Arc::new(client(1, CoreId(1)))));
    index_addresses(&mut new);
    let errors = wait_for(runtime.handle().reload(Arc::new(new))).unwrap();
    assert!(errors.is_empty());
    echo(&mut connect(1, server), 0, 100).unwrap();
    echo(&mut old, 100, 100).unwrap();
    for shard in 0..2 {
        let reply = wait_for(
            runtime
                .handle()
                .shard_query(ShardId(shard), ShardQuery::Stats),
        )
        .unwrap();
        assert!(matches!(reply, ShardReply::Stats(stats) if stats.generation == Generation(2)));
    }
    drop(old);
    shut_down(runtime);
}

#[test]
fn everybody_who_reads_gets_the_goodbye_and_nobody_holds_up_the_end() {
    let (runtime, server) = start(exchange(2, 1, 50));
    let mut streams: Vec<_> = (0..40).map(|index| connect(index, server)).collect();
    streams
        .iter_mut()
        .for_each(|stream| echo(stream, 0, 10).unwrap());
    // These have megabytes to come and never read them.
    let deaf: Vec<_> = (40..50)
        .map(|index| (connect(index, server), vec![0; 8 << 20]))
        .collect();
    for (stream, octets) in &deaf {
        stream.set_nonblocking(true).unwrap();
        let _ = std::io::Write::write(&mut &*stream, octets);
    }
    let readers: Vec<_> = (streams.into_iter())
        .map(|mut stream| {
            thread::spawn(move || {
                let mut last = Vec::new();
                stream.read_to_end(&mut last).unwrap();
                last
            })
        })
        .collect();
    let handle = runtime.handle().clone();
    shut_down(runtime);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), GOODBYE);
    }
    assert_eq!(
        wait_for(handle.core_command(CoreId(0), CoreCommand::Stats)).unwrap_err(),
        Stopped
    );
    assert_eq!(
        wait_for(handle.shard_query(ShardId(0), ShardQuery::Stats)).unwrap_err(),
        Stopped
    );
    drop(deaf);
}

#[test]
fn a_runtime_that_is_dropped_lets_its_clients_go() {
    let (runtime, server) = start(exchange(1, 1, 1));
    let mut stream = connect(0, server);
    echo(&mut stream, 0, 10).unwrap();
    drop(runtime);
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
}
