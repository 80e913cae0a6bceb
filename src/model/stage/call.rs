//! [`Call`]: the entry points, by the kernel's names.

/// The kernel's entry points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// `vmalloc`
    Vmalloc,
    /// `vzalloc`
    Vzalloc,
    /// `vmalloc_32`
    Vmalloc32,
    /// `vmalloc_dma` (2.4)
    VmallocDma,
    /// `vmalloc_user`
    VmallocUser,
    /// `vmalloc_huge`
    VmallocHuge,
    /// `__vmalloc_node_range`
    VmallocNodeRange,
    /// `vmap`
    Vmap,
    /// `vm_map_ram`
    VmMapRam,
    /// `ioremap`
    Ioremap,
    /// `pcpu_get_vm_areas`
    PcpuGetVmAreas,
    /// `vfree`
    Vfree,
    /// `vfree_atomic`
    VfreeAtomic,
    /// `vunmap`
    Vunmap,
    /// `vm_unmap_ram`
    VmUnmapRam,
    /// `iounmap`
    Iounmap,
}

impl Call {
    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vmalloc => "vmalloc",
            Self::Vzalloc => "vzalloc",
            Self::Vmalloc32 => "vmalloc_32",
            Self::VmallocDma => "vmalloc_dma",
            Self::VmallocUser => "vmalloc_user",
            Self::VmallocHuge => "vmalloc_huge",
            Self::VmallocNodeRange => "__vmalloc_node_range",
            Self::Vmap => "vmap",
            Self::VmMapRam => "vm_map_ram",
            Self::Ioremap => "ioremap",
            Self::PcpuGetVmAreas => "pcpu_get_vm_areas",
            Self::Vfree => "vfree",
            Self::VfreeAtomic => "vfree_atomic",
            Self::Vunmap => "vunmap",
            Self::VmUnmapRam => "vm_unmap_ram",
            Self::Iounmap => "iounmap",
        }
    }
}
