//! What is shown, written to a file: the menu behind one key.

use std::fs::OpenOptions;
use std::io::Write;

use super::app::App;
use super::still::screen_of;
use super::theme::Depth;
use crate::export::perfetto::Perfetto;
use crate::export::tables::{self, Format};
use crate::export::{About, ExportError, openmetrics, ops, picture, svg, time_line, vmallocinfo};
use crate::view::text::count;
use crate::view::{Role, Row, Span};

/// Something that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    /// A word for the list.
    pub(crate) name: &'static str,
    /// What it is.
    what: &'static str,
    /// What the file is called behind the name of the input and the place of the cursor.
    end: &'static str,
    /// The whole trace is gone through for it.
    takes_long: bool,
}

const fn choice(name: &'static str, end: &'static str, what: &'static str) -> Choice {
    Choice { name, what, end, takes_long: false }
}

const fn long(name: &'static str, end: &'static str, what: &'static str) -> Choice {
    Choice { takes_long: true, ..choice(name, end, what) }
}

/// The menu.
pub(crate) const CHOICES: [Choice; 8] = [
    choice("screen", "screen.svg", "SVG of this screen"),
    choice("pane", "pane.svg", "SVG of the focused pane"),
    long("picture", "svg", "SVG of the addresses over the whole trace"),
    long("areas", "vmallocinfo", "the areas here, as /proc/vmallocinfo of this kernel"),
    long("figures", "prom", "the figures here, as OpenMetrics"),
    long("events", "csv", "every record, as CSV"),
    long("timeline", "pftrace", "lifetimes and counters for ui.perfetto.dev"),
    long("ops", "ops", "an op script that can be replayed under any rules"),
];

/// Records of a trace that is gone through between two frames: more are for the command line.
const MAX_RECORDS: usize = 500_000;
/// Files of one name before somebody should look after them.
const MAX_COPIES: u32 = 1000;

/// The rows of the menu.
pub(crate) fn rows(app: &App, picked: usize) -> Vec<Row> {
    let row = |(at, choice): (usize, &Choice)| {
        let cursor = if at == picked { app.glyphs.cursor } else { ' ' };
        let mut spans = vec![
            Span::new(format!("{cursor} "), Role::Key),
            Span::new(format!("{:<10}", choice.name), Role::Number),
            Span::new(choice.what, Role::Text),
        ];
        spans.iter_mut().for_each(|span| span.selected = at == picked);
        Row { spans, focused: at == picked, ..Row::default() }
    };
    CHOICES.iter().enumerate().map(row).collect()
}

/// Writes a file beside those of the working folder that are there already; answers its name.
///
/// # Errors
/// Why there is none, in a few words.
pub(crate) fn save(app: &mut App, choice: Choice) -> Result<String, String> {
    if choice.takes_long && MAX_RECORDS < app.replay.len() {
        let n = count(app.replay.len() as u64);
        return Err(format!("{n} records take a while: vmaplens export does it beside"));
    }
    let mut bytes = Vec::new();
    write(app, choice, &mut bytes).map_err(|error| error.to_string())?;
    let stem = stem(&app.replay.log().origin.name);
    let place = app.replay.cursor();
    for n in 1..=MAX_COPIES {
        let copy = if n == 1 { String::new() } else { format!("-{n}") };
        let name = format!("{stem}.{place}{copy}.{}", choice.end);
        // What is there stays.
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&name) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            opened => opened.map_err(|error| format!("{name}: {error}"))?,
        };
        return match file.write_all(&bytes) {
            Ok(()) => Ok(name),
            Err(error) => {
                // No half file stays behind; nothing can be done about one that cannot be removed.
                let _ = std::fs::remove_file(&name);
                Err(format!("{name}: {error}"))
            }
        };
    }
    Err(format!("there are too many files called {stem}.{place}"))
}

fn write(app: &mut App, choice: Choice, out: &mut Vec<u8>) -> Result<(), ExportError> {
    let at = app.replay.cursor();
    match choice.name {
        "screen" | "pane" => {
            let pane = (choice.name == "pane").then_some(app.focus);
            // A picture has all colours, whatever this terminal has.
            let depth = std::mem::replace(&mut app.theme.depth, Depth::True);
            let screen = screen_of(app, pane);
            app.theme.depth = depth;
            let about = About::of(&app.replay);
            let title = format!("{}: {} after {at} records", about.input, choice.name);
            let screen = screen.ok_or_else(|| ExportError::Format("that pane is not on the screen".to_owned()))?;
            svg::write(&screen, &about, &title, out)
        }
        "picture" => picture::write(&app.replay, picture::Style { is_light: app.theme.light, by_records: false }, out),
        "areas" => vmallocinfo::write(&app.replay, at, out),
        "figures" => openmetrics::write(&app.replay, at, out),
        "events" => tables::write(&app.replay, Format::Csv, [Some(out), None, None, None], 1),
        "timeline" => time_line::draw(&app.replay, time_line::MAX_LIVES, &mut Perfetto::new(out)),
        _ => ops::write(&app.replay, out),
    }
}

/// A name that is a name on any system.
fn stem(input: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = input.chars().map(safe).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() { "vmaplens".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_harmless() {
        assert_eq!(stem("amd64-612-boot"), "amd64-612-boot");
        assert_eq!(stem("../a b;c\x1b"), "_a_b_c_");
        assert_eq!(stem("-"), "vmaplens");
    }
}
