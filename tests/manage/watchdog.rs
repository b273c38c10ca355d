//! What systemd is told while threads are busy, stuck, and well again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rialto::base::{CoreId, Generation, ShardId, Time};
use rialto::manage::{Answer, DataPath, Late, watch};
use rialto::runtime::ThreadRow;
use rialto::server::exchange::Exchange;
use rialto::server::query::{CoreCommand, CoreReply, ShardQuery, ShardReply};

/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// One session core and two shards, the second of which may be stuck.
#[derive(Default)]
struct Threads {
    now_s: AtomicU64,
    is_stuck: AtomicBool,
    /// The stuck one has a question that it does not answer.
    is_asked: AtomicBool,
}

/// The data path that a watch holds on to.
struct Shared(Arc<Threads>);

impl DataPath for Shared {
    fn core_count(&self) -> u16 {
        1
    }

    fn shard_count(&self) -> u16 {
        2
    }

    fn now(&self) -> Time {
        Time::from_secs(self.0.now_s.load(Ordering::SeqCst))
    }

    fn shard_query(&self, shard: ShardId, query: ShardQuery) -> Answer<ShardReply> {
        assert!(matches!(query, ShardQuery::Generation));
        let threads = Arc::clone(&self.0);
        Box::pin(async move {
            while shard == ShardId(1) && threads.is_stuck.load(Ordering::SeqCst) {
                threads.is_asked.store(true, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(ShardReply::Generation(Generation(1)))
        })
    }

    fn core_command(&self, _: CoreId, command: CoreCommand) -> Answer<CoreReply> {
        assert!(matches!(command, CoreCommand::Generation));
        Box::pin(async { Ok(CoreReply::Generation(Generation(1))) })
    }

    fn reload(&self, _: Arc<Exchange>) -> Answer<Vec<String>> {
        unreachable!("a watch changes nothing")
    }

    fn threads(&self) -> Vec<ThreadRow> {
        Vec::new()
    }
}

fn wait_until_said(said: &mpsc::Receiver<Vec<Late>>, what: &str, is_it: impl Fn(&[Late]) -> bool) {
    while !is_it(&said.recv_timeout(PATIENCE).expect(what)) {}
}

#[test]
fn a_stuck_thread_is_named_for_as_long_as_it_is_and_the_others_are_not() {
    let threads = Arc::new(Threads::default());
    let data = Shared(threads.clone());
    let (tell, said) = mpsc::channel();
    std::thread::spawn(move || {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        // Ends with the process.
        tokio.block_on(watch(
            Arc::new(data),
            Duration::from_millis(40),
            move |late| {
                let _ = tell.send(late.to_vec());
            },
        ));
    });
    wait_until_said(&said, "all is well at first", <[Late]>::is_empty);

    threads.is_stuck.store(true, Ordering::SeqCst);
    while !threads.is_asked.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    threads.now_s.store(50, Ordering::SeqCst);
    let stuck = [Late {
        name: "shard-1".to_owned(),
        silence: Duration::from_secs(50),
    }];
    wait_until_said(&said, "it alone is named", |late| late == stuck);

    threads.is_stuck.store(false, Ordering::SeqCst);
    wait_until_said(&said, "all is well again", <[Late]>::is_empty);
}
