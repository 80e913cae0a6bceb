//! [`PaneId`]: the panes, their names and their order.

/// A pane that can have the focus. The header and the footer cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PaneId {
    Map,
    Events,
    Step,
    Tree,
    Free,
    Tables,
    Detail,
    Timeline,
    Charts,
    Compare,
    Live,
    Holders,
    Lesson,
}

/// Every pane, in the order Tab goes through them; the last one is there only where a script has notes, and the four
/// before it only in their own arrangements.
pub(crate) const PANES: &[PaneId] = &[
    PaneId::Events,
    PaneId::Step,
    PaneId::Tree,
    PaneId::Free,
    PaneId::Tables,
    PaneId::Detail,
    PaneId::Map,
    PaneId::Timeline,
    PaneId::Charts,
    PaneId::Compare,
    PaneId::Live,
    PaneId::Holders,
    PaneId::Lesson,
];

/// The panes of a trace.
const TRACE_PANES: &[PaneId] = &[
    PaneId::Events,
    PaneId::Step,
    PaneId::Tree,
    PaneId::Free,
    PaneId::Tables,
    PaneId::Detail,
    PaneId::Map,
    PaneId::Timeline,
];

/// The panes of a script with notes.
const LESSON_PANES: &[PaneId] = &[
    PaneId::Events,
    PaneId::Step,
    PaneId::Tree,
    PaneId::Free,
    PaneId::Tables,
    PaneId::Detail,
    PaneId::Map,
    PaneId::Timeline,
    PaneId::Lesson,
];

/// The panes beside the charts.
const CHART_PANES: &[PaneId] = &[PaneId::Charts, PaneId::Events, PaneId::Step, PaneId::Detail, PaneId::Map];

/// The panes beside the comparison.
const COMPARE_PANES: &[PaneId] = &[PaneId::Compare, PaneId::Events, PaneId::Step, PaneId::Timeline];

/// The panes beside the holders.
const HOLDER_PANES: &[PaneId] = &[PaneId::Holders, PaneId::Map, PaneId::Events, PaneId::Detail];

/// The panes beside what is read again and again.
const LIVE_PANES: &[PaneId] = &[PaneId::Holders, PaneId::Live, PaneId::Map, PaneId::Events, PaneId::Detail];

/// How the panes are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Arrangement {
    /// All panes around the current event.
    #[default]
    Step,
    /// Several policies on one cursor.
    Compare,
    /// Who holds the space.
    Holders,
    /// Charts, and below them what the cursor is on.
    Charts,
    /// What is read again and again, and who holds it.
    Live,
}

impl Arrangement {
    /// The panes that can be focused, in the order Tab goes through them.
    pub(crate) fn panes(self, subject: Subject) -> &'static [PaneId] {
        match self {
            Self::Step => subject.panes(),
            Self::Compare => COMPARE_PANES,
            Self::Holders => HOLDER_PANES,
            Self::Charts => CHART_PANES,
            Self::Live => LIVE_PANES,
        }
    }
}

/// The panes of a snapshot: nothing happens in it, and its areas take the place of the events.
const SNAPSHOT_PANES: &[PaneId] =
    &[PaneId::Map, PaneId::Events, PaneId::Tree, PaneId::Free, PaneId::Tables, PaneId::Detail];

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Events, and what they did.
    Trace,
    /// One moment.
    Snapshot,
    /// A script with notes.
    Lesson,
}

impl Subject {
    /// The panes that can say something, in the order Tab goes through them.
    pub(crate) fn panes(self) -> &'static [PaneId] {
        match self {
            Self::Trace => TRACE_PANES,
            Self::Snapshot => SNAPSHOT_PANES,
            Self::Lesson => LESSON_PANES,
        }
    }
}

impl PaneId {
    /// The word of the tab strip, the key table and the help.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Events => "events",
            Self::Step => "step",
            Self::Tree => "tree",
            Self::Free => "free",
            Self::Tables => "tables",
            Self::Detail => "detail",
            Self::Timeline => "timeline",
            Self::Charts => "charts",
            Self::Compare => "compare",
            Self::Live => "live",
            Self::Holders => "holders",
            Self::Lesson => "lesson",
        }
    }

    /// The question the pane answers, for the help.
    pub(crate) fn question(self) -> &'static str {
        match self {
            Self::Map => "map: where is everything? One cell stands for a stretch of addresses.",
            Self::Events => "events: what happened when? One row for each record of the trace, or area of a snapshot.",
            Self::Step => "step: what did the allocator just do, and why? One row for each thing it did.",
            Self::Tree => "tree: what does the tree look like, and which way did the search go?",
            Self::Free => "free: what is free, and which holes could serve this request?",
            Self::Tables => "tables: what does this address cost in page tables?",
            Self::Detail => "detail: what is the selected thing?",
            Self::Timeline => "timeline: where in the trace should I look?",
            Self::Charts => {
                "charts: how did it change? Each column is a stretch of the trace, from its lowest value to its highest."
            }
            Self::Compare => "compare: which rule does better here? The same requests under several policies.",
            Self::Live => "live: what is held now, how full are small ranges, and what does reading it cost?",
            Self::Holders => "holders: who has it? Address space, data and growth by caller, module, kind or task.",
            Self::Lesson => "lesson: what is to be seen here? The notes of a script, told at its stops.",
        }
    }

    /// Is it a strip on small screens, there whatever has the focus?
    pub(crate) fn is_strip(self) -> bool {
        matches!(self, Self::Map | Self::Timeline | Self::Lesson)
    }

    /// The pane of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        PANES.iter().copied().find(|pane| pane.name() == name)
    }

    /// The pane `by` places further in the order of `panes`.
    pub(crate) fn next(self, by: isize, panes: &[Self]) -> Self {
        let at = panes.iter().position(|&pane| pane == self).unwrap_or(0).cast_signed();
        panes[(at + by).rem_euclid(panes.len().cast_signed()).cast_unsigned()]
    }
}
