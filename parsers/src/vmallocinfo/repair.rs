//! Rows that were damaged on their way: quoted, wrapped, glued together, cut or spelt differently.
//!
//! The dash between two addresses is what survives nearly everything, so rows are found by it.

use nom::Parser;
use nom::combinator::all_consuming;

use super::row::{self, Part};
use super::{Area, Caller, Confidence};
use crate::lex::{Line, after, column, decimal, hex, hex0x, nibble, trim, trim_end, trim_start, upto};
use crate::problem::Problems;
use crate::{Problem, ProblemKind};

/// Shortest start address that is taken for a cut one, in digits.
const MIN_DIGITS: usize = 4;

/// The two addresses of a row, found anywhere in a line.
struct Found {
    /// Where the row begins and where its addresses end, bytes into the line.
    at: usize,
    until: usize,
    /// The start address: digits and value.
    start: row::Address,
    end: row::Address,
    /// The addresses are spelt as the kernel does.
    exact: bool,
}

/// Repairs line by line; remembers where a row that goes on over several lines stands.
#[derive(Debug, Default)]
pub(super) struct Repair {
    /// The line that last continued a row.
    joined: u32,
}

impl Repair {
    /// Reads a line that is not a row as the kernel prints it.
    pub(super) fn line<'a>(&mut self, line: Line<'a>, areas: &mut Vec<Area<'a>>, problems: &mut Problems) {
        let found = find(line.bytes);
        let (rest, kind) =
            if found.is_empty() { (line.bytes, self.tail(line, areas)) } else { rows(line, &found, areas) };
        let column = column(line.bytes, rest);
        problems.push(Problem { line: line.number, column, offset: line.start as u64, kind });
    }

    /// A line without addresses: the tail of the row before it, or nothing of ours.
    fn tail<'a>(&mut self, line: Line<'a>, areas: &mut [Area<'a>]) -> ProblemKind {
        let above = line.number.saturating_sub(1);
        let Some(area) = areas.last_mut().filter(|area| area.line == above || self.joined == above) else {
            return ProblemKind::NotARow;
        };
        let Some(whole) = continued(area, line.bytes) else { return ProblemKind::NotARow };
        *area = Area { confidence: Confidence::Repaired, ..whole };
        self.joined = line.number;
        ProblemKind::Rejoined
    }
}

/// Reads the rows of a line. One line, one problem: what is missing weighs more than what was repaired.
fn rows<'a>(line: Line<'a>, found: &[Found], areas: &mut Vec<Area<'a>>) -> (&'a [u8], ProblemKind) {
    let first = found.first().map_or(0, |row| row.at);
    let mut kind = (!trim(upto(line.bytes, first)).is_empty()).then_some(ProblemKind::TextBeforeRow);
    if 1 < found.len() {
        kind = Some(ProblemKind::SplitRows);
    }
    let mut broken = None;
    for (n, row) in found.iter().enumerate() {
        let end = found.get(n + 1).map_or(line.bytes.len(), |next| next.at);
        let Some((area, why)) = read(row, after(upto(line.bytes, end), row.until)) else {
            broken = Some(after(line.bytes, row.at));
            continue;
        };
        let exact = kind.is_none() && row.exact && matches!(why, Some(ProblemKind::UnknownWord(_)));
        let confidence = if exact { Confidence::Exact } else { Confidence::Repaired };
        kind = why.or(kind);
        areas.push(Area { line: line.number, offset: line.start as u64, confidence, ..area });
    }
    match broken {
        Some(rest) => (rest, ProblemKind::BrokenRow),
        None => (after(line.bytes, first), kind.unwrap_or(ProblemKind::Respelt)),
    }
}

/// Whether a line holds addresses and a size.
pub(super) fn holds_row(line: &[u8]) -> bool {
    find(line).iter().any(|found| size(after(line, found.until)).is_some())
}

/// Finds every pair of addresses with a dash between them.
fn find(line: &[u8]) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for dash in memchr::memchr_iter(b'-', line) {
        let from = found.last().map_or(0, |last| last.until);
        let left = line.get(from..dash).unwrap_or_default();
        let Some((at, start)) = address_before(left) else { continue };
        let right = after(line, dash + 1);
        let Some((rest, end)) = address_after(right) else { continue };
        let (at, until) = (from + at, line.len() - rest.len());
        let spelt = line.get(at..until).unwrap_or_default();
        let exact = start.1 == end.1 && spelt.len() == 5 + 2 * usize::from(end.1) && spelt.starts_with(b"0x");
        let exact = exact && !spelt.iter().any(u8::is_ascii_uppercase);
        found.push(Found { at, until, start, end, exact });
    }
    found
}

/// The address that ends `text`, and where it begins.
fn address_before(text: &[u8]) -> Option<(usize, row::Address)> {
    let text = trim_end(text);
    for (name, digits) in [(&b"(____ptrval____)"[..], 16), (b"(ptrval)", 8)] {
        if let Some(head) = text.strip_suffix(name) {
            let head = head.strip_suffix(b"0x").unwrap_or(head);
            return Some((head.len(), (0, digits, true)));
        }
    }
    let n = text.iter().rev().take(16).take_while(|&&b| nibble(b) < 16).count();
    let at = text.len() - n;
    if n < MIN_DIGITS {
        return None;
    }
    let (_, value) = hex(after(text, at)).ok()?;
    let head = upto(text, at);
    let prefixed = head.ends_with(b"0x") || head.ends_with(b"0X");
    // A longer word that merely ends like an address is none.
    if !prefixed && head.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    Some((if prefixed { at - 2 } else { at }, (value, n as u8, false)))
}

/// The address that `text` begins with, and the rest.
fn address_after(text: &[u8]) -> Option<(&[u8], row::Address)> {
    let text = trim_start(text);
    let text = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    if let Ok(found) = row::placeholder(text) {
        return Some(found);
    }
    let (rest, value) = hex(text).ok()?;
    let digits = text.len() - rest.len();
    let ends = rest.first().is_none_or(|b| !b.is_ascii_alphanumeric());
    ((8..=16).contains(&digits) && ends).then_some((rest, (value, digits as u8, false)))
}

/// Reads the rest of a row. The kind says what was repaired, if it was the row itself.
fn read<'a>(found: &Found, tail: &'a [u8]) -> Option<(Area<'a>, Option<ProblemKind>)> {
    let ((start, start_digits, unready), (end, digits, _)) = (found.start, found.end);
    let mut kind = None;
    let cut_start = start_digits < digits;
    if digits < start_digits {
        return None;
    }
    let (tail, size) = match size(tail) {
        Some(found) => found,
        // The size was cut, or stands on the next line; real addresses tell it.
        None if trim(tail).is_empty() && start < end && !cut_start => {
            kind = Some(ProblemKind::SizeComputed);
            (tail, end - start)
        }
        None => return None,
    };
    let address_digits = if digits <= 8 { 8 } else { 16 };
    let mut area = Area { confidence: Confidence::Repaired, address_digits, unready, ..row::empty(start, end, size) };
    if cut_start {
        area.start = end.checked_sub(size)?;
        kind = Some(ProblemKind::StartComputed);
    }
    let unknown = words(&mut area, tail);
    Some((area, unknown.map(ProblemKind::UnknownWord).or(kind)))
}

/// The size column and what follows.
fn size(tail: &[u8]) -> Option<(&[u8], u64)> {
    let (rest, size) = decimal(trim_start(tail)).ok()?;
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    (ends && tail.first().is_some_and(u8::is_ascii_whitespace)).then_some((rest, size))
}

/// Applies the words of a tail, in any order. Hands out the first that is not known.
fn words<'a>(area: &mut Area<'a>, tail: &'a [u8]) -> Option<String> {
    let mut unknown = None;
    let mut rest = trim_start(trim_quotes(tail));
    while !rest.is_empty() {
        if let Ok((tail, part)) = row::part(rest) {
            part.apply(area);
            rest = trim_start(tail);
            continue;
        }
        let n = rest.iter().take_while(|b| !b.is_ascii_whitespace() && **b != 0).count();
        let (word, tail) = (upto(rest, n), trim_start(after(rest, n.max(1))));
        if let Some((part, junk)) = glued(word) {
            part.apply(area);
            if !junk.is_empty() {
                unknown.get_or_insert_with(|| shown(junk));
            }
        } else if area.caller.is_none() && is_symbol(word) && row::part(tail).is_ok() {
            // Some debuggers print the function alone, or `<function+123>`.
            area.caller = Some(Caller { symbol: word, offset: 0, length: 0, module: None });
        } else if !is_mark(word) && !take_module(area, word) {
            unknown.get_or_insert_with(|| shown(word));
        }
        rest = tail;
    }
    unknown
}

/// Cuts the closing marks of code and quotations off.
fn trim_quotes(mut tail: &[u8]) -> &[u8] {
    while let [head @ .., b'`' | b'"' | b'\'' | b'*' | b' '] = tail {
        tail = head;
    }
    tail
}

/// `[foo]` that was torn from its function.
fn take_module<'a>(area: &mut Area<'a>, word: &'a [u8]) -> bool {
    let name = word.strip_prefix(b"[").and_then(|word| word.strip_suffix(b"]")).filter(|name| !name.is_empty());
    match (&mut area.caller, name) {
        (Some(caller), Some(_)) if caller.module.is_none() => caller.module = name,
        _ => return false,
    }
    true
}

/// `N0=4` that something is glued to, or whose `=` a mailer spelt `=3D`.
fn glued(word: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let at = memchr::memchr(b'=', word)?;
    let (key, value) = (upto(word, at), after(word, at + 1));
    let value = value.strip_prefix(b"3D").unwrap_or(value);
    match key {
        b"pages" => decimal(value).ok().map(|(junk, pages)| (Part::Pages(pages), junk)),
        b"phys" => hex0x(value).ok().map(|(junk, phys)| (Part::Phys(phys, 16), junk)),
        [b'N', node @ ..] => {
            let (_, node) = all_consuming(decimal).parse(node).ok()?;
            let node = u16::try_from(node).ok()?;
            decimal(value).ok().map(|(junk, pages)| (Part::Node(node, pages), junk))
        }
        _ => None,
    }
}

/// A function's name without offset.
fn is_symbol(word: &[u8]) -> bool {
    let inner = word.strip_prefix(b"<").and_then(|word| word.strip_suffix(b">")).unwrap_or(word);
    let letter = |b: &u8| b.is_ascii_alphanumeric() || b"_.$+".contains(b);
    inner.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_') && inner.iter().all(letter)
}

/// What people and mailers leave where a line is cut or broken.
fn is_mark(word: &[u8]) -> bool {
    matches!(word, b"..." | b".." | b"[...]" | b"[..]" | b"=" | b"\\") || word == "…".as_bytes()
}

/// The row with the words of a line that holds nothing but the tail of a row.
fn continued<'a>(area: &Area<'a>, line: &'a [u8]) -> Option<Area<'a>> {
    let mut text = trim(line);
    // Quote marks of mail.
    while let [b'>' | b'|', tail @ ..] = text {
        text = trim_start(tail);
    }
    if let Some((rest, size)) = size_alone(text) {
        if size != area.size {
            return None;
        }
        text = rest;
    }
    let mut whole = area.clone();
    let unknown = words(&mut whole, text);
    (unknown.is_none() && whole != *area || text.is_empty()).then_some(whole)
}

/// The size column at the start of a continuation.
fn size_alone(text: &[u8]) -> Option<(&[u8], u64)> {
    let (rest, size) = decimal(text).ok()?;
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some((rest, size))
}

fn shown(word: &[u8]) -> String {
    String::from_utf8_lossy(upto(word, 64)).into_owned()
}

#[cfg(test)]
mod tests {
    use crate::vmallocinfo::{Area, Confidence, Flags, parse};
    use crate::{Problem, ProblemKind};

    const ROW: &str = "0xffffc90000000000-0xffffc90000005000   20480 foo_init+0x2b/0x110 [foo] pages=4 vmalloc N0=4";

    /// The rows that a damaged text is repaired to, and what was wrong where.
    fn repaired(text: &str) -> (Vec<String>, Vec<(u32, ProblemKind)>) {
        let snapshot = parse(text.as_bytes());
        assert!(snapshot.areas.iter().all(|area| area.confidence == Confidence::Repaired), "{text}");
        let kinds = snapshot.problems.into_iter().map(|Problem { line, kind, .. }| (line, kind)).collect();
        (snapshot.areas.iter().map(Area::to_string).collect(), kinds)
    }

    fn one(kind: ProblemKind) -> (Vec<String>, Vec<(u32, ProblemKind)>) {
        (vec![ROW.into()], vec![(1, kind)])
    }

    #[test]
    fn text_before_a_row() {
        for before in ["> ", ">> ", "| ", "   * ", "[  12.345678] ", "Jan 01 00:00:00 host kernel: ", "68a69> "] {
            assert_eq!(repaired(&format!("{before}{ROW}\n")).0, [ROW], "{before}");
        }
        assert_eq!(repaired(&format!("- `{ROW}`\n")), one(ProblemKind::TextBeforeRow));
        assert_eq!(repaired(&format!("> {ROW}")), one(ProblemKind::TextBeforeRow));
    }

    #[test]
    fn other_spellings() {
        for text in [
            ROW.replace("ffffc9", "FFFFC9"),
            ROW.replace("0x", "").replace("+2b/110", "+0x2b/0x110"),
            ROW.replace("00-0x", "00 - 0x"),
            ROW.replace(' ', "  ").replace("init  [", "init [").replace("110  [", "110 ["),
            ROW.replace("N0=4", "N0=3D4").replace("pages=4", "pages=3D4"),
        ] {
            assert_eq!(repaired(&text), one(ProblemKind::Respelt), "{text}");
        }
    }

    #[test]
    fn wrapped_rows_are_joined() {
        let want = vec![ROW.to_string()];
        for (text, n) in [
            (ROW.replace(" vmalloc", "\nvmalloc"), 1),
            (ROW.replace(" [foo]", "\n[foo]"), 1),
            (ROW.replace(" pages=4 ", " ...\n   pages=4\n> "), 3),
        ] {
            let (rows, problems) = repaired(&text);
            assert_eq!((rows, problems.len()), (want.clone(), n), "{text}");
            assert_eq!(problems.last().map(|p| p.1.clone()), Some(ProblemKind::Rejoined));
        }
        let (rows, problems) = repaired(&ROW.replace("   20480", "\n   20480"));
        assert_eq!((rows, problems), (want, vec![(1, ProblemKind::SizeComputed), (2, ProblemKind::Rejoined)]));
    }

    #[test]
    fn glued_rows_are_split() {
        let (rows, problems) = repaired(&format!("{ROW}{ROW} {ROW}"));
        assert_eq!((rows, problems), (vec![ROW.to_string(); 3], vec![(1, ProblemKind::SplitRows)]));
        let text = format!("{ROW}root@host:~# ");
        let snapshot = parse(text.as_bytes());
        assert_eq!(snapshot.areas.iter().map(Area::to_string).collect::<Vec<_>>(), [ROW]);
        let prompt = ProblemKind::UnknownWord("root@host:~#".into());
        assert_eq!(snapshot.problems.first().map(|p| &p.kind), Some(&prompt));
    }

    #[test]
    fn cut_ends() {
        let cut = ROW.strip_prefix("0xffffc900").unwrap_or(ROW);
        assert_eq!(repaired(cut), one(ProblemKind::StartComputed));
        let kind = ProblemKind::UnknownWord("foo_init+0x2b/0x".into());
        let bare = ROW.split_once(" foo").map_or("", |(head, _)| head);
        assert_eq!(
            parse(format!("{bare} foo_init+0x2b/0x").as_bytes()).problems.first().map(|p| p.kind.clone()),
            Some(kind)
        );
        assert_eq!(repaired("0xffffc90000000000-0xffffc9000").1, [(1, ProblemKind::BrokenRow)]);
        assert_eq!(repaired("0xffffc90000000000-0xfff").1, [(1, ProblemKind::NotARow)]);
    }

    #[test]
    fn unknown_words_are_named_and_the_row_is_kept_as_it_is() {
        let text = format!("{ROW} lowmem");
        let snapshot = parse(text.as_bytes());
        assert_eq!(snapshot.problems.first().map(|p| p.kind.clone()), Some(ProblemKind::UnknownWord("lowmem".into())));
        assert_eq!(snapshot.areas.first().map(|area| area.confidence), Some(Confidence::Exact));
        let debugger = parse(b"0xffffc90000000000-0xffffc90000005000     20480 foo_init vmap").areas;
        assert!(debugger.iter().all(|a| a.flags == Flags::VMAP && a.caller.is_some_and(|c| c.symbol == b"foo_init")));
    }

    #[test]
    fn prose_is_one_problem_a_line() {
        let (rows, problems) = repaired("$ cat /proc/vmallocinfo\n\nHi all - here it is:\n...\n");
        assert_eq!((rows.len(), problems.len()), (0, 3));
        assert!(problems.iter().all(|(_, kind)| *kind == ProblemKind::NotARow));
    }
}
