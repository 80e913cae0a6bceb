//! [`Machine`]: what the capture says of the machine, completed by what the events show and by what the user says.

use std::sync::Arc;

use super::decisions::Store;
use crate::event::EventKind;
use crate::log::{Log, Pointers, Window};
use crate::model::page_table::{Geometry, Hints, geometry_of};
use crate::model::{Extent, HelperOrder};
use crate::policy::{self, Chosen, Release, Setup, arch_rules};
use crate::request::Facts;
use crate::request::rules::{REQUEST_RULES, request_rules_for};

/// What is followed besides the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Follow {
    /// Nothing: where areas lie, and how many page tables they have needed.
    Nothing,
    /// What is behind the areas: page tables, page frames, kernel objects.
    #[default]
    Memory,
}

/// What a user can overrule.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `--policy`: `None` or `auto` for the kernel's own.
    pub policy: Option<String>,
    /// `--kernel`.
    pub kernel: Option<String>,
    /// `--cpus`: possible and online.
    pub cpus: Option<u32>,
    /// `--range`.
    pub range: Option<Window>,
    /// `--page-size`.
    pub page_size: Option<u64>,
    /// What is followed besides the allocator.
    pub memory: Follow,
    /// `--checkpoints`: what checkpoints may hold, in bytes.
    pub checkpoint_bytes: Option<u64>,
    /// Logs of up to this many records are gone through with what is behind their areas when they are opened; longer ones
    /// while nothing else is to be done.
    pub prepared: Option<usize>,
    /// Where what is inferred is kept for the next time.
    pub decisions: Option<Arc<dyn Store>>,
}

impl Settings {
    /// What checkpoints may hold, in bytes.
    pub fn checkpoint_bytes(&self) -> u64 {
        self.checkpoint_bytes.unwrap_or(super::checkpoints::BUDGET_BYTES)
    }

    /// The policy the user asks for: `--policy`, else that of `--kernel`. One that is no era is put into a kernel of that
    /// release, or of `own`, the input's.
    pub(super) fn chosen(&self, own: Option<Release>) -> Result<Option<Chosen>, OpenError> {
        let of_option = self.kernel.as_deref().map(of_kernel).transpose()?;
        let Some(id) = self.policy.as_deref().filter(|id| *id != "auto") else { return Ok(of_option) };
        let chosen = policy::by_id(id).ok_or_else(|| OpenError::UnknownPolicy { id: id.to_owned() })?;
        Ok(Some(match of_option.map(|kernel| kernel.release).or(own) {
            Some(release) => chosen.inside(release),
            None => chosen,
        }))
    }
}

/// Why a log cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Neither events nor areas.
    #[error("no vmalloc events and no areas to show")]
    Nothing,
    /// Some of the allocations were never recorded.
    #[error("only allocations with {filter:?} were recorded: without the others nothing can be replayed")]
    Filtered {
        /// The recorder's condition, escaped.
        filter: String,
    },
    /// No such policy.
    #[error("no policy is called {id:?}")]
    UnknownPolicy {
        /// What was asked for.
        id: String,
    },
    /// The kernel's era is not known.
    #[error("the allocator of kernel {release:?} is not modelled")]
    UnknownKernel {
        /// The release.
        release: String,
    },
    /// The range does not hold a single recorded address.
    #[error("the range 0x{vstart:x}-0x{vend:x} contradicts the trace: none of its {n} allocations lies inside")]
    Contradiction {
        /// Start of the range.
        vstart: u64,
        /// Its end.
        vend: u64,
        /// Successful allocations of the trace.
        n: usize,
    },
    /// A setting makes no sense.
    #[error("{what}")]
    BadSetting {
        /// What and why.
        what: String,
    },
}

impl OpenError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Nothing => "record with the events vmalloc:alloc_vmap_area, vmalloc:free_vmap_area_noflush and \
                              vmalloc:purge_vmap_area_lazy switched on"
                .to_owned(),
            Self::Filtered { .. } => "vmaplens parse lists the records; record without --filter to replay".to_owned(),
            Self::UnknownPolicy { .. } | Self::UnknownKernel { .. } => {
                let named = |entry: &policy::PolicyEntry| match entry.era() {
                    Some((_, (first, last))) => format!("{} ({first} to {last})", entry.id),
                    None => entry.id.to_owned(),
                };
                let ids: Vec<_> = policy::POLICIES.iter().map(named).collect();
                format!("policies are {}, or a release such as linux-6.12; choose one with --policy", ids.join(", "))
            }
            Self::Contradiction { .. } => {
                "leave --range out, or correct vmalloc_start and vmalloc_end in meta.toml".to_owned()
            }
            Self::BadSetting { .. } => "see --help for what the option takes".to_owned(),
        }
    }
}

/// How a policy was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyFrom {
    /// `--policy` or `--kernel`.
    Option,
    /// The kernel's release, as the input names it.
    Kernel,
    /// What the events look like under each of the eras that have them.
    Events,
    /// Nothing tells the eras apart: the most common one.
    Assumed,
}

impl PolicyFrom {
    /// A word for JSON and people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Kernel => "kernel",
            Self::Events => "events",
            Self::Assumed => "assumed",
        }
    }
}

/// The releases tried on a trace that does not name its kernel: one of each way the events can come about.
const EVENT_RELEASES: [Release; 3] = [DEFAULT_RELEASE, Release::new(7, 2), Release::new(6, 5)];

/// The same for a trace of probes: kernels that had the events would have been traced by them.
const PROBE_RELEASES: [Release; 4] = [PROBE_RELEASE, Release::new(5, 10), Release::new(5, 15), Release::new(5, 17)];

/// The releases to try on a log that does not name its kernel, the likeliest first.
pub(super) fn releases_to_try(log: &Log) -> &'static [Release] {
    if is_probed(log) { &PROBE_RELEASES } else { &EVENT_RELEASES }
}

/// Were allocations seen by probes?
fn is_probed(log: &Log) -> bool {
    log.events.are_probed()
}

/// The machine a log is replayed for.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Policy and release.
    pub policy: Chosen,
    /// How the policy was chosen.
    pub policy_from: PolicyFrom,
    /// CPUs that could ever be there.
    pub cpus_possible: u32,
    /// CPUs online.
    pub cpus_online: u32,
    /// `VMALLOC_START` and `VMALLOC_END`.
    pub window: Window,
    /// Bytes in a page.
    pub page_size: u64,
    /// 32-bit kernel.
    pub is_32_bit: bool,
    /// The first record is the kernel's first allocation.
    pub from_boot: bool,
    /// Page-table geometry.
    pub geometry: &'static Geometry,
    /// Bytes of memory.
    pub ram_bytes: u64,
    /// NUMA nodes online.
    pub numa_nodes: u32,
    /// `NR_CPUS` of the configuration.
    pub nr_cpus: u32,
}

/// Memory of a machine that does not say: 32-bit and 64-bit.
pub(super) const DEFAULT_RAM: [u64; 2] = [1 << 30, 16 << 30];
/// Memory no machine has more of: no architecture has physical addresses of more than 52 bits.
const MAX_RAM: u64 = 1 << 52;
/// `NR_CPUS` of a machine that does not say: distributions build 64-bit kernels for many. The size of vmap blocks is the
/// same up to 2048.
pub(super) const DEFAULT_NR_CPUS: [u32; 2] = [8, 512];

/// `VMALLOC_START` and `VMALLOC_END` of x86-64 with four levels and no KASLR: for a log that says nothing at all.
pub(super) const DEFAULT_WINDOW: Window = Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff };
/// The release whose rules a log without any sign of its kernel is replayed with.
pub(super) const DEFAULT_RELEASE: Release = Release::new(6, 12);
/// The same for a log of probes: the last release without the events.
const PROBE_RELEASE: Release = Release::new(6, 1);

impl Machine {
    /// Puts together what is known of a log.
    ///
    /// # Errors
    /// The policy or the kernel is not known, or a setting makes no sense.
    pub fn of(log: &Log, settings: &Settings) -> Result<Self, OpenError> {
        let (policy, policy_from) = choose_policy(log, settings)?;
        let origin = &log.origin;
        let page_size = settings.page_size.or(origin.page_size).unwrap_or(4096);
        if !page_size.is_power_of_two() || !(512..=1 << 20).contains(&page_size) {
            return Err(OpenError::BadSetting { what: format!("a page of {page_size} bytes does not exist") });
        }
        let named = settings.range.or(origin.vmalloc);
        let window = named.or_else(|| widest_window(log)).or_else(|| window_of_snapshot(log)).unwrap_or(DEFAULT_WINDOW);
        if window.vstart >= window.vend {
            let what = format!("the range 0x{:x}-0x{:x} is empty", window.vstart, window.vend);
            return Err(OpenError::BadSetting { what });
        }
        check_addresses(log, window)?;
        let is_32_bit = u32::try_from(window.vend).is_ok();
        let seen = || log.events.iter().map(|event| event.assumed_cpu() + 1).max().unwrap_or(1);
        let online = settings.cpus.or(origin.cpus_online).unwrap_or_else(seen).max(1);
        Ok(Self {
            policy,
            policy_from,
            cpus_possible: settings.cpus.or(origin.cpus_possible).unwrap_or(online).max(1),
            cpus_online: online,
            window,
            page_size,
            is_32_bit,
            from_boot: origin.from_boot.unwrap_or_else(|| begins_at_the_start(log, window)),
            ram_bytes: origin.ram_bytes.unwrap_or(DEFAULT_RAM[usize::from(!is_32_bit)]).min(MAX_RAM).max(page_size),
            numa_nodes: 1,
            nr_cpus: DEFAULT_NR_CPUS[usize::from(!is_32_bit)],
            geometry: geometry_of(&Hints {
                arch: origin.arch.as_deref(),
                kernel: origin.kernel.as_deref(),
                levels: origin.paging_levels,
                page_size,
                vstart: window.vstart,
            }),
        })
    }

    /// Was an era chosen that is not the one of the log's kernel? Then what differs is not the trace's fault.
    pub fn has_foreign_rules(&self, log: &Log) -> bool {
        let own = log.origin.kernel.as_deref().and_then(Release::parse).and_then(policy::by_release);
        let differs = |own: Chosen| own.entry.id != self.policy.entry.id;
        self.policy_from == PolicyFrom::Option && own.map_or(self.policy.entry.era().is_none(), differs)
    }

    /// What requests need to know of it.
    pub fn facts(&self, helpers: HelperOrder) -> Facts {
        let range = Extent::new(self.window.vstart, self.window.vend);
        let release = self.policy.release;
        // Every policy is a release's, and there are rules from the first one on.
        let rules = request_rules_for(release).unwrap_or(&REQUEST_RULES[0]);
        Facts {
            release,
            rules,
            placement: self.policy.rules,
            arch: arch_rules(self.geometry, release).with_vmalloc(range),
            window: self.window,
            page_size: self.page_size,
            is_32_bit: self.is_32_bit,
            ram_pages: self.ram_bytes / self.page_size,
            numa_nodes: self.numa_nodes,
            nr_cpus: self.nr_cpus,
            cpus_online: self.cpus_online,
            helpers,
        }
    }

    /// What its allocator is built from, with the areas that are older than it.
    pub(crate) fn setup(&self, early: Vec<Extent>) -> Setup {
        Setup {
            rules: self.policy.rules,
            cpus_online: self.cpus_online,
            cpus_possible: self.cpus_possible,
            window: self.window,
            page_size: self.page_size,
            is_32_bit: self.is_32_bit,
            early,
            lazy_max_bytes: None,
        }
    }
}

/// From what the user asks for, else the kernel's release, else what the events look like.
fn choose_policy(log: &Log, settings: &Settings) -> Result<(Chosen, PolicyFrom), OpenError> {
    if let Some(chosen) = settings.chosen(log.origin.kernel.as_deref().and_then(Release::parse))? {
        return Ok((chosen, PolicyFrom::Option));
    }
    if let Some(release) = &log.origin.kernel {
        return Ok((of_kernel(release)?, PolicyFrom::Kernel));
    }
    let (release, from) = if fails_with_errno(log) {
        (Release::new(7, 2), PolicyFrom::Events)
    } else {
        (releases_to_try(log)[0], PolicyFrom::Assumed)
    };
    let chosen = policy::by_release(release).ok_or(OpenError::UnknownKernel { release: release.to_string() })?;
    Ok((chosen, from))
}

/// The policy of a kernel by its release, as people and files write it.
fn of_kernel(release: &str) -> Result<Chosen, OpenError> {
    let chosen = Release::parse(release).and_then(policy::by_release);
    chosen.ok_or_else(|| OpenError::UnknownKernel { release: release.to_owned() })
}

/// From 6.19 on a failed attempt reports a negative errno instead of `vend`.
fn fails_with_errno(log: &Log) -> bool {
    log.events.iter().any(|event| match event.kind {
        EventKind::Alloc { addr, window, failed: true, .. } => addr.0 != log.names.window(window).vend,
        _ => false,
    })
}

/// The vmalloc range is the widest window of all: modules and test windows are small beside it.
pub(crate) fn widest_window(log: &Log) -> Option<Window> {
    log.names.windows().iter().copied().filter(|window| window.vend > window.vstart).max_by_key(|w| w.len_bytes())
}

/// A range that holds none of the recorded addresses is another machine's.
fn check_addresses(log: &Log, window: Window) -> Result<(), OpenError> {
    let recorded = log.events.iter().filter_map(|event| match event.kind {
        EventKind::Alloc { addr, failed: false, .. } => Some(addr.0),
        _ => None,
    });
    let inside = |addr: u64| window.vstart <= addr && addr < window.vend;
    let n = if recorded.clone().any(inside) { 0 } else { recorded.count() };
    if n == 0 {
        return Ok(());
    }
    Err(OpenError::Contradiction { vstart: window.vstart, vend: window.vend, n })
}

/// The first allocation of a kernel gets the first address of its range; later only a free of the very first area makes
/// that address available again.
fn begins_at_the_start(log: &Log, range: Window) -> bool {
    let first = log.events.iter().find_map(|event| match event.kind {
        EventKind::Alloc { addr, window, failed: false, .. } => Some((addr.0, log.names.window(window))),
        EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } | EventKind::Unasked { addr, .. } => {
            Some((addr.0, Window { vstart: 0, vend: 0 }))
        }
        _ => None,
    });
    first == Some((range.vstart, range))
}

/// Where KASLR can put the vmalloc base of x86-64: it is a multiple of this.
const BASE_STEP: u64 = 1 << 30;
/// The vmalloc range of x86-64 with four levels, in bytes.
const RANGE_4_LEVEL: u64 = 32 << 40;
/// The same with five levels.
const RANGE_5_LEVEL: u64 = 12_800 << 40;
/// Above this x86-64 has its fixed areas and modules, whatever KASLR does.
const FIXED_FROM: u64 = 0xffff_fe00_0000_0000;

/// The vmalloc range behind a snapshot without a trace, from where its areas lie. On x86-64 it follows from the lowest
/// area; elsewhere it is the stretch in use.
fn window_of_snapshot(log: &Log) -> Option<Window> {
    let snapshot = log.before.as_ref().filter(|before| before.pointers == Pointers::Real)?;
    let areas = snapshot.areas.iter().filter(|area| area.start < FIXED_FROM);
    let (low, high) = areas.fold((u64::MAX, 0), |(low, high), area| (low.min(area.start), high.max(area.end)));
    let base = low & !(BASE_STEP - 1);
    match low {
        u64::MAX => None,
        0xff00_0000_0000_0000..0xffff_0000_0000_0000 => {
            Some(Window { vstart: base, vend: base.checked_add(RANGE_5_LEVEL - 1)? })
        }
        0xffff_8800_0000_0000.. => Some(Window { vstart: base, vend: base.checked_add(RANGE_4_LEVEL - 1)? }),
        _ => Some(Window { vstart: low, vend: high }),
    }
}
