//! What waits for the naming thread. Bounded, and the driver never waits for room: while naming is behind, the window
//! that would be due goes on instead.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};

use infrared_symbolize::JitProcess;

use crate::window::ClosedWindow;

/// Windows that wait or are being named, at most.
const MAX_WINDOWS: usize = 2;
/// Perf maps that wait, at most.
const MAX_PERF_MAPS: usize = 8;

/// What the driver sends.
#[derive(Debug)]
pub(super) enum Task {
    Window(Box<ClosedWindow>),
    /// This process runs code without a file. Its perf map may be gone by the time the window closes.
    ReadPerfMap(JitProcess),
}

#[derive(Debug, Default)]
struct Waiting {
    windows: AtomicUsize,
    perf_maps: AtomicUsize,
}

impl Waiting {
    fn of(&self, task: &Task) -> &AtomicUsize {
        match task {
            Task::Window(_) => &self.windows,
            Task::ReadPerfMap(_) => &self.perf_maps,
        }
    }
}

/// A queue between the driver and the naming thread.
pub(crate) fn queue() -> (TaskSender, TaskReceiver) {
    let waiting = Arc::new(Waiting::default());
    let (sender, receiver) = sync_channel(MAX_WINDOWS + MAX_PERF_MAPS);
    (
        TaskSender { tasks: sender, waiting: Arc::clone(&waiting) },
        TaskReceiver { tasks: receiver, waiting },
    )
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct TaskSender {
    tasks: SyncSender<Task>,
    waiting: Arc<Waiting>,
}

impl TaskSender {
    /// Whether another window would have to wait too long.
    pub(crate) fn is_behind(&self) -> bool {
        self.waiting.windows.load(Ordering::Acquire) >= MAX_WINDOWS
    }

    /// false if there is no room for the window, or nobody to name it: it is lost.
    pub(crate) fn send_window(&self, window: Box<ClosedWindow>) -> bool {
        !self.is_behind() && self.send(Task::Window(window))
    }

    /// Waits for room. false if nobody is there to name the window.
    pub(crate) fn send_last_window(&self, window: Box<ClosedWindow>) -> bool {
        self.send(Task::Window(window))
    }

    /// false if too many wait already.
    pub(crate) fn send_perf_map(&self, process: JitProcess) -> bool {
        self.waiting.perf_maps.load(Ordering::Acquire) < MAX_PERF_MAPS
            && self.send(Task::ReadPerfMap(process))
    }

    fn send(&self, task: Task) -> bool {
        self.waiting.of(&task).fetch_add(1, Ordering::AcqRel);
        self.tasks.send(task).is_ok()
    }
}

/// The naming thread's end.
#[derive(Debug)]
pub(crate) struct TaskReceiver {
    tasks: Receiver<Task>,
    waiting: Arc<Waiting>,
}

impl TaskReceiver {
    /// Does `work` with every task until the driver is gone. A window counts as waiting until it is done.
    pub(super) fn for_each(&self, mut work: impl FnMut(Task)) {
        while let Ok(task) = self.tasks.recv() {
            let counter = self.waiting.of(&task);
            work(task);
            counter.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;

    fn window() -> Box<ClosedWindow> {
        Box::new(Window::open(0).close(1))
    }

    #[test]
    fn a_window_waits_until_it_is_named_and_perf_maps_take_no_room_of_windows() {
        let (sender, receiver) = queue();
        assert!((0..MAX_PERF_MAPS as u32).all(|pid| sender.send_perf_map((pid, 1))));
        assert!(!sender.send_perf_map((99, 1)));
        assert!(sender.send_window(window()) && sender.send_window(window()));
        assert!(sender.is_behind() && !sender.send_window(window()));
        let waiting = Arc::clone(&sender.waiting);
        let naming = std::thread::Builder::new()
            .spawn(move || {
                let mut windows = Vec::new();
                receiver.for_each(|task| windows.push(matches!(task, Task::Window(_))));
                windows
            })
            .unwrap();
        assert!(sender.send_last_window(window()), "this one may wait");
        drop(sender);
        let windows = naming.join().unwrap();
        assert_eq!((windows.len(), windows.iter().filter(|is| **is).count()), (11, 3));
        let left = [&waiting.windows, &waiting.perf_maps];
        assert!(left.iter().all(|counter| counter.load(Ordering::Acquire) == 0));
    }

    #[test]
    fn nobody_to_name_it_is_a_loss() {
        let (sender, receiver) = queue();
        drop(receiver);
        assert!(!sender.send_window(window()));
    }
}
