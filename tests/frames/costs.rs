//! Slabs and costs.
