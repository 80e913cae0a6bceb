//! What an earlier recording left behind that was killed: its instance, its probes, and a setting it had changed.

use std::io;
use std::path::{Path, PathBuf};

use super::facts::{Facts, KPTR, RUN};
use super::files::Files;
use super::guard::switch_off;
use super::mounts::Tracefs;
use super::owner::Owner;

/// Something of a process that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// A tracefs instance.
    Instance(PathBuf),
    /// A probe, as `group/event`.
    Probe(PathBuf, String),
    /// `kptr_restrict` as it was, and the file that says so.
    Setting(PathBuf, String),
}

/// Looks for them. What belongs to a living process, or has another name, is nobody's business here.
pub fn find(files: &dyn Files, facts: &Facts) -> Vec<Leftover> {
    let is_left = |name: &str| Owner::named(name).is_some_and(|owner| !owner.is_alive(files));
    let mut found = Vec::new();
    if let Tracefs::At(root) = &facts.tracefs {
        let instances = root.join("instances");
        let names = files.names(&instances).unwrap_or_default();
        found.extend(names.iter().filter(|name| is_left(name)).map(|name| Leftover::Instance(instances.join(name))));
        let probes = files.text(&root.join("kprobe_events")).unwrap_or_default();
        for line in probes.lines() {
            let Some(probe) = line.split(' ').next().and_then(|head| head.split_once(':')) else { continue };
            let Some((group, _)) = probe.1.split_once('/') else { continue };
            if is_left(group) {
                found.push(Leftover::Probe(root.join("kprobe_events"), probe.1.to_owned()));
            }
        }
    }
    for name in files.names(Path::new(RUN)).unwrap_or_default() {
        if name.ends_with(".kptr_restrict") && is_left(&name) {
            let path = Path::new(RUN).join(name);
            if let Some(text) = files.text(&path).filter(|text| text.parse::<u8>().is_ok()) {
                found.push(Leftover::Setting(path, text));
            }
        }
    }
    found
}

/// Removes one; what was done, in a sentence.
///
/// # Errors
/// What the system says. An instance that somebody reads from is not touched.
pub fn remove(files: &dyn Files, leftover: &Leftover) -> io::Result<String> {
    match leftover {
        Leftover::Instance(path) => {
            // Nothing is switched off before: the kernel does that, or refuses the whole.
            files.remove_dir(path)?;
            Ok(format!("removed {}, which a recording that was killed had left", path.display()))
        }
        Leftover::Probe(file, probe) => {
            let line = format!("-:{probe}\n");
            if let Err(error) = files.append(file, &line) {
                if error.kind() != io::ErrorKind::ResourceBusy {
                    return Err(error);
                }
                if let Some(tracefs) = file.parent() {
                    switch_off(files, tracefs, probe);
                }
                files.append(file, &line)?;
            }
            Ok(format!("removed the probe {probe}, which a recording that was killed had left"))
        }
        Leftover::Setting(path, before) => {
            // Somebody else may have set it since.
            let is_ours = files.text(Path::new(KPTR)).as_deref() == Some("1");
            if is_ours {
                files.write(Path::new(KPTR), before)?;
            }
            files.remove_file(path)?;
            let said = if is_ours { "set back" } else { "left as it is now, not set back" };
            Ok(format!("kernel.kptr_restrict {said} to {before}, as it was before a recording that was killed"))
        }
    }
}
