//! Placement rules: the kernel's eras.
