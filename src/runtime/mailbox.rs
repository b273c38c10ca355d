//! Mailboxes: bounded queues into a pinned thread, and the bells that wake it.
//!
//! Offering never blocks: a refused message comes back, and the sender's own bell rings when there
//! is room again. A thread that is busy is never rung; one that sleeps is rung once.
//!
//! Knows nothing of what the messages mean.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Wakes one thread, if it sleeps.
#[derive(Clone)]
pub struct Bell(Arc<BellState>);

struct BellState {
    /// Set by the owner before it sleeps; taken by whoever wakes it.
    sleeping: AtomicBool,
    clapper: Clapper,
}

enum Clapper {
    /// A thread that parks; known once it runs.
    Thread(OnceLock<Thread>),
    /// The far end is awaited on the owner's ring.
    Socket(UnixStream),
}

impl Bell {
    /// For a thread that parks: it must call [`Bell::hang`] before it sleeps.
    pub fn for_thread() -> Bell {
        Bell::new(Clapper::Thread(OnceLock::new()))
    }

    /// For an executor, which awaits octets at the other end of the pair. Those mean nothing.
    pub fn for_executor() -> std::io::Result<(Bell, UnixStream)> {
        let (here, there) = UnixStream::pair()?;
        here.set_nonblocking(true)?;
        Ok((Bell::new(Clapper::Socket(here)), there))
    }

    fn new(clapper: Clapper) -> Bell {
        Bell(Arc::new(BellState {
            sleeping: AtomicBool::new(false),
            clapper,
        }))
    }

    /// The calling thread is the one to be woken.
    pub fn hang(&self) {
        if let Clapper::Thread(thread) = &self.0.clapper {
            thread.get_or_init(std::thread::current);
        }
    }

    /// To be called after the message (or flag) that the owner is woken for is in its place.
    pub fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.0.sleeping.load(Ordering::Relaxed) && self.0.sleeping.swap(false, Ordering::AcqRel)
        {
            self.strike();
        }
    }

    #[cold]
    fn strike(&self) {
        match &self.0.clapper {
            Clapper::Thread(thread) => thread
                .get()
                .expect("a thread hangs its bell before it sleeps")
                .unpark(),
            // A full socket is one that has not been read since it was last rung: that wakes as well.
            Clapper::Socket(socket) => drop((&*socket).write(&[1])),
        }
    }

    /// The owner says it will sleep. It must look at everything it could be woken for after this,
    /// and sleep only if there is nothing.
    pub fn will_sleep(&self) {
        self.0.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub fn is_awake(&self) {
        self.0.sleeping.store(false, Ordering::Relaxed);
    }
}

/// What both ends of a mailbox share.
struct Lid {
    owner: Bell,
    /// One for each sender: whether it was refused since it was last told of room, and its bell.
    refused: Box<[(AtomicBool, Option<Bell>)]>,
}

/// The receiving end; it belongs to one thread.
pub struct Mailbox<T> {
    receiver: Receiver<T>,
    lid: Arc<Lid>,
    capacity: usize,
    /// Messages taken since [`Mailbox::tell_room`].
    taken: bool,
}

/// One sender's end.
pub struct Outlet<T> {
    sender: Sender<T>,
    lid: Arc<Lid>,
    index: usize,
}

/// A mailbox of `owner` that holds `capacity` messages, with an outlet for each of `senders`.
/// A sender without a bell has to try again by itself when it is refused.
pub fn mailbox<T>(
    capacity: usize,
    owner: &Bell,
    senders: &[Option<Bell>],
) -> (Mailbox<T>, Vec<Outlet<T>>) {
    assert!(
        capacity > 0,
        "a mailbox without room would refuse everything"
    );
    let (sender, receiver) = bounded(capacity);
    let refused = senders
        .iter()
        .map(|bell| (AtomicBool::new(false), bell.clone()))
        .collect();
    let lid = Arc::new(Lid {
        owner: owner.clone(),
        refused,
    });
    let outlets = (0..senders.len())
        .map(|index| Outlet {
            sender: sender.clone(),
            lid: Arc::clone(&lid),
            index,
        })
        .collect();
    (
        Mailbox {
            receiver,
            lid,
            capacity,
            taken: false,
        },
        outlets,
    )
}

impl<T> Outlet<T> {
    /// Never blocks. A full mailbox gives the message back, and the sender's bell rings once half
    /// of it is free.
    pub fn offer(&self, message: T) -> Result<(), T> {
        match self.sender.try_send(message) {
            Ok(()) => {
                self.lid.owner.ring();
                Ok(())
            }
            Err(TrySendError::Full(message)) => self.offer_or_wait(message),
            Err(TrySendError::Disconnected(message)) => Err(message),
        }
    }

    /// Says first that it waits, then tries once more: the owner may have made room in between,
    /// seen nobody waiting, and gone to sleep.
    #[cold]
    fn offer_or_wait(&self, message: T) -> Result<(), T> {
        let (waiting, _) = &self.lid.refused[self.index];
        waiting.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.sender
            .try_send(message)
            .map_err(TrySendError::into_inner)?;
        waiting.store(false, Ordering::Relaxed);
        self.lid.owner.ring();
        Ok(())
    }

    /// Messages in the mailbox now.
    pub fn len(&self) -> usize {
        self.sender.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sender.is_empty()
    }

    /// Whether the last refusal still stands: nothing was said of room yet.
    pub fn is_waiting(&self) -> bool {
        self.lid.refused[self.index].0.load(Ordering::Acquire)
    }
}

impl<T> Mailbox<T> {
    pub fn take(&mut self) -> Option<T> {
        let message = self.receiver.try_recv().ok()?;
        self.taken = true;
        Some(message)
    }

    /// After taking some: senders that were refused hear of it, once half of the room is free.
    pub fn tell_room(&mut self) {
        if !std::mem::take(&mut self.taken) || self.receiver.len() > self.capacity / 2 {
            return;
        }
        fence(Ordering::SeqCst);
        for (waiting, bell) in &self.lid.refused {
            if waiting.load(Ordering::Relaxed) && waiting.swap(false, Ordering::AcqRel) {
                bell.iter().for_each(Bell::ring);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_refused_sender_hears_of_room_once_half_is_free() {
        let (owner, sender) = (Bell::for_thread(), Bell::for_thread());
        let (mut mailbox, outlets) = mailbox(4, &owner, &[Some(sender)]);
        for number in 0..4 {
            outlets[0].offer(number).unwrap();
        }
        assert_eq!(outlets[0].offer(4), Err(4));
        assert!(outlets[0].is_waiting());
        mailbox.take();
        mailbox.tell_room();
        assert!(
            outlets[0].is_waiting(),
            "three of four places are still taken"
        );
        mailbox.take();
        mailbox.tell_room();
        assert!(!outlets[0].is_waiting());
    }

    /// Both sides sleep without a timeout: one lost wake-up and the test hangs.
    #[test]
    fn no_wake_up_is_lost_between_threads_that_park() {
        const MESSAGES: u32 = 100_000;
        let (owner, bells) = (Bell::for_thread(), [Bell::for_thread(), Bell::for_thread()]);
        let (mut mailbox, outlets) = mailbox::<(usize, u32)>(8, &owner, &bells.clone().map(Some));
        let senders: Vec<_> = (outlets.into_iter().zip(bells))
            .map(|(outlet, bell)| thread::spawn(move || send_all(&outlet, &bell, MESSAGES)))
            .collect();
        owner.hang();
        let mut next = [0, 0];
        while next != [MESSAGES; 2] {
            while let Some((sender, number)) = mailbox.take() {
                assert_eq!(number, next[sender], "each sender's messages stay in order");
                next[sender] += 1;
                mailbox.tell_room();
            }
            owner.will_sleep();
            if mailbox.is_empty() && next != [MESSAGES; 2] {
                thread::park();
            }
            owner.is_awake();
        }
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
    }

    fn send_all(outlet: &Outlet<(usize, u32)>, bell: &Bell, count: u32) {
        bell.hang();
        for number in 0..count {
            let mut message = (outlet.index, number);
            while let Err(refused) = outlet.offer(message) {
                message = refused;
                bell.will_sleep();
                if outlet.is_waiting() {
                    thread::park();
                }
                bell.is_awake();
            }
        }
    }

    #[test]
    fn a_busy_owner_is_not_rung_and_a_sleeping_one_once() {
        let (bell, mut far) = Bell::for_executor().unwrap();
        far.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        bell.ring();
        bell.will_sleep();
        bell.ring();
        bell.ring();
        let mut octets = [0; 8];
        assert_eq!(std::io::Read::read(&mut far, &mut octets).unwrap(), 1);
    }
}
