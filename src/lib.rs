//! vmaplens.
