//! Damage done to undamaged rows on purpose, with the knowledge of what can still be read afterwards.

/// A text under damage: lines that belong to rows, and others.
#[derive(Debug, Clone)]
pub(crate) struct Patient {
    /// The text.
    pub(crate) text: String,
    /// The rows that can be recovered from it, as the kernel prints them, in the order of the text.
    pub(crate) rows: Vec<String>,
}

/// A deterministic source of decisions.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `n`.
    pub(crate) fn roll(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

/// One kind of damage.
pub(crate) type Wound = fn(&mut Patient, &mut Dice);

/// Kinds that change how rows are spelt; applied first, at most one of them.
pub(crate) const SPELLINGS: &[(&str, Wound)] = &[
    ("as-printed", |_, _| {}),
    ("uppercase-hex", |p, _| spell(p, upper_addresses)),
    ("double-blanks", |p, _| spell(p, |row| row.replace(' ', "  "))),
    ("single-blanks", |p, _| spell(p, |row| row.split_whitespace().collect::<Vec<_>>().join(" "))),
    ("tabs", |p, _| spell(p, |row| row.replace(' ', "\t"))),
    ("without-0x", |p, _| spell(p, |row| row.replacen("0x", "", 1).replacen("-0x", "-", 1))),
    ("blanks-round-dash", |p, _| spell(p, |row| row.replacen('-', " - ", 1))),
    ("en-dash", |p, _| spell(p, |row| row.replacen('-', "\u{2013}", 1))),
    ("hard-blanks", |p, _| spell(p, |row| row.replace(' ', "\u{a0}"))),
    ("grep-colours", |p, _| {
        spell(p, |row| row.replace("vmalloc", "\x1b[01;31m\x1b[Kvmalloc\x1b[m\x1b[K"));
    }),
    ("vendor-flag", |_, _| {}),
    ("thousands", |p, _| spell(p, |row| resize(row, grouped))),
    ("kilobytes", |p, _| spell(p, |row| resize(row, |size| format!("{}K", size / 1024)))),
    ("hex-sizes", |p, _| spell(p, |row| resize(row, |size| format!("{size:#x}")))),
    ("spaced-equals", |p, _| spell(p, |row| row.replace("pages=", "pages = ").replace("phys=", "phys = "))),
];

/// Kinds that break, join or cut lines; at most one of them.
pub(crate) const BREAKS: &[(&str, Wound)] = &[
    ("whole-lines", |_, _| {}),
    ("mail-72", |p, _| wrap_words(p, 72, "")),
    ("mail-80", |p, _| wrap_words(p, 80, "")),
    ("mail-72-trailing-blank", |p, _| wrap_words(p, 72, " ")),
    ("terminal-80", |p, _| fold(p, 80)),
    ("terminal-60", |p, _| fold(p, 60)),
    ("terminal-45", |p, _| fold(p, 45)),
    ("quoted-printable", |p, _| quoted_printable(p)),
    ("kernel-docs", |p, _| kernel_docs(p)),
    ("one-line", |p, _| p.text = p.text.replace('\n', "")),
    ("one-line-blanks", |p, _| p.text = p.text.replace('\n', " ")),
    ("carriage-returns", |p, _| p.text = p.text.replace('\n', "\r\n")),
    ("double-spaced", |p, _| p.text = p.text.replace('\n', "\n\n")),
    ("cut-ends", |p, dice| cut_ends(p, dice)),
];

/// Kinds that put something before or between lines; any number of them.
pub(crate) const FRAMES: &[(&str, Wound)] = &[
    ("quoted", |p, _| prefix(p, |_| "> ".into())),
    ("quoted-twice", |p, _| prefix(p, |_| ">> ".into())),
    ("quoted-mixed", |p, _| prefix(p, |n| if n % 3 == 0 { "> | ".into() } else { "> > ".into() })),
    ("bars", |p, _| prefix(p, |_| "| ".into())),
    ("indented", |p, _| prefix(p, |_| "    ".into())),
    ("comment", |p, _| prefix(p, |_| " * ".into())),
    ("fence", |p, _| p.text = format!("```text\n{}```\n", ended(&p.text))),
    ("prose", |p, dice| prose(p, dice)),
    ("mime", |p, _| {
        p.text = format!(
            "--=-boundary7\nContent-Type: text/plain; charset=us-ascii\nContent-Disposition: attachment; \
             filename=\"vmallocinfo\"\n\n{}--=-boundary7--\n",
            ended(&p.text)
        );
    }),
    ("prompt-before", |p, _| p.text = format!("root@host:~# cat /proc/vmallocinfo\n{}", p.text)),
    ("html-mail", |p, _| p.text = format!("<html><body><pre>\n{}</pre></body></html>\n", ended(&html(&p.text)))),
    ("html-lines", |p, _| p.text = html(&p.text).replace('\n', "<br>\n")),
    ("json-string", |p, _| {
        let text = p.text.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n");
        p.text =
            format!("{{\"level\":\"info\",\"body\":\"{}\"}}\n", text.replace('\t', "\\t").replace('\x1b', "\\u001b"));
    }),
    ("prompt-glued", |p, dice| {
        let prompt = dice.pick(&["root@host:~# ", "[root@host ~]# uptime", "$ ", "# ", "sh-5.1# exit"]);
        p.text = format!("{}{prompt}\n", p.text.trim_end_matches(['\n', '\r']));
    }),
];

/// Prefixes that stand before whole rows only.
pub(crate) const LOGS: &[(&str, Wound)] = &[
    ("dmesg", |p, _| prefix(p, |n| format!("[{:5}.{:06}] ", 12 + n / 7, n * 7919 % 1_000_000))),
    ("journal", |p, _| prefix(p, |n| format!("Nov 22 07:51:{:02} host kernel: ", n % 60))),
    ("logcat", |p, _| prefix(p, |n| format!("11-22 07:51:44.{:03}  1234  1234 I dump: ", n % 1000))),
    ("iso-log", |p, _| prefix(p, |n| format!("2026-11-22T07:51:{:02}.123456Z stdout F ", n % 60))),
    ("grep-names", |p, _| prefix(p, |_| "/proc/vmallocinfo:".into())),
    ("pdsh", |p, _| prefix(p, |n| format!("cn{}: ", n % 3))),
    ("grep-n", |p, _| prefix(p, |n| format!("{}:", n + 1))),
    ("cat-n", |p, _| prefix(p, |n| format!("{:6}\t", n + 1))),
    ("bullets", |p, _| prefix(p, |_| "- ".into())),
    ("diff", |p, _| {
        prefix(p, |_| "> ".into());
        p.text = format!("68a69,99\n{}", p.text);
    }),
    ("snipped", |p, dice| snipped(p, dice)),
];

/// Rows with nothing done to them.
pub(crate) fn healthy(rows: &[&str]) -> Patient {
    Patient { text: rows.join("\n") + "\n", rows: rows.iter().map(ToString::to_string).collect() }
}

fn ended(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn spell(patient: &mut Patient, how: impl Fn(&str) -> String) {
    patient.text = patient.text.lines().map(|row| how(row) + "\n").collect();
}

fn upper_addresses(row: &str) -> String {
    let n = row.find(' ').unwrap_or(row.len());
    let (addresses, rest) = row.split_at(n);
    addresses.to_uppercase().replace("0X", "0x") + rest
}

/// The row with its size spelt in another way.
fn resize(row: &str, spelt: impl Fn(u64) -> String) -> String {
    let mut words = row.split_whitespace();
    let (Some(pair), Some(size)) = (words.next(), words.next()) else { return row.to_owned() };
    let tail = &row[row.find(&format!(" {size}")).map_or(row.len(), |at| at + 1 + size.len())..];
    format!("{pair} {}{tail}", size.parse().map_or_else(|_| size.to_owned(), spelt))
}

/// `4,198,400`
fn grouped(size: u64) -> String {
    let digits = size.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if 0 < n && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn prefix(patient: &mut Patient, before: impl Fn(usize) -> String) {
    patient.text = patient.text.split_inclusive('\n').enumerate().map(|(n, line)| before(n) + line).collect();
}

/// Breaks at blanks, as mailers do: never before the caller, which does not fit otherwise anyway.
fn wrap_words(patient: &mut Patient, width: usize, trailing: &str) {
    let mut out = String::new();
    for row in patient.text.lines() {
        let mut rest = row;
        while rest.len() > width {
            let Some(at) = rest[..width].rfind(' ').filter(|at| 0 < *at) else { break };
            out += rest[..at].trim_end();
            out += trailing;
            out.push('\n');
            rest = &rest[at + 1..];
        }
        out += rest;
        out.push('\n');
    }
    patient.text = out;
}

/// Breaks at a width, inside words as well.
fn fold(patient: &mut Patient, width: usize) {
    let mut out = String::new();
    for row in patient.text.lines() {
        let chars: Vec<char> = row.chars().collect();
        for piece in chars.chunks(width) {
            out.extend(piece);
            out.push('\n');
        }
    }
    patient.text = out;
}

fn quoted_printable(patient: &mut Patient) {
    let mut out = String::new();
    for row in patient.text.lines() {
        let row = row.replace('=', "=3D");
        let mut width = 0;
        let bytes = row.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let n = if bytes[at] == b'=' { 3 } else { 1 };
            if 75 < width + n {
                out.push_str("=\n");
                width = 0;
            }
            out.push_str(&row[at..at + n]);
            width += n;
            at += n;
        }
        out.push('\n');
    }
    patient.text = out;
}

/// Breaks behind the size and goes on in an indented line.
fn kernel_docs(patient: &mut Patient) {
    let broken = |row: &str| {
        let words: Vec<&str> = row.split(' ').collect();
        let size = words.iter().skip(1).position(|word| !word.is_empty()).map_or(1, |at| at + 2);
        let (head, tail) = words.split_at((size + 1).min(words.len()));
        if tail.is_empty() { format!("{row}\n") } else { format!("{} ...\n  {}\n", head.join(" "), tail.join(" ")) }
    };
    patient.text = patient.text.lines().map(broken).collect();
}

/// The first line starts inside its first address, the last one stops inside its last word.
fn cut_ends(patient: &mut Patient, dice: &mut Dice) {
    let first = patient.text.lines().next().unwrap_or_default();
    // Four digits stay at least.
    let n = 3 + dice.roll(first.find('-').unwrap_or(8) - 6);
    let mask = |row: &str| row.starts_with("0x(");
    if !mask(first) && is_real(first) {
        patient.text = patient.text.split_off(n);
    }
    // Half a row more, of which nothing can be said: its end address is cut.
    patient.text.push_str("0xffffffffa0000000-0xffff");
}

/// Whether the columns of a row agree.
pub(crate) fn is_real(row: &str) -> bool {
    let mut words = row.split_whitespace();
    let (Some(pair), Some(size)) = (words.next(), words.next()) else { return false };
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let Some((start, end)) = pair.split_once('-') else { return false };
    matches!((number(start), number(end), size.parse::<u64>()), (Some(start), Some(end), Ok(size)) if start + size == end)
}

fn prose(patient: &mut Patient, dice: &mut Dice) {
    const PROSE: [&str; 6] = [
        "On Tue, someone wrote:",
        "Here is what I see after two days of uptime, and it looks strange to me:",
        "Note the user of this one.",
        "-- ",
        "Does anybody know why vmalloc space - 240 MB - runs out?",
        "[1] https://example.org/2024-11-22/list-archive-0001.html",
    ];
    let mut out = String::new();
    for (n, line) in patient.text.split_inclusive('\n').enumerate() {
        let starts_row =
            line.trim_start_matches(['>', ' ', '|']).split_once('-').is_some_and(|(start, _)| start.len() == 18);
        if n == 0 || starts_row && dice.roll(6) == 0 {
            out += dice.pick(&PROSE);
            out += "\n\n";
        }
        out += line;
    }
    patient.text = ended(&out) + "\nThanks,\n\tBob\n";
}

/// Somebody left rows out, and said so.
fn snipped(patient: &mut Patient, dice: &mut Dice) {
    let mark = dice.pick(&["...", "[..]", "..", "... total 674 lines ...", "[snip]", "<...>"]);
    let middle = patient.rows.len() / 2;
    let lines: Vec<&str> = patient.text.lines().collect();
    let (head, tail) = lines.split_at(middle.min(lines.len()));
    patient.text = format!("{}\n{mark}\n{}\n", head.join("\n"), tail.join("\n"));
}
