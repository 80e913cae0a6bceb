//! The detail: what is this thing? Everything known of what lies at the selected address.

mod behind;
mod life;
mod memory;
mod record;
mod request;
mod so_far;
mod usage;

use super::divergence;
use super::facts::{Facts, muted, number, say};
use super::focus::{self, Kind, Thing, role_of};
use super::line::{scrolled, wrap};
use super::retry::aftermath;
use super::script;
use super::text;
use super::unplaced::Unplaced;
use super::usage::guard_is_known;
use super::{Role, Row, Scene, Selection, Span, Target};
use crate::event::Seq;
use crate::model::{Extent, TreeId, VmapArea};

/// The rows.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, scroll: usize) -> Vec<Row> {
    let width = usize::from(width);
    if let Some(unplaced) = Unplaced::of(scene) {
        return scrolled(unplaced.detail(scene, width), scroll, height);
    }
    let Some(addr) = focus::focus_address(scene) else {
        let mut facts = Facts::new(scene, width);
        match (focus::event_request(scene), scene.replay.current()) {
            (Some(request), _) => {
                answers(&mut facts);
                request::add(&mut facts, request);
            }
            (None, Some((seq, event))) => {
                record::add(&mut facts, seq, event);
                usage::add_stack(&mut facts, "stack", seq);
            }
            (None, None) => {
                let sentence = "Nothing selected: click in the map, or step to an event that has an address.";
                facts.rows = wrap(sentence, Role::Muted, width, 0, scene.glyphs);
            }
        }
        so_far::add(&mut facts);
        memory::add(&mut facts, true);
        return scrolled(facts.rows, scroll, height);
    };
    let space = scene.replay.space();
    let thing = focus::thing_at(scene, space, addr);
    let mut facts = Facts::new(scene, width);
    answers(&mut facts);
    if scene.sub_step.is_some() {
        so_far::add(&mut facts);
    }
    extent(&mut facts, &thing);
    match thing.kind {
        Kind::Free => hole(&mut facts, &thing),
        Kind::Unknown => {
            let words = "No area and no hole is known here: not a vmalloc address, or in the middle of a change.";
            facts.add("what", &[Span::new(words, Role::Text)], None);
        }
        Kind::Unseen => {
            let words = "one area or several, older than the trace: no record shows them, but the kernel's search \
                         passed this by, so it was taken";
            facts.add("what", &[say(words)], None);
        }
        Kind::Busy | Kind::PerCpu | Kind::Lazy | Kind::Pooled => {
            usage::add(&mut facts, &thing);
            caller(&mut facts, &thing);
            // Inside a step all of it is still to come, or on its way: what there is so far stands above.
            if scene.sub_step.is_none() || scene.selection != Selection::Follow {
                behind::add(&mut facts, &thing);
            }
            life::add(&mut facts, &thing);
            place(&mut facts, &thing);
        }
    }
    neighbours(&mut facts, &thing);
    if scene.sub_step.is_none() && scene.selection == Selection::Follow {
        so_far::add(&mut facts);
    }
    facts.add("keys", &keys(), None);
    usage::add_stacks(&mut facts, &thing);
    memory::add(&mut facts, false);
    scrolled(facts.rows, scroll, height)
}

/// What the current op of a script answered, or where model and record part, as long as the pane follows the event.
fn answers(facts: &mut Facts<'_, '_>) {
    let scene = facts.scene;
    if let (Selection::Follow, Some((seq, _))) = (scene.selection, scene.replay.current()) {
        script::add_answers(facts, seq);
        divergence::add(facts, seq);
    }
}

/// Range, and bytes as data and guard.
fn extent(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let extent = thing.extent;
    let range = vec![number(facts.scene.addr(extent.start())), muted(" to "), number(facts.scene.addr(extent.end()))];
    facts.add("extent", &range, Some(Target::Address(extent.start())));
    let page = facts.scene.replay.space().allocator().page_size().max(1);
    let pages = extent.len_bytes() / page;
    let area = &facts.scene.replay.space().allocator().areas()[thing.area];
    let mut size =
        vec![number(text::bytes(extent.len_bytes())), muted(format!(" = {}", text::plural(pages, "page", "pages")))];
    if matches!(thing.kind, Kind::Busy | Kind::Lazy | Kind::Pooled) {
        if focus::has_guard(facts.scene, thing.kind, area) {
            size.push(muted(", "));
            size.push(number(text::bytes(extent.len_bytes() - page.min(extent.len_bytes()))));
            size.push(muted(" data + "));
            size.push(Span::new(format!("{} guard", text::bytes(page)), Role::Guard));
            // A script says what its sizes hold.
            if !guard_is_known(facts.scene, area) && !script::is_script(facts.scene.replay.log()) {
                size.push(muted(" (assumed: nearly every area ends in an unmapped guard page)"));
            }
        } else if !is_forgotten(facts.scene, area) {
            size.push(muted(", no guard page"));
        }
    }
    facts.add("size", &size, None);
}

/// Did a request take the area and something give it back, so that nothing says any more whether it had a guard?
fn is_forgotten(scene: &Scene<'_>, area: &VmapArea) -> bool {
    let asked = (area.born != VmapArea::UNBORN).then(|| scene.replay.asked(Seq(area.born))).flatten();
    let is_backed = scene.replay.space().memory().is_some_and(|memory| memory.backed(area.start).is_some());
    matches!(asked, Some(parsers::ops::Op::Request(_))) && !is_backed
}

/// Where the allocator keeps it.
fn place(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let allocator = facts.scene.replay.space().allocator();
    let many = allocator.n_nodes() > 1;
    let node = thing.node.unwrap_or(0);
    let owner = allocator.areas()[thing.area].owner;
    let has_one_tree = allocator.tree(TreeId::Free).is_none();
    let is_list = has_one_tree && allocator.tree(TreeId::Busy(0)).is_none();
    let mut spans = match thing.kind {
        Kind::Pooled => vec![say(format!("pool of node {node}, given out to requests of exactly this size"))],
        Kind::Lazy if has_one_tree => {
            vec![say("busy tree, flagged as lazily freed: it keeps its place until the next purge")]
        }
        Kind::Busy | Kind::PerCpu if is_list => vec![say("vmlist, the sorted list of all areas; there is no tree")],
        Kind::Lazy if many => vec![say(format!("lazy store of node {node}, until the next purge"))],
        Kind::Lazy => vec![say("lazy store, until the next purge")],
        _ if many => vec![say(format!("busy tree of node {node}")), muted(", by its address")],
        _ => vec![say("busy tree")],
    };
    if thing.kind == Kind::PerCpu {
        spans.push(muted("; a per-CPU chunk, carved from the top without a record"));
    } else if many && owner > 0 && thing.kind != Kind::Pooled {
        spans.push(muted(format!("; once purged it goes to a pool of node {}", owner - 1)));
    } else if many && owner == 0 && thing.kind != Kind::Pooled {
        spans.push(muted("; once purged it goes to the free tree, never to a pool"));
    }
    facts.add("kept in", &spans, None);
}

/// Who asked for it, where a snapshot says so.
fn caller(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let area = &facts.scene.replay.space().allocator().areas()[thing.area];
    let Some(row) = focus::baseline_row(facts.scene, area) else { return };
    let mut spans = Vec::new();
    if row.caller_full.is_empty() {
        spans.push(say(row.kind()));
    } else {
        spans.push(say(text::escape(row.caller_full.as_bytes())));
        if let Some(module) = &row.module {
            spans.push(say(format!(" [{}]", text::escape(module.as_bytes()))));
        }
        spans.push(muted(format!(" {}", row.kind())));
    }
    if row.pages > 0 {
        spans.push(muted(format!(", {} of data", text::plural(row.pages, "page", "pages"))));
    }
    if let Some(phys) = row.phys {
        spans.push(muted(format!(", physical {}", facts.scene.addr(phys))));
    }
    if !row.nodes.is_empty() {
        let nodes: Vec<String> =
            row.nodes.iter().take(8).map(|(node, pages)| format!("N{node}={}", text::count(*pages))).collect();
        spans.push(muted(format!(", NUMA {}", nodes.join(" "))));
    }
    facts.add("caller", &spans, None);
}

/// What a hole is good for.
fn hole(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let allocator = facts.scene.replay.space().allocator();
    let window = allocator.window();
    let inside = Extent::new(window.vstart, window.vend).and_then(|window| window.intersection(thing.extent));
    match inside {
        None => facts.add("window", &[muted("outside the vmalloc range: for modules and other windows only")], None),
        Some(inside) if inside != thing.extent => {
            let spans = vec![number(text::bytes(inside.len_bytes())), muted(" of it inside the vmalloc range")];
            facts.add("window", &spans, None);
        }
        Some(_) => {}
    }
    let Some(view) = allocator.tree(TreeId::Free) else {
        let words = "no node: this era keeps no holes, they are what lies between areas";
        return facts.add("node", &[muted(words)], None);
    };
    let area = &view.areas[thing.area];
    let colour = if area.is_black() { "black" } else { "red" };
    // A snapshot has ranges only: shape, colour and what follows from them would be the model's invention.
    let spans = match (facts.scene.replay.is_empty(), focus::is_guessed(facts.scene)) {
        (true, _) => vec![say("a node of the free tree"), muted(", its place in the tree is not known")],
        (false, guessed) => vec![
            say(format!("{colour} node of the free tree")),
            muted(", largest hole from there down "),
            number(text::bytes(area.subtree_max())),
            muted(if guessed { " (shape guessed from the snapshot)" } else { "" }),
        ],
    };
    facts.add("node", &spans, None);
}

/// What lies directly below and above.
fn neighbours(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let scene = facts.scene;
    let space = scene.replay.space();
    let addresses = focus::addresses(scene);
    let below = thing.extent.start().checked_sub(1);
    let above = Some(thing.extent.end()).filter(|&end| end < u64::MAX);
    for (label, addr) in [("below", below), ("above", above)] {
        let Some(addr) = addr else { continue };
        let other = focus::thing_at(scene, space, addr);
        if other.kind == Kind::Unknown {
            continue;
        }
        let spans = vec![
            Span::new(other.kind.word(), role_of(other.kind)),
            number(format!(" {}", text::bytes(other.extent.len_bytes()))),
            muted(" at "),
            number(addresses.short(other.extent.start())),
        ];
        facts.add(label, &spans, Some(Target::Address(other.extent.start())));
    }
}

/// Keys that do something with the thing.
fn keys() -> Vec<Span> {
    let key = |key: &str| Span::new(key, Role::Key);
    vec![key("f"), muted(" next event here, "), key("y"), muted(" copy")]
}

/// The title: what it is.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    let mut spans = vec![Span::new("detail", Role::Title)];
    if let Some(unplaced) = Unplaced::of(scene) {
        spans.push(Span::new(format!("  {}", unplaced.sums()), Role::Number));
        return spans;
    }
    let Some(addr) = focus::focus_address(scene) else {
        let request = focus::event_request(scene).map(|(size, ..)| text::bytes(size));
        match (request, scene.replay.current()) {
            (Some(size), _) => {
                let repaired = aftermath(scene).is_some_and(|aftermath| aftermath.is_repaired());
                spans.push(if repaired {
                    Span::new("  failed attempt", Role::Warn)
                } else {
                    Span::new("  failed request", Role::Bad)
                });
                spans.push(Span::new(format!(" {size}"), Role::Number));
                if repaired {
                    spans.push(Span::new(", repaired by a purge", Role::Good));
                }
            }
            (None, Some((_, event))) => spans.push(Span::new(format!("  {}", event.kind.word()), Role::Muted)),
            (None, None) => {}
        }
        return spans;
    };
    let thing = focus::thing_at(scene, scene.replay.space(), addr);
    let noun = match thing.kind {
        Kind::Free => "hole",
        Kind::PerCpu => "per-CPU chunk",
        Kind::Busy => "busy area",
        Kind::Unseen => "unseen stretch",
        Kind::Lazy => "lazy area",
        Kind::Pooled => "pooled area",
        Kind::Unknown => "unknown",
    };
    spans.push(Span::new(format!("  {noun}"), role_of(thing.kind)));
    spans.push(Span::new(format!(" {}", text::bytes(thing.extent.len_bytes())), Role::Number));
    spans
}
