//! Writes a tar: plain ustar headers. Names of members are short and ours.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

const BLOCK: usize = 512;
/// What eleven octal digits can say.
const MAX_OCTAL: u64 = 1 << 33;

/// Writes these files of a folder under their names.
///
/// # Errors
/// What the system says, or that a name is too long.
pub fn write(dir: &Path, names: &[String], out: &mut dyn Write) -> io::Result<()> {
    for name in names {
        let mut file = File::open(dir.join(name))?;
        let bytes = file.metadata()?.len();
        out.write_all(&header(name, bytes)?)?;
        let copied = io::copy(&mut file, out)?;
        if copied != bytes {
            return Err(io::Error::other(format!("{name} changed while it was packed")));
        }
        let rest = (BLOCK - (bytes % BLOCK as u64) as usize) % BLOCK;
        out.write_all(&[0; BLOCK][..rest])?;
    }
    out.write_all(&[0; 2 * BLOCK])
}

fn header(name: &str, bytes: u64) -> io::Result<[u8; BLOCK]> {
    let mut block = [0; BLOCK];
    let Some(place) = block[..100].get_mut(..name.len()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the name is too long: {name}")));
    };
    place.copy_from_slice(name.as_bytes());
    let mut put = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    if bytes < MAX_OCTAL {
        put(124, &format!("{bytes:011o}\0"));
    } else {
        // The form of GNU for large files: a set bit, then the number in binary.
        block[124] = 0x80;
        block[128..136].copy_from_slice(&bytes.to_be_bytes());
    }
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}
