//! `/proc/meminfo`, as a capture folder has it: how much memory there is, and what the kernel counts as vmalloc's.

use crate::log::Origin;

/// Takes what is known of it. A line that says something else costs nothing.
pub fn read(text: &[u8], origin: &mut Origin) {
    let text = String::from_utf8_lossy(text);
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    origin.ram_bytes = origin.ram_bytes.or_else(|| bytes("MemTotal"));
    // 0 where the kernel has given up counting (4.15 to 5.2).
    origin.vmalloc_used_bytes = bytes("VmallocUsed").filter(|&used| used > 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_not_known() {
        let mut origin = Origin::default();
        read(
            b"MemTotal:         991348 kB\nVmallocTotal:   34359738367 kB\nVmallocUsed:        7272 kB\n",
            &mut origin,
        );
        assert_eq!((origin.ram_bytes, origin.vmalloc_used_bytes), (Some(991_348 << 10), Some(7272 << 10)));
        let mut origin = Origin { ram_bytes: Some(1 << 30), ..Origin::default() };
        read(b"MemTotal: 5 kB\nVmallocUsed: 0 kB\nVmallocUsed: \xff kB\n", &mut origin);
        assert_eq!((origin.ram_bytes, origin.vmalloc_used_bytes), (Some(1 << 30), None));
    }
}
