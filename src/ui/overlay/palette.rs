//! The palette: every action by name, found by letters in the right order.

use super::super::action::{ACTIONS, Action, Place};
use super::super::app::App;

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
    found.sort_by_key(|(cost, _)| *cost);
    found.into_iter().map(|(_, entry)| entry).collect()
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
