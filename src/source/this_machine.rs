//! What `/proc/vmallocinfo` of the running machine does not tell, and the machine does.

use crate::log::Origin;

use super::meta::count_cpus;

/// Completes what is known: architecture, release, CPUs.
pub fn know(origin: &mut Origin) {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    let release = || text("/proc/sys/kernel/osrelease").map(|release| release.trim().to_owned());
    origin.arch = origin.arch.take().or_else(|| Some(std::env::consts::ARCH.to_owned()));
    origin.kernel = origin.kernel.take().or_else(release);
    // Not those that this process may use, if that can be had: the allocator counts them all.
    let cpus = |list: &str| count_cpus(text(&format!("/sys/devices/system/cpu/{list}"))?.trim());
    let usable = || std::thread::available_parallelism().ok().and_then(|cpus| u32::try_from(cpus.get()).ok());
    origin.cpus_online = origin.cpus_online.or_else(|| cpus("online")).or_else(usable);
    origin.cpus_possible = origin.cpus_possible.or_else(|| cpus("possible"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_what_it_is_and_what_is_known_stays() {
        let mut origin = Origin { cpus_online: Some(77), ..Origin::default() };
        know(&mut origin);
        assert_eq!((origin.arch.as_deref(), origin.cpus_online), (Some(std::env::consts::ARCH), Some(77)));
        assert!(origin.kernel.is_some_and(|kernel| !kernel.is_empty() && kernel.trim() == kernel));
    }
}
