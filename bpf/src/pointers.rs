//! Which pages of tables a walk over a copied stack will probably need: those that the stack points into.
//!
//! A walk that lacks a page cannot tell what it will lack next. Return addresses are on the stack, though, among other
//! things: all at once they are found without a round for each. Pure.

use std::collections::HashSet;

use infrared_abi::{IR_IMAGE_FIRST, ir_mapping};

use crate::{host_unwinder::CopiedStack, processes::MappingBlock, tables::PageKey};

/// log2 of a page's size in bytes.
const PAGE_SHIFT: u32 = infrared_abi::IR_PAGE_SHIFT;

/// The stack pointer's number among the registers (`unwind/arch/*/registers.h`).
const SP: usize = if cfg!(target_arch = "aarch64") { 15 } else { 7 };

/// The pages that words of the stack point into, the innermost frames' first, and `most` of them at most: of those that
/// `is_wanted`. What is below the stack pointer is left over from calls that have returned.
pub fn pages_pointed_at(
    block: &MappingBlock,
    stack: CopiedStack<'_>,
    most: usize,
    is_wanted: impl Fn(PageKey) -> bool,
) -> Vec<PageKey> {
    let sp = stack.registers.general[SP];
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for piece in stack.memory {
        let mut at = piece.address;
        for word in piece.pages.iter().flat_map(|page| page.chunks_exact(size_of::<u64>())) {
            let is_live = at >= sp;
            at = at.wrapping_add(size_of::<u64>() as u64);
            let address = word.try_into().map_or(0, u64::from_ne_bytes);
            let Some(key) = page_of(block, address).filter(|_| is_live) else { continue };
            if seen.insert(key) && is_wanted(key) {
                found.push(key);
                if found.len() >= most {
                    return found;
                }
            }
        }
    }
    found
}

/// The page of the call before a return address.
fn page_of(block: &MappingBlock, address: u64) -> Option<PageKey> {
    let call = address.checked_sub(1)?;
    let after = block.mappings.partition_point(|mapping| mapping.start <= call);
    let mapping: &ir_mapping = block.mappings.get(after.checked_sub(1)?)?;
    if call >= mapping.end || mapping.image < IR_IMAGE_FIRST {
        return None;
    }
    let page = u32::try_from(call.wrapping_sub(mapping.bias) >> PAGE_SHIFT).ok()?;
    Some(PageKey { image: mapping.image, page })
}

#[cfg(test)]
mod tests {
    use infrared_abi::{ir_calls, ir_registers};

    use super::*;
    use crate::records::CopiedMemory;

    #[test]
    fn words_above_the_stack_pointer_that_point_into_images_name_pages_once_and_in_order() {
        let mapping = |start: u64, image| ir_mapping {
            start,
            end: start + 0x10_0000,
            bias: start - 0x1_0000,
            image,
            reserved: 0,
        };
        let block = MappingBlock {
            mappings: vec![mapping(0x40_0000, 20), mapping(0x60_0000, 2), mapping(0x80_0000, 21)],
            ..MappingBlock::default()
        };
        // below sp, then: page 9, page 1 (the call is before the border), another image, none, the same again, loaded
        let words: [u64; 9] = [
            0x41_1000, 0x48_0008, 0x41_0000, 0x81_0004, 0x60_1000, 0x7000, 0x48_0010, 0x40_0000,
            0x4f_0004,
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let memory = [CopiedMemory::new(0x7fff_0000, &bytes)];
        let loaded = PageKey { image: 20, page: 0x10 };
        let found = |most| {
            let mut registers = ir_registers::default();
            registers.general[SP] = 0x7fff_0008;
            let stack = CopiedStack {
                registers: &registers,
                in_syscall: false,
                memory: &memory,
                returns: &Default::default(),
                calls: &ir_calls::default(),
            };
            pages_pointed_at(&block, stack, most, |key| key != loaded)
                .into_iter()
                .map(|key| (key.image, key.page))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(64), [(20, 9), (20, 1), (21, 2)]);
        assert_eq!(found(2), [(20, 9), (20, 1)]);
    }
}
