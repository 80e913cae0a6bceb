//! Packs the files of a folder: zip and tar, the same bytes whenever it is done.

use std::fs::File;
use std::io::{self, BufReader, Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A plain file that its owner can write.
const MODE: u32 = 0o644;

/// Writes these files under their names into a zip.
///
/// # Errors
/// What the system says.
pub fn zip(dir: &Path, names: &[String], out: &mut (impl Write + Seek)) -> io::Result<()> {
    let mut zip = ZipWriter::new(out);
    for name in names {
        let mut file = BufReader::new(File::open(dir.join(name))?);
        let is_large = u64::from(u32::MAX) <= file.get_ref().metadata()?.len();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(MODE)
            .large_file(is_large);
        zip.start_file(name.as_str(), options)?;
        io::copy(&mut file, &mut zip)?;
    }
    zip.finish()?;
    Ok(())
}

/// Writes these files under their names into a tar.
///
/// # Errors
/// What the system says.
pub fn tar(dir: &Path, names: &[String], out: &mut dyn Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(out);
    for name in names {
        let file = File::open(dir.join(name))?;
        let mut header = tar::Header::new_ustar();
        header.set_size(file.metadata()?.len());
        header.set_mode(MODE);
        header.set_mtime(0);
        tar.append_data(&mut header, name, BufReader::new(file))?;
    }
    tar.finish()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    #[test]
    fn what_is_packed_comes_out_again_and_is_the_same_twice() {
        let dir = std::env::temp_dir().join(format!("vmaplens-pack-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("events.pages")).expect("a folder");
        let members =
            [("manifest.json", b"{}".to_vec()), ("events.pages/cpu0", vec![7; 70_000]), ("empty", Vec::new())];
        for (name, bytes) in &members {
            std::fs::write(dir.join(name), bytes).expect("a file");
        }
        let names: Vec<String> = members.iter().map(|(name, _)| (*name).to_owned()).collect();
        let packed = || {
            let (mut zipped, mut tarred) = (Cursor::new(Vec::new()), Vec::new());
            zip(&dir, &names, &mut zipped).expect("packed");
            tar(&dir, &names, &mut tarred).expect("packed");
            (zipped.into_inner(), tarred)
        };
        let (zipped, tarred) = packed();
        assert!((zipped.clone(), tarred.clone()) == packed());
        let mut archive = ::zip::ZipArchive::new(Cursor::new(zipped)).expect("a zip");
        let mut archived = ::tar::Archive::new(tarred.as_slice());
        let mut in_tar = archived.entries().expect("a tar");
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
