//! The answers to the questions a script asks about memory, for people: what an area costs, what is behind all areas,
//! which of `kmalloc`, `kzalloc`, `kvmalloc` and `vmalloc` to take.

use parsers::ops::{Op as Asked, RequestOp};

use super::super::line::{Line, flow, wrap};
use super::super::{Role, Row, Scene, text};
use super::Words;
use crate::event::Seq;
use crate::model::contrast::{Call, Context, Contiguous, ContrastRow, Gets, Gfp, Touches, Verdict, contrast};
use crate::model::costs::{Costs, Sum};
use crate::model::frames::MAX_ORDER;
use crate::model::{HelperOrder, Memory};
use crate::request::contrast_facts;

/// The rows of a question; none if the op is none.
pub(super) fn rows(scene: &Scene<'_>, width: usize, seq: Seq) -> Vec<Row> {
    let Some(Asked::Request(request)) = scene.replay.asked(seq) else { return Vec::new() };
    let memory = scene.replay.space().memory();
    match (&**request, memory) {
        (RequestOp::Contrast { size }, _) => four_calls(scene, width, *size),
        (RequestOp::Cost { .. }, Some(memory)) => cost(scene, memory, width, seq),
        (RequestOp::Memory, Some(memory)) => all(scene, memory, width),
        _ => Vec::new(),
    }
}

/// What an area costs, item by item.
fn cost(scene: &Scene<'_>, memory: &Memory, width: usize, seq: Seq) -> Vec<Row> {
    // The answer names the area the id had.
    let answer = scene.replay.plan().answer(seq).unwrap_or_default();
    let start = answer.split(' ').nth(1).and_then(|word| u64::from_str_radix(word, 16).ok());
    let costs = Costs::of(memory);
    let Some(area) = start.and_then(|start| costs.at(start)) else {
        return wrap("No area in use has this id: it costs nothing.", Role::Muted, width, 2, scene.glyphs);
    };
    let mut rows = sums(scene, width, &area.sum);
    if let Some(nested) = area.backed.nested {
        let words = format!("Its page array is an area of its own at {}, and costs by itself.", scene.addr(nested));
        rows.extend(wrap(&words, Role::Muted, width, 2, scene.glyphs));
    }
    rows
}

/// What is behind all areas, and what is taken besides.
fn all(scene: &Scene<'_>, memory: &Memory, width: usize) -> Vec<Row> {
    let costs = Costs::of(memory);
    let page_size = scene.replay.space().geometry().page_size;
    let mut rows = sums(scene, width, &costs.total);
    let more = [
        ("tables left by freed areas", costs.left_behind_bytes),
        ("slabs, whole", memory.slabs().pages() * page_size),
        ("pages nobody knows any more", memory.lost_pages() * page_size),
        ("all pages taken", memory.used_pages() * page_size),
    ];
    rows.extend(more.iter().filter(|(_, bytes)| *bytes > 0).map(|(name, bytes)| item(scene, width, name, *bytes)));
    rows
}

fn sums(scene: &Scene<'_>, width: usize, sum: &Sum) -> Vec<Row> {
    let items = [
        ("addresses", sum.virtual_bytes),
        ("of these guard pages", sum.guard_bytes),
        ("data pages", sum.data_bytes),
        ("page tables, its part of them", sum.table_bytes),
        ("array of page pointers", sum.array_bytes),
        ("vm_struct and vmap_area", sum.descriptor_bytes),
        ("memory in all", sum.physical_bytes()),
        ("mapped, of somebody else", sum.foreign_bytes),
    ];
    let told = items.iter().filter(|(_, bytes)| *bytes > 0);
    told.map(|(name, bytes)| item(scene, width, name, *bytes)).collect()
}

fn item(scene: &Scene<'_>, width: usize, name: &str, bytes: u64) -> Row {
    let role = if name.starts_with("memory in all") { Role::Title } else { Role::Text };
    Line::new(width, scene.glyphs).right(text::bytes(bytes), 10, Role::Number).gap(1).put(name, role).done()
}

/// The four calls for one size, then where each may be called.
fn four_calls(scene: &Scene<'_>, width: usize, size: u64) -> Vec<Row> {
    let facts = scene.replay.plan().machine.facts(HelperOrder::default());
    let max_order = scene.replay.space().memory().map_or(MAX_ORDER, |memory| memory.frames().max_order());
    let calls = contrast(size, &contrast_facts(&facts, max_order));
    let mut rows = flow(
        &Words::default().of("For ", Role::Text).number(text::bytes(size)).say(" the four calls hand out:").0,
        width,
        2,
        scene.glyphs,
    );
    for call in &calls {
        rows.extend(flow(&one_call(call).0, width, 4, scene.glyphs));
    }
    rows.extend(contexts(scene, width, &calls));
    rows
}

fn one_call(row: &ContrastRow) -> Words {
    let words = Words::default().of(format!("{:<9}", row.call.name()), Role::Title);
    let words = match row.gets {
        Gets::Class { name, bytes } => words.say("an object of ").number(format!("{name}, {}", text::bytes(bytes))),
        Gets::Block { order, bytes } => words.number(format!("a block of order {order}, {}", text::bytes(bytes))),
        Gets::Area { pages, .. } => words.number(format!("{} and a guard page", text::plural(pages, "page", "pages"))),
        Gets::ZeroSize => words.say("a pointer that must not be followed"),
        Gets::Missing => return words.of("is not there in this release.", Role::Muted),
        Gets::Refused => {
            return words
                .of("nothing: too large", Role::Bad)
                .say("; at most ")
                .number(text::bytes(row.limit_bytes))
                .of(format!(" ({}); {}.", row.limited_by, row.reason), Role::Muted);
        }
    };
    let words = match row.physically {
        Contiguous::Yes => words.say("; in one piece of memory"),
        Contiguous::Perhaps => words.say("; in one piece of memory if there is one"),
        Contiguous::No => words.say("; pages from anywhere"),
    };
    let touches: Vec<&str> = row.touches.iter().map(|touches| touched(*touches)).collect();
    let zeroed = if row.zeroed { "; zeroed" } else { "" };
    words
        .say(format!("{zeroed}; touches {}; at most ", touches.join(", ")))
        .number(text::bytes(row.limit_bytes))
        .of(format!(" ({}); {}.", row.limited_by, row.reason), Role::Muted)
}

fn touched(touches: Touches) -> &'static str {
    match touches {
        Touches::Slab => "a slab",
        Touches::Buddy => "the page allocator",
        Touches::VmapTree => "the areas",
        Touches::PageTables => "page tables",
        Touches::Tlb => "the TLB",
    }
}

/// Columns of a context.
const CONTEXT: usize = 7;

/// Who may call what: a table for each choice of flags.
fn contexts(scene: &Scene<'_>, width: usize, calls: &[ContrastRow; Call::ALL.len()]) -> Vec<Row> {
    let glyphs = scene.glyphs;
    let mut rows = Vec::new();
    for gfp in Gfp::ALL {
        let mut line = Line::new(width, glyphs).left(gfp.name(), 21, Role::Key);
        let room = line.room() >= Context::ALL.len() * CONTEXT;
        if !room {
            rows.push(line.done());
            line = Line::new(width, glyphs);
        }
        let short = ["task", "locked", "softirq", "tasklet", "hardirq"];
        line = short.iter().fold(line, |line, word| line.right(*word, CONTEXT, Role::Muted).gap(1));
        rows.push(line.done());
        for call in calls.iter().filter(|call| call.gets != Gets::Missing) {
            let mut line = Line::new(width, glyphs);
            if room {
                line = line.left(format!("  {}", call.call.name()), 21, Role::Text);
            } else {
                rows.push(Line::new(width, glyphs).put(format!("  {}", call.call.name()), Role::Text).done());
            }
            for context in Context::ALL {
                let (word, role) = match call.verdict(gfp, context) {
                    Verdict::MaySleep => ("sleeps", Role::Good),
                    Verdict::NoSleep => ("yes", Role::Good),
                    Verdict::Partly(_) => ("half", Role::Warn),
                    Verdict::No(_) => ("no", Role::Bad),
                };
                line = line.right(word, CONTEXT, role).gap(1);
            }
            rows.push(line.done());
        }
    }
    let words =
        "sleeps: allowed, and it may sleep. half: kmalloc's half of it works. locked: a task that holds a spin lock.";
    rows.extend(wrap(words, Role::Muted, width, 2, glyphs));
    rows
}
