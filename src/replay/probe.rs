//! [`Probe`]: the one further thing to record that would have decided an answer.

/// What a trace can have besides its events. The names are those of the kernel's functions, or of the option of `record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Probe {
    /// Entry of `decay_va_pool_node`: a purge comes to a node, lets its pools decay and takes its lazy list off.
    DecayVaPoolNode,
    /// Entry of `purge_vmap_node`: what was taken off a node begins to come back, by a helper or not.
    PurgeVmapNode,
    /// Entry of `__purge_vmap_area_lazy`: a purge begins.
    PurgeVmapAreaLazy,
    /// `alloc_vmap_area`: its entry runs on the CPU whose pool is asked, its return has the answer.
    AllocVmapArea,
    /// `va_clip` takes the space, under the lock: the order there is the true one.
    VaClip,
    /// Entry of `insert_vmap_area`, which sees every area, also those no event announces.
    InsertVmapArea,
    /// Entry of `free_vmap_area_noflush`.
    FreeVmapAreaNoflush,
    /// Entry of `vmap_node_shrink_scan`: the shrinker empties pools, and no event says so.
    VmapNodeShrinkScan,
    /// Return of `pcpu_get_vm_areas`: chunks that no event announces.
    PcpuGetVmAreas,
    /// Nothing in the pools when the trace begins.
    EmptyPools,
    /// A larger buffer.
    BufferSize,
    /// A `/proc/vmallocinfo` just before the trace.
    Snapshot,
    /// The kernel's free tree just before the trace, or a trace from boot.
    FreeTree,
}

impl Probe {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::DecayVaPoolNode => "decay_va_pool_node",
            Self::PurgeVmapNode => "purge_vmap_node",
            Self::PurgeVmapAreaLazy => "__purge_vmap_area_lazy",
            Self::AllocVmapArea => "alloc_vmap_area",
            Self::VaClip => "va_clip",
            Self::InsertVmapArea => "insert_vmap_area",
            Self::FreeVmapAreaNoflush => "free_vmap_area_noflush",
            Self::VmapNodeShrinkScan => "vmap_node_shrink_scan",
            Self::PcpuGetVmAreas => "pcpu_get_vm_areas",
            Self::EmptyPools => "empty-pools",
            Self::BufferSize => "buffer-size",
            Self::Snapshot => "vmallocinfo-before",
            Self::FreeTree => "free-tree-before",
        }
    }

    /// What to give to `vmaplens record`, if that can record it.
    pub fn option(self) -> Option<&'static str> {
        match self {
            Self::DecayVaPoolNode => Some("--probes=decay_va_pool_node"),
            Self::PurgeVmapNode => Some("--probes=purge_vmap_node"),
            Self::EmptyPools => Some("--empty-pools"),
            Self::BufferSize => Some("--buffer-size"),
            _ => None,
        }
    }
}
