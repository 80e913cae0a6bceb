//! `meta.toml` of a capture folder.

use serde::Deserialize;

use crate::log::{Origin, Window};

use super::SourceError;

/// The fields this program uses; the others are for people.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    description: Option<String>,
    kernel_release: Option<String>,
    arch: Option<String>,
    page_size: Option<u64>,
    cpus_possible: Option<toml::Value>,
    cpus_online: Option<toml::Value>,
    paging_levels: Option<u32>,
    ram_mib: Option<u64>,
    vmalloc_start: Option<String>,
    vmalloc_end: Option<String>,
    trace_clock: Option<String>,
    traced_from_boot: Option<bool>,
}

/// Fills in what the text says.
///
/// # Errors
/// It is not TOML, or a field has another type.
pub fn read(name: &str, text: &str, origin: &mut Origin) -> Result<(), SourceError> {
    let refused = |reason: String| SourceError::Meta { name: name.to_owned(), reason };
    let said: Meta = toml::from_str(text).map_err(|error| refused(error.message().replace('\n', " ")))?;
    // A number, or a list such as `0-3,8`.
    let cpus = |field: &str, value: Option<&toml::Value>| {
        let Some(value) = value else { return Ok(None) };
        let count = match value {
            toml::Value::Integer(n) => u32::try_from(*n).ok().filter(|&n| n > 0),
            toml::Value::String(list) => count_cpus(list),
            _ => None,
        };
        count.map(Some).ok_or_else(|| refused(format!("{field} = {value} names no CPUs")))
    };
    origin.description = said.description;
    origin.kernel = said.kernel_release;
    origin.arch = said.arch;
    origin.page_size = said.page_size;
    origin.cpus_possible = cpus("cpus_possible", said.cpus_possible.as_ref())?;
    origin.cpus_online = cpus("cpus_online", said.cpus_online.as_ref())?;
    origin.paging_levels = said.paging_levels;
    origin.ram_bytes = said.ram_mib.and_then(|mib| mib.checked_mul(1 << 20));
    origin.clock_name = said.trace_clock;
    origin.from_boot = said.traced_from_boot;
    let address = |field: &str, text: Option<&String>| {
        let Some(text) = text else { return Ok(None) };
        let hex = u64::from_str_radix(text.trim_start_matches("0x"), 16);
        hex.map(Some).map_err(|_| refused(format!("{field} = {text:?} is no address")))
    };
    let vstart = address("vmalloc_start", said.vmalloc_start.as_ref())?;
    let vend = address("vmalloc_end", said.vmalloc_end.as_ref())?;
    origin.vmalloc = vstart.zip(vend).map(|(vstart, vend)| Window { vstart, vend });
    Ok(())
}

/// CPUs in a list such as `0-3,8`.
pub(super) fn count_cpus(cpus: &str) -> Option<u32> {
    cpus.split(',').try_fold(0_u32, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(count_cpus("0"), Some(1));
        assert_eq!(count_cpus("0-3"), Some(4));
        assert_eq!(count_cpus("0-1,4,6-7"), Some(5));
        assert_eq!(count_cpus("3-1"), None);
        assert_eq!(count_cpus(""), None);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let error = read("meta.toml", "page_size = \"four\"", &mut Origin::default());
        assert!(error.expect_err("not a number").to_string().starts_with("cannot use meta.toml"));
    }
}
