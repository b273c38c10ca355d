//! BMP (`[[bmp]]`, RFC 7854): one connection for each collector, which lives as long as the collector reads.
//!
//! A collector is told what is in the tables, piece by piece, and what changes meanwhile; no copy of it is
//! kept. Whoever reads too slowly, or was not told something, is cut off and begins anew after a pause.

mod connection;
mod feed;
mod messages;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::config::CollectorConfig;

use super::plane::Plane;

use connection::Connection;

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Pauses before a connection is tried again: the first one, and the longest.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Who had a connection for so long begins with the first pause again.
const CALM: Duration = Duration::from_secs(60);
/// How often the configuration is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
enum End {
    /// The configuration has it no more, or otherwise.
    Unwanted,
    /// It did not keep up, or was not told something.
    GivenUp(String),
    Lost(String),
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sees that each collector of the present configuration is told, for ever.
pub(super) async fn tell_collectors(plane: Arc<Plane>) {
    let mut tasks: HashMap<SocketAddr, Task> = HashMap::new();
    loop {
        tasks.retain(|_, task| !task.0.is_finished());
        for collector in &plane.current().config.bmp {
            tasks.entry(collector.address).or_insert_with(|| {
                let told = keep_telling(plane.clone(), collector.clone());
                Task(tokio::spawn(told))
            });
        }
        sleep(LOOK).await;
    }
}

/// As long as the configuration has the collector in this form.
fn is_wanted(plane: &Plane, collector: &CollectorConfig) -> bool {
    plane.current().config.bmp.contains(collector)
}

async fn keep_telling(plane: Arc<Plane>, collector: CollectorConfig) {
    let address = collector.address;
    let mut pause = PAUSE;
    let mut told = String::new();
    while is_wanted(&plane, &collector) {
        let began = plane.data().now();
        let why = match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                info!("BMP collector {address}: connected");
                told.clear();
                match Connection::new(&plane, &collector, stream).run().await {
                    End::Unwanted => return info!("BMP collector {address}: closed"),
                    End::GivenUp(why) | End::Lost(why) => why,
                }
            }
            Ok(Err(error)) => format!("no connection: {error}"),
            Err(_) => format!("no connection within {} s", CONNECT_MAX.as_secs()),
        };
        if plane.data().now().since(began) >= CALM {
            pause = PAUSE;
        }
        if why != told {
            warn!("BMP collector {address}: {why}; tried again and again");
            told = why;
        }
        sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}
