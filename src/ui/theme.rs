//! [`Theme`]: what a [`Role`] looks like, at four colour depths, on dark and on light backgrounds.
//!
//! The background stays the terminal's own. At depth none no colour is set at all, only bold, underline and reverse:
//! an empty colour parameter would reset those too.

use ratatui::style::{Color, Modifier, Style};

use crate::view::Role;

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None at all.
    None,
    /// The sixteen named ones.
    Sixteen,
    /// The indexed 256.
    Indexed,
    /// Red, green and blue.
    True,
}

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// What the environment says.
    #[default]
    Auto,
    /// Colours, whatever the environment says.
    Always,
    /// No colours.
    Never,
}

/// Which background the colours are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeChoice {
    /// What the terminal says in `COLORFGBG`, else dark.
    #[default]
    Auto,
    /// Light text on dark.
    Dark,
    /// Dark text on light.
    Light,
}

impl Depth {
    /// From `--color` and the variables `NO_COLOR`, `TERM` and `COLORTERM`.
    pub(crate) fn resolve(choice: ColorChoice, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let term = env("TERM").unwrap_or_default();
        let no_color = env("NO_COLOR").is_some_and(|value| !value.is_empty());
        match choice {
            ColorChoice::Never => return Self::None,
            ColorChoice::Auto if no_color || term == "dumb" || term.contains("mono") => return Self::None,
            ColorChoice::Auto | ColorChoice::Always => {}
        }
        match env("COLORTERM").as_deref() {
            Some("truecolor" | "24bit") => Self::True,
            _ if term.contains("direct") => Self::True,
            _ if term.contains("256color") => Self::Indexed,
            _ => Self::Sixteen,
        }
    }
}

/// Does the locale speak UTF-8? The first of the three variables that is set decides.
pub(crate) fn speaks_utf8(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| env(name)).find(|value| !value.is_empty());
    locale.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

/// Is the background light? `COLORFGBG` is "foreground;background", in numbers of the sixteen colours.
pub(crate) fn is_light(choice: ThemeChoice, env: &dyn Fn(&str) -> Option<String>) -> bool {
    match choice {
        ThemeChoice::Dark => false,
        ThemeChoice::Light => true,
        ThemeChoice::Auto => {
            let value = env("COLORFGBG").unwrap_or_default();
            matches!(value.rsplit(';').next(), Some("7" | "15"))
        }
    }
}

/// Styles for roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) depth: Depth,
    pub(crate) light: bool,
}

/// One row: a role's colours on dark and light backgrounds, and what tells it apart without any.
struct Look {
    dark: u32,
    light: u32,
    dark16: Color,
    light16: Color,
    plain: Modifier,
}

const fn look(dark: u32, light: u32, dark16: Color, light16: Color, plain: Modifier) -> Look {
    Look { dark, light, dark16, light16, plain }
}

/// The palette. Hues are told apart by lightness as well, so that people who confuse red and green can read them.
fn look_of(role: Role) -> Option<Look> {
    const NONE: Modifier = Modifier::empty();
    const BOLD: Modifier = Modifier::BOLD;
    const UNDER: Modifier = Modifier::UNDERLINED;
    let look = match role {
        Role::Text => return None,
        Role::Muted => look(0x8a_8f_98, 0x6a_70_78, Color::DarkGray, Color::DarkGray, NONE),
        Role::Title => look(0xd7_d7_ff, 0x1f_2a_5a, Color::White, Color::Black, BOLD),
        Role::Key => look(0x5f_d7_ff, 0x00_5f_87, Color::LightCyan, Color::Blue, BOLD),
        Role::Busy => look(0x5f_af_ff, 0x1f_5f_af, Color::LightBlue, Color::Blue, NONE),
        Role::Free => look(0x9e_a4_ad, 0x5e_64_6d, Color::Gray, Color::DarkGray, NONE),
        Role::Lazy => look(0xff_d7_5f, 0x87_5f_00, Color::LightYellow, Color::Yellow, NONE),
        Role::Pooled => look(0xd7_af_ff, 0x6f_3f_af, Color::LightMagenta, Color::Magenta, NONE),
        Role::Guard => look(0x87_87_87, 0x78_78_78, Color::DarkGray, Color::DarkGray, NONE),
        Role::PerCpu => look(0x5f_d7_af, 0x00_6f_5f, Color::LightCyan, Color::Cyan, NONE),
        Role::Changed => look(0xff_af_5f, 0xaf_3f_00, Color::LightYellow, Color::Red, UNDER.union(BOLD)),
        Role::Path => look(0x87_ff_ff, 0x00_6f_87, Color::LightCyan, Color::Cyan, UNDER),
        Role::NodeRed => look(0xff_87_87, 0xaf_1f_1f, Color::LightRed, Color::Red, NONE),
        Role::NodeBlack => look(0xd0_d0_d0, 0x30_30_30, Color::Gray, Color::Black, NONE),
        Role::Good => look(0x87_d7_87, 0x1f_6f_1f, Color::LightGreen, Color::Green, NONE),
        Role::Warn => look(0xff_d7_5f, 0x87_5f_00, Color::LightYellow, Color::Yellow, BOLD),
        Role::Bad => look(0xff_6f_6f, 0xbf_00_00, Color::LightRed, Color::Red, BOLD),
        Role::Number => look(0xff_ff_ff, 0x00_00_00, Color::White, Color::Black, NONE),
    };
    Some(look)
}

impl Theme {
    /// The style of a role.
    pub(crate) fn style(self, role: Role) -> Style {
        let Some(look) = look_of(role) else { return Style::new() };
        let rgb = if self.light { look.light } else { look.dark };
        let [_, r, g, b] = rgb.to_be_bytes();
        let style = Style::new();
        let coloured = match self.depth {
            Depth::None => return style.add_modifier(look.plain),
            Depth::Sixteen => style.fg(if self.light { look.light16 } else { look.dark16 }),
            Depth::Indexed => style.fg(Color::Indexed(nearest(r, g, b))),
            Depth::True => style.fg(Color::Rgb(r, g, b)),
        };
        // What is underlined without colour is underlined with it: changes must not hide in a hue.
        coloured.add_modifier(look.plain & (Modifier::UNDERLINED | Modifier::BOLD))
    }

    /// The border of a pane.
    pub(crate) fn border(self, focused: bool) -> Style {
        if focused { self.style(Role::Key) } else { self.style(Role::Muted) }
    }
}

/// The closest of the 240 fixed colours: the 6×6×6 cube, or the greys.
fn nearest(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let step = |value: u8| (0..6u8).min_by_key(|&at| LEVELS[usize::from(at)].abs_diff(value)).unwrap_or(0);
    let distance =
        |to: [u8; 3]| -> u32 { [r, g, b].iter().zip(to).map(|(&from, to)| u32::from(from.abs_diff(to)).pow(2)).sum() };
    let cube = [step(r), step(g), step(b)];
    let grey = ((u16::from(r) + u16::from(g) + u16::from(b)) / 3).saturating_sub(3) / 10;
    let grey = grey.min(23) as u8;
    let grey_level = 8 + 10 * grey;
    if distance([grey_level; 3]) < distance(cube.map(|at| LEVELS[usize::from(at)])) {
        232 + grey
    } else {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn env(pairs: Pairs<'_>) -> impl Fn(&str) -> Option<String> + '_ {
        |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn depth_follows_flag_then_no_color_then_term() {
        let cases: [(ColorChoice, Pairs<'_>, Depth); 8] = [
            (ColorChoice::Auto, &[("TERM", "xterm")], Depth::Sixteen),
            (ColorChoice::Auto, &[("TERM", "xterm-256color")], Depth::Indexed),
            (ColorChoice::Auto, &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::True),
            (ColorChoice::Auto, &[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::None),
            (ColorChoice::Auto, &[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Indexed),
            (ColorChoice::Always, &[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::Indexed),
            (ColorChoice::Auto, &[("TERM", "dumb")], Depth::None),
            (ColorChoice::Never, &[("COLORTERM", "24bit")], Depth::None),
        ];
        for (choice, pairs, expected) in cases {
            assert_eq!(Depth::resolve(choice, &env(pairs)), expected, "{choice:?} {pairs:?}");
        }
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let cases: [(Pairs<'_>, bool); 5] = [
            (&[("LANG", "C.UTF-8")], true),
            (&[("LC_ALL", "C"), ("LANG", "C.UTF-8")], false),
            (&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.utf8")], true),
            (&[("LANG", "POSIX")], false),
            (&[], false),
        ];
        for (pairs, expected) in cases {
            assert_eq!(speaks_utf8(&env(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn without_colour_no_role_sets_one() {
        let theme = Theme { depth: Depth::None, light: false };
        for role in [Role::Text, Role::Muted, Role::Key, Role::Busy, Role::Changed, Role::Bad, Role::Number] {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg, style.underline_color), (None, None, None), "{role:?}");
        }
    }

    #[test]
    fn the_256_colours_are_hit_exactly_where_they_can_be() {
        assert_eq!(nearest(0x5f, 0xaf, 0xff), 75);
        assert_eq!(nearest(255, 255, 255), 231);
        assert_eq!(nearest(128, 128, 128), 244);
    }
}
