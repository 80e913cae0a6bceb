//! The second direction of the steps inside trees: whoever does what they tell to a plain copy has the same trees.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Augmented, Setup};
use crate::log::Window;
use crate::model::{
    Allocator, AreaId, Extent, HelperOrder, NIL, Owner, PurgeKind, Request, Step, Steps, TreeId, TreeStep,
};
use crate::policy::by_id;

/// A node of a copy: no addresses, nothing derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    child: [AreaId; 2],
    parent: AreaId,
    is_black: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mirror {
    root: AreaId,
    nodes: HashMap<AreaId, Node>,
}

impl Mirror {
    fn of(allocator: &Augmented, id: TreeId) -> Self {
        let Some(view) = allocator.tree(id) else { return Self::default() };
        let node = |area: &crate::model::VmapArea| Node {
            child: area.child,
            parent: area.parent(),
            is_black: area.is_black(),
        };
        Self { root: view.tree.root, nodes: view.ascending().map(|(id, area)| (id, node(area))).collect() }
    }

    fn at(&mut self, id: AreaId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node that is there")
    }

    /// Puts `new` where `old` hangs.
    fn put(&mut self, old: AreaId, new: AreaId) {
        let parent = self.at(old).parent;
        if parent == NIL {
            self.root = new;
        } else {
            let child = &mut self.at(parent).child;
            *child.iter_mut().find(|child| **child == old).expect("a child") = new;
        }
        if new != NIL {
            self.at(new).parent = parent;
        }
    }

    fn hang(&mut self, id: AreaId, parent: AreaId, side: usize) {
        self.at(parent).child[side] = id;
        if id != NIL {
            self.at(id).parent = parent;
        }
    }

    fn apply(&mut self, step: &TreeStep) {
        match *step {
            TreeStep::Linked { node, parent, side } => {
                let new = Node { child: [NIL; 2], parent: parent.id, is_black: false };
                assert_eq!(self.nodes.insert(node.id, new), None, "linked once");
                if parent.id == NIL {
                    assert_eq!(std::mem::replace(&mut self.root, node.id), NIL, "an empty tree");
                } else {
                    assert_eq!(self.at(parent.id).child[side], NIL, "a free place");
                    self.hang(node.id, parent.id, side);
                }
            }
            TreeStep::Recoloured { node, black } => {
                let was = std::mem::replace(&mut self.at(node.id).is_black, black);
                assert_ne!(was, black, "another colour");
            }
            TreeStep::Rotated { down, up, side } => {
                assert_eq!(self.at(down.id).child[1 - side], up.id, "the child comes up");
                let between = self.at(up.id).child[side];
                self.put(down.id, up.id);
                self.hang(between, down.id, 1 - side);
                self.hang(down.id, up.id, side);
            }
            TreeStep::Unlinked { node, child } => {
                self.put(node.id, child.id);
                let gone = self.nodes.remove(&node.id).expect("it was there");
                if child.id != NIL {
                    self.at(child.id).is_black = gone.is_black;
                }
            }
            TreeStep::Replaced { node, heir } => {
                let orphan = self.at(heir.id).child[1];
                self.put(heir.id, orphan);
                if orphan != NIL {
                    self.at(orphan).is_black = true;
                }
                self.put(node.id, heir.id);
                let gone = self.nodes.remove(&node.id).expect("it was there");
                self.at(heir.id).is_black = gone.is_black;
                for side in [0, 1] {
                    self.hang(gone.child[side], heir.id, side);
                }
            }
            TreeStep::Siblings { .. }
            | TreeStep::Spare { .. }
            | TreeStep::Propagated { .. }
            | TreeStep::Settled { .. } => {}
        }
    }
}

/// Every tree of an allocator, kept by what its steps tell.
struct Mirrors(HashMap<TreeId, Mirror>);

impl Mirrors {
    fn follow(&mut self, steps: &Steps) {
        for step in steps {
            match step {
                Step::Tree { tree, what } => self.0.entry(*tree).or_default().apply(what),
                // What is lazy is taken off as a whole.
                Step::PurgeBegun { .. } => self.0.retain(|tree, _| !matches!(tree, TreeId::Lazy(_))),
                _ => {}
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Act {
    Alloc(u64, u32, u32),
    Free(usize),
    Purge(bool),
    Adopt(u64, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1_u64..20, 0_u32..17, 0_u32..3).prop_map(|(pages, shift, cpu)| Act::Alloc(pages, shift, cpu)),
        6 => any::<usize>().prop_map(Act::Free),
        1 => any::<bool>().prop_map(Act::Purge),
        1 => (0_u64..400, 1_u64..20).prop_map(|(at, pages)| Act::Adopt(at, pages)),
    ]
}

const WINDOW: Window = Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff };

fn setup(policy: &str) -> Setup {
    Setup {
        rules: by_id(policy).expect(policy).rules,
        cpus_online: 3,
        cpus_possible: 3,
        window: WINDOW,
        page_size: 4096,
        is_32_bit: false,
        early: Vec::new(),
        lazy_max_bytes: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_steps_make_the_same_trees(
        policy in prop::sample::select(vec!["linux-5.4", "linux-5.10", "linux-6.1", "linux-6.12"]),
        acts in prop::collection::vec(act(), 1..250),
    ) {
        let mut allocator = Augmented::new(&setup(policy));
        let trees = |allocator: &Augmented| {
            let nodes = 0..allocator.n_nodes();
            let mut all = vec![TreeId::Free];
            all.extend(nodes.flat_map(|node| [TreeId::Busy(node), TreeId::Lazy(node)]));
            all
        };
        let mut mirrors = Mirrors(trees(&allocator).into_iter().map(|id| (id, Mirror::of(&allocator, id))).collect());
        let mut live: Vec<u64> = Vec::new();
        for act in acts {
            let mut steps = Steps::new();
            match act {
                Act::Alloc(pages, shift, cpu) => {
                    let request =
                        Request { size: pages << 12, align: 1 << shift, window: WINDOW, cpu, first_attempt: true };
                    if let Ok(extent) = allocator.alloc(&request, 0, Some(&mut steps)) {
                        live.push(extent.start());
                    }
                }
                Act::Free(at) if !live.is_empty() => {
                    let addr = live.swap_remove(at % live.len());
                    // An adopted area may have displaced it.
                    let _ = allocator.free(addr, Some(&mut steps));
                }
                Act::Purge(full) => {
                    let kind = if full { PurgeKind::Full } else { PurgeKind::Partial };
                    allocator.purge(kind, HelperOrder::AtFlush, Some(&mut steps));
                }
                Act::Adopt(at, pages) => {
                    let extent = Extent::sized(WINDOW.vstart + (at << 12), pages << 12).expect("an extent");
                    allocator.adopt(extent, Owner::Node(0), 0, Some(&mut steps));
                    live.push(extent.start());
                }
                Act::Free(_) => {}
            }
            mirrors.follow(&steps);
            for id in trees(&allocator) {
                let told = mirrors.0.get(&id).cloned().unwrap_or_default();
                prop_assert_eq!(&told, &Mirror::of(&allocator, id), "{} {:?}", policy, id);
            }
        }
    }
}
