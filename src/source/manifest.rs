//! `manifest.json` of a bundle: the facts that shaped the allocator, and which member is what.

use serde_json::Value;

use crate::log::{FileProblem, Origin, Window, escape};

use super::SourceError;
use super::members::flaw;
use super::meta::count_cpus;

/// Name of the member.
pub const NAME: &str = "manifest.json";
/// The newest layout this program knows.
const MAJOR: u64 = 1;
const SCHEMA: &str = "vmaplens.bundle/";

/// Which member is what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The recording.
    pub trace: Option<String>,
    /// `/proc/vmallocinfo` before it.
    pub before: Option<String>,
    /// And after it.
    pub after: Option<String>,
}

/// Takes what is known of it. A key that is missing, unknown or of another type costs nothing.
///
/// # Errors
/// It is of a later layout.
pub fn read(text: &[u8], origin: &mut Origin, problems: &mut Vec<FileProblem>) -> Result<Manifest, SourceError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let said: Value = match serde_json::from_slice(text) {
        Ok(said) => said,
        Err(error) => {
            problems.push(flaw(NAME, 0, format!("the manifest is damaged, what it says is not known: {error}")));
            return Ok(Manifest::default());
        }
    };
    let string = |place: &str| said.pointer(place).and_then(Value::as_str).map(str::to_owned);
    let number = |place: &str| said.pointer(place).and_then(Value::as_u64);
    let major = string("/schema").and_then(|schema| {
        let version = schema.strip_prefix(SCHEMA)?;
        version.split('.').next()?.parse::<u64>().ok()
    });
    if let Some(major) = major.filter(|&major| MAJOR < major) {
        let reason = format!("its layout is {SCHEMA}{major}, and this program knows {SCHEMA}{MAJOR}");
        return Err(SourceError::Meta { name: NAME.to_owned(), reason });
    }
    let count = |place: &str| match said.pointer(place)? {
        Value::Number(count) => count.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|&count| 0 < count),
        Value::String(list) => count_cpus(list),
        _ => None,
    };
    let address = |place: &str| {
        let text = string(place)?;
        u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    };
    origin.description = string("/description").or(origin.description.take());
    origin.kernel = string("/kernel/release").or(origin.kernel.take());
    origin.arch = string("/kernel/arch").or(origin.arch.take());
    origin.page_size = number("/machine/page_size").filter(|size| size.is_power_of_two()).or(origin.page_size);
    origin.cpus_possible =
        count("/machine/cpus_possible").or_else(|| count("/machine/nr_cpu_ids")).or(origin.cpus_possible);
    origin.cpus_online = count("/machine/cpus_online").or(origin.cpus_online);
    origin.ram_bytes = number("/machine/mem_total_kib").and_then(|kib| kib.checked_mul(1024)).or(origin.ram_bytes);
    let (vstart, vend) = (address("/address_space/vmalloc_start"), address("/address_space/vmalloc_end"));
    let window = vstart.zip(vend).map(|(vstart, vend)| Window { vstart, vend });
    origin.vmalloc = window.filter(|window| window.vstart < window.vend).or(origin.vmalloc);
    origin.clock_name = string("/trace/clock").or(origin.clock_name.take());
    // Pages say themselves what was overwritten before them, but not what was never written.
    let has_pages = string("/trace/format").as_deref() == Some("ftrace-pages");
    let lost = if has_pages {
        number("/loss/commit_overrun").zip(number("/loss/dropped")).map(|(nested, full)| nested.saturating_add(full))
    } else {
        number("/loss/overrun")
    };
    origin.overwritten = lost.unwrap_or(origin.overwritten);
    let filters = said.pointer("/trace/filters").and_then(Value::as_object);
    let filter = filters.and_then(|filters| filters.values().find_map(Value::as_str));
    origin.filter = filter.map(|filter| escape(filter.as_bytes())).or(origin.filter.take());
    Ok(Manifest {
        trace: string("/trace/member"),
        before: string("/snapshots/before/member"),
        after: string("/snapshots/after/member"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_layout_is_refused() {
        let read = |text: &str| {
            let (mut origin, mut problems) = (Origin::default(), Vec::new());
            let manifest = read(text.as_bytes(), &mut origin, &mut problems);
            (manifest, origin, problems)
        };
        for fine in ["{}", "null", "[1]", r#"{"schema":"vmaplens.bundle/1.7","x":1}"#, r#"{"schema":7,"kernel":null}"#]
        {
            let (manifest, _, problems) = read(fine);
            assert_eq!((manifest.expect(fine), problems), (Manifest::default(), vec![]), "{fine}");
        }
        let error = read(r#"{"schema":"vmaplens.bundle/2"}"#).0.expect_err("a later one");
        assert!(error.to_string().contains("bundle/2"), "{error}");
        let (manifest, _, problems) = read(r#"{"schema":"#);
        assert_eq!((manifest.expect("damaged"), problems.len()), (Manifest::default(), 1));
    }

    #[test]
    fn facts_arrive() {
        let text = br#"{"schema":"vmaplens.bundle/1","kernel":{"release":"6.12.1","arch":"x86_64"},
            "machine":{"page_size":4096,"cpus_possible":4,"cpus_online":"0-1","mem_total_kib":1024},
            "address_space":{"vmalloc_start":"0xff00","vmalloc_end":"0xfff0"},"loss":{"overrun":7},
            "trace":{"member":"events.trace.zst","clock":"mono"},"snapshots":{"before":{"member":"b"},"after":null}}"#;
        let mut origin = Origin::default();
        let manifest = read(text, &mut origin, &mut Vec::new()).expect("fine");
        assert_eq!(manifest.trace.as_deref(), Some("events.trace.zst"));
        assert_eq!((manifest.before.as_deref(), manifest.after), (Some("b"), None));
        assert_eq!((origin.page_size, origin.cpus_possible, origin.cpus_online), (Some(4096), Some(4), Some(2)));
        assert_eq!(origin.vmalloc, Some(Window { vstart: 0xff00, vend: 0xfff0 }));
        assert_eq!(
            (origin.kernel.as_deref(), origin.ram_bytes, origin.overwritten),
            (Some("6.12.1"), Some(1 << 20), 7)
        );
    }
}
