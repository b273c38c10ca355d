//! When a path was announced: in which session, and in which refresh of it.

/// Low bits of the session epoch, and the *phase*: which of the client's enhanced route refreshes
/// (RFC 7313) was the last to begin before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp(u8);

impl Stamp {
    /// Phases that are told apart.
    pub const PHASES: usize = 4;
    /// Epochs that are told apart.
    pub const EPOCHS: u32 = 64;

    pub const fn new(epoch: u32, phase: u8) -> Stamp {
        Stamp((epoch % Stamp::EPOCHS) as u8 * Stamp::PHASES as u8 + phase % Stamp::PHASES as u8)
    }

    pub const fn phase(self) -> u8 {
        self.0 % Stamp::PHASES as u8
    }

    /// Of the same session.
    pub const fn is_beside(self, other: Stamp) -> bool {
        self.0 / Stamp::PHASES as u8 == other.0 / Stamp::PHASES as u8
    }

    pub const fn is_of_epoch(self, epoch: u32) -> bool {
        self.0 / Stamp::PHASES as u8 == (epoch % Stamp::EPOCHS) as u8
    }
}
