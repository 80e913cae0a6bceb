//! [`Holders`]: who holds a window, by caller, module and kind. Ioremaps count: the kernel's own counter leaves them out.

use std::collections::{BTreeMap, HashMap};

use super::ground::{Ground, Holder, State};
use crate::insight::Totals;
use crate::log::Window;

/// Each holder once.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) list: Vec<Holder>,
    ids: HashMap<Holder, u32>,
}

impl Names {
    /// The place of a holder in the list.
    pub(super) fn id(&mut self, holder: Holder) -> u32 {
        let next = self.list.len() as u32;
        match self.ids.get(&holder) {
            Some(&id) => id,
            None => {
                self.list.push(holder.clone());
                self.ids.insert(holder, next);
                next
            }
        }
    }
}

/// What one holder has in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// Who. In lists by kind or by module the rest is empty.
    pub holder: Holder,
    /// How much; `pages` is not counted.
    pub totals: Totals,
}

/// Who holds a window. Every list is in descending order of bytes, equal ones by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holders {
    /// Areas in use.
    pub busy: Totals,
    /// Freed, not purged.
    pub lazy: Totals,
    /// Parked in pools.
    pub pooled: Totals,
    /// By caller, module and kind: areas in use.
    pub by_caller: Vec<HeldBy>,
    /// By kind.
    pub by_kind: Vec<HeldBy>,
    /// By module, the kernel itself included.
    pub by_module: Vec<HeldBy>,
}

impl Holders {
    /// Adds up what lies in a window; where addresses are not known, everything.
    pub(super) fn of(ground: &Ground, window: Window) -> Self {
        let inside = ground.within(window).map(|(held, part)| (part.len_bytes(), held.state, held.holder));
        let parts: Vec<_> = if ground.has_addresses() { inside.collect() } else { ground.sizes.clone() };
        let mut sums = Self::default();
        let mut by_id = vec![Totals::default(); ground.holders.len()];
        for (bytes, state, id) in parts {
            match state {
                State::Lazy => add(&mut sums.lazy, bytes),
                State::Pooled => add(&mut sums.pooled, bytes),
                State::Busy => {
                    add(&mut sums.busy, bytes);
                    add(&mut by_id[id as usize], bytes);
                }
            }
        }
        let mut callers: BTreeMap<Holder, Totals> = BTreeMap::new();
        let mut kinds: BTreeMap<Holder, Totals> = BTreeMap::new();
        let mut modules: BTreeMap<Holder, Totals> = BTreeMap::new();
        for (holder, totals) in ground.holders.iter().zip(by_id).filter(|(_, totals)| 0 < totals.areas) {
            let kind = Holder { kind: holder.kind, ..Holder::default() };
            let module = Holder { module: holder.module.clone(), ..Holder::default() };
            for sum in [
                callers.entry(holder.clone()).or_default(),
                kinds.entry(kind).or_default(),
                modules.entry(module).or_default(),
            ] {
                sum.areas += totals.areas;
                sum.virtual_bytes = sum.virtual_bytes.saturating_add(totals.virtual_bytes);
            }
        }
        Self { by_caller: sorted(callers), by_kind: sorted(kinds), by_module: sorted(modules), ..sums }
    }

    /// What areas of one kind hold.
    pub fn of_kind(&self, kind: &str) -> Totals {
        self.by_kind.iter().find(|held| held.holder.kind == kind).map_or_else(Totals::default, |held| held.totals)
    }
}

/// Sizes come from a file and may be anything: sums saturate.
fn add(totals: &mut Totals, bytes: u64) {
    totals.areas += 1;
    totals.virtual_bytes = totals.virtual_bytes.saturating_add(bytes);
}

fn sorted(map: BTreeMap<Holder, Totals>) -> Vec<HeldBy> {
    let mut list: Vec<_> = map.into_iter().map(|(holder, totals)| HeldBy { holder, totals }).collect();
    list.sort_by_key(|held| std::cmp::Reverse(held.totals.virtual_bytes));
    list
}
