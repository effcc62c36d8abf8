//! Alone in its process: what other tests allocate would count.

use infrared_processes::memory::{hold_little_memory, return_free_memory};

fn resident_pages() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm has a second field")
}

#[test]
fn freed_memory_goes_back_to_the_kernel() {
    hold_little_memory();
    let before = resident_pages();
    // Small blocks, which the allocator does not map one by one; a last one keeps the top of the heap in place.
    let blocks: Vec<Vec<u8>> = (0..20_000).map(|_| vec![1; 4096]).collect();
    let pin = vec![1_u8; 100];
    let full = resident_pages();
    drop(blocks);
    return_free_memory();
    let after = resident_pages();
    assert!(full > before + 15_000, "{before} {full}");
    assert!(after < before + 5_000, "{before} {full} {after}");
    drop(pin);
}
