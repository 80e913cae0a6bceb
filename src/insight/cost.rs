//! What areas cost, as the model adds it up.

pub use crate::model::costs::{AreaCost, Costs, Sum};

#[cfg(test)]
mod tests;
