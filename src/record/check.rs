//! What a recording needs, and whether it is to be had here: `record --check`. Nothing is changed to find out.

use serde::Serialize;

use crate::log::Pointers;

use super::facts::{Capability, Facts, KPTR, VMALLOCINFO};
use super::mounts::Tracefs;
use super::plan::Plan;
use super::settings::Settings;

/// One need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What.
    pub need: &'static str,
    /// Is it met?
    pub met: bool,
    /// Nothing can be recorded without it.
    pub must: bool,
    /// What was found.
    pub because: String,
    /// What to do, if it is not met.
    pub remedy: Option<String>,
}

/// All needs, the first that fails explains those behind it.
pub fn needs(facts: &Facts, settings: &Settings) -> Vec<Need> {
    vec![
        access(facts),
        tracefs(facts, settings),
        lockdown(facts),
        events(facts),
        memory(facts, settings),
        vmallocinfo(facts),
        addresses(facts, settings),
    ]
}

/// Can anything be recorded?
pub fn is_possible(needs: &[Need]) -> bool {
    needs.iter().all(|need| need.met || !need.must)
}

fn need(need: &'static str, must: bool, met: bool, because: String, remedy: Option<&str>) -> Need {
    Need { need, must, met, because, remedy: remedy.filter(|_| !met).map(str::to_owned) }
}

fn tracefs(facts: &Facts, settings: &Settings) -> Need {
    let can_mount = facts.can(Capability::SysAdmin) && settings.command.is_empty();
    let (met, because) = match &facts.tracefs {
        Tracefs::At(path) => (true, format!("tracefs is at {}", path.display())),
        Tracefs::Unmounted if can_mount => {
            (true, "tracefs is not mounted; it will be, for this program alone".to_owned())
        }
        Tracefs::Unmounted => (false, "tracefs is not mounted".to_owned()),
        Tracefs::Absent => (false, "no tracefs is to be seen: this kernel has none, or this is a container".to_owned()),
    };
    let remedy = match facts.tracefs {
        Tracefs::Unmounted => "as root: mount -t tracefs tracefs /sys/kernel/tracing",
        _ => "record on the host, with a kernel that has CONFIG_TRACING",
    };
    need("tracefs", true, met, because, Some(remedy))
}

fn access(facts: &Facts) -> Need {
    let who = if facts.is_root { "root" } else { "not root" };
    match (&facts.tracefs, facts.tracefs_refused) {
        (Tracefs::At(_), Some(kind)) => need(
            "access",
            true,
            false,
            format!("its files cannot be used ({kind}; {who})"),
            Some("sudo vmaplens record …"),
        ),
        (Tracefs::At(_), None) => need("access", true, true, format!("its files can be used ({who})"), None),
        _ => {
            let may = facts.is_root || facts.can(Capability::SysAdmin);
            need("access", true, may, format!("this is {who}"), Some("sudo vmaplens record …"))
        }
    }
}

fn lockdown(facts: &Facts) -> Need {
    let said = facts.lockdown.as_deref();
    let because = match said {
        None => "the kernel does not say that it is locked down".to_owned(),
        Some("none") => "the kernel is not locked down".to_owned(),
        Some("integrity") => "the kernel is locked down to integrity, which lets tracing be".to_owned(),
        Some(level) => format!("the kernel is locked down to {level}, which forbids tracing"),
    };
    need("lockdown", true, said != Some("confidentiality"), because, Some("boot without lockdown=confidentiality"))
}

fn events(facts: &Facts) -> Need {
    let release = &facts.release;
    if facts.has_events {
        let how = if facts.tracefs_refused.is_some() { "should have, by its release" } else { "has" };
        return need("events", true, true, format!("Linux {release} {how} the allocator's own events"), None);
    }
    let settings = Settings::default();
    let (met, because) = match Plan::new(facts, &settings) {
        _ if !facts.has_probes && facts.tracefs_refused.is_none() => (
            false,
            format!("Linux {release} has no events of the allocator, and no kprobe_events (CONFIG_KPROBE_EVENTS)"),
        ),
        Ok(plan) => {
            let left_out: Vec<String> = plan.left_out.iter().map(|why| format!("; {why}")).collect();
            let left_out = left_out.concat();
            (true, format!("Linux {release} has no events of the allocator; probes take their place{left_out}"))
        }
        Err(error) => (false, error.what),
    };
    need("events", true, met, because, Some("Linux 6.2 and later has the events"))
}

fn memory(facts: &Facts, settings: &Settings) -> Need {
    let available = facts.available_kib.map_or("an unknown amount".to_owned(), |kib| format!("{kib} KiB"));
    // What else a plan can fail for is told by the events.
    let with_events = Facts { has_events: true, ..facts.clone() };
    let plain = Settings { probes: false, ..settings.clone() };
    match Plan::new(&with_events, &plan_settings(plain)) {
        Ok(plan) => {
            let (each, n) = (plan.buffer_kib, facts.n_cpus());
            need("memory", true, true, format!("{n} buffers of {each} KiB, of {available} that can be had"), None)
        }
        Err(error) => need("memory", true, false, error.what, Some(error.hint.as_str())),
    }
}

fn plan_settings(settings: Settings) -> Settings {
    Settings { command: Vec::new(), ..settings }
}

fn vmallocinfo(facts: &Facts) -> Need {
    let met = facts.pointers.is_some();
    let because = if met { "can be read" } else { "cannot be read: only root and CAP_DAC_READ_SEARCH may" };
    let remedy = "sudo vmaplens record …; without it a recording cannot be replayed from its first record on";
    need("snapshots", false, met, format!("{VMALLOCINFO} {because}"), Some(remedy))
}

fn addresses(facts: &Facts, settings: &Settings) -> Need {
    let kptr = facts.kptr.map_or("unknown".to_owned(), |value| value.to_string());
    let shown = match facts.pointers {
        None => "not known: the file cannot be read",
        Some(Pointers::Real) => "real",
        Some(Pointers::Hashed) => "hashed",
        Some(_) => "hidden",
    };
    let mut because = format!("addresses in it are {shown} (kernel.kptr_restrict is {kptr})");
    if facts.pointers.is_some() && !facts.is_same_user {
        because.push_str("; the real user is another one than the effective, so the kernel hides them");
    }
    let met = facts.pointers == Some(Pointers::Real);
    let can = facts.is_root && facts.can(Capability::Syslog);
    if settings.allow_kptr && can && !met {
        because.push_str("; it will be 1 while the file is read, and then what it was");
    }
    let remedy =
        format!("--allow-kptr sets {KPTR} to 1 while the file is read; the boot option no_hash_pointers for good");
    need("addresses", false, met || (settings.allow_kptr && can), because, Some(&remedy))
}
