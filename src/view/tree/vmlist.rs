//! The areas of the eras without a tree (to 2.6.27), as the list they are kept in.

use super::super::line::{Line, wrap};
use super::super::{Role, Row, Scene, Span, Target, focus, text};
use crate::model::{AddressSpace, Extent, Step};

/// The list around the focus, below a sentence that says what it is.
pub(super) fn rows(scene: &Scene<'_>, space: &AddressSpace, width: usize, height: usize) -> Vec<Row> {
    let sentence = "This era has no tree: areas are kept in vmlist, a list in the order of addresses, which every \
                    request walks from its head.";
    let mut rows = wrap(sentence, Role::Muted, width, 0, scene.glyphs);
    if rows.len() + 2 > height {
        rows.truncate(usize::from(height > 3));
    }
    let areas = areas(space);
    if areas.is_empty() {
        rows.extend(wrap("The list is empty.", Role::Muted, width, 0, scene.glyphs));
        rows.truncate(height);
        return rows;
    }
    let steps = &scene.replay.outcome().steps;
    let walked = scene.sub_step.map_or(steps.len(), |step| (step + 1).min(steps.len()));
    let passed = steps[..walked].iter().filter(|step| matches!(step, Step::Passed { .. })).count();
    let shown = scene.sub_step.and_then(|index| match steps.get(index)? {
        Step::Passed { area, .. } => Some(area.start()),
        _ => None,
    });
    let at = shown.or_else(|| focus::focus_address(scene)).unwrap_or(areas[0].start());
    let focus = areas.partition_point(|area| area.end() <= at).min(areas.len() - 1);
    let n_rows = height.saturating_sub(rows.len());
    let top = focus.saturating_sub(n_rows / 2).min(areas.len().saturating_sub(n_rows));
    let changes = focus::changes(scene);
    let addresses = focus::addresses(scene);
    let glyphs = scene.glyphs;
    for (index, area) in areas.iter().enumerate().skip(top).take(n_rows) {
        // Every walk begins at the head: what was passed is what lies in front.
        let on_path = index < passed;
        let (mark, role) = match (index == focus, on_path) {
            (true, _) => (glyphs.cursor, Role::Key),
            (_, true) => (glyphs.path, Role::Path),
            _ => (' ', Role::Text),
        };
        let changed = focus::any_overlap(&changes, area.start(), area.end());
        let line = Line::new(width, glyphs)
            .put(mark.to_string(), role)
            .right(text::count(index as u64 + 1), 6, Role::Muted)
            .gap(1)
            .left(addresses.short(area.start()), addresses.width(), if changed { Role::Changed } else { Role::Number })
            .gap(1)
            .right(text::bytes(area.len_bytes()), 9, Role::Busy);
        let line = match areas.get(index + 1).map(|next| next.start() - area.end()) {
            Some(0) | None => line,
            Some(hole) => line.gap(2).put(format!("then {} free", text::bytes(hole)), Role::Free),
        };
        let line = if changed { line.put(format!(" {}", glyphs.up), Role::Changed) } else { line };
        rows.push(line.target(Target::Address(area.start())).focused(index == focus).done());
    }
    rows
}

/// The title: how long the list is.
pub(super) fn title(scene: &Scene<'_>, space: &AddressSpace) -> Vec<Span> {
    let n = areas(space).len() as u64;
    let mut spans = vec![
        Span::new("vmlist", Role::Title),
        Span::new(format!("  {}", text::plural(n, "area", "areas")), Role::Number),
        Span::new(" in a list", Role::Muted),
    ];
    spans.extend(focus::moment(scene, space));
    spans
}

fn areas(space: &AddressSpace) -> Vec<Extent> {
    let mut areas = Vec::new();
    space.allocator().visit_busy(0, &mut |area| areas.extend(Extent::new(area.start, area.end)));
    areas
}
