//! [`ACTIONS`]: everything a user can ask for. One table drives the key map, the footer's hints, the help and the
//! palette; the keys themselves are in `keys-default.toml`.

use super::pane::PaneId;

/// Something a user can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Forward,
    Back,
    ForwardTen,
    BackTen,
    Play,
    Faster,
    Slower,
    SpeedUnit,
    NextInteresting,
    PreviousInteresting,
    NextFailure,
    PreviousFailure,
    NextDivergence,
    PreviousDivergence,
    NextPurge,
    PreviousPurge,
    NextTouching,
    PreviousTouching,
    Break,
    Breaks,
    Run,
    RunBack,
    Speed,
    Start,
    End,
    Goto,
    Line,
    SubForward,
    SubBack,
    Explain,
    WhyHere,
    Search,
    SearchNext,
    SearchPrevious,
    SetMark,
    GoMark,
    Marks,
    JumpBack,
    JumpForward,
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    HalfUp,
    HalfDown,
    PageUp,
    PageDown,
    Activate,
    Follow,
    Copy,
    NextPane,
    PreviousPane,
    Zoom,
    ArrangeStep,
    ArrangeCompare,
    ArrangeHolders,
    ArrangeCharts,
    ArrangeLive,
    Trace,
    Policies,
    WhatIf,
    Parting,
    NextMetric,
    PreviousMetric,
    HoldersBy,
    HoldersOrder,
    HoldersOrderBack,
    HoldersFilter,
    ChartToggle,
    ChartAlone,
    MapIn,
    MapOut,
    MapWhole,
    TimeIn,
    TimeOut,
    TimeWhole,
    FreeOrder,
    TreeNext,
    Palette,
    Help,
    Problems,
    Export,
    Theme,
    Lesson,
    Redraw,
    Cancel,
    Suspend,
    Quit,
    Interrupt,
}

/// Where an action means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Whatever has the focus.
    Anywhere,
    /// While this pane has the focus.
    Pane(PaneId),
}

/// Chapters of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Time,
    Inside,
    Find,
    Move,
    Panes,
    Program,
}

/// The chapters, in the order of the help.
pub(crate) const SECTIONS: &[(Section, &str)] = &[
    (Section::Time, "Through the trace"),
    (Section::Inside, "Inside one event"),
    (Section::Find, "Find and return"),
    (Section::Move, "Inside a pane"),
    (Section::Panes, "Panes"),
    (Section::Program, "Program"),
];

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) action: Action,
    /// Name in the key table and the palette.
    pub(crate) name: &'static str,
    /// What it does, for the help and the palette.
    pub(crate) title: &'static str,
    /// A word for the footer; empty: not shown there.
    pub(crate) hint: &'static str,
    pub(crate) place: Place,
    pub(crate) section: Section,
    /// What can be typed behind the name in the palette; empty: nothing.
    pub(crate) arguments: &'static str,
}

const fn row(action: Action, section: Section, name: &'static str, title: &'static str) -> Spec {
    Spec { action, name, title, hint: "", place: Place::Anywhere, section, arguments: "" }
}

impl Spec {
    const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    const fn within(self, pane: PaneId) -> Self {
        Self { place: Place::Pane(pane), ..self }
    }

    /// Is it of no use without a pinned selection? Then the footer names it only while there is one.
    pub(crate) fn needs_pin(&self) -> bool {
        self.action == Action::Follow
    }

    const fn with(self, arguments: &'static str) -> Self {
        Self { arguments, ..self }
    }
}

/// Every action. The order is the order of the help; footer hints are taken in this order too.
pub(crate) const ACTIONS: &[Spec] = &[
    row(Action::Forward, Section::Time, "forward", "one event forward (a count before it: that many)").hint("forward"),
    row(Action::Back, Section::Time, "back", "one event back").hint("back"),
    row(Action::ForwardTen, Section::Time, "forward-ten", "ten events forward"),
    row(Action::BackTen, Section::Time, "back-ten", "ten events back"),
    row(Action::Play, Section::Time, "play", "play or pause").hint("play"),
    row(Action::Faster, Section::Time, "faster", "play faster"),
    row(Action::Slower, Section::Time, "slower", "play slower"),
    row(Action::SpeedUnit, Section::Time, "speed-unit", "play in events or in trace time per second"),
    row(
        Action::NextInteresting,
        Section::Time,
        "next-interesting",
        "next event worth seeing: failure, divergence, first purge of a run, mark or loss of records; of a lesson, next stop",
    )
    .hint("next event worth seeing"),
    row(Action::PreviousInteresting, Section::Time, "previous-interesting", "previous event worth seeing; of a lesson, previous stop"),
    row(Action::NextFailure, Section::Time, "next-failure", "next failed allocation"),
    row(Action::PreviousFailure, Section::Time, "previous-failure", "previous failed allocation"),
    row(Action::NextDivergence, Section::Time, "next-divergence", "next allocation that was inferred or adopted"),
    row(
        Action::PreviousDivergence,
        Section::Time,
        "previous-divergence",
        "previous allocation that was inferred or adopted",
    ),
    row(Action::NextPurge, Section::Time, "next-purge", "next purge that gave something back"),
    row(Action::PreviousPurge, Section::Time, "previous-purge", "previous purge that gave something back"),
    row(
        Action::NextTouching,
        Section::Time,
        "next-touching",
        "next event that changes what is selected, or what this event is about: placed, freed, purged, reused; its hole split or merged",
    )
    .hint("next use of this"),
    row(Action::PreviousTouching, Section::Time, "previous-touching", "previous event that changes it"),
    row(Action::Break, Section::Time, "break", "stop where a condition becomes true: failed, size > 1M, largest_hole < 2M and not lazy > 10M; the prompt lists the words")
        .with("CONDITION"),
    row(Action::Run, Section::Time, "run", "run on to the next event where a break becomes true; Esc stops and stays here"),
    row(Action::RunBack, Section::Time, "run-back", "run back to the previous one"),
    row(Action::Breaks, Section::Time, "breaks", "list the breaks: on, off, delete"),
    row(Action::Speed, Section::Time, "speed", "play at this speed: so many events, or so much of the trace, in a second")
        .with("1000/s, 2x, 10ms/s"),
    row(Action::Start, Section::Time, "start", "before the first event"),
    row(Action::End, Section::Time, "end", "after the last event"),
    row(Action::Goto, Section::Time, "goto", "go to an event, a moment or an address")
        .with("N, +N, -N, +10ms, -2s, 1.25s, 50%, line N, 0xADDRESS"),
    row(Action::Line, Section::Time, "line", "go to the event of a line of the input").with("N"),
    row(Action::SubForward, Section::Inside, "inside", "next thing the allocator did in this event").hint("inside"),
    row(Action::SubBack, Section::Inside, "inside-back", "previous thing the allocator did in this event"),
    row(Action::Search, Section::Find, "search", "search the events: any word, an address in full, size > 1M, task NAME, caller xfs_*, kind free; as for breaks")
        .hint("search"),
    row(Action::SearchNext, Section::Find, "search-next", "next match"),
    row(Action::SearchPrevious, Section::Find, "search-previous", "previous match"),
    row(Action::SetMark, Section::Find, "mark", "mark this place; a letter follows. Marks are written to a file beside the trace"),
    row(Action::GoMark, Section::Find, "go-to-mark", "return to a mark; its letter follows"),
    row(Action::Marks, Section::Find, "marks", "list the marks: go there, delete"),
    row(Action::JumpBack, Section::Find, "jump-back", "the place before the last jump"),
    row(Action::JumpForward, Section::Find, "jump-forward", "the place before the last jump back"),
    row(Action::Explain, Section::Inside, "explain", "explain failure: why this request found no place, and what would make it fit; elsewhere on to the next failure")
        .hint("explain"),
    row(Action::WhyHere, Section::Inside, "why-here", "why the selected area lies there and not lower, hole by hole")
        .hint("why here"),
    row(Action::Up, Section::Move, "up", "up"),
    row(Action::Down, Section::Move, "down", "down"),
    row(Action::Left, Section::Move, "left", "left; pans the tree and the map"),
    row(Action::Right, Section::Move, "right", "right; pans the tree and the map"),
    row(Action::Top, Section::Move, "top", "to the top of the pane"),
    row(Action::Bottom, Section::Move, "bottom", "to the bottom; with a number before it: go to that event"),
    row(Action::HalfUp, Section::Move, "half-page-up", "half a page up"),
    row(Action::HalfDown, Section::Move, "half-page-down", "half a page down"),
    row(Action::PageUp, Section::Move, "page-up", "a page up"),
    row(Action::PageDown, Section::Move, "page-down", "a page down"),
    row(Action::Activate, Section::Move, "open", "go to the picked event, or select the picked address; in a lesson with nothing picked, on to the next stop").hint("select"),
    row(Action::Follow, Section::Move, "follow", "let the pinned selection go: follow the current event again")
        .hint("unpin"),
    row(Action::Copy, Section::Move, "copy", "copy the selected address to the clipboard"),
    row(Action::MapIn, Section::Panes, "map-in", "map: fewer bytes in a cell, around the picked address")
        .within(PaneId::Map)
        .hint("closer"),
    row(Action::MapOut, Section::Panes, "map-out", "map: more bytes in a cell").within(PaneId::Map).hint("wider"),
    row(Action::MapWhole, Section::Panes, "map-whole", "map: the whole range").within(PaneId::Map).hint("whole"),
    row(Action::TimeIn, Section::Panes, "time-in", "timeline and charts: fewer events, around the cursor"),
    row(Action::TimeOut, Section::Panes, "time-out", "timeline and charts: more events"),
    row(Action::TimeWhole, Section::Panes, "time-whole", "timeline and charts: the whole trace"),
    row(Action::FreeOrder, Section::Panes, "free-order", "free: holes by address or by size")
        .within(PaneId::Free)
        .hint("order"),
    row(Action::TreeNext, Section::Panes, "next-tree", "tree: free tree, or the busy or lazy tree of a node")
        .within(PaneId::Tree)
        .hint("other tree"),
    row(Action::NextPane, Section::Panes, "next-pane", "focus the next pane").hint("pane"),
    row(Action::PreviousPane, Section::Panes, "previous-pane", "focus the previous pane"),
    row(Action::Zoom, Section::Panes, "zoom", "the focused pane alone, or all of them again").hint("zoom"),
    row(Action::ArrangeStep, Section::Panes, "arrange-step", "all panes around the current event"),
    row(Action::ArrangeCompare, Section::Panes, "arrange-compare", "compare: the same requests under several policies"),
    row(Action::ArrangeHolders, Section::Panes, "arrange-holders", "holders: who has the space, how much is memory, how it grew"),
    row(Action::ArrangeCharts, Section::Panes, "arrange-charts", "charts: how the metrics changed"),
    row(Action::ArrangeLive, Section::Panes, "arrange-live", "live: what is read again and again, with vmaplens live"),
    row(
        Action::Trace,
        Section::Panes,
        "trace",
        "live: trace the allocator from now on, in a tracefs instance of its own, and follow; once more: end that",
    ),
    row(Action::HoldersBy, Section::Panes, "holders-by", "holders: by caller, module, kind or task")
        .within(PaneId::Holders)
        .hint("by"),
    row(Action::HoldersOrder, Section::Panes, "holders-order", "holders: order by the next column")
        .within(PaneId::Holders)
        .hint("order"),
    row(Action::HoldersOrderBack, Section::Panes, "holders-order-back", "holders: order by the column before")
        .within(PaneId::Holders),
    row(Action::HoldersFilter, Section::Panes, "filter", "holders: only those with this in their name; nothing behind it shows all again")
        .within(PaneId::Holders)
        .with("TEXT")
        .hint("filter"),
    row(Action::ChartToggle, Section::Panes, "chart-toggle", "charts: show or hide the picked one")
        .within(PaneId::Charts)
        .hint("show or hide"),
    row(Action::ChartAlone, Section::Panes, "chart-alone", "charts: the picked one alone, or all of them again")
        .within(PaneId::Charts)
        .hint("alone"),
    row(Action::Policies, Section::Panes, "policies", "compare: choose the policies from a list, each with a paragraph")
        .hint("policies"),
    row(Action::WhatIf, Section::Panes, "what-if", "compare: change the range, CPUs, lazy limit and more, and run again")
        .within(PaneId::Compare)
        .hint("what if"),
    row(Action::Parting, Section::Panes, "parting", "compare: go where the lanes parted first")
        .within(PaneId::Compare)
        .hint("where they part"),
    row(Action::NextMetric, Section::Panes, "next-metric", "compare: draw the next metric")
        .within(PaneId::Compare)
        .hint("metric"),
    row(Action::PreviousMetric, Section::Panes, "previous-metric", "compare: draw the previous metric")
        .within(PaneId::Compare),
    row(Action::Problems, Section::Program, "problems", "what was damaged in the input"),
    row(Action::Export, Section::Program, "export", "write what is shown to a file: screen, pane, areas, figures, events"),
    row(Action::Palette, Section::Program, "palette", "any action by name").hint("actions"),
    row(Action::Help, Section::Program, "help", "help for the focused pane, signs and words").hint("help"),
    row(Action::Theme, Section::Program, "theme", "colours for a dark or a light background").with("dark, light"),
    row(Action::Lesson, Section::Program, "lesson", "open a lesson").with("NAME"),
    row(Action::Redraw, Section::Program, "redraw", "draw everything again"),
    row(Action::Cancel, Section::Program, "cancel", "close what is open, or stop what is under way; never quits"),
    row(Action::Suspend, Section::Program, "suspend", "stop the program; the shell's fg brings it back"),
    row(Action::Quit, Section::Program, "quit", "close what is open, else quit").hint("quit"),
    row(Action::Interrupt, Section::Program, "interrupt", "quit at once"),
];

/// The row of an action.
pub(crate) fn spec(action: Action) -> &'static Spec {
    ACTIONS.iter().find(|spec| spec.action == action).unwrap_or(&ACTIONS[0])
}

/// The row of a name.
pub(crate) fn named(name: &str) -> Option<&'static Spec> {
    ACTIONS.iter().find(|spec| spec.name == name)
}
