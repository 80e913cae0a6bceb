//! Text whose lines were broken inside words, by a terminal's width or by a mailer.

use nom::Parser;

use crate::lex::{Line, Lines, hex0x, lit};

/// Undoes line breaks that a terminal made at its width, or a mailer as soft breaks (`=` at the end of a line).
///
/// [`parse`](super::parse) repairs rows that were broken between words by itself. Inside a word it cannot, because it
/// hands out pieces of its input; so try this first and parse what it returns. `None` if nothing is broken, or if
/// the breaks follow no rule.
pub fn unfold(input: &[u8]) -> Option<Vec<u8>> {
    let lines: Vec<Line<'_>> = Lines::new(input).collect();
    let continued = |n: usize| lines.get(n + 1).is_some_and(|next| !next.bytes.is_empty() && !starts_row(next.bytes));
    let mut breaks = (0..lines.len()).filter(|&n| continued(n)).filter_map(|n| lines.get(n)).peekable();
    breaks.peek()?;
    let width = lines.iter().map(|line| line.bytes.len()).max()?;
    // A terminal can break after an equals sign as well, but a mailer always does.
    let soft = breaks.clone().all(|line| line.bytes.ends_with(b"="));
    if !soft && breaks.any(|line| line.bytes.len() != width) {
        return None;
    }
    let mut whole = Vec::with_capacity(input.len());
    for (n, line) in lines.iter().enumerate() {
        match line.bytes.strip_suffix(b"=") {
            Some(head) if soft && continued(n) => whole.extend(head),
            _ => whole.extend(line.bytes),
        }
        if !continued(n) {
            whole.push(b'\n');
        }
    }
    Some(whole)
}

/// Whether a line begins as a row does: `0xffffc90000000000-0x`.
fn starts_row(line: &[u8]) -> bool {
    (hex0x, lit(b"-0x")).parse(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "\
0xffffc90000000000-0xffffc90000005000   20480 irq_init_percpu_irqstack+0xf4/0x130 vmap
0xffffc90000005000-0xffffc90000007000    8192 acpi_os_map_iomem+0x1a9/0x1e0 phys=0x000000003ffe1000 ioremap
0xffffc90000010000-0xffffc90000015000   20480 kernel_clone+0xc2/0x430 pages=4 vmalloc N0=4
";

    #[test]
    fn a_terminals_width_is_undone() {
        for width in 42..100 {
            let folded: String = ROWS
                .lines()
                .flat_map(|row| row.as_bytes().chunks(width))
                .map(|piece| String::from_utf8_lossy(piece).into_owned() + "\n")
                .collect();
            let got = unfold(folded.as_bytes()).expect("something is broken");
            assert_eq!(String::from_utf8_lossy(&got), ROWS, "{width}");
        }
    }

    #[test]
    fn soft_breaks_of_mail_are_undone() {
        let mail = ROWS.replace("vmalloc", "vmal=\nloc").replace("phys=", "ph=\r\nys=");
        assert_eq!(unfold(mail.as_bytes()).as_deref(), Some(ROWS.as_bytes()));
    }

    #[test]
    fn other_texts_are_left_alone() {
        assert_eq!(unfold(ROWS.as_bytes()), None);
        assert_eq!(unfold(format!("{ROWS}prose\n").as_bytes()), None);
        assert_eq!(unfold(ROWS.replace(" vmap\n", "\nvmap\n").as_bytes()), None);
        assert_eq!(unfold(b""), None);
    }
}
