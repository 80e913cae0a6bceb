//! Decisions as text: a line that says whose they are, then a line for each record that is not as it stands.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::beam::{Asked, Decided, Decisions, Missed, Tag};
use super::key::hex;
use super::ways::{Does, Ways, words_for};

const SCHEMA: &str = "vmaplens.decisions/1";

/// Why decisions are not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// Nothing says that it is one of ours.
    #[error("it is no file of decisions")]
    Foreign,
    /// The key is another one.
    #[error("it is of another trace, of other settings or of another version of this program")]
    Stale,
    /// The sum over it is another one.
    #[error("it is damaged")]
    Damaged,
    /// It can be read, and cannot be.
    #[error("what it says of event {event} cannot be")]
    Impossible {
        /// From 1.
        event: u32,
    },
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: String,
    program: String,
    key: String,
    /// The trace is one that the beam gives up.
    gave_up: bool,
    /// Of the lines behind this one, and of what else is in it.
    sum: String,
}

/// Any other line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The record, from 0.
    at: u32,
    #[serde(default, skip_serializing_if = "is_plain")]
    tag: Tag,
    /// Without it: what the record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    does: Option<Vec<Does>>,
    /// The front-runner would have placed it elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missed: Option<Own>,
}

/// Where, in hex; nowhere without it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_plain(tag: &Tag) -> bool {
    *tag == Tag::Plain
}

fn sum_of(key: &str, gave_up: bool, body: &[u8]) -> String {
    let mut sum = Sha256::new();
    sum.update(key.as_bytes());
    sum.update([u8::from(gave_up)]);
    sum.update(body);
    hex(&sum.finalize())
}

/// Reads decisions; `None` among them: the beam gives this trace up.
pub(super) fn read(bytes: &[u8], key: &str, asked: &Asked<'_>) -> Result<Option<Decisions>, Refused> {
    if !bytes.starts_with(super::BEGINS_WITH) {
        return Err(Refused::Foreign);
    }
    let end = bytes.iter().position(|&byte| byte == b'\n').ok_or(Refused::Damaged)?;
    let (head, body) = (&bytes[..end], &bytes[end + 1..]);
    let head: Head = serde_json::from_slice(head).map_err(|_| Refused::Damaged)?;
    if head.schema != SCHEMA || head.program != env!("CARGO_PKG_VERSION") || head.key != key {
        return Err(Refused::Stale);
    }
    if head.sum != sum_of(key, head.gave_up, body) {
        return Err(Refused::Damaged);
    }
    if head.gave_up {
        return if body.is_empty() { Ok(None) } else { Err(Refused::Damaged) };
    }
    decisions(body, asked).map(Some)
}

fn decisions(body: &[u8], asked: &Asked<'_>) -> Result<Decisions, Refused> {
    let mut lines = body.split_inclusive(|&byte| byte == b'\n');
    let mut next = || -> Result<Option<Line>, Refused> {
        let line = lines.next().map(|line| serde_json::from_slice(line).map_err(|_| Refused::Damaged));
        line.transpose()
    };
    let mut ways = Ways::new(asked);
    let (mut decided, mut missed) = (Vec::new(), Vec::new());
    let mut line = next()?;
    for at in asked.first()..asked.n_records() {
        let Line { tag, does, missed: own, .. } = match line.take_if(|line| line.at == at) {
            Some(found) => {
                line = next()?;
                found
            }
            None => Line::default(),
        };
        let impossible = || Refused::Impossible { event: at + 1 };
        let does = does.unwrap_or_else(|| ways.usual(at));
        let ops = ways.ops(at, tag, &does).ok_or_else(impossible)?;
        if !ops.is_empty() || tag != Tag::Plain {
            decided.push(Decided { index: at, tag, ops: ops.into() });
        }
        if let Some(Own { own }) = own {
            let of_text = |text: String| {
                let digits = text.strip_prefix("0x").ok_or_else(impossible)?;
                u64::from_str_radix(digits, 16).map_err(|_| impossible())
            };
            missed.push(Missed { index: at, own: own.map(of_text).transpose()?, start: 0 });
        }
    }
    match line {
        // Out of order, or behind the last record.
        Some(line) => Err(Refused::Impossible { event: line.at.saturating_add(1) }),
        None => Ok(Decisions { decided, missed, start: 0 }),
    }
}

/// Writes decisions, or that there are none. `None` if they cannot be said, or would not be read as they are.
pub(super) fn write(decisions: Option<&Decisions>, key: &str, asked: &Asked<'_>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(decisions) = decisions {
        let mut decided = decisions.decided.iter().peekable();
        let mut missed = decisions.missed.iter().peekable();
        let ways = Ways::new(asked);
        for at in asked.first()..asked.n_records() {
            let found = decided.next_if(|decided| decided.index == at);
            let missed = missed.next_if(|missed| missed.index == at);
            let (tag, ops) = found.map_or((Tag::Plain, &[][..]), |decided| (decided.tag, &decided.ops));
            let does = words_for(at, tag, ops, asked)?;
            let does = (does != ways.usual(at)).then_some(does);
            let missed = missed.map(|missed| Own { own: missed.own.map(|own| format!("0x{own:x}")) });
            if tag != Tag::Plain || does.is_some() || missed.is_some() {
                serde_json::to_writer(&mut body, &Line { at, tag, does, missed }).ok()?;
                body.push(b'\n');
            }
        }
        if self::decisions(&body, asked).as_ref() != Ok(decisions) {
            return None;
        }
    }
    let gave_up = decisions.is_none();
    let sum = sum_of(key, gave_up, &body);
    let (schema, program) = (SCHEMA.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let head = Head { schema, program, key: key.to_owned(), gave_up, sum };
    let mut bytes = serde_json::to_vec(&head).ok()?;
    bytes.push(b'\n');
    bytes.append(&mut body);
    Some(bytes)
}
