//! A set of path attribute type codes, such as `attributes.discard`.

use std::fmt;

/// A bit for each type code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TypeCodes([u64; 4]);

impl TypeCodes {
    pub const fn contains(&self, code: u8) -> bool {
        let [a, b, c, d] = self.0;
        let word = match code / 64 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        word & (1 << (code % 64)) != 0
    }

    /// Whether one of those is not in it.
    pub fn lacks_any_of(&self, other: &TypeCodes) -> bool {
        self.0.iter().zip(other.0).any(|(own, of)| of & !own != 0)
    }

    /// Says whether it was not in the set before.
    pub fn insert(&mut self, code: u8) -> bool {
        let is_new = !self.contains(code);
        if let Some(word) = self.0.get_mut(usize::from(code / 64)) {
            *word |= 1 << (code % 64);
        }
        is_new
    }

    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=255).filter(|code| self.contains(*code))
    }
}

impl FromIterator<u8> for TypeCodes {
    fn from_iter<I: IntoIterator<Item = u8>>(codes: I) -> TypeCodes {
        let mut set = TypeCodes::default();
        for code in codes {
            set.insert(code);
        }
        set
    }
}

impl fmt::Debug for TypeCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
