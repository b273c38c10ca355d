//! Shared buffers whose octets are known for as long as anybody refers to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

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

    /// Turns a filled buffer into one that can be shared; it counts until the last reference goes.
    pub fn seal(&self, octets: Vec<u8>) -> Bytes {
        let share = self.share(octets.capacity());
        Bytes::from_owner(Sealed {
            octets,
            _share: share,
        })
    }
}

/// A part of what a [`Gauge`] counts.
#[derive(Debug)]
pub struct Share {
    gauge: Gauge,
    octets: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.gauge.0.fetch_sub(self.octets, Ordering::Relaxed);
    }
}

struct Sealed {
    octets: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_counts_until_its_last_slice_is_gone() {
        let gauge = Gauge::default();
        let whole = gauge.seal(vec![7; 100]);
        let slice = whole.slice(10..20);
        assert_eq!(gauge.retained(), 100);
        drop(whole);
        assert_eq!(gauge.retained(), 100);
        drop(slice);
        assert_eq!(gauge.retained(), 0);
    }
}
