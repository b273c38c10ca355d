//! How many octets the output of one session core retains.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets retained by the output of one session core, wherever references to them are.
#[derive(Clone, Default, Debug)]
pub struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    /// Octets.
    pub fn retained(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts `octets` until the share is dropped.
    pub fn share(&self, octets: usize) -> Share {
        self.0.fetch_add(octets, Ordering::Relaxed);
        Share {
            gauge: self.clone(),
            octets,
        }
    }
}

/// A part of what a [`Gauge`] counts.
#[derive(Debug)]
pub struct Share {
    gauge: Gauge,
    octets: usize,
}

impl Share {
    pub fn octets(&self) -> usize {
        self.octets
    }

    pub fn resize(&mut self, octets: usize) {
        self.gauge.0.fetch_add(octets, Ordering::Relaxed);
        self.gauge.0.fetch_sub(self.octets, Ordering::Relaxed);
        self.octets = octets;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.gauge.0.fetch_sub(self.octets, Ordering::Relaxed);
    }
}
