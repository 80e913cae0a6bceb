//! A request that was given no address: what it asked for, and what is where it was looked for.

use super::super::facts::{Facts, muted, number, say};
use super::super::retry::aftermath;
use super::super::script::{searched, who};
use super::super::within::{holders, within};
use super::super::{Role, Span, Target, focus, text};
use crate::log::Window;
use crate::model::Extent;

/// Holders named.
const MAX_HOLDERS: usize = 4;

/// Adds the request, its window, what is in the window and who holds it.
pub(super) fn add(facts: &mut Facts<'_, '_>, (size, align, window): (u64, u64, Window)) {
    let scene = facts.scene;
    let replay = scene.replay;
    let space = searched(scene);
    let page = space.allocator().page_size();
    let mut asked = vec![number(text::bytes(size))];
    if align > page {
        asked.extend([muted(", aligned to "), number(text::bytes(align))]);
    }
    if let Some(who) = replay.current().and_then(|(seq, event)| who(replay, seq, event)) {
        asked.extend([muted(" by "), say(who)]);
    }
    let aftermath = aftermath(scene);
    let repaired = aftermath.is_some_and(|aftermath| aftermath.is_repaired());
    asked.push(if repaired {
        Span::new(": no address at this attempt", Role::Warn)
    } else {
        Span::new(": no address", Role::Bad)
    });
    facts.add("request", &asked, None);
    if let Some(aftermath) = aftermath {
        facts.add("lazy", &aftermath.lazy(), None);
        facts.add("then", &aftermath.story(scene), aftermath.target());
    }
    let Some(part) = Extent::new(window.vstart, window.vend) else { return };
    let whole = if window == space.allocator().window() { ", the whole vmalloc range" } else { "" };
    let range = [
        number(scene.addr(window.vstart)),
        muted(" to "),
        number(scene.addr(window.vend)),
        muted(format!(", {}{whole}", text::bytes(focus::window_bytes(window)))),
    ];
    facts.add("window", &range, Some(Target::Address(window.vstart)));
    let sums = within(space, part);
    let mut inside = vec![
        Span::new(format!("{} busy", text::bytes(sums.busy)), Role::Busy),
        muted(format!(" in {}, ", text::plural(sums.areas, "area", "areas"))),
        Span::new(format!("{} lazy", text::bytes(sums.lazy)), Role::Lazy),
    ];
    if sums.pooled > 0 {
        inside.extend([muted(", "), Span::new(format!("{} pooled", text::bytes(sums.pooled)), Role::Pooled)]);
    }
    inside.extend([
        muted(", "),
        Span::new(format!("{} free", text::bytes(sums.free)), Role::Free),
        muted(format!(" in {}", text::plural(sums.holes, "hole", "holes"))),
    ]);
    facts.add("in it", &inside, None);
    match sums.largest {
        Some(hole) => {
            let mut words = vec![
                number(text::bytes(hole.len_bytes())),
                muted(" is the largest hole, at "),
                number(focus::addresses(scene).short(hole.start())),
            ];
            words.push(match size.checked_sub(hole.len_bytes()) {
                Some(short @ 1..) => Span::new(format!(": {} too little", text::bytes(short)), Role::Warn),
                _ => muted(": long enough, yet not used; the step pane says why"),
            });
            facts.add("largest", &words, Some(Target::Address(hole.start())));
        }
        None => facts.add("largest", &[Span::new("nothing is free there", Role::Warn)], None),
    }
    let all = holders(scene, space, part);
    for (place, holder) in all.iter().take(MAX_HOLDERS).enumerate() {
        let areas = text::plural(holder.areas, "area", "areas");
        let words = [
            say(holder.name.clone()),
            number(format!("  {}", text::bytes(holder.bytes))),
            muted(format!(" in {areas}")),
        ];
        facts.add(if place == 0 { "held by" } else { "" }, &words, None);
    }
    if all.len() > MAX_HOLDERS {
        let rest: u64 = all[MAX_HOLDERS..].iter().map(|holder| holder.bytes).sum();
        let others = text::plural((all.len() - MAX_HOLDERS) as u64, "other", "others");
        let words = format!("{others}  {}", text::bytes(rest));
        facts.add("", &[muted(words)], None);
    }
}
