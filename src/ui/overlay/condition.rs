//! The prompt for a break, the list of breaks and the list of marks.

use parsers::condition::{self, ConditionError, WORDS, Word};

use super::super::app::App;
use super::super::paint::{explained, words};
use crate::event::Seq;
use crate::insight::Compiled;
use crate::view::script::noun;
use crate::view::{Role, Row, Span, Target, breaks, text};

/// Columns of the words that are explained.
const WORD: usize = 24;
/// Columns in front of the names of all words.
const NAMES: usize = 11;

/// The word at the end of a text, which is still being typed.
fn last_word(text: &str) -> &str {
    let start = text
        .rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

/// The words that begin as what is typed does.
fn offered(text: &str) -> Vec<&'static Word> {
    let typed = last_word(text).to_ascii_lowercase();
    WORDS.iter().filter(|word| !typed.is_empty() && word.word.starts_with(&typed)).collect()
}

/// What can be typed: the words that begin so, explained; where none does, all of them by name.
fn help(typed: &str, width: u16) -> Vec<Row> {
    let offered = offered(typed);
    if !offered.is_empty() {
        return offered.iter().flat_map(|word| explained(word.example, WORD, word.means, Role::Key, width)).collect();
    }
    let named = |of_state: bool| {
        let words = WORDS.iter().filter(|word| word.of_state == of_state).map(|word| word.word);
        words.collect::<Vec<_>>().join(" ")
    };
    [
        ("of an event", named(false)),
        ("of a state", named(true)),
        ("joined by", "and, or, not, parentheses".to_owned()),
        ("compared by", "< <= > >= = !=; with B K M G T pages, % or ns us ms s min".to_owned()),
        ("examples", "size > 1M and not task systemd".to_owned()),
        ("", "largest_hole < 2M or lazy > 100M".to_owned()),
        ("", "caller xfs_* and kind free".to_owned()),
    ]
    .iter()
    .flat_map(|(what, told)| explained(what, NAMES, told, Role::Key, width))
    .collect()
}

/// The text with its last word completed, if one word fits.
pub(crate) fn completed(text: &str) -> Option<String> {
    let typed = last_word(text);
    let found = *offered(text).first()?;
    Some(format!("{}{} ", &text[..text.len() - typed.len()], found.word))
}

/// The rows below the prompt: what is wrong or what the condition is here, the breaks there are, the words.
pub(crate) fn rows(app: &App, typed: &str, error: Option<&ConditionError>, skip: usize, width: u16) -> Vec<Row> {
    let mut rows = Vec::new();
    match (error, condition::parse(typed)) {
        (Some(error), _) => {
            // Below the prompt, whose text begins one column to the right of these rows.
            let caret = error.caret(typed);
            let shown: String = caret.chars().skip(skip).collect();
            rows.push(Row::of(format!(" {shown}"), Role::Bad));
            rows.extend(said(&error.to_string(), Role::Bad, width));
        }
        (None, Ok(found)) => {
            let is_of_records = found.is_about_records();
            let compiled = Compiled::new(&found, &app.replay);
            let here = compiled.is_true_of(&app.replay, app.replay.cursor(), app.replay.space());
            let sentence = match (is_of_records, here) {
                (true, _) => "Stops at each such event.".to_owned(),
                (false, true) => "True here: stops where it is so the next time.".to_owned(),
                (false, false) => "Not true here: stops where it becomes true.".to_owned(),
            };
            let why = if is_of_records { String::new() } else { breaks::why(&app.replay, &found) };
            rows.push(Row::default());
            rows.extend(said(&format!("{sentence} {why}"), Role::Good, width));
        }
        (None, Err(_)) => {
            rows.push(Row::default());
        }
    }
    rows.push(Row::default());
    rows.extend(help(typed, width));
    rows
}

fn said(sentence: &str, role: Role, width: u16) -> Vec<Row> {
    let mut rows = explained("", 0, sentence, role, width);
    for span in rows.iter_mut().flat_map(|row| &mut row.spans) {
        span.role = role;
    }
    rows
}

/// The list of breaks.
pub(crate) fn breaks(app: &App, picked: usize, width: u16) -> Vec<Row> {
    let key = app.key(super::super::action::Action::Break);
    if app.breaks.list.is_empty() {
        return vec![Row::of(format!("No break is set: {key} sets one."), Role::Muted)];
    }
    let longest = usize::from(width).saturating_sub(30).max(20);
    let rows = app.breaks.list.iter().enumerate().map(|(at, one)| {
        let cursor = if at == picked { app.glyphs.cursor } else { ' ' };
        let (glyph, word, role) =
            if one.enabled { (app.glyphs.exact, "on ", Role::Good) } else { (app.glyphs.dot, "off", Role::Muted) };
        let compiled = Compiled::new(&one.condition, &app.replay);
        let is_true = compiled.is_true_of(&app.replay, app.replay.cursor(), app.replay.space());
        let here = if is_true { "  true here" } else { "" };
        let condition = one.condition.to_string();
        let condition = text::clip(&condition, longest, app.glyphs).into_owned();
        let mut spans = vec![
            Span::new(format!("{cursor} "), Role::Key),
            Span::new(format!("{glyph} {word}  "), role),
            Span::new(condition, Role::Text),
            Span::new(here, Role::Number),
        ];
        for span in &mut spans {
            span.selected = at == picked;
        }
        Row { spans, focused: at == picked, ..Row::default() }
    });
    rows.collect()
}

/// The list of marks.
pub(crate) fn marks(app: &App, picked: usize) -> Vec<Row> {
    let mut rows: Vec<Row> =
        app.marks.list().iter().enumerate().map(|(at, mark)| mark_row(app, at == picked, *mark)).collect();
    if rows.is_empty() {
        let key = app.key(super::super::action::Action::SetMark);
        rows.push(Row::of(format!("No place is marked: {key} and a letter mark one."), Role::Muted));
    }
    if let Some(why) = &app.marks.unkept {
        rows.push(Row::default());
        rows.push(words(&[("Kept for this session only: ", Role::Warn), (why, Role::Warn)]));
    }
    rows
}

fn mark_row(app: &App, picked: bool, (letter, spot): (char, super::super::jumps::Spot)) -> Row {
    let log = app.replay.log();
    let cursor = if picked { app.glyphs.cursor } else { ' ' };
    let event = spot.cursor.checked_sub(1).and_then(|index| log.get(Seq(index as u32)));
    let what = event.map_or_else(
        || format!("before the first {}", noun(log)),
        |event| {
            let time = text::time(log, event.at);
            let size = match event.kind {
                crate::event::EventKind::Alloc { size, .. } => text::bytes(size),
                _ => String::new(),
            };
            format!("{} {}  {time}  {} {size}", noun(log), text::count(spot.cursor as u64), event.kind.word())
        },
    );
    let selected = match spot.selection {
        crate::view::Selection::Address(address) => {
            format!("  {} selected", app.scene().addr(address))
        }
        crate::view::Selection::Follow => String::new(),
    };
    let mut spans = vec![
        Span::new(format!("{cursor} "), Role::Key),
        Span::new(format!("{letter}  "), Role::Key),
        Span::new(what, Role::Text),
        Span::new(selected, Role::Number),
    ];
    for span in &mut spans {
        span.selected = picked;
    }
    let target = event.map(|_| Target::Event(Seq(spot.cursor.saturating_sub(1) as u32)));
    Row { spans, focused: picked, target }
}
