//! Explanations against second directions: brute force on small spaces, the model's own search at every failure of real
//! captures, a linear scan over its holes, a snapshot read twice, and the command from outside.

#[path = "explain/brute.rs"]
mod brute;
#[path = "explain/captures.rs"]
mod captures;
#[path = "explain/command.rs"]
mod command;
#[path = "common/support.rs"]
mod common;
