//! `manifest.json` of a recording: what machine it was, which member is what, and what was done to the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};

use crate::log::baseline::pointers_word;
use crate::log::{Pointers, Window};

use super::anonymise::SAID;
use super::bundle::Member;
use super::decode::Digest;
use super::facts::{Facts, cpus, meminfo_kib};
use super::loss::{self, Loss};
use super::session::Taken;
use super::settings::Settings;
use super::snapshot::{Snapshot, When};

/// The whole file; the order of the fields is that of the file.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    schema: &'static str,
    tool: Value,
    created_utc: String,
    description: Option<String>,
    kernel: Value,
    machine: Value,
    address_space: Value,
    config: Value,
    trace: Value,
    clock_pair: Value,
    snapshots: Value,
    loss: Value,
    privacy: Value,
    kptr_restrict: Option<u8>,
    lockdown: Option<&'a str>,
    command: Option<Vec<String>>,
    writes: &'a [String],
    members: &'a [Member],
}

/// What a manifest is made of, as far as it is there.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The machine.
    pub facts: &'a Facts,
    /// What was asked for.
    pub settings: &'a Settings,
    /// What was taken.
    pub taken: Option<&'a Taken>,
    /// What is in the pages.
    pub digest: Option<&'a Digest>,
    /// The vmalloc range, where the kernel says it.
    pub range: Option<Window>,
    /// The other members.
    pub members: &'a [Member],
    /// `/proc/meminfo` at the end.
    pub meminfo: &'a str,
    /// Lines of the kernel's configuration.
    pub config: &'a str,
}

/// The manifest of a recording that has just begun.
pub fn begun(facts: &Facts, settings: &Settings) -> String {
    write(&Source { facts, settings, taken: None, digest: None, range: None, members: &[], meminfo: "", config: "" })
}

/// The text of the file.
pub fn write(source: &Source<'_>) -> String {
    let Source { facts, settings, taken, digest, range, members, meminfo, config } = *source;
    let is_64 = facts.arch.is_none_or(|arch| arch.long_bytes == 8);
    let address = |value: u64| if is_64 { format!("0x{value:016x}") } else { format!("0x{value:08x}") };
    let asked = digest.and_then(|digest| digest.window);
    let window = range.or(asked);
    let pointers = taken.and_then(|taken| taken.before.as_ref()).map_or(facts.pointers, |before| Some(before.pointers));
    let command = settings.command.iter().map(|word| word.to_string_lossy().into_owned());
    let manifest = Manifest {
        schema: "vmaplens.bundle/1",
        tool: json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")}),
        created_utc: utc(now()),
        description: taken.is_none().then(|| "this recording was cut short: its end is missing".to_owned()),
        kernel: json!({
            "release": facts.release, "version": facts.version, "arch": facts.machine,
            "long_bits": if is_64 { 64 } else { 32 },
            "endian": if cfg!(target_endian = "big") { "big" } else { "little" },
        }),
        machine: machine(facts, meminfo, config),
        address_space: json!({
            "vmalloc_start": window.map(|window| address(window.vstart)),
            "vmalloc_end": window.map(|window| address(window.vend)),
            "source": range.map(|_| "kcore").or(asked.map(|_| "alloc events")),
            "pointers": pointers.map(pointers_word),
        }),
        config: config_of(config),
        trace: trace(source),
        clock_pair: taken
            .map_or(Value::Null, |taken| json!({"mono_ns": taken.clocks.0, "realtime_ns": taken.clocks.1})),
        snapshots: taken.map_or(Value::Null, |taken| {
            json!({
                "before": snapshot(taken.before.as_ref(), digest, When::Before),
                "after": snapshot(taken.after.as_ref(), digest, When::After),
            })
        }),
        loss: taken.map_or(Value::Null, |taken| losses(&taken.stats)),
        privacy: json!({
            "addresses": "real",
            "comms": if settings.anonymise { "mapped" } else { "real" },
            "modules": if settings.anonymise { "mapped" } else { "real" },
            "host": "removed",
            "note": settings.anonymise.then_some(SAID),
        }),
        kptr_restrict: facts.kptr,
        lockdown: facts.lockdown.as_deref(),
        command: (!settings.command.is_empty() && !settings.anonymise).then(|| command.collect()),
        writes: taken.map_or(&[], |taken| &taken.writes),
        members,
    };
    // Only maps with keys that are not text can fail, and there are none.
    let mut text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    text.push('\n');
    text
}

fn machine(facts: &Facts, meminfo: &str, config: &str) -> Value {
    let possible = cpus(&facts.possible);
    let list: Vec<String> = facts.online.iter().map(ToString::to_string).collect();
    json!({
        "page_size": facts.page_size,
        "cpus_possible": possible.len(),
        "cpus_online": facts.online.len(),
        "online": list.join(","),
        "nr_cpu_ids": possible.last().map(|last| last + 1),
        "mem_total_kib": meminfo_kib(meminfo, "MemTotal"),
        "hz": config.lines().find_map(|line| line.strip_prefix("CONFIG_HZ=")?.parse::<u32>().ok()),
    })
}

fn trace(source: &Source<'_>) -> Value {
    let Source { facts, settings, taken, digest, .. } = *source;
    let filters = settings.filter.as_ref().map(|filter| json!({"vmalloc:alloc_vmap_area": filter}));
    json!({
        "member": "events.pages",
        "format": "ftrace-pages",
        "clock": settings.clock,
        "time_resolution_ns": 1,
        "source": if facts.has_events { "events" } else { "probes" },
        "filters": filters.unwrap_or_else(|| json!({})),
        "stack_triggers": if settings.stacks { vec!["vmalloc:alloc_vmap_area"] } else { Vec::new() },
        "ended_by": taken.map(|taken| format!("{:?}", taken.end).to_lowercase()),
        "elapsed_ms": taken.map(|taken| taken.elapsed.as_millis() as u64),
        "events": digest.map(|digest| json!({
            "alloc": digest.allocs, "failed": digest.failed, "free": digest.frees, "purge": digest.purges,
            "other": digest.others,
        })),
    })
}

fn snapshot(of: Option<&Snapshot>, digest: Option<&Digest>, when: When) -> Value {
    let Some(snapshot) = of else { return Value::Null };
    let word = when.word();
    let stamp = |end: &str| digest?.marks.get(&format!("vmaplens:{word}:{end} {}", snapshot.kept)).copied();
    json!({
        "member": format!("vmallocinfo.{word}"),
        "t0_ns": stamp("begin"), "t1_ns": stamp("end"), "mark": snapshot.kept, "records_meanwhile": snapshot.records,
        "pointers": pointers_word(snapshot.pointers),
    })
}

fn losses(stats: &[(u16, Loss, String)]) -> Value {
    let total = loss::total(stats);
    let per_cpu: Vec<Value> = stats.iter().map(|(cpu, loss, _)| json!({"cpu": cpu, "counts": loss})).collect();
    json!({
        "entries": total.entries, "overrun": total.overrun, "commit_overrun": total.commit_overrun,
        "dropped": total.dropped, "read": total.read, "per_cpu": per_cpu,
    })
}

fn config_of(config: &str) -> Value {
    let mut keys = serde_json::Map::new();
    for line in config.lines() {
        if let Some((key, value)) = line.split_once('=') {
            keys.insert(key.to_owned(), value.trim_matches('"').into());
        } else if let Some(key) = line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set")) {
            keys.insert(key.to_owned(), Value::Null);
        }
    }
    Value::Object(keys)
}

/// Are the addresses of a snapshot of any use to a replay?
pub fn is_real(snapshot: Option<&Snapshot>) -> bool {
    snapshot.is_some_and(|snapshot| snapshot.pointers == Pointers::Real)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since 1970 as `2026-01-31T12:00:00Z`.
fn utc(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400 of them: the leap day is the last of a year.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_769_860_800, "2026-01-31T12:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn keys_of_the_configuration() {
        let keys = config_of("CONFIG_HZ=250\n# CONFIG_KASAN_VMALLOC is not set\nCONFIG_VMAP_STACK=y\n");
        assert_eq!(keys, json!({"CONFIG_HZ": "250", "CONFIG_KASAN_VMALLOC": null, "CONFIG_VMAP_STACK": "y"}));
    }
}
