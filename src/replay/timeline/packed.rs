//! [`Packed`]: numbers that are mostly small.

/// A list of numbers: four bytes for each as long as none needs more, eight from then on.
#[derive(Debug, Clone)]
pub(super) enum Packed {
    /// All of them fit.
    Narrow(Vec<u32>),
    /// Some do not.
    Wide(Vec<u64>),
}

impl Default for Packed {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Packed {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(list) => list.len(),
            Self::Wide(list) => list.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> u64 {
        match self {
            Self::Narrow(list) => list[at].into(),
            Self::Wide(list) => list[at],
        }
    }

    pub(super) fn push(&mut self, value: u64) {
        match (&mut *self, u32::try_from(value)) {
            (Self::Narrow(list), Ok(value)) => list.push(value),
            (Self::Wide(list), _) => list.push(value),
            (Self::Narrow(_), Err(_)) => {
                self.widen();
                self.push(value);
            }
        }
    }

    pub(super) fn set(&mut self, at: usize, value: u64) {
        match (&mut *self, u32::try_from(value)) {
            (Self::Narrow(list), Ok(value)) => list[at] = value,
            (Self::Wide(list), _) => list[at] = value,
            (Self::Narrow(_), Err(_)) => {
                self.widen();
                self.set(at, value);
            }
        }
    }

    /// Gives back what was kept ready for more.
    pub(super) fn shrink(&mut self) {
        match self {
            Self::Narrow(list) => list.shrink_to_fit(),
            Self::Wide(list) => list.shrink_to_fit(),
        }
    }

    fn widen(&mut self) {
        if let Self::Narrow(list) = self {
            *self = Self::Wide(list.iter().map(|&value| value.into()).collect());
        }
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        match self {
            Self::Narrow(list) => (list.capacity() * 4) as u64,
            Self::Wide(list) => (list.capacity() * 8) as u64,
        }
    }
}
