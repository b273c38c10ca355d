//! One connection to a collector: writes what the feed has, as fast as the collector reads and no faster.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::config::CollectorConfig;
use crate::manage::plane::Plane;
use crate::wire::{BmpTermination, encode_initiation, encode_termination};

use super::End;
use super::feed::Feed;

/// With so much to be written, no more is made: what happens meanwhile waits in the subscription.
const OUT_MAX: usize = 256 << 10;
/// Who reads nothing for so long is cut off.
const STALL_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(1);
/// How often late clients are looked at.
const LATE: Duration = Duration::from_secs(5);
/// For the last words.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Connection<'p> {
    plane: &'p Plane,
    collector: &'p CollectorConfig,
    feed: Feed<'p>,
    stream: TcpStream,
    out: Vec<u8>,
    statistics: Option<Duration>,
    /// Nothing more is said on it.
    is_over: bool,
}

impl<'p> Connection<'p> {
    pub fn new(
        plane: &'p Plane,
        collector: &'p CollectorConfig,
        stream: TcpStream,
    ) -> Connection<'p> {
        Connection {
            plane,
            collector,
            feed: Feed::new(plane, collector),
            stream,
            out: Vec::new(),
            statistics: collector.statistics,
            is_over: false,
        }
    }

    pub async fn run(mut self) -> End {
        let Err(end) = self.converse().await;
        let (reason, why) = match &end {
            End::Unwanted if self.is_configured() => (
                BmpTermination::AdministrativelyClosed,
                "the configuration has changed",
            ),
            End::Unwanted => (
                BmpTermination::PermanentlyClosed,
                "the configuration has this collector no more",
            ),
            End::GivenUp(why) => (BmpTermination::OutOfResources, why.as_str()),
            End::Lost(_) => {
                self.is_over = true;
                return end;
            }
        };
        self.feed.end(&mut self.out);
        encode_termination(&mut self.out, reason, why);
        let _ = timeout(GOODBYE_MAX, self.write_all()).await;
        self.is_over = true;
        end
    }

    /// In whatever form.
    fn is_configured(&self) -> bool {
        let current = self.plane.current();
        let mut collectors = current.config.bmp.iter();
        collectors.any(|collector| collector.address == self.collector.address)
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        let description = concat!("Rialto ", env!("CARGO_PKG_VERSION"));
        encode_initiation(&mut self.out, description, &host_name());
        self.feed.begin(&mut self.out);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut progress = Instant::now();
        let mut reported = progress;
        let mut late = progress;
        loop {
            while self.out.len() < OUT_MAX && self.feed.step(&mut self.out).await? {}
            tokio::select! {
                ready = self.stream.writable(), if !self.out.is_empty() => {
                    ready.map_err(broken)?;
                    if self.try_write()? {
                        progress = Instant::now();
                    }
                }
                ready = self.stream.readable() => {
                    ready.map_err(broken)?;
                    self.try_read()?;
                }
                news = self.feed.subscription.next(), if self.out.len() < OUT_MAX => {
                    self.feed.take(news, &mut self.out).await?;
                }
                _ = look.tick() => {
                    self.feed.follow_reload()?;
                    if self.out.is_empty() {
                        progress = Instant::now();
                    } else if progress.elapsed() > STALL_MAX {
                        let what = format!("it has read nothing for {} s", STALL_MAX.as_secs());
                        return Err(End::GivenUp(what));
                    }
                    if self.feed.has_late() && late.elapsed() > LATE {
                        late = Instant::now();
                        let census = self.plane.census().await;
                        self.feed.tell_late_ends(&census, &mut self.out);
                    }
                    let has_room = self.out.len() < OUT_MAX;
                    if has_room && self.statistics.is_some_and(|every| reported.elapsed() > every) {
                        reported = Instant::now();
                        let census = self.plane.census_with_advertised().await;
                        self.feed.tell_statistics(&census, &mut self.out);
                    }
                }
            }
        }
    }

    /// Whether some of it was taken.
    fn try_write(&mut self) -> Result<bool, End> {
        match self.stream.try_write(&self.out) {
            Ok(count) => {
                self.out.drain(..count);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(broken(error)),
        }
    }

    /// Collectors say nothing; what they say is not listened to (RFC 7854 §3.2).
    fn try_read(&mut self) -> Result<(), End> {
        let mut octets = [0; 512];
        match self.stream.try_read(&mut octets) {
            Ok(0) => Err(End::Lost("it closed the connection".to_owned())),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(broken(error)),
        }
    }

    async fn write_all(&mut self) {
        while !self.out.is_empty() && self.stream.writable().await.is_ok() {
            if self.try_write().is_err() {
                return;
            }
        }
    }
}

/// When the server ends: as far as the socket takes it at once.
impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.feed.end(&mut self.out);
            let reason = BmpTermination::AdministrativelyClosed;
            encode_termination(&mut self.out, reason, "the server is shutting down");
            let _ = self.stream.try_write(&self.out);
        }
    }
}

fn broken(error: std::io::Error) -> End {
    End::Lost(error.to_string())
}

fn host_name() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = read.unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        "rialto".to_owned()
    } else {
        name
    }
}
