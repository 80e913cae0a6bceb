//! [`Keymap`]: keys to actions, from a table in TOML; later rows replace earlier ones with the same key and place.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::Deserialize;
use toml::Spanned;

use super::action::{self, Action};
use super::overlay::palette::fuzzy;
use super::pane::{PANES, PaneId};

/// The built-in rows.
pub(crate) const DEFAULT: &str = include_str!("keys-default.toml");

/// One key press, with Shift folded into the character it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let kept = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        let mut modifiers = event.modifiers & kept;
        match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => modifiers -= KeyModifiers::SHIFT,
            _ => {}
        }
        Self { code: event.code, modifiers }
    }
}

const NAMED: &[(&str, KeyCode)] = &[
    ("space", KeyCode::Char(' ')),
    ("tab", KeyCode::Tab),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl Key {
    /// Reads one key as the table spells it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "shift-tab" {
            return Some(Self { code: KeyCode::BackTab, modifiers: KeyModifiers::NONE });
        }
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        for (prefix, modifier) in
            [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
        {
            if let Some(tail) = rest.strip_prefix(prefix) {
                rest = tail;
                modifiers |= modifier;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(one), None) => KeyCode::Char(one),
            (Some('f'), Some('0'..='9')) => KeyCode::F(rest[1..].parse().ok()?),
            _ => NAMED.iter().find(|(name, _)| *name == rest)?.1,
        };
        Some(Self { code, modifiers })
    }

    /// As people read it: `Ctrl-d`, `Space`, `F1`.
    pub(crate) fn label(self) -> String {
        let mut text = String::new();
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")]
        {
            if self.modifiers.contains(modifier) {
                text.push_str(name);
            }
        }
        match self.code {
            KeyCode::Char(' ') => text.push_str("Space"),
            KeyCode::Char(letter) => text.push(letter),
            KeyCode::F(n) => text.extend(["F", n.to_string().as_str()]),
            KeyCode::BackTab => text.push_str("Shift-Tab"),
            KeyCode::PageUp => text.push_str("PgUp"),
            KeyCode::PageDown => text.push_str("PgDn"),
            other => match NAMED.iter().find(|(_, code)| *code == other) {
                Some((name, _)) => {
                    let mut letters = name.chars();
                    text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                    text.extend(letters);
                }
                None => text.push('?'),
            },
        }
        text
    }

    /// The digit, if it is one without modifiers.
    pub(crate) fn digit(self) -> Option<u32> {
        match self.code {
            KeyCode::Char(letter) if self.modifiers.is_empty() => letter.to_digit(10),
            _ => None,
        }
    }

    /// The character, if it is one without modifiers.
    pub(crate) fn letter(self) -> Option<char> {
        match self.code {
            KeyCode::Char(letter) if self.modifiers.is_empty() => Some(letter),
            _ => None,
        }
    }
}

/// One row, ready for look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    keys: Vec<Key>,
    within: Option<PaneId>,
    /// `None`: the key was taken away.
    action: Option<Action>,
}

/// What the keys pressed so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Action(Action),
    /// The first of two keys.
    Prefix,
    Nothing,
}

/// A row of a key table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeymapError {
    /// Not TOML, or not of this shape.
    #[error("cannot read the key table: {0}")]
    Toml(#[from] toml::de::Error),
    /// A key nobody knows.
    #[error("line {line}: {text:?} is no key; keys look like \"x\", \"ctrl-d\", \"pageup\", \"g g\"")]
    Key {
        /// Line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// An action nobody knows.
    #[error("line {line}: no action is called {text:?}{near}")]
    Action {
        /// Line, from 1.
        line: usize,
        /// What it says.
        text: String,
        /// The closest names, as a phrase.
        near: String,
    },
    /// A place nobody knows.
    #[error("line {line}: no pane is called {text:?}; panes: {panes}")]
    Where {
        /// Line, from 1.
        line: usize,
        /// What it says.
        text: String,
        /// The names there are.
        panes: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    keys: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    on: Spanned<String>,
    run: Spanned<String>,
    #[serde(rename = "where")]
    place: Option<Spanned<String>>,
}

/// Keys to actions.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    bindings: Vec<Binding>,
}

impl Keymap {
    /// The built-in keys, then the rows of `user`.
    pub(crate) fn new(user: Option<&str>) -> Result<Self, KeymapError> {
        let mut keymap = Self { bindings: Vec::new() };
        keymap.add(DEFAULT)?;
        if let Some(text) = user {
            keymap.add(text)?;
        }
        Ok(keymap)
    }

    fn add(&mut self, text: &str) -> Result<(), KeymapError> {
        let table: Table = toml::from_str(text)?;
        for raw in table.keys {
            let binding = read_row(text, &raw)?;
            self.bindings.retain(|known| known.keys != binding.keys || known.within != binding.within);
            self.bindings.push(binding);
        }
        Ok(())
    }

    /// What `keys`, pressed one after the other, mean while `focus` has the focus. A pane's own row wins.
    pub(crate) fn lookup(&self, focus: PaneId, keys: &[Key]) -> Match {
        let mut prefix = false;
        for place in [Some(focus), None] {
            for binding in self.bindings.iter().filter(|binding| binding.within == place) {
                if binding.keys == keys {
                    return binding.action.map_or(Match::Nothing, Match::Action);
                }
                prefix |= binding.keys.starts_with(keys);
            }
        }
        if prefix { Match::Prefix } else { Match::Nothing }
    }

    /// What can follow the first of two keys, and what it does.
    pub(crate) fn after(&self, first: Key) -> Vec<(Key, Action)> {
        let pairs = self.bindings.iter().filter_map(|binding| match (binding.keys.as_slice(), binding.action) {
            (&[known, second], Some(action)) if known == first => Some((second, action)),
            _ => None,
        });
        pairs.collect()
    }

    /// The keys of an action, as people read them.
    pub(crate) fn labels(&self, action: Action) -> Vec<String> {
        let rows = self.bindings.iter().filter(|binding| binding.action == Some(action));
        rows.map(|binding| binding.keys.iter().map(|key| key.label()).collect::<Vec<_>>().join(" ")).collect()
    }

    /// The first key of an action, or nothing.
    pub(crate) fn label(&self, action: Action) -> String {
        self.labels(action).into_iter().next().unwrap_or_default()
    }
}

fn read_row(text: &str, raw: &RawRow) -> Result<Binding, KeymapError> {
    let line_of = |at: usize| text[..at].matches('\n').count() + 1;
    let keys: Option<Vec<Key>> = raw.on.as_ref().split_whitespace().map(Key::parse).collect();
    let keys = match keys {
        Some(keys) if (1..=2).contains(&keys.len()) => keys,
        _ => return Err(KeymapError::Key { line: line_of(raw.on.span().start), text: raw.on.as_ref().clone() }),
    };
    let name = raw.run.as_ref();
    let action = match action::named(name) {
        Some(spec) => Some(spec.action),
        None if name == "none" => None,
        None => {
            let line = line_of(raw.run.span().start);
            return Err(KeymapError::Action { line, text: name.clone(), near: near(name) });
        }
    };
    let within = match &raw.place {
        Some(place) => Some(PaneId::named(place.as_ref()).ok_or_else(|| KeymapError::Where {
            line: line_of(place.span().start),
            text: place.as_ref().clone(),
            panes: PANES.iter().map(|pane| pane.name()).collect::<Vec<_>>().join(", "),
        })?),
        None => None,
    };
    Ok(Binding { keys, within, action })
}

/// Names that share letters with `name`, as the end of a sentence.
fn near(name: &str) -> String {
    let cost = |known: &str| fuzzy(name, known).or_else(|| fuzzy(known, name));
    let mut names: Vec<(u32, &str)> =
        action::ACTIONS.iter().filter_map(|spec| Some((cost(spec.name)?, spec.name))).collect();
    names.sort_unstable();
    let names: Vec<&str> = names.into_iter().take(3).map(|(_, name)| name).collect();
    if names.is_empty() { String::new() } else { format!("; near: {}", names.join(", ")) }
}
