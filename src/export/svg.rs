//! SVG: a screen of cells as text, and the helpers for pictures.
//!
//! One `<text>` for each run of cells that look alike, so that a picture can be searched and two can be compared.

use std::fmt::Write as _;
use std::io::Write;

use super::ExportError;
use super::about::About;
use super::csv::plain;

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Colour of the text as `0xrrggbb`; `None`: the picture's own.
    pub fg: Option<u32>,
    /// Colour behind it; `None`: the picture's own.
    pub bg: Option<u32>,
    /// The two exchanged.
    pub is_reversed: bool,
    /// Heavier.
    pub is_bold: bool,
    /// With a line below.
    pub is_underlined: bool,
}

/// A cell of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What stands in it; empty behind a wide character.
    pub text: String,
    /// How it looks.
    pub look: Look,
}

/// A screen.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// All cells, row by row.
    pub cells: Vec<Cell>,
    /// Dark text on light.
    pub is_light: bool,
}

/// A cell, in hundredths of a pixel: 8.4 by 18.
const CELL: (u32, u32) = (840, 1800);
/// Where text stands in a cell, from its top.
const BASELINE: u32 = 1320;
/// Around it all.
const MARGIN: u32 = 800;
/// Text and background, dark and light.
pub(super) const DARK: (u32, u32) = (0xd8_dc_e2, 0x12_16_1c);
pub(super) const LIGHT: (u32, u32) = (0x20_24_2a, 0xff_ff_ff);
/// The fonts people have; every one of them has boxes and arrows.
pub(super) const FONTS: &str = "'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,monospace";

/// Writes a screen as a picture.
///
/// # Errors
/// What is written to says no.
pub fn write(screen: &Screen, about: &About, title: &str, mut to: impl Write) -> Result<(), ExportError> {
    let (text, ground) = if screen.is_light { LIGHT } else { DARK };
    let width = u32::from(screen.width) * CELL.0 + 2 * MARGIN;
    let height = u32::from(screen.height) * CELL.1 + 2 * MARGIN;
    let mut out = String::new();
    open(&mut out, (&px(width), &px(height)), about, title);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"#{ground:06x}\"/>");
    let _ = writeln!(out, "<g font-family=\"{FONTS}\" font-size=\"14\" fill=\"#{text:06x}\" xml:space=\"preserve\">");
    for (row, cells) in screen.cells.chunks(usize::from(screen.width).max(1)).enumerate() {
        write_row(&mut out, row as u32, cells, (text, ground));
    }
    out.push_str("</g>\n</svg>\n");
    to.write_all(out.as_bytes())?;
    Ok(to.flush()?)
}

/// The head of a picture, with what it says of itself.
pub(super) fn open(out: &mut String, (width, height): (&str, &str), about: &About, title: &str) {
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">"
    );
    let _ = writeln!(out, "<title>{}</title>", escaped(title));
    let pairs: Vec<String> =
        about.pairs("vmaplens.svg/1").iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let _ = writeln!(out, "<desc>{}</desc>", escaped(&pairs.join("; ")));
}

fn write_row(out: &mut String, row: u32, cells: &[Cell], own: (u32, u32)) {
    let top = MARGIN + row * CELL.1;
    let mut from = 0;
    while from < cells.len() {
        let look = cells[from].look;
        let len = cells[from..].iter().take_while(|cell| cell.look == look).count();
        write_run(out, (MARGIN + from as u32 * CELL.0, top), &cells[from..from + len], look, own);
        from += len;
    }
}

fn write_run(out: &mut String, (x, top): (u32, u32), cells: &[Cell], look: Look, own: (u32, u32)) {
    let (mut fg, mut bg) = (look.fg, look.bg);
    if look.is_reversed {
        (fg, bg) = (Some(look.bg.unwrap_or(own.1)), Some(look.fg.unwrap_or(own.0)));
    }
    let width = cells.len() as u32 * CELL.0;
    if let Some(bg) = bg.filter(|&bg| bg != own.1) {
        let (x, y, width, height) = (px(x), px(top), px(width), px(CELL.1));
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"#{bg:06x}\"/>");
    }
    // Every character has its place, whatever the widths of the font that is there.
    let mut text = String::new();
    let mut at = String::new();
    let mut used = 0;
    for (place, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.text.is_empty()) {
        let shown = plain(cell.text.as_bytes());
        let is_blank = shown.trim().is_empty();
        if is_blank && text.is_empty() {
            continue;
        }
        // The rest of a grapheme stands where its first character does.
        for _ in shown.chars() {
            let _ = write!(at, "{} ", px(x + place as u32 * CELL.0));
        }
        text.push_str(&shown);
        if !is_blank {
            used = text.len();
        }
    }
    if used == 0 {
        return;
    }
    let mut style = String::new();
    if let Some(fg) = fg.filter(|&fg| fg != own.0) {
        let _ = write!(style, " fill=\"#{fg:06x}\"");
    }
    if look.is_bold {
        style.push_str(" font-weight=\"bold\"");
    }
    if look.is_underlined {
        style.push_str(" text-decoration=\"underline\"");
    }
    let kept = text[..used].chars().count();
    let places: Vec<&str> = at.split(' ').take(kept).collect();
    let y = px(top + BASELINE);
    let _ = writeln!(out, "<text x=\"{}\" y=\"{y}\"{style}>{}</text>", places.join(" "), escaped(&text[..used]));
}

/// Hundredths of a pixel as people write them.
fn px(hundredths: u32) -> String {
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => whole.to_string(),
        (whole, part) if part % 10 == 0 => format!("{whole}.{}", part / 10),
        (whole, part) => format!("{whole}.{part:02}"),
    }
}

/// Text as XML has it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text.as_bytes()).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML knows no such characters.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
