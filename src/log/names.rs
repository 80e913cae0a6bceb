//! Interned tasks, texts and windows, so that an event stays small.

use std::collections::HashMap;

use crate::event::{TaskId, TextId, WindowId};

/// A task as the trace names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Task {
    /// The name; any bytes but NUL, other people's: escape before showing outside a terminal buffer.
    pub comm: Vec<u8>,
    /// Process id; 0 is the idle task, -1 unknown.
    pub pid: i32,
}

impl Task {
    /// `comm-pid`, bytes that are not UTF-8 replaced.
    pub fn label(&self) -> String {
        format!("{}-{}", String::from_utf8_lossy(&self.comm), self.pid)
    }
}

/// The `[vstart, vend)` a request may use, as the kernel passes it.
///
/// `VMALLOC_END` of x86-64 really ends in `fff`; it is compared as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Lowest address allowed.
    pub vstart: u64,
    /// The area must end at or below this.
    pub vend: u64,
}

impl Window {
    /// Bytes between the two ends.
    pub fn len_bytes(self) -> u64 {
        self.vend.saturating_sub(self.vstart)
    }
}

/// The names of one log.
#[derive(Debug, Clone, Default)]
pub struct Names {
    tasks: Vec<Task>,
    texts: Vec<Vec<u8>>,
    windows: Vec<Window>,
    window_ids: HashMap<Window, WindowId>,
    /// Tasks by their process id.
    tasks_of: HashMap<i32, Vec<TaskId>>,
    text_ids: HashMap<Vec<u8>, TextId>,
    /// The latest task of each low end of a process id, and the latest window: mostly the next record's too.
    recent_tasks: Vec<TaskId>,
    recent_window: WindowId,
}

/// Tasks that are found again without a look into the table.
const RECENT: usize = 64;

impl Names {
    /// The task behind an id; an unknown id gives an empty task.
    pub fn task(&self, id: TaskId) -> &Task {
        static NOBODY: Task = Task { comm: Vec::new(), pid: -1 };
        self.tasks.get(id.0 as usize).unwrap_or(&NOBODY)
    }

    /// The text behind an id, empty if unknown.
    pub fn text(&self, id: TextId) -> &[u8] {
        self.texts.get(id.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// The window behind an id; an unknown id gives the empty window.
    pub fn window(&self, id: WindowId) -> Window {
        self.windows.get(id.0 as usize).copied().unwrap_or(Window { vstart: 0, vend: 0 })
    }

    /// Every window seen, in order of first use.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Every task seen, in order of first use.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// Interns a task.
    pub fn add_task(&mut self, comm: &[u8], pid: i32) -> TaskId {
        let place = pid.cast_unsigned() as usize % RECENT;
        if let Some(&id) = self.recent_tasks.get(place)
            && let Some(task) = self.tasks.get(id.0 as usize)
            && task.pid == pid
            && task.comm == comm
        {
            return id;
        }
        let id = self.task_of_table(comm, pid);
        self.recent_tasks.resize(RECENT, TaskId(u32::MAX));
        self.recent_tasks[place] = id;
        id
    }

    fn task_of_table(&mut self, comm: &[u8], pid: i32) -> TaskId {
        // A process id has a name or two: they are compared where they are.
        let known = self.tasks_of.entry(pid).or_default();
        let same = |id: &&TaskId| self.tasks.get(id.0 as usize).is_some_and(|task| task.comm == comm);
        if let Some(&id) = known.iter().find(same) {
            return id;
        }
        let id = TaskId(self.tasks.len() as u32);
        self.tasks.push(Task { comm: comm.to_vec(), pid });
        known.push(id);
        id
    }

    /// Interns a text.
    pub fn add_text(&mut self, text: &[u8]) -> TextId {
        if let Some(&id) = self.text_ids.get(text) {
            return id;
        }
        let id = TextId(self.texts.len() as u32);
        self.texts.push(text.to_vec());
        self.text_ids.insert(text.to_vec(), id);
        id
    }

    /// Interns a window.
    pub fn add_window(&mut self, window: Window) -> WindowId {
        if self.windows.get(self.recent_window.0 as usize) != Some(&window) {
            let next = WindowId(self.windows.len() as u32);
            self.recent_window = *self.window_ids.entry(window).or_insert(next);
            if self.recent_window == next {
                self.windows.push(window);
            }
        }
        self.recent_window
    }
}
