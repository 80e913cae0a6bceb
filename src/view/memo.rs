//! [`Memo`]: what takes long to add up, kept while the cursor stays where it is.
//!
//! A frame costs no more than a screenful. What takes a look at every area or every hole is added up at once while there
//! are few of them, else once the cursor has rested: until then the pane says that it waits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::free::Summary;
use super::page_table::Bill;

/// Areas or holes that are added up while the cursor moves.
pub(crate) const AT_ONCE: usize = 1_500;

/// What has been added up for the place of the cursor.
#[derive(Debug, Default)]
pub struct Memo {
    cursor: Cell<usize>,
    /// The cursor has stayed for a while.
    rested: Cell<bool>,
    /// Something waits for that.
    waits: Cell<bool>,
    bill: RefCell<Option<(bool, Rc<Bill>)>>,
    summary: RefCell<Option<Rc<Summary>>>,
}

impl Memo {
    /// The cursor is at a place: what was added up for another one is forgotten.
    pub fn enter(&self, cursor: usize) {
        if self.cursor.replace(cursor) != cursor {
            self.forget();
        }
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.rested.set(false);
        self.waits.set(false);
        self.bill.take();
        self.summary.take();
    }

    /// Does anything wait for the cursor to rest?
    pub fn waits(&self) -> bool {
        self.waits.get() && !self.rested.get()
    }

    /// The cursor has rested: what waits is added up with the next frame.
    pub fn rest(&self) {
        self.rested.set(true);
    }

    /// May `n` things be looked at now?
    fn allows(&self, n: usize) -> bool {
        let now = n <= AT_ONCE || self.rested.get();
        self.waits.set(self.waits.get() || !now);
        now
    }

    /// The bill of the state before or after the event; `None` while it waits.
    pub(crate) fn bill(&self, before: bool, n_areas: usize, add_up: impl FnOnce() -> Bill) -> Option<Rc<Bill>> {
        if let Some((of, bill)) = &*self.bill.borrow()
            && *of == before
        {
            return Some(Rc::clone(bill));
        }
        let bill = self.allows(n_areas).then(|| Rc::new(add_up()))?;
        self.bill.replace(Some((before, Rc::clone(&bill))));
        Some(bill)
    }

    /// What there is to say of all holes together; `None` while it waits.
    pub(crate) fn summary(&self, n_holes: usize, add_up: impl FnOnce() -> Summary) -> Option<Rc<Summary>> {
        if let Some(summary) = &*self.summary.borrow() {
            return Some(Rc::clone(summary));
        }
        let summary = self.allows(n_holes).then(|| Rc::new(add_up()))?;
        self.summary.replace(Some(Rc::clone(&summary)));
        Some(summary)
    }
}
