//! What a message between pinned threads costs: through a mailbox nobody sleeps on, as a stream
//! between two threads, and there and back with a wake-up each way.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rialto::runtime::mailbox::{Bell, Mailbox, Outlet, mailbox};

/// The size of the messages between cores and shards.
type Message = [u64; 8];

const CAPACITY: usize = 256;
const LAST: u64 = u64::MAX;

fn offer_and_take(c: &mut Criterion) {
    let bell = Bell::for_thread();
    let (mut mailbox, outlets) = mailbox::<Message>(CAPACITY, &bell, &[None]);
    let mut group = c.benchmark_group("mailbox");
    group.throughput(Throughput::Elements(1));
    group.bench_function("offer and take, nobody sleeps", |b| {
        b.iter(|| {
            outlets[0].offer(black_box([1; 8])).expect("there is room");
            let message = mailbox.take();
            mailbox.tell_room();
            message
        });
    });
    group.finish();
}

/// A pair of mailboxes, and a thread that `answer`s on the far side until [`LAST`] comes.
struct Pair {
    bell: Bell,
    mailbox: Mailbox<Message>,
    outlet: Outlet<Message>,
    far: JoinHandle<()>,
}

fn pair(answers: impl Fn(&Message) -> bool + Send + 'static) -> Pair {
    let (here, there) = (Bell::for_thread(), Bell::for_thread());
    let (mailbox_here, mut to_here) = mailbox::<Message>(CAPACITY, &here, &[Some(there.clone())]);
    let (mut mailbox_there, mut to_there) =
        mailbox::<Message>(CAPACITY, &there, &[Some(here.clone())]);
    let (to_here, outlet) = (to_here.remove(0), to_there.remove(0));
    let far = thread::spawn(move || {
        there.hang();
        while let Some(message) = next(&mut mailbox_there, &there) {
            if answers(&message) {
                to_here
                    .offer(message)
                    .expect("one answer is awaited at a time");
            }
        }
    });
    here.hang();
    Pair {
        bell: here,
        mailbox: mailbox_here,
        outlet,
        far,
    }
}

/// Sleeps until there is a message; `None` is the last one.
fn next(mailbox: &mut Mailbox<Message>, bell: &Bell) -> Option<Message> {
    loop {
        if let Some(message) = mailbox.take() {
            mailbox.tell_room();
            return (message[0] != LAST).then_some(message);
        }
        bell.will_sleep();
        if mailbox.is_empty() {
            thread::park();
        }
        bell.is_awake();
    }
}

impl Pair {
    fn send(&self, mut message: Message) {
        while let Err(refused) = self.outlet.offer(message) {
            message = refused;
            self.bell.will_sleep();
            if self.outlet.is_waiting() {
                thread::park();
            }
            self.bell.is_awake();
        }
    }

    fn end(self) {
        self.send([LAST; 8]);
        self.far.join().expect("the far side ends");
    }
}

fn between_threads(c: &mut Criterion) {
    const STREAM: u64 = 10_000;
    let mut group = c.benchmark_group("mailbox between threads");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(STREAM));
    let stream = pair(|message| message[0] == STREAM);
    let mut near = stream;
    group.bench_function("a stream of 10,000", |b| {
        b.iter(|| {
            (1..=STREAM).for_each(|number| near.send([number; 8]));
            next(&mut near.mailbox, &near.bell)
        });
    });
    near.end();
    group.throughput(Throughput::Elements(1));
    let mut near = pair(|_| true);
    group.bench_function("there and back, both asleep", |b| {
        b.iter_custom(|rounds| {
            let start = Instant::now();
            for number in 0..rounds {
                near.send([number; 8]);
                next(&mut near.mailbox, &near.bell);
            }
            start.elapsed()
        });
    });
    near.end();
    group.finish();
}

criterion_group!(benches, offer_and_take, between_threads);
criterion_main!(benches);
