//! What the kernel says to its log, word for word where the words are known.

use super::super::Role;
use super::Words;
use super::names;
use super::stages::{Context, pages};
use crate::model::stage::{Call, Message};
use crate::policy::Release;

/// First release whose message names the size.
const NAMES_SIZE: Release = Release::of_2_6(32);
/// First release whose message names the window.
const NAMES_WINDOW: Release = Release::new(6, 12);
/// First release that warns where an unknown block stopped the machine before.
const WARNS_OF_BLOCKS: Release = Release::new(5, 2);

/// One message.
pub(super) fn of(context: &Context<'_, '_>, message: Message, value: u64) -> Words {
    let words = Words::default();
    match message {
        Message::BadAddress => quoted(context, "Trying to vfree() bad address", value),
        Message::Nonexistent => quoted(context, "Trying to vfree() nonexistent vm area", value),
        Message::BadBlock if context.release < WARNS_OF_BLOCKS => {
            words.of("BUG_ON: ", Role::Bad).say("no block has ").number(context.short(value))
        }
        Message::BadBlock => words.of("WARN_ON: ", Role::Bad).say("no block has ").number(context.short(value)),
        Message::InInterrupt => words.of("BUG_ON(in_interrupt())", Role::Bad).say(": the machine stops"),
        Message::NoSuchCall => {
            let name = context.call.map_or("such a function", Call::name);
            words.of(format!("{} has no {name}", context.release), Role::Bad)
        }
        Message::NoSpace => words.of(no_space(context, value), Role::Bad),
        Message::NoPages => {
            words.of("page allocation failed", Role::Bad).say(": only ").number(pages(value)).say(" could be had")
        }
        Message::NoGuardStripped => {
            words.of("VM_NO_GUARD taken out", Role::Warn).say(": it means nothing to vmap; one warning since boot")
        }
        Message::DirectMap => words.number(context.scene.addr(value)).say(" is in the direct map: no area is needed"),
    }
}

/// A message with an address, as the log of the machine has it.
fn quoted(context: &Context<'_, '_>, text: &str, addr: u64) -> Words {
    let is_32_bit = context.scene.replay.plan().machine.is_32_bit;
    let (pointer, is_hashed) = names::pointer(context.release, is_32_bit, addr);
    let words = Words::default().of(format!("{text} ({pointer})"), Role::Bad);
    if is_hashed { words.of("; the log shows a hash of the address (%p)", Role::Muted) } else { words }
}

fn no_space(context: &Context<'_, '_>, size: u64) -> String {
    let window = context.facts.request.map(|(_, _, window)| window);
    let window = window.unwrap_or_else(|| context.scene.replay.space().allocator().window());
    match context.release {
        release if release < NAMES_SIZE => "vmap allocation failed: use vmalloc=<size> to increase size.".to_owned(),
        release if release < NAMES_WINDOW => {
            format!("vmap allocation for size {size} failed: use vmalloc=<size> to increase size")
        }
        _ => format!(
            "vmalloc_node_range for size {size} failed: Address range restricted to 0x{:x} - 0x{:x}",
            window.vstart, window.vend
        ),
    }
}
