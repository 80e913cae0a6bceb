//! The header: what am I looking at, and can I trust it?

use parsers::sniff::Format;

use super::line::Line;
use super::script::{self, is_script, noun};
use super::text;
use super::unplaced::{self, Unplaced};
use super::{Glyphs, Role, Row, Scene, Span};
use crate::event::EventKind;
use crate::log::{Clock, Pointers};
use crate::replay::{Replay, Tally};

/// Below this width the header takes two rows.
const ONE_ROW: u16 = 100;

/// In two rows narrower than this the counts of what was not exact have their sign for a name.
const TWO_LONG_ROWS: u16 = 76;
/// In one row narrower than this they do as well.
const LONG_WORDS: u16 = 130;

/// What only the running interface knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Play {
    /// Is it playing?
    pub playing: bool,
    /// The speed in words, as `4 events/s`.
    pub speed: String,
    /// A seek under way: records applied, and target.
    pub seeking: Option<(usize, usize)>,
    /// A run under way: forwards, and records looked at and in all.
    pub hunting: Option<(bool, (usize, usize))>,
    /// A message for the person.
    pub message: Option<String>,
    /// The rest of the input is still being read: how far that is; or why there is no rest.
    pub loading: Option<Result<String, String>>,
    /// The trace is taken while it is shown.
    pub following: Option<Following>,
}

/// How a trace that grows is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Following {
    /// The cursor goes to what comes next.
    Following,
    /// It stays.
    Paused,
    /// Nothing more comes.
    Ended,
}

/// Some words that stay or go together; the higher the rank, the sooner they go.
struct Group {
    rank: u8,
    spans: Vec<Span>,
}

impl Group {
    fn new(rank: u8, spans: Vec<Span>) -> Self {
        Self { rank, spans }
    }

    fn width(&self) -> usize {
        self.spans.iter().map(|span| text::width(&span.text)).sum()
    }
}

/// One row; two where `width` is below 100.
pub fn rows(scene: &Scene<'_>, width: u16, play: &Play) -> Vec<Row> {
    let what = match &play.message {
        Some(message) => vec![Group::new(0, vec![Span::new(text::escape(message.as_bytes()), Role::Text)])],
        None => what(scene),
    };
    let columns = usize::from(width);
    let words = (TWO_LONG_ROWS..ONE_ROW).contains(&width) || width >= LONG_WORDS;
    let (place, trust) = (place(scene, play), trust(scene, words));
    if width >= ONE_ROW {
        return vec![spread(scene, columns, what, place.into_iter().chain(trust).collect())];
    }
    vec![spread(scene, columns, what, Vec::new()), spread(scene, columns, place, trust)]
}

/// Input, kernel, policy, nodes.
fn what(scene: &Scene<'_>) -> Vec<Group> {
    let origin = &scene.replay.log().origin;
    let machine = &scene.replay.plan().machine;
    let dot = scene.glyphs.dot;
    let name = text::escape(origin.name.as_bytes());
    let kernel = match &origin.kernel {
        _ if is_script(scene.replay.log()) => script::title(scene.replay.log()).unwrap_or_default(),
        Some(kernel) => {
            let release = text::escape(kernel.as_bytes());
            // The distribution's suffix says nothing about the allocator.
            release.split(['-', '+']).next().unwrap_or_default().to_owned()
        }
        None => "kernel not known".to_owned(),
    };
    let nodes = u64::from(scene.replay.space().allocator().n_nodes());
    let mut groups = vec![
        Group::new(6, vec![Span { strong: true, ..Span::new("vmaplens", Role::Title) }]),
        Group::new(1, vec![Span { strong: true, ..Span::new(name, Role::Text) }]),
        Group::new(
            2,
            vec![Span::new(kernel, Role::Text), Span::new(format!(" {dot} {}", machine.policy.name()), Role::Muted)],
        ),
    ];
    if let Some(against) = script::compared_with(scene.replay.log()) {
        groups.push(Group::new(4, vec![Span::new(against, Role::Muted)]));
    }
    groups.extend(form(scene).map(|form| Group::new(4, vec![Span::new(form, Role::Muted)])));
    // A snapshot does not say how many there are.
    if !scene.replay.is_empty() || origin.cpus_possible.is_some() {
        groups.push(Group::new(5, vec![Span::new(text::plural(nodes, "node", "nodes"), Role::Muted)]));
    }
    groups
}

/// What the input was printed by, and what its stamps are worth, where that is not what everybody expects.
fn form(scene: &Scene<'_>) -> Option<String> {
    let log = scene.replay.log();
    if is_script(log) {
        return None;
    }
    let title = match log.origin.form? {
        Format::FtraceText | Format::Vmallocinfo | Format::Unknown => "",
        form => form.title(),
    };
    let times = match log.origin.clock {
        Clock::None if !scene.replay.is_empty() => "no times",
        Clock::Ticks => "ticks, no times",
        _ => "",
    };
    let joint = if title.is_empty() || times.is_empty() { "" } else { ", " };
    Some(format!("{title}{joint}{times}")).filter(|form| !form.is_empty())
}

/// Where the cursor is, and whether it moves.
fn place(scene: &Scene<'_>, play: &Play) -> Vec<Group> {
    let replay = scene.replay;
    if replay.is_empty() {
        let Some(unplaced) = Unplaced::of(scene) else {
            return vec![Group::new(0, vec![Span::new("snapshot: one moment, no events", Role::Text)])];
        };
        let known = Span::new(format!("snapshot: {}", unplaced.sums()), Role::Text);
        let why = Span::new(format!("{} {}", scene.glyphs.failure, unplaced.word()), Role::Warn);
        return vec![Group::new(0, vec![known]), Group::new(0, vec![why])];
    }
    let (cursor, len) = (replay.cursor() as u64, replay.len() as u64);
    let grows = matches!(play.following, Some(Following::Following | Following::Paused));
    let so_far = if play.loading.is_some() || grows { " so far" } else { "" };
    let mut groups = vec![Group::new(
        0,
        vec![
            Span::new(format!("{} ", noun(replay.log())), Role::Muted),
            Span { strong: true, ..Span::new(text::count(cursor), Role::Number) },
            Span::new(format!(" of {}{so_far}", text::count(len)), Role::Muted),
        ],
    )];
    if let Some((_, event)) = replay.current() {
        let time = text::time(replay.log(), event.at);
        if !time.is_empty() {
            groups.push(Group::new(3, vec![Span::new(time, Role::Number)]));
        }
    }
    let glyphs = scene.glyphs;
    let looking = play.hunting.map(|(is_forward, (at, all))| {
        let percent = at.saturating_mul(100).checked_div(all).unwrap_or(0);
        format!("looking {}: {percent} %", if is_forward { "on" } else { "back" })
    });
    let state = match play.seeking {
        None if looking.is_some() => looking.unwrap_or_default(),
        Some((at, target)) => {
            let percent = at as u64 * 100 / (target as u64).max(1);
            format!("going to {}: {percent} %", text::count(target as u64))
        }
        None if play.playing => format!("{} {}", glyphs.playing, text::escape(play.speed.as_bytes())),
        None => match play.following {
            None => glyphs.paused.to_string(),
            Some(Following::Following) => format!("{} following", glyphs.playing),
            Some(Following::Paused) => format!("{} paused", glyphs.paused),
            Some(Following::Ended) => format!("{} ended", glyphs.paused),
        },
    };
    let role = if play.following == Some(Following::Following) { Role::Good } else { Role::Key };
    groups.push(Group::new(1, vec![Span::new(state, role)]));
    groups.extend(play.loading.as_ref().map(|loading| {
        let span = match loading {
            Ok(words) => Span::new(words.as_str(), Role::Key),
            Err(why) => Span::new(format!("{} {}", glyphs.failure, text::escape(why.as_bytes())), Role::Bad),
        };
        Group::new(0, vec![span])
    }));
    groups
}

/// Exact, inferred, adopted; what was damaged; what was lost.
fn trust(scene: &Scene<'_>, words: bool) -> Vec<Group> {
    let replay = scene.replay;
    let glyphs = scene.glyphs;
    let tally = replay.tally();
    let mut groups = Vec::new();
    if let Some(warning) = starts_empty(replay) {
        let warning = if words { warning } else { "starts empty".to_owned() };
        groups.push(Group::new(1, vec![Span::new(format!("{} {warning}", glyphs.failure), Role::Warn)]));
    }
    let count = |n: u64, role: Role| if n == 0 { Role::Muted } else { role };
    if let Some(tenths) = (tally.exact * 1000).checked_div(tally.allocs) {
        let percent = if tenths == 1000 { "100".to_owned() } else { format!("{}.{}", tenths / 10, tenths % 10) };
        groups.push(Group::new(0, vec![Span::new(format!("{} {percent} % exact", glyphs.exact), Role::Good)]));
        let name = |name: &'static str| if words { name } else { "" };
        if is_script(replay.log()) {
            let differs = format!("{} {}{}", glyphs.adopted, text::count(tally.differs), name(" differ"));
            groups.push(Group::new(1, vec![Span::new(differs, count(tally.differs, Role::Bad))]));
        } else {
            groups.extend(not_exact(&tally, glyphs, words));
        }
    } else if is_script(replay.log()) {
        // Without expected answers there is nothing to judge; the first row says so.
    } else if !replay.is_empty() {
        groups.push(Group::new(3, vec![Span::new("nothing judged yet", Role::Muted)]));
    }
    let lost = lost_records(scene);
    if lost > 0 {
        groups.push(Group::new(1, vec![Span::new(format!("{} {} lost", glyphs.lost, text::count(lost)), Role::Warn)]));
    }
    let problems = replay.log().problems.len() as u64;
    if problems > 0 {
        let words = format!("{} {}", glyphs.failure, text::plural(problems, "problem", "problems"));
        groups.push(Group::new(1, vec![Span::new(words, Role::Bad)]));
    }
    groups
}

/// What was not exact.
fn not_exact(tally: &Tally, glyphs: &Glyphs, words: bool) -> [Group; 2] {
    let name = |name: &'static str| if words { name } else { "" };
    let count = |n: u64, role: Role| if n == 0 { Role::Muted } else { role };
    let inferred = format!("{} {}{}", glyphs.inferred, text::count(tally.inferred), name(" inferred"));
    let adopted = format!("{} {}{}", glyphs.adopted, text::count(tally.adopted), name(" adopted"));
    [
        Group::new(1, vec![Span::new(inferred, count(tally.inferred, Role::Warn))]),
        Group::new(1, vec![Span::new(adopted, count(tally.adopted, Role::Bad))]),
    ]
}

/// A trace that starts late needs a snapshot with real addresses: without one the replay begins as if nothing were in
/// use.
pub(crate) fn starts_empty(replay: &Replay) -> Option<String> {
    if replay.is_empty() || replay.plan().machine.from_boot {
        return None;
    }
    match &replay.log().before {
        None => Some("starts empty: no snapshot".to_owned()),
        Some(before) if before.pointers == Pointers::Real => None,
        Some(before) => Some(format!("starts empty: {}", unplaced::word(before.pointers))),
    }
}

/// Records the kernel dropped, in the whole log; a notice without a count is one at least.
fn lost_records(scene: &Scene<'_>) -> u64 {
    let log = scene.replay.log();
    let notices = &scene.replay.plan().timeline.lost;
    let counted = notices.iter().filter_map(|&index| match log.events.get(index as usize)?.kind {
        EventKind::Lost { count } => Some(u64::from(count.max(1))),
        _ => None,
    });
    counted.sum::<u64>().saturating_add(log.origin.overwritten)
}

/// Two lots of groups, flush left and flush right; what has no room goes, highest rank first.
fn spread(scene: &Scene<'_>, width: usize, left: Vec<Group>, right: Vec<Group>) -> Row {
    let (mut left, mut right) = (left, right);
    let wanted = |groups: &[Group]| groups.iter().map(|group| group.width() + 2).sum::<usize>();
    while wanted(&left) + wanted(&right) > width + 1 {
        let worst = left.iter().chain(&right).map(|group| group.rank).max().unwrap_or(0);
        if worst == 0 {
            break;
        }
        // From the right end, so that what is left stays in one piece.
        let side = if right.iter().any(|group| group.rank == worst) { &mut right } else { &mut left };
        if let Some(at) = side.iter().rposition(|group| group.rank == worst) {
            side.remove(at);
        }
    }
    let mut line = Line::new(width, scene.glyphs);
    for (index, group) in left.into_iter().enumerate() {
        line = line.gap(if index == 0 { 1 } else { 2 });
        group.spans.into_iter().for_each(|span| line.span(span));
    }
    let start = (width + 1).saturating_sub(wanted(&right)).max(line.used() + 2);
    for (index, group) in right.into_iter().enumerate() {
        line = if index == 0 { line.to(start) } else { line.gap(2) };
        group.spans.into_iter().for_each(|span| line.span(span));
    }
    line.done()
}
