//! What was lost, one list: everything that the agent had to give up, leave out or refuse, each under a name of its own.
//! What the kernel side loses has a list of its own (`bpf/abi/include/stats.h`).

use std::collections::BTreeMap;

macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $help:literal;)*) => {
        /// A kind of loss.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Loss {
            $(#[doc = $help] $name,)*
        }

        impl Loss {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As metrics and counters have it: lower case, words joined by `_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, as people read it.
            pub fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

losses! {
    ProcessEvents = "process_events", "process events that perf lost: all processes were read again";
    RestartedCpu = "restarted_cpus", "times that a CPU had gone offline and come back unseen: for up to a second it was not sampled";
    UnpublishedProcess = "unpublished_processes", "times that the mappings of a process could not be given to the kernel side";
    EvictedProcess = "evicted_processes", "processes whose mappings the kernel side had to forget for those of others";
    CutMappings = "cut_mappings", "executable mappings beyond what one process may have";
    EvictedImage = "evicted_images", "files that had to be forgotten for others, and are read again when they are wanted";
    RefusedImage = "refused_images", "files that cannot be told from others";
    UnreachableFile = "unreachable_files", "times that a file was wanted again and could not be opened";
    UncopiedFile = "uncopied_files", "files that cannot be read or must not be asked for, and could not be copied from memory";
    UnansweredFile = "unanswered_files", "files that were waited for in vain: the process that serves them did not answer";
    UnreadablePage = "unreadable_table_pages", "pages of unwind tables that could not be made";
    RefusedPage = "refused_table_pages", "pages of unwind tables that the kernel side could not take";
    Unasked = "unasked_processes", "times that a process could not be read, as too many wait for it";
    Unanswered = "unanswered_processes", "processes that held up whoever read them, and went without";
    RefusedUser = "refused_reads", "processes that were not read, as others of their user hold up readers";
    StaleStack = "stale_stacks", "stacks that are not shown, as code was replaced by other code just before";
    RowsOverRules = "rows_over_rule_limit", "rows of unwind tables whose rule found no room: stacks end there";
    UnopenedImage = "unopened_files", "times that a file could not be opened to name its code";
    UnreadSource = "unread_names", "times that symbols or debug information of a file were damaged or could not be read";
    OversizedSource = "oversized_names", "times that symbols of a file were more than may be read for a window";
    OversizedDebug = "oversized_debug_information", "files with more debug information than may be read: their code is named by symbols alone";
    RefusedSplit = "refused_split_files", "files of split debug information that are of another build or damaged: calls inlined there are not seen";
    SkippedSplit = "skipped_split_units", "units whose split debug information was not looked for everywhere: calls inlined there are not seen";
    DroppedJitName = "dropped_jit_names", "lines of perf maps beyond what is kept of one";
    MalformedJitName = "malformed_jit_names", "lines of perf maps that name no code";
    ForgottenFunctions = "forgotten_functions", "times that the functions of all interpreters were forgotten, to be read again: they took too much memory";
    ForgottenSpace = "forgotten_address_spaces", "address spaces that were forgotten early, of processes that exec without end";
}

/// Counts of losses since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<Loss, u64>);

impl Losses {
    pub(crate) fn add(&mut self, loss: Loss, count: u64) {
        if count > 0 {
            *self.0.entry(loss).or_default() += count;
        }
    }

    /// For what counts itself: the whole count.
    pub(crate) fn set(&mut self, loss: Loss, count: u64) {
        if count > 0 {
            self.0.insert(loss, count);
        }
    }

    /// The whole counts of all that counts itself elsewhere.
    pub(crate) fn set_all(&mut self, others: &Self) {
        others.iter().for_each(|(loss, count)| self.set(loss, count));
    }

    pub fn get(&self, loss: Loss) -> u64 {
        self.0.get(&loss).copied().unwrap_or(0)
    }

    /// Those that happened.
    pub fn iter(&self) -> impl Iterator<Item = (Loss, u64)> + '_ {
        self.0.iter().map(|(loss, count)| (*loss, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_counts_of_some_leave_those_of_others() {
        let mut losses = Losses::default();
        losses.add(Loss::RefusedSplit, 2);
        let mut of_others = Losses::default();
        of_others.set(Loss::Unasked, 3);
        losses.set_all(&of_others);
        losses.set_all(&of_others);
        losses.add(Loss::RefusedSplit, 1);
        let told: Vec<_> = losses.iter().collect();
        assert_eq!(told, [(Loss::Unasked, 3), (Loss::RefusedSplit, 3)]);
    }
}
