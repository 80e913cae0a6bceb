//! [`Glyphs`]: the characters panes are drawn with, in two sets.

/// One set of characters. Each is one column wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// Is this the plain set?
    pub ascii: bool,
    /// A cell wholly in use.
    pub busy: char,
    /// A cell partly in use.
    pub busy_part: char,
    /// A cell of lazily freed areas.
    pub lazy: char,
    /// A cell of pooled areas.
    pub pooled: char,
    /// A free cell.
    pub free: char,
    /// A cell of a per-CPU chunk.
    pub per_cpu: char,
    /// A cell taken by what no record shows.
    pub unseen: char,
    /// A hole of unknown size.
    pub hole_unknown: char,
    /// Between two of which the order is not known.
    pub apart: char,
    /// A guard page.
    pub guard: char,
    /// The current row or event.
    pub cursor: char,
    /// A black tree node.
    pub node_black: char,
    /// A red tree node.
    pub node_red: char,
    /// Exact.
    pub exact: char,
    /// Inferred.
    pub inferred: char,
    /// Adopted.
    pub adopted: char,
    /// Where model or record, whichever the state does not follow, has the request.
    pub unlike: char,
    /// A failure.
    pub failure: char,
    /// A purge.
    pub purge: char,
    /// Lost records.
    pub lost: char,
    /// A marker.
    pub mark: char,
    /// Points up, at what changed.
    pub up: char,
    /// Something left out.
    pub ellipsis: char,
    /// From, to.
    pub arrow: char,
    /// `subtree_max`.
    pub max: char,
    /// Playing.
    pub playing: char,
    /// Paused.
    pub paused: char,
    /// Eight heights of a bar, lowest first.
    pub bars: [char; 8],
    /// Between facts of one line.
    pub dot: char,
    /// From a number to a number.
    pub dash: char,
    /// A node on a search path.
    pub path: char,
    /// Tree lines to an only child: from a left one, from a right one.
    pub bends: [char; 2],
    /// Outline lines: a child with more to come, the last child.
    pub outline: [char; 2],
    /// Tree lines: horizontal, vertical, down-left corner, down-right corner, up tee.
    pub tree: [char; 5],
}

/// For terminals that speak UTF-8.
pub const UNICODE: Glyphs = Glyphs {
    ascii: false,
    busy: '█',
    busy_part: '▄',
    lazy: '▒',
    pooled: '░',
    free: '·',
    per_cpu: '▓',
    unseen: '▚',
    hole_unknown: '?',
    apart: '┊',
    guard: '▏',
    cursor: '▸',
    node_black: '●',
    node_red: '○',
    exact: '✓',
    inferred: '≈',
    adopted: '✗',
    unlike: '≠',
    failure: '!',
    purge: '◆',
    lost: '?',
    mark: '#',
    up: '▲',
    ellipsis: '…',
    arrow: '→',
    max: '↥',
    playing: '▶',
    paused: '‖',
    bars: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    dot: '·',
    dash: '–',
    path: '›',
    bends: ['┘', '└'],
    outline: ['├', '└'],
    tree: ['─', '│', '┌', '┐', '┴'],
};

/// For every terminal.
pub const ASCII: Glyphs = Glyphs {
    ascii: true,
    busy: '#',
    busy_part: '=',
    lazy: ':',
    pooled: 'p',
    free: '.',
    per_cpu: '%',
    unseen: 'u',
    hole_unknown: '?',
    apart: ':',
    guard: '|',
    cursor: '>',
    node_black: '@',
    node_red: 'o',
    exact: '+',
    inferred: 'i',
    adopted: 'x',
    unlike: 'M',
    failure: '!',
    purge: '*',
    lost: '?',
    mark: 'm',
    up: '^',
    ellipsis: '~',
    arrow: ')',
    max: '<',
    playing: '>',
    paused: '"',
    bars: ['_', '_', '.', '.', '-', '-', '=', '#'],
    dot: '-',
    dash: '-',
    path: ')',
    bends: ['\'', '`'],
    outline: ['|', '`'],
    tree: ['-', '|', '.', '.', '+'],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_own_character() {
        for set in [&UNICODE, &ASCII] {
            let cells = [set.busy, set.busy_part, set.lazy, set.pooled, set.free, set.per_cpu, set.unseen, set.guard];
            let records = [set.exact, set.inferred, set.adopted, set.failure, set.purge, set.lost, set.mark];
            let trees = [set.node_black, set.node_red, set.path, set.max, set.up, set.cursor, set.ellipsis, set.unlike];
            let mut all: Vec<char> = cells.into_iter().chain(records).chain(trees).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 23, "{all:?}");
            assert!(!set.ascii || all.iter().all(char::is_ascii));
        }
    }
}
