//! What a request has by the shown stage, and how it got its pages.

use super::super::facts::{Facts, muted, number, say};
use super::super::step::pages::how;
use super::super::step::stages::{exact, pages};
use super::super::{Role, Span};
use crate::model::stage::{Note, Object};
use crate::model::{Stage, Step};

/// Adds what the stages up to the shown one have got; of the event as a whole how the pages were got.
pub(super) fn add(facts: &mut Facts<'_, '_>) {
    let scene = facts.scene;
    let steps = &scene.replay.outcome().steps;
    let shown = scene.sub_step.filter(|&shown| shown < steps.len());
    let until = &steps[..shown.map_or(steps.len(), |shown| shown + 1)];
    let stages = || {
        until.iter().filter_map(|step| match step {
            Step::Stage(stage) => Some(stage),
            _ => None,
        })
    };
    if shown.is_some() && stages().next().is_some() {
        let parts: Vec<String> = stages().filter_map(got).collect();
        let spans = if parts.is_empty() { vec![muted("nothing yet")] } else { vec![say(parts.join(", "))] };
        facts.add("so far", &spans, None);
    }
    for stage in stages() {
        if let Stage::PagesTaken { told, .. } = stage {
            let spans = [
                number(pages(told.got)),
                muted(" by "),
                say(how(told)),
                Span::new(if told.is_complete() { "" } else { ": too few" }, Role::Bad),
            ];
            facts.add("asked", &spans, None);
        }
    }
}

/// What a stage leaves behind, in few words.
fn got(stage: &Stage) -> Option<String> {
    Some(match stage {
        Stage::Note(Note::ObjectTaken(object)) => match object {
            Object::VmStruct => "vm_struct".to_owned(),
            Object::VmapArea => "vmap_area".to_owned(),
            Object::VmapBlock => "vmap_block".to_owned(),
        },
        Stage::ArrayTaken { bytes, .. } => format!("array of {}", exact(*bytes)),
        Stage::PagesTaken { told, .. } => pages(told.got),
        Stage::PagesGiven { pages: n, .. } => format!("{} given back", pages(*n)),
        Stage::ArrayGiven { bytes } => format!("array of {} given back", exact(*bytes)),
        Stage::Mapped(mapped) => format!("{} mapped", exact(mapped.extent.len_bytes())),
        Stage::Unmapped(unmapped) => format!("{} unmapped", exact(unmapped.extent.len_bytes())),
        _ => return None,
    })
}
