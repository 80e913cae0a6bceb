//! zip: what is in an archive, and where. The directory at the end counts; without one, members are looked for.

use std::sync::Arc;

use super::limits::MAX_MEMBERS;
use crate::source::members::contents::{Contents, Entry, How, Refusal, shown};
use crate::source::read_at::{Places, ReadAt, bytes_at};

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
/// Bytes of each without what varies.
const LOCAL_BYTES: usize = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
/// The end stands before a comment of at most that.
const MAX_COMMENT: usize = 65_535;
/// A directory of the most members there may be, each with the longest name and attributes a sane one has.
const MAX_DIRECTORY: u64 = 16 << 20;
/// A window for looking for signatures.
const WINDOW: usize = 1 << 20;

/// A member is encrypted; its sizes stand behind it.
const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 8;

/// Does an archive begin like that?
pub fn begins(head: &[u8]) -> bool {
    head.starts_with(&LOCAL) || head.starts_with(&END) || head.starts_with(b"PK\x07\x08PK\x03\x04")
}

/// What a directory entry says, or a local header.
#[derive(Debug, Default)]
struct Row {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    /// Where the local header is.
    at: u64,
    /// File type by Unix, 0 if not told.
    unix: u32,
    /// Bytes of the row.
    len: usize,
}

/// Finds the members.
///
/// # Errors
/// There is something in it that no capture has.
pub fn list(bytes: &Arc<Places>) -> Result<Contents, Refusal> {
    let bytes = &**bytes;
    match directory(bytes) {
        Ok(rows) => from_rows(bytes, rows),
        Err(Broken::Refused(refusal)) => Err(refusal),
        Err(Broken::Damaged(at, what)) => salvage(bytes, at, what),
    }
}

/// Why there is no directory.
enum Broken {
    Damaged(u64, &'static str),
    Refused(Refusal),
}

/// The rows of the directory.
fn directory(bytes: &dyn ReadAt) -> Result<Vec<Row>, Broken> {
    let (start, len) = directory_place(bytes).ok_or(Broken::Damaged(bytes.len(), "its directory is missing"))?;
    if MAX_DIRECTORY < len {
        return Err(Broken::Refused(Refusal::Members));
    }
    let text = read(bytes, start, len as usize);
    let mut rows = Vec::new();
    let mut at = 0;
    while at < text.len() && rows.len() <= MAX_MEMBERS {
        let row = central_row(&text[at..]);
        let row = row.ok_or(Broken::Damaged(start + at as u64, "its directory is damaged"))?;
        at += row.len;
        rows.push(row);
    }
    Ok(rows)
}

/// Where the directory is and how long, by the record at the end.
fn directory_place(bytes: &dyn ReadAt) -> Option<(u64, u64)> {
    let tail_at = bytes.len().saturating_sub((END_BYTES + MAX_COMMENT) as u64);
    let tail = read(bytes, tail_at, END_BYTES + MAX_COMMENT);
    // The last record whose comment ends where the file ends.
    let end_at = memchr::memmem::rfind_iter(&tail, &END)
        .find(|&at| half(&tail, at + 20).is_some_and(|comment| at + END_BYTES + usize::from(comment) <= tail.len()))?;
    let (len, start) = (word(&tail, end_at + 12)?, word(&tail, end_at + 16)?);
    let (mut len, mut start) = (u64::from(len), u64::from(start));
    let mut limit = tail_at + end_at as u64;
    let locator =
        end_at.checked_sub(20).and_then(|at| tail.get(at..end_at)).filter(|text| text.starts_with(&LOCATOR_64));
    if let Some(locator) = locator {
        let at = long(locator, 8)?;
        let record = read(bytes, at, 56);
        if record.starts_with(&END_64) {
            (len, start) = (long(&record, 40)?, long(&record, 48)?);
            limit = at;
        }
    }
    (start.checked_add(len)? <= limit).then_some((start, len))
}

fn central_row(text: &[u8]) -> Option<Row> {
    text.strip_prefix(&CENTRAL)?;
    let (names, extras, comments) = (half(text, 28)?, half(text, 30)?, half(text, 32)?);
    let [names, extras, comments] = [names, extras, comments].map(usize::from);
    let name = text.get(CENTRAL_BYTES..CENTRAL_BYTES + names)?.to_vec();
    let extra = text.get(CENTRAL_BYTES + names..CENTRAL_BYTES + names + extras)?;
    let by_unix = half(text, 4)? >> 8 == 3;
    let mut row = Row {
        name,
        flags: half(text, 8)?,
        method: half(text, 10)?,
        crc: word(text, 16)?,
        packed: u64::from(word(text, 20)?),
        size: u64::from(word(text, 24)?),
        at: u64::from(word(text, 42)?),
        unix: if by_unix { word(text, 38)? >> 16 & 0o170_000 } else { 0 },
        len: CENTRAL_BYTES + names + extras + comments,
    };
    row.enlarge(extra);
    (row.len <= text.len()).then_some(row)
}

fn local_row(bytes: &dyn ReadAt, at: u64) -> Option<Row> {
    let head = read(bytes, at, LOCAL_BYTES);
    head.strip_prefix(&LOCAL)?;
    let (names, extras) = (usize::from(half(&head, 26)?), usize::from(half(&head, 28)?));
    let rest = read(bytes, at + LOCAL_BYTES as u64, names + extras);
    let mut row = Row {
        name: rest.get(..names)?.to_vec(),
        flags: half(&head, 6)?,
        method: half(&head, 8)?,
        crc: word(&head, 14)?,
        packed: u64::from(word(&head, 18)?),
        size: u64::from(word(&head, 22)?),
        at,
        unix: 0,
        len: LOCAL_BYTES + names + extras,
    };
    row.enlarge(rest.get(names..)?);
    Some(row)
}

impl Row {
    /// Takes what does not fit into 32 bits from the attributes (ZIP64).
    fn enlarge(&mut self, mut extra: &[u8]) {
        const TOO_LARGE: u64 = u32::MAX as u64;
        while let (Some(id), Some(len)) = (half(extra, 0), half(extra, 2)) {
            let field = extra.get(4..4 + usize::from(len)).unwrap_or_default();
            extra = extra.get(4 + usize::from(len)..).unwrap_or_default();
            let mut values = field.chunks_exact(8).filter_map(|value| long(value, 0));
            if id == 1 {
                for number in [&mut self.size, &mut self.packed, &mut self.at] {
                    if *number == TOO_LARGE {
                        *number = values.next().unwrap_or(*number);
                    }
                }
            }
        }
    }

    /// The member, if its bytes begin at `at`.
    fn entry(&self, at: u64) -> Entry {
        let mut entry = Entry::stored(at, self.packed);
        entry.check = Some((self.crc, self.size));
        let how = match self.method {
            0 => Some(How::Stored),
            8 => Some(How::Deflate),
            93 => Some(How::Zstd),
            95 => Some(How::Xz),
            _ => None,
        };
        match how {
            _ if self.flags & ENCRYPTED != 0 => entry.flaw = Some("it is encrypted".to_owned()),
            None => entry.flaw = Some(format!("it is packed by method {}, which is not read", self.method)),
            Some(how) => entry.how = how,
        }
        entry
    }
}

/// The members that the directory names, checked against the headers before their bytes.
fn from_rows(bytes: &dyn ReadAt, rows: Vec<Row>) -> Result<Contents, Refusal> {
    let mut contents = Contents::default();
    // Where members lie whose two descriptions agree.
    let mut places: Vec<(u64, u64, Vec<u8>)> = Vec::new();
    for row in rows {
        match row.unix {
            0o120_000 => return Err(Refusal::Link(shown(&row.name))),
            0 | 0o100_000 | 0o040_000 => {}
            _ => return Err(Refusal::Device(shown(&row.name))),
        }
        if row.name.ends_with(b"/") {
            contents.check_name(&row.name)?;
            continue;
        }
        let local = local_row(bytes, row.at);
        let agrees = |local: &Row| {
            let behind = local.flags & SIZES_BEHIND != 0;
            local.name == row.name && local.method == row.method && (behind || local.packed == row.packed)
        };
        let mut entry = row.entry(row.at + local.as_ref().map_or(0, |local| local.len as u64));
        match &local {
            Some(local) if agrees(local) => {
                places.push((row.at, entry.at.saturating_add(row.packed), row.name.clone()));
            }
            _ => entry.flaw = entry.flaw.or(Some("its header is damaged".to_owned())),
        }
        contents.add(&row.name, entry)?;
    }
    places.sort_unstable();
    for (one, next) in places.iter().zip(places.iter().skip(1)) {
        if next.0 < one.1 {
            return Err(Refusal::Overlap(shown(&one.2), shown(&next.2)));
        }
    }
    Ok(contents)
}

/// The members that can be found without a directory, one header after the other.
fn salvage(bytes: &dyn ReadAt, at: u64, what: &str) -> Result<Contents, Refusal> {
    let mut contents = Contents::default();
    contents.flaw(at, &format!("{what}, members were looked for one by one"));
    let mut next = find(bytes, 0, &[LOCAL]);
    while let Some(at) = next {
        let Some(row) = local_row(bytes, at) else {
            next = find(bytes, at + 1, &[LOCAL]);
            continue;
        };
        let start = at + row.len as u64;
        let mut row = row;
        if row.flags & SIZES_BEHIND != 0 && row.packed == 0 {
            row.find_end(bytes, start);
        }
        let end = start.saturating_add(row.packed);
        // A size that is damaged leads nowhere; what follows then begins at the next header.
        let follows = read(bytes, end, 4);
        let is_next = bytes.len() <= end || [LOCAL, CENTRAL, DESCRIPTOR, END].iter().any(|known| follows == *known);
        let mut entry = row.entry(start);
        if !is_next {
            entry.flaw = entry.flaw.or(Some("its header is damaged".to_owned()));
        }
        if !row.name.ends_with(b"/") {
            contents.add(&row.name, entry)?;
        }
        next = find(bytes, if is_next { end } else { start }, &[LOCAL]);
    }
    Ok(contents)
}

impl Row {
    /// Sizes that stand behind the bytes: where the record is that counts just those bytes, or the next header.
    fn find_end(&mut self, bytes: &dyn ReadAt, start: u64) {
        let mut from = start;
        while let Some(at) = find(bytes, from, &[DESCRIPTOR, LOCAL, CENTRAL]) {
            let record = read(bytes, at, 16);
            self.packed = at - start;
            if !record.starts_with(&DESCRIPTOR) {
                return;
            }
            let counted = word(&record, 8).map(u64::from);
            if let (Some(crc), Some(size)) = (word(&record, 4), word(&record, 12))
                && counted == Some(self.packed)
            {
                (self.crc, self.size) = (crc, u64::from(size));
                return;
            }
            from = at + 1;
        }
        // Cut off: as far as there is something, and no checksum to hold it against.
        self.packed = bytes.len().saturating_sub(start);
        self.size = u64::MAX;
    }
}

/// The first place of one of the signatures from `from` on.
fn find(bytes: &dyn ReadAt, mut from: u64, wanted: &[[u8; 4]]) -> Option<u64> {
    while from < bytes.len() {
        let window = read(bytes, from, WINDOW);
        let found = memchr::memmem::find_iter(&window, b"PK")
            .find(|&at| window.get(at..at + 4).is_some_and(|seen| wanted.iter().any(|signature| seen == signature)));
        if let Some(at) = found {
            return Some(from + at as u64);
        }
        // A signature can lie across two windows.
        from += (window.len().max(4) - 3) as u64;
    }
    None
}

fn read(bytes: &dyn ReadAt, at: u64, len: usize) -> Vec<u8> {
    // What cannot be read is missing, and is told of as damage.
    bytes_at(bytes, at, len).unwrap_or_default()
}

fn half(text: &[u8], at: usize) -> Option<u16> {
    text.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn word(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn long(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
