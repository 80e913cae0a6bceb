//! Packs inputs in every way that people do, with other people's code where there is some.
#![allow(dead_code, reason = "not every test packs in every way")]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// One event a line, `n` of them: areas that are allocated and freed in turn.
pub(crate) fn trace(n: usize) -> Vec<u8> {
    let mut out = b"# tracer: nop\n".to_vec();
    for line in 0..n {
        let (at, addr) = (1_000_000 + line * 7, 0xffff_c900_0000_0000_u64 + (line / 2 * 0x5000) as u64);
        let body = if line % 2 == 0 {
            format!(
                "alloc_vmap_area: va_start: {addr} size=20480 align=16384 vstart=0xffffc90000000000 \
                 vend=0xffffe8ffffffffff failed=0"
            )
        } else {
            format!("free_vmap_area_noflush: va_start={addr:#x} nr_lazy={line} nr_lazy_max=8192")
        };
        let (s, us) = (at / 1_000_000, at % 1_000_000);
        out.extend_from_slice(format!("            init-1       [000] ..... {s:>5}.{us:06}: {body}\n").as_bytes());
    }
    out
}

pub(crate) fn gz(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("in memory");
    encoder.finish().expect("in memory")
}

pub(crate) fn zst(plain: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.include_checksum(true).expect("a checksum");
    encoder.write_all(plain).expect("in memory");
    encoder.finish().expect("in memory")
}

pub(crate) fn xz(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).expect("an encoder");
    encoder.write_all(plain).expect("in memory");
    encoder.finish().expect("in memory")
}

/// A zip; `is_deflated` or stored.
pub(crate) fn zip(members: &[(&str, &[u8])], is_deflated: bool) -> Vec<u8> {
    let method = if is_deflated { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, options).expect("a member");
        writer.write_all(bytes).expect("in memory");
    }
    writer.finish().expect("in memory").into_inner()
}

/// A tar with GNU headers; names longer than 100 bytes get GNU's long names.
pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

/// The same with pax headers.
pub(crate) fn tar_pax(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let length = bytes.len().to_string();
        builder.append_pax_extensions([("path", name.as_bytes()), ("size", length.as_bytes())]).expect("in memory");
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_path("short").expect("short");
        header.set_cksum();
        builder.append(&header, *bytes).expect("in memory");
    }
    builder.into_inner().expect("in memory")
}

/// A tar header with any name and kind, which no writer would make.
pub(crate) fn tar_header(name: &[u8], kind: u8, size: usize) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[156] = kind;
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A file for one test; tests run at the same time, so each has names of its own.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the target folder can be written");
    path
}
