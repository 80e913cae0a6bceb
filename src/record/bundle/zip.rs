//! Writes a zip: deflated members with their sizes in front, so that any program opens it. Without ZIP64.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// 1980-01-01: a bundle is the same whenever it is packed.
const DATE: u16 = 0x21;
const DEFLATED: u16 = 8;

/// What the list at the end has of a member.
struct Entry {
    name: String,
    crc: u32,
    packed: u32,
    size: u32,
    at: u32,
}

/// Writes these files of a folder under their names.
///
/// # Errors
/// What the system says, or that it would be larger than 4 GiB.
pub fn write(dir: &Path, names: &[String], out: &mut (impl Write + Seek)) -> io::Result<()> {
    let mut entries = Vec::new();
    for name in names {
        let at = small(out.stream_position()?)?;
        out.write_all(&local(&Entry { name: name.clone(), crc: 0, packed: 0, size: 0, at }))?;
        let begin = out.stream_position()?;
        let mut file = File::open(dir.join(name))?;
        let mut crc = Crc::new();
        let mut packer = DeflateEncoder::new(&mut *out, Compression::default());
        let mut size = 0_u64;
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => {
                    crc.update(&buffer[..n]);
                    packer.write_all(&buffer[..n])?;
                    size += n as u64;
                }
            }
        }
        packer.finish()?;
        let end = out.stream_position()?;
        let packed = small(end - begin)?;
        let entry = Entry { name: name.clone(), crc: crc.sum(), packed, size: small(size)?, at };
        out.seek(SeekFrom::Start(u64::from(at)))?;
        out.write_all(&local(&entry))?;
        out.seek(SeekFrom::Start(end))?;
        entries.push(entry);
    }
    let at = small(out.stream_position()?)?;
    for entry in &entries {
        out.write_all(&central(entry))?;
    }
    let size = small(out.stream_position()?)? - at;
    let n = u16::try_from(entries.len()).map_err(|_| too_large())?;
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    for count in [n, n] {
        end.extend(count.to_le_bytes());
    }
    for number in [size, at] {
        end.extend(number.to_le_bytes());
    }
    end.extend([0, 0]);
    out.write_all(&end)
}

fn small(n: u64) -> io::Result<u32> {
    u32::try_from(n).map_err(|_| too_large())
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 GiB do not fit into a zip; take .tar.zst")
}

/// What the list and the place in front of a member have in common.
fn common(entry: &Entry) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [20, 0, DEFLATED, 0, DATE] {
        out.extend(u16::to_le_bytes(number));
    }
    for number in [entry.crc, entry.packed, entry.size] {
        out.extend(number.to_le_bytes());
    }
    out.extend((entry.name.len() as u16).to_le_bytes());
    out.extend([0, 0]);
    out
}

fn local(entry: &Entry) -> Vec<u8> {
    [b"PK\x03\x04".as_slice(), &common(entry), entry.name.as_bytes()].concat()
}

fn central(entry: &Entry) -> Vec<u8> {
    // Made on Unix, a plain file that its owner can write.
    let attributes = (0o100_644_u32 << 16).to_le_bytes();
    let made_by = [20, 3];
    let mut out = [b"PK\x01\x02".as_slice(), &made_by, &common(entry), &[0; 6]].concat();
    out.extend(attributes);
    out.extend(entry.at.to_le_bytes());
    out.extend(entry.name.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Members of a folder, packed by this program and unpacked by other people's code.
    #[test]
    fn other_programs_unpack_it() {
        let dir = std::env::temp_dir().join(format!("vmaplens-pack-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("events.pages")).expect("a folder");
        let members =
            [("manifest.json", b"{}".to_vec()), ("events.pages/cpu0", vec![7; 70_000]), ("empty", Vec::new())];
        for (name, bytes) in &members {
            std::fs::write(dir.join(name), bytes).expect("a file");
        }
        let names: Vec<String> = members.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut zipped = Cursor::new(Vec::new());
        write(&dir, &names, &mut zipped).expect("packed");
        let mut archive = zip::ZipArchive::new(zipped).expect("a zip");
        let mut tarred = Vec::new();
        super::super::tar::write(&dir, &names, &mut tarred).expect("packed");
        let mut tar = tar::Archive::new(tarred.as_slice());
        let mut in_tar = tar.entries().expect("a tar");
        for (at, (name, bytes)) in members.iter().enumerate() {
            let mut file = archive.by_index(at).expect("a member");
            assert_eq!(file.name().expect("a name"), *name);
            let mut unpacked = Vec::new();
            file.read_to_end(&mut unpacked).expect("the right sum");
            assert_eq!(&unpacked, bytes);
            let mut file = in_tar.next().expect("a member").expect("whole");
            assert_eq!(file.path().expect("a name").to_string_lossy(), *name);
            unpacked.clear();
            file.read_to_end(&mut unpacked).expect("whole");
            assert_eq!(&unpacked, bytes);
        }
        assert_eq!((archive.len(), in_tar.count()), (members.len(), 0));
        std::fs::remove_dir_all(dir).expect("removed");
    }
}
