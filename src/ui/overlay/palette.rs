//! The palette: every action by name, found by letters in the right order.

use ratatui::layout::Size;
use unicode_width::UnicodeWidthStr;

use super::super::action::{self, ACTIONS, Action, Place};
use super::super::app::App;
use super::super::content::Hidden;
use crate::lesson::{LESSONS, Lesson};
use crate::view::{Role, Row, Span};

/// A longer list hides what one is looking at.
pub(crate) const MOST_ROWS: usize = 15;

/// An action that matches what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) action: Action,
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) arguments: &'static str,
    /// Its keys, as people read them.
    pub(crate) keys: String,
}

/// What matches `text`, best first. With an argument behind it, only the name counts.
pub(crate) fn entries(app: &App, text: &str) -> Vec<Entry> {
    let text = text.trim_start();
    let (name, has_argument) = match text.split_once(char::is_whitespace) {
        Some((name, _)) if ACTIONS.iter().any(|spec| spec.name == name) => (name, true),
        _ => (text.trim_end(), false),
    };
    let mut found: Vec<(u32, Entry)> = ACTIONS
        .iter()
        .filter(|spec| match spec.place {
            Place::Anywhere => true,
            Place::Pane(pane) => pane == app.focus,
        })
        .filter(|spec| !has_argument || spec.name == name)
        // What is typed behind it are names of lessons.
        .filter(|spec| !has_argument || spec.action != Action::Lesson)
        .filter_map(|spec| {
            // A match in the name is worth more than a word of the sentence.
            let in_title = || spec.title.to_lowercase().contains(&name.to_lowercase()).then_some(1_000);
            let cost = fuzzy(name, spec.name).or_else(in_title)?;
            let keys = app.keymap.labels(spec.action).join("  ");
            let entry =
                Entry { action: spec.action, name: spec.name, title: spec.title, arguments: spec.arguments, keys };
            Some((cost, entry))
        })
        .collect();
    found.extend(lessons(text, name));
    found.sort_by_key(|(cost, _)| *cost);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// The lessons, by their names alone or behind the action that opens one.
fn lessons(text: &str, name: &str) -> Vec<(u32, Entry)> {
    let wanted = text.strip_prefix(action::spec(Action::Lesson).name).filter(|rest| rest.starts_with(' '));
    let wanted = match wanted {
        Some(rest) => rest.trim(),
        None if name.is_empty() => return Vec::new(),
        None => name,
    };
    let entry = |lesson: &Lesson| {
        let in_title = || lesson.title().to_lowercase().contains(&wanted.to_lowercase()).then_some(1_000);
        let cost = fuzzy(wanted, lesson.name).or_else(in_title)?;
        let (name, title) = (lesson.name, lesson.title());
        Some((cost, Entry { action: Action::Lesson, name, title, arguments: "", keys: String::new() }))
    };
    LESSONS.iter().filter_map(entry).collect()
}

/// What an entry is called in the list.
fn name_of(entry: &Entry) -> String {
    if entry.arguments.is_empty() { entry.name.to_owned() } else { format!("{} ...", entry.name) }
}

/// What an entry does, and what can be typed behind it.
fn title_of(entry: &Entry) -> String {
    match entry.arguments {
        "" => entry.title.to_owned(),
        arguments => format!("{}: {arguments}", entry.title),
    }
}

/// The picked entry in full: in the list the end of a sentence may be cut off.
pub(crate) fn description(app: &App, entries: &[Entry], picked: usize, width: u16) -> Vec<Row> {
    let Some(entry) = entries.get(picked.min(entries.len().saturating_sub(1))) else { return Vec::new() };
    let keys = if entry.keys.is_empty() { String::new() } else { format!(" ({})", entry.keys.replace("  ", " or ")) };
    let text = format!("{} {} {}{keys}", entry.name, app.glyphs.dash, title_of(entry));
    let room = usize::from(width);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.is_empty() || line.width() + 1 + word.width() <= room);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| Row::of(line, Role::Text)).collect()
}

/// Rows of the list on a screen, below which a description of `told` rows stands.
pub(crate) fn list_rows(screen: Size, told: usize, entries: usize) -> usize {
    // Borders, the prompt and a blank row.
    let room = usize::from(super::area(screen).height).saturating_sub(told + 4);
    entries.clamp(1, MOST_ROWS).min(room.max(1))
}

/// The rows of the list around the picked entry, and what is above and below them.
pub(crate) fn rows(app: &App, entries: &[Entry], picked: usize, height: usize) -> (Vec<Row>, Hidden) {
    if entries.is_empty() {
        return (vec![Row::of("No action has these letters in this order.", Role::Muted)], Hidden::default());
    }
    let picked = picked.min(entries.len() - 1);
    let top = picked.saturating_sub(height / 2).min(entries.len().saturating_sub(height));
    let names = entries.iter().map(|entry| name_of(entry).width()).max().unwrap_or(0);
    let keys = entries.iter().map(|entry| entry.keys.width()).max().unwrap_or(0);
    let shown = entries.iter().enumerate().skip(top).take(height);
    let rows: Vec<Row> = shown
        .map(|(at, entry)| {
            let mark = if at == picked { app.glyphs.cursor } else { ' ' };
            let name = name_of(entry);
            let mut spans = vec![
                Span::new(format!("{mark} {name:<names$}  "), Role::Title),
                Span::new(format!("{:<keys$}  ", entry.keys), Role::Key),
                Span::new(title_of(entry), Role::Text),
            ];
            for span in &mut spans {
                span.selected = at == picked;
            }
            Row { spans, ..Row::default() }
        })
        .collect();
    let below = entries.len() - top - rows.len();
    (rows, Hidden { above: top, below, at_least: false })
}

/// Are the letters of `needle` in `text` in this order? Then what the match costs: letters skipped between them, and a
/// little for a late start.
pub(crate) fn fuzzy(needle: &str, text: &str) -> Option<u32> {
    let mut letters = text.chars().flat_map(char::to_lowercase).enumerate();
    let mut last: Option<usize> = None;
    let mut cost = 0u32;
    for wanted in needle.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase) {
        let (at, _) = letters.find(|&(_, letter)| letter == wanted)?;
        cost += match last {
            None => at as u32,
            Some(last) => 4 * (at - last - 1) as u32,
        };
        last = Some(at);
    }
    // A whole word beats the start of a longer one.
    let rest = text.chars().count() - last.map_or(0, |at| at + 1);
    Some(if needle.is_empty() { 0 } else { 2 * cost + u32::from(0 < rest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_match_and_close_ones_first() {
        assert_eq!(fuzzy("xyz", "zoom"), None);
        assert_eq!(fuzzy("", "zoom"), Some(0));
        assert!(fuzzy("zm", "zoom").is_some());
        assert!(fuzzy("back", "back") < fuzzy("back", "back-ten"));
        assert!(fuzzy("ba", "back") < fuzzy("ba", "inside-back"));
        assert!(fuzzy("GT", "goto").is_some(), "capitals do not count");
    }
}
