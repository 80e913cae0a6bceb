//! The list of policies with their paragraphs, and the form for what is changed about the machine.

use tui_input::Input;

use super::super::app::App;
use super::super::content::Hidden;
use crate::compare::{CHANGES, LaneSpec};
use crate::policy::{POLICIES, PolicyEntry};
use crate::view::line::wrap;
use crate::view::{Role, Row, Span, text};

/// The form: which row, which lane, and what is being typed.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) picked: usize,
    /// The lane that is changed; `None`: all of them.
    pub(crate) lane: Option<usize>,
    pub(crate) input: Option<Input>,
    pub(crate) error: Option<String>,
}

/// The policies; which are lanes is told by number. And what is above and below those in sight.
pub(crate) fn policies(app: &App, picked: usize, width: u16, height: u16) -> (Vec<Row>, Hidden) {
    let picked = picked.min(POLICIES.len() - 1);
    let longest = POLICIES.iter().map(|entry| entry.id.len()).max().unwrap_or(0);
    let told = paragraph(app, &POLICIES[picked], width);
    let room = usize::from(height).saturating_sub(told.len() + 1).max(3);
    let top = picked.saturating_sub(room / 2).min(POLICIES.len().saturating_sub(room));
    let mut rows: Vec<Row> = POLICIES
        .iter()
        .enumerate()
        .skip(top)
        .take(room)
        .map(|(at, PolicyEntry { id, title, .. })| {
            let cursor = if at == picked { app.glyphs.cursor } else { ' ' };
            let lane = app.lanes.specs().iter().position(|spec| spec.policy == *id);
            let lane = lane.map_or("  ".to_owned(), |lane| format!("{} ", lane + 1));
            let mut spans = vec![
                Span::new(format!("{cursor} "), Role::Key),
                Span { strong: true, ..Span::new(lane, Role::Key) },
                Span::new(format!("{id:<longest$}  "), Role::Text),
                Span::new(*title, Role::Muted),
            ];
            for span in &mut spans {
                span.selected = at == picked;
            }
            Row { spans, focused: at == picked, ..Row::default() }
        })
        .collect();
    let below = POLICIES.len() - top - rows.len();
    rows.push(Row::default());
    rows.extend(told);
    (rows, Hidden { above: top, below, at_least: false })
}

/// What a policy is, and where it comes from.
fn paragraph(app: &App, entry: &PolicyEntry, width: u16) -> Vec<Row> {
    let mut rows = wrap(entry.about, Role::Text, width.into(), 0, app.glyphs);
    rows.extend(wrap(&format!("Source: {}.", entry.source), Role::Muted, width.into(), 8, app.glyphs));
    rows
}

/// The form: a row for each thing that can be changed, with what it is today.
pub(crate) fn form(app: &App, form: &Form, width: u16) -> Vec<Row> {
    let which = match form.lane {
        None => "all lanes".to_owned(),
        Some(lane) => format!("lane {}, {}", lane + 1, app.lanes.specs()[lane]),
    };
    let mut rows = vec![
        Row { spans: vec![Span::new("changes ", Role::Muted), Span::new(which, Role::Key)], ..Row::default() },
        Row::default(),
    ];
    for (at, row) in CHANGES.iter().enumerate() {
        let is_picked = at == form.picked;
        let cursor = if is_picked { app.glyphs.cursor } else { ' ' };
        let mut spans = vec![
            Span::new(format!("{cursor} {:<10} ", row.word), Role::Key),
            Span::new(format!("{:<22} ", today_of(app, row.word)), Role::Muted),
        ];
        let input = form.input.as_ref().filter(|_| is_picked);
        match (input, changed(app, form, row.word)) {
            (Some(input), _) => {
                spans.push(Span::new(format!("{} ", app.glyphs.arrow), Role::Key));
                spans.push(Span { selected: true, ..Span::new(format!("{} ", input.value()), Role::Text) });
                spans.push(Span::new(format!(" {}", row.value), Role::Muted));
            }
            (None, Some(value)) => spans.push(Span::new(format!("{} {value}", app.glyphs.arrow), Role::Changed)),
            (None, None) => {}
        }
        rows.push(Row { spans, focused: is_picked, ..Row::default() });
    }
    rows.push(Row::default());
    let told = match &form.error {
        Some(error) => (error.as_str(), Role::Bad),
        None => (CHANGES[form.picked.min(CHANGES.len() - 1)].help, Role::Text),
    };
    rows.extend(wrap(told.0, told.1, width.into(), 0, app.glyphs));
    rows
}

/// The changed value of the lane, or of all lanes if it is the same in all.
pub(crate) fn changed(app: &App, form: &Form, word: &str) -> Option<String> {
    let of = |spec: &LaneSpec| spec.changes.get(word);
    let specs = app.lanes.specs();
    match form.lane {
        Some(lane) => of(specs.get(lane)?),
        None => {
            let first = of(specs.first()?)?;
            specs.iter().all(|spec| of(spec).as_ref() == Some(&first)).then_some(first)
        }
    }
}

/// What the machine of the trace has.
fn today_of(app: &App, word: &str) -> String {
    let machine = app.replay.plan().machine;
    let allocator = app.replay.start().allocator();
    match word {
        "range" => text::bytes(machine.window.len_bytes()),
        "cpus" => machine.cpus_online.to_string(),
        "nodes" => allocator.n_nodes().to_string(),
        "page-size" => text::bytes(machine.page_size),
        "levels" => machine.geometry.levels.len().to_string(),
        "guard" => "inside".to_owned(),
        "lazy-max" => text::bytes(allocator.lazy_max_pages().saturating_mul(machine.page_size)),
        "seed" => "0".to_owned(),
        _ => String::new(),
    }
}
