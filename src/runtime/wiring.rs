//! Every bell and mailbox of a server, made at once: who can reach whom is decided here.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use core_affinity::CoreId as Cpu;

use crate::base::{CoreId, ShardId};
use crate::server::message::ToCore;

use super::core_thread::CoreLinks;
use super::handle::{CoreDoor, ShardDoor, ThreadDoor};
use super::mailbox::{Bell, Mailbox, Outlet, mailbox};
use super::shard_thread::ShardMail;
use super::start::RuntimeOptions;
use super::thread_state::ThreadState;

/// Commands, notices and accepted sockets.
const CORE_MAIL_MAX: usize = 256;

/// What the thread of a session core takes with it.
pub struct CoreEnds<N> {
    pub cpu: Option<Cpu>,
    /// The far end of its bell.
    pub bell: UnixStream,
    pub links: CoreLinks<N>,
}

/// What the thread of a shard takes with it.
pub struct ShardEnds {
    pub cpu: Option<Cpu>,
    pub bell: Bell,
    pub mailbox: Mailbox<ShardMail>,
    /// By core.
    pub to_cores: Vec<Outlet<(ShardId, ToCore)>>,
    pub state: Arc<ThreadState>,
}

pub struct Wiring<N> {
    pub cores: Vec<CoreEnds<N>>,
    pub shards: Vec<ShardEnds>,
    pub core_doors: Vec<CoreDoor>,
    pub shard_doors: Vec<ShardDoor>,
}

/// `cpus`: one for each session core, then one for each shard.
pub fn wire<N>(
    cores: u16,
    shards: u16,
    cpus: &[Option<Cpu>],
    options: &RuntimeOptions,
) -> io::Result<Wiring<N>> {
    let bells = (0..cores)
        .map(|_| Bell::for_executor())
        .collect::<io::Result<Vec<_>>>()?;
    let core_bells: Vec<Bell> = bells.iter().map(|(bell, _)| bell.clone()).collect();
    let shard_bells: Vec<Bell> = (0..shards).map(|_| Bell::for_thread()).collect();
    let (shard_boxes, mut to_shards, shard_mail) =
        boxes(&shard_bells, &core_bells, options.to_shard_max);
    let (delta_boxes, mut to_cores, core_deltas) =
        boxes(&core_bells, &shard_bells, options.to_core_max);
    let (notice_boxes, mut notices, _) = boxes(&core_bells, &core_bells, CORE_MAIL_MAX);
    let (mail_boxes, mut hand_over, core_mail) =
        boxes(&core_bells, &core_bells[..1], CORE_MAIL_MAX);
    let mut wiring = Wiring {
        cores: Vec::new(),
        shards: Vec::new(),
        core_doors: Vec::new(),
        shard_doors: Vec::new(),
    };

    let parts = bells
        .into_iter()
        .zip(mail_boxes)
        .zip(notice_boxes)
        .zip(delta_boxes);
    let doors = core_mail.into_iter().zip(core_deltas);
    for (index, ((((bell, far), mail), notices_in), deltas)) in parts.enumerate() {
        let state = Arc::<ThreadState>::default();
        let links = CoreLinks {
            bell,
            mail,
            notices: notices_in,
            deltas,
            to_shards: std::mem::take(&mut to_shards[index]),
            to_cores: std::mem::take(&mut notices[index]),
            hand_over: hand_over
                .get_mut(index)
                .map(std::mem::take)
                .unwrap_or_default(),
            state,
        };
        wiring.cores.push(CoreEnds {
            cpu: cpus[index],
            bell: far,
            links,
        });
    }
    for (index, (mail, deltas)) in doors.enumerate() {
        let ends = &wiring.cores[index];
        let thread = door(
            core_name(CoreId(index as u16)),
            ends.cpu,
            &ends.links.bell,
            &ends.links.state,
        );
        wiring.core_doors.push(CoreDoor {
            thread,
            mail,
            deltas,
        });
    }
    for (index, ((bell, mailbox), mail)) in shard_bells
        .into_iter()
        .zip(shard_boxes)
        .zip(shard_mail)
        .enumerate()
    {
        let (cpu, state) = (
            cpus[usize::from(cores) + index],
            Arc::<ThreadState>::default(),
        );
        let thread = door(shard_name(ShardId(index as u16)), cpu, &bell, &state);
        let to_cores = std::mem::take(&mut to_cores[index]);
        wiring.shards.push(ShardEnds {
            cpu,
            bell,
            mailbox,
            to_cores,
            state,
        });
        wiring.shard_doors.push(ShardDoor { thread, mail });
    }
    Ok(wiring)
}

fn door(name: String, cpu: Option<Cpu>, bell: &Bell, state: &Arc<ThreadState>) -> ThreadDoor {
    ThreadDoor {
        name,
        cpu: cpu.map(|cpu| cpu.id),
        bell: bell.clone(),
        state: Arc::clone(state),
    }
}

/// A mailbox for each owner; each sender's outlets to all of them; and one outlet to each for the
/// management plane, which has no bell.
type Boxes<T> = (Vec<Mailbox<T>>, Vec<Vec<Outlet<T>>>, Vec<Outlet<T>>);

fn boxes<T>(owners: &[Bell], senders: &[Bell], capacity: usize) -> Boxes<T> {
    let bells: Vec<Option<Bell>> = senders.iter().cloned().map(Some).chain([None]).collect();
    let (mut mailboxes, mut management) = (Vec::new(), Vec::new());
    let mut by_sender: Vec<Vec<Outlet<T>>> = senders.iter().map(|_| Vec::new()).collect();
    for owner in owners {
        let (mailbox, mut outlets) = mailbox(capacity, owner, &bells);
        mailboxes.push(mailbox);
        management.extend(outlets.pop());
        by_sender
            .iter_mut()
            .zip(outlets)
            .for_each(|(all, outlet)| all.push(outlet));
    }
    (mailboxes, by_sender, management)
}

/// Of the thread.
pub fn core_name(core: CoreId) -> String {
    format!("core-{core}")
}

pub fn shard_name(shard: ShardId) -> String {
    format!("shard-{shard}")
}
