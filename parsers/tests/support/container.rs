//! Writes trace.dat files of every variant: what the reader has to understand, from the other side.

use std::io::{self, Write};

use parsers::trace_dat::Method;

use super::ring::Ring;
use super::write::Shape;

/// A whole file: rings of one or more instances, which all have the same number of CPUs.
pub(crate) struct File<'a> {
    pub(crate) shape: Shape,
    /// Name and rings by CPU of each instance; the first one is the main one and has no name.
    pub(crate) instances: Vec<(&'a str, Vec<Ring>)>,
    pub(crate) saved_cmdlines: &'a [u8],
}

impl File<'_> {
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out).expect("memory is always there");
        out
    }

    /// Writes the file, pages last.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let shape = &self.shape;
        let mut head = b"\x17\x08\x44tracing".to_vec();
        head.extend_from_slice(if shape.version == 6 { b"6\0" } else { b"7\0" });
        head.push(u8::from(shape.is_big));
        head.push(shape.long as u8);
        shape.number(&mut head, 4096, 4);
        if shape.version == 6 { self.version_6(head, out) } else { self.version_7(head, out) }
    }

    fn version_6(&self, mut head: Vec<u8>, out: &mut impl Write) -> io::Result<()> {
        let shape = &self.shape;
        let (ftrace, events) = shape.formats();
        head.extend(shape.header_info());
        head.extend(shape.format_block(&ftrace));
        head.extend(shape.systems(&events));
        shape.sized(&mut head, b"", 4);
        shape.sized(&mut head, b"", 4);
        shape.sized(&mut head, self.saved_cmdlines, 8);
        let n_cpus = self.instances[0].1.len();
        shape.number(&mut head, n_cpus as u64, 4);
        let mut head = self.options_and_tables(&head, n_cpus);
        head.resize(head.len().next_multiple_of(4096), 0);
        out.write_all(&head)?;
        for (_, rings) in &self.instances {
            for ring in rings {
                out.write_all(&ring.pages)?;
            }
        }
        Ok(())
    }

    /// The tables tell where the pages are, which begin at the next page behind the tables.
    fn options_and_tables(&self, head: &[u8], n_cpus: usize) -> Vec<u8> {
        let shape = &self.shape;
        let table = |pages: u64, first: usize| {
            let mut out = Vec::new();
            out.extend_from_slice(b"flyrecord\0");
            let before: usize =
                self.instances[..first].iter().flat_map(|(_, rings)| rings).map(|r| r.pages.len()).sum();
            let mut at = pages + before as u64;
            for ring in &self.instances[first].1 {
                shape.number(&mut out, at, 8);
                shape.number(&mut out, ring.pages.len() as u64, 8);
                at += ring.pages.len() as u64;
            }
            shape.sized(&mut out, b"[local]", 8);
            out
        };
        let build = |tables_at: u64, pages: u64| {
            let mut out = head.to_vec();
            out.extend_from_slice(b"options  \0");
            let mut at = tables_at + (10 + 16 * n_cpus + 15) as u64;
            for (name, _) in &self.instances[1..] {
                shape.number(&mut out, 3, 2);
                let mut data = Vec::new();
                shape.number(&mut data, at, 8);
                data.extend_from_slice(name.as_bytes());
                data.push(0);
                shape.sized(&mut out, &data, 4);
                at += (10 + 16 * n_cpus + 15) as u64;
            }
            shape.number(&mut out, 0, 2);
            let tables_at = out.len() as u64;
            for first in 0..self.instances.len() {
                out.extend(table(pages, first));
            }
            (tables_at, out)
        };
        let (tables_at, draft) = build(0, 0);
        build(tables_at, draft.len().next_multiple_of(4096) as u64).1
    }

    fn version_7(&self, mut head: Vec<u8>, out: &mut impl Write) -> io::Result<()> {
        let shape = &self.shape;
        let name: &[u8] = match shape.method {
            None => b"none\0\0",
            Some(Method::Zstd) => b"zstd\x001.5.4\0",
            Some(Method::Zlib) => b"zlib\x001.2.13\0",
        };
        head.extend_from_slice(name);
        let options_place = head.len();
        head.extend_from_slice(&[0; 8]);
        let (ftrace, events) = shape.formats();
        let mut cmdlines = Vec::new();
        shape.sized(&mut cmdlines, self.saved_cmdlines, 8);
        let sections = [
            (16, shape.header_info()),
            (17, shape.format_block(&ftrace)),
            (18, shape.systems(&events)),
            (21, cmdlines),
        ];
        let mut first = Vec::new();
        for (id, body) in sections {
            self.option(&mut first, id, head.len() as u64);
            self.section(&mut head, id, &body);
        }
        // Pages come behind two blocks of options, whose size is known when all offsets are told as 0.
        let packed: Vec<Vec<Vec<u8>>> =
            self.instances.iter().map(|(_, rings)| rings.iter().map(|ring| self.pack(&ring.pages)).collect()).collect();
        let buffers = |pages: u64| {
            let mut body = Vec::new();
            let mut at = pages;
            for ((name, _), packed) in self.instances.iter().zip(&packed) {
                let mut data = Vec::new();
                shape.number(&mut data, at, 8);
                data.extend_from_slice(name.as_bytes());
                data.extend_from_slice(b"\0local\0");
                shape.number(&mut data, shape.stride as u64, 4);
                shape.number(&mut data, packed.len() as u64, 4);
                at += 4096;
                for (cpu, pages) in packed.iter().enumerate() {
                    shape.number(&mut data, cpu as u64, 4);
                    shape.number(&mut data, at, 8);
                    let uncounted = if shape.method.is_some() { 4 } else { 0 };
                    shape.number(&mut data, pages.len().saturating_sub(uncounted) as u64, 8);
                    at += pages.len().next_multiple_of(4096) as u64;
                }
                shape.number(&mut body, 3, 2);
                shape.sized(&mut body, &data, 4);
            }
            self.next_block(&mut body, 0);
            body
        };
        // Only the main block is compressed: its size does not hang on the offsets in it then.
        let second = head.len() as u64;
        let draft = buffers(0);
        let first_at = second + 16 + draft.len() as u64;
        self.next_block(&mut first, second);
        let mut tail = Vec::new();
        self.section(&mut tail, 0, &first);
        let pages = (first_at + tail.len() as u64).next_multiple_of(4096);
        self.plain_section(&mut head, 0, &buffers(pages));
        head.extend(tail);
        let mut place = Vec::new();
        shape.number(&mut place, first_at, 8);
        head[options_place..options_place + 8].copy_from_slice(&place);
        head.resize(pages as usize, 0);
        out.write_all(&head)?;
        for packed in &packed {
            let size: usize = 4096 + packed.iter().map(|pages| pages.len().next_multiple_of(4096)).sum::<usize>();
            let mut header = Vec::new();
            shape.number(&mut header, 3, 2);
            shape.number(&mut header, u64::from(shape.method.is_some()), 2);
            shape.number(&mut header, 0, 4);
            shape.number(&mut header, size as u64 - 16, 8);
            header.resize(4096, 0);
            out.write_all(&header)?;
            for pages in packed {
                out.write_all(pages)?;
                out.write_all(&vec![0; pages.len().next_multiple_of(4096) - pages.len()])?;
            }
        }
        Ok(())
    }

    fn option(&self, out: &mut Vec<u8>, id: u64, at: u64) {
        self.shape.number(out, id, 2);
        self.shape.number(out, 8, 4);
        self.shape.number(out, at, 8);
    }

    fn next_block(&self, out: &mut Vec<u8>, at: u64) {
        self.option(out, 0, at);
    }

    fn plain_section(&self, out: &mut Vec<u8>, id: u64, body: &[u8]) {
        self.shape.number(out, id, 2);
        self.shape.number(out, 0, 2);
        self.shape.number(out, 0, 4);
        self.shape.sized(out, body, 8);
    }

    fn section(&self, out: &mut Vec<u8>, id: u64, body: &[u8]) {
        let Some(method) = self.shape.method else { return self.plain_section(out, id, body) };
        let packed = compress(method, body);
        self.shape.number(out, id, 2);
        self.shape.number(out, 1, 2);
        self.shape.number(out, 0, 4);
        self.shape.number(out, packed.len() as u64 + 8, 8);
        self.shape.number(out, packed.len() as u64, 4);
        self.shape.number(out, body.len() as u64, 4);
        out.extend(packed);
    }

    fn pack(&self, pages: &[u8]) -> Vec<u8> {
        let Some(method) = self.shape.method.filter(|_| !pages.is_empty()) else { return pages.to_vec() };
        let chunks = pages.chunks(self.shape.stride * self.shape.n_chunk_pages);
        let mut out = Vec::new();
        self.shape.number(&mut out, chunks.len() as u64, 4);
        for chunk in chunks {
            let packed = compress(method, chunk);
            self.shape.number(&mut out, packed.len() as u64, 4);
            self.shape.number(&mut out, chunk.len() as u64, 4);
            out.extend(packed);
        }
        out
    }
}

fn compress(method: Method, bytes: &[u8]) -> Vec<u8> {
    match method {
        Method::Zstd => zstd::encode_all(bytes, 3).expect("memory"),
        Method::Zlib => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("memory");
            encoder.finish().expect("memory")
        }
    }
}
