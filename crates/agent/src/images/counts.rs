//! What is counted of images.

/// What became of images and pages, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageCounts {
    /// Images that made room for others.
    pub evicted: u64,
    /// Images that could not be told from others: their files tell neither device nor inode.
    pub refused: u64,
    /// Files that were let go of and opened again, and those that could not be.
    pub reopened: u64,
    pub unreachable: u64,
    /// Files that were copied from the memory of their processes, as they could not be read, and that could not be copied either.
    pub copied: u64,
    pub uncopied: u64,
    /// Those of them whose file system did not answer.
    pub unanswered: u64,
    /// Bytes of copies that are held now.
    pub copied_bytes: u64,
    /// Pages of unwind tables that were made, and those that could not be.
    pub pages_made: u64,
    pub pages_unreadable: u64,
    /// Files whose reader failed in a way that it must not: a defect.
    pub reader_panics: u64,
    /// Results that the kernel side did not take.
    pub pages_refused: u64,
    /// Files that are held open now.
    pub open_files: usize,
}
