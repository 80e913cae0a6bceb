//! The list of policies with their paragraphs, and the form for what is changed about the machine.

use tui_input::Input;

use super::super::app::App;
use super::super::lanes::choices;
use crate::compare::{CHANGES, LaneSpec};
use crate::policy::POLICIES;
use crate::replay::Machine;
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

/// The policies; which are lanes is told by number.
pub(crate) fn policies(app: &App, picked: usize, width: u16, height: u16) -> Vec<Row> {
    let ids = choices();
    let picked = picked.min(ids.len().saturating_sub(1));
    let longest = ids.iter().map(|id| id.len()).max().unwrap_or(0);
    let told = paragraph(app, ids[picked], width);
    let room = usize::from(height).saturating_sub(told.len() + 1).max(3);
    let top = picked.saturating_sub(room / 2).min(ids.len().saturating_sub(room));
    let mut rows: Vec<Row> = ids
        .iter()
        .enumerate()
        .skip(top)
        .take(room)
        .map(|(at, id)| {
            let cursor = if at == picked { app.glyphs.cursor } else { ' ' };
            let lane = app.lanes.specs().iter().position(|spec| spec.policy == *id);
            let lane = lane.map_or("  ".to_owned(), |lane| format!("{} ", lane + 1));
            let mut spans = vec![
                Span::new(format!("{cursor} "), Role::Key),
                Span { strong: true, ..Span::new(lane, Role::Key) },
                Span::new(format!("{id:<longest$}  "), Role::Text),
                Span::new(title_of(id), Role::Muted),
            ];
            for span in &mut spans {
                span.selected = at == picked;
            }
            Row { spans, focused: at == picked, ..Row::default() }
        })
        .collect();
    rows.push(Row::default());
    rows.extend(told);
    rows
}

fn title_of(id: &str) -> &'static str {
    POLICIES.iter().find(|entry| entry.id == id).map_or("where the trace says", |entry| entry.title)
}

/// What a policy is, and where it comes from.
fn paragraph(app: &App, id: &str, width: u16) -> Vec<Row> {
    let entry = POLICIES.iter().find(|entry| entry.id == id);
    let (about, source) = entry.map_or(
        ("Every area lies where the trace says: what really happened, as a lane among the others.", "the trace"),
        |entry| (entry.about, entry.source),
    );
    let mut rows = wrap(about, Role::Text, width.into(), 0, app.glyphs);
    rows.extend(wrap(&format!("Source: {source}."), Role::Muted, width.into(), 8, app.glyphs));
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
    let today = app.replay.plan().machine;
    for (at, row) in CHANGES.iter().enumerate() {
        let is_picked = at == form.picked;
        let cursor = if is_picked { app.glyphs.cursor } else { ' ' };
        let mut spans = vec![
            Span::new(format!("{cursor} {:<10} ", row.word), Role::Key),
            Span::new(format!("{:<22} ", today_of(&today, row.word)), Role::Muted),
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
    let of = |spec: &LaneSpec| {
        let text = spec.changes.to_string();
        text.split(',').find_map(|part| Some(part.strip_prefix(word)?.strip_prefix('=')?.to_owned()))
    };
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
fn today_of(machine: &Machine, word: &str) -> String {
    match word {
        "range" => text::bytes(machine.window.len_bytes()),
        "cpus" => machine.cpus_online.to_string(),
        "nodes" => machine.cpus_possible.min(128).to_string(),
        "page-size" => text::bytes(machine.page_size),
        "levels" => machine.geometry.levels.len().to_string(),
        "guard" => "inside".to_owned(),
        "lazy-max" => "of the policy".to_owned(),
        "seed" => "0".to_owned(),
        _ => String::new(),
    }
}
