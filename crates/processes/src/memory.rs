//! How our own process holds memory.
//!
//! glibc's allocator keeps an arena a thread, and what was freed in it. A profiler that works in bursts, once a window,
//! then seems to need the peak of every burst for ever.

/// Makes the allocator of this process use few arenas and return what is free. To be called before threads start.
/// Does nothing where the C library is not glibc.
#[expect(unsafe_code, reason = "the allocator's settings have no safe interface")]
pub fn hold_little_memory() {
    #[cfg(target_env = "gnu")]
    {
        const ARENAS: i32 = 2;
        const THRESHOLD_BYTES: i32 = 256 << 10;
        let settings = [
            (libc::M_ARENA_MAX, ARENAS),
            (libc::M_TRIM_THRESHOLD, THRESHOLD_BYTES),
            (libc::M_MMAP_THRESHOLD, THRESHOLD_BYTES),
        ];
        for (parameter, value) in settings {
            // SAFETY: mallopt takes two numbers and touches only the allocator's own settings.
            let accepted = unsafe { libc::mallopt(parameter, value) };
            debug_assert_eq!(accepted, 1);
        }
    }
}

/// Returns to the kernel what the allocator holds free, after a burst of work.
#[expect(unsafe_code, reason = "the allocator has no safe interface for this")]
pub fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(64 << 10);
    }
}
