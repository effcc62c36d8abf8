//! Pages of unwind tables: what becomes of a walk that lacks one, and which go when there is no room.

use infrared_bpf::{
    HostUnwinder, Kernel, KernelConfig, MAX_RULES_OF_IMAGE, MappingBlock, PageKey, PageTable,
    abi::{
        IR_IMAGE_FIRST, IR_RULE_OFFSET, IR_RULE_ROOT, IR_STOP_COMPLETE, IR_STOP_NO_TABLE, ir_row,
        ir_rule,
    },
    pages_pointed_at,
};
use infrared_unwind::{CompactTable, Page};

use crate::{
    session::{Session, config, insert},
    stacks::{copied, meanwhile, spinning},
    subject::Subject,
    support::images::Images,
};

const SLAB_ROWS: usize = 128 << 10;

/// A subject that spins at one instruction, and that the kernel side knows.
fn spinning_subject() -> (Session, Subject, Images, MappingBlock) {
    let (mut session, mut subject) = Session::with_subject(&config());
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    subject.tell("spin");
    meanwhile();
    let before = session.take().stacks;
    assert!(before.iter().any(|stack| stack.stop_reason == IR_STOP_COMPLETE));
    (session, subject, images, block)
}

/// The only page of the subject's code, and its table.
pub(crate) fn own_page<'i>(
    images: &'i Images,
    block: &MappingBlock,
) -> (PageKey, &'i CompactTable, &'i Page) {
    let image = block.mappings[0].image;
    let shown = images.shown(&block.mappings);
    let (_, table) = *shown.iter().find(|(id, _)| *id == image).unwrap();
    let page = &table.pages[0];
    (PageKey { image, page: page.index }, table, page)
}

#[test]
fn a_walk_that_lacks_a_page_is_deferred_and_names_it_until_the_page_is_there() {
    let (mut session, subject, images, block) = spinning_subject();
    let (key, table, page) = own_page(&images, &block);
    session.kernel.tables.remove_image(key.image);
    drop(session.take());
    meanwhile();
    let without = session.take();
    assert!(without.samples.is_empty(), "rules of a page that is gone were used");
    assert!(without.deferred.len() > 5, "starved: {}", without.deferred.len());
    assert!(without.deferred.iter().all(|deferred| deferred.missing == Some(key)));
    // A walk over the copy lacks the same; the stack tells of it beforehand.
    let (copy, mut host) = (spinning(&without), HostUnwinder::new(session.kernel.hash_key()));
    let found = host.unwind(&session.kernel.tables, subject.pid(), &block, copied(copy));
    assert_eq!((found.missing, found.may_improve), (Some(key), true));
    assert_eq!(found.stack.stop_reason, IR_STOP_NO_TABLE);
    let tables = &session.kernel.tables;
    let pointed = pages_pointed_at(&block, copied(copy), 64, |key| !tables.contains(key));
    assert_eq!(pointed, [key], "all other pages are loaded");
    insert(&mut session.kernel, key.image, table, page);
    let found = host.unwind(&session.kernel.tables, subject.pid(), &block, copied(copy));
    assert_eq!((found.missing, found.stack.stop_reason), (None, IR_STOP_COMPLETE));
    meanwhile();
    drop(session.take());
    meanwhile();
    let after = session.take();
    assert!(after.deferred.is_empty() && after.samples.len() > 50);
}

#[test]
fn a_page_that_cannot_be_made_ends_stacks_until_it_can() {
    let (mut session, _subject, images, block) = spinning_subject();
    let (key, table, page) = own_page(&images, &block);
    session.kernel.tables.insert_unreadable(key).unwrap();
    drop(session.take());
    meanwhile();
    let unreadable = session.take();
    assert!(unreadable.deferred.is_empty() && unreadable.samples.len() > 50);
    let ends: Vec<_> = unreadable.stacks.iter().map(|stack| stack.stop_reason).collect();
    assert_eq!(ends, [IR_STOP_NO_TABLE], "old rules were used");
    insert(&mut session.kernel, key.image, table, page);
    session.kernel.next_window().unwrap();
    drop(session.take());
    meanwhile();
    let ends: Vec<_> = session.take().stacks.iter().map(|stack| stack.stop_reason).collect();
    assert!(ends.is_empty() || ends == [IR_STOP_COMPLETE], "{ends:?}");
}

/// A page of so many rows that all end the stack.
fn insert_rows(kernel: &mut Kernel, key: PageKey, rows: usize) {
    let row = |address_low| ir_row { address_low, rule: 0 };
    let rows: Vec<_> = (0..=u16::MAX).map(row).take(rows).collect();
    let rules = [ir_rule { kind: IR_RULE_ROOT as u8, ..ir_rule::default() }];
    kernel.tables.insert(key, PageTable { rows: &rows, rules: &rules }).unwrap();
}

const fn page(number: u32) -> PageKey {
    PageKey { image: IR_IMAGE_FIRST + 1000, page: number }
}

#[test]
fn pages_go_by_the_window_of_their_last_use_and_then_in_the_order_in_which_they_came() {
    /// More than is evicted at once, so that one goes at a time.
    const ROWS: usize = SLAB_ROWS / 12;
    let (mut session, mut subject) = Session::with_subject(&KernelConfig {
        table_budget_bytes: SLAB_ROWS * size_of::<ir_row>(),
        ..config()
    });
    let mut images = Images::default();
    let block = session.load_tables(&mut images, &subject);
    session.kernel.processes.publish(subject.pid(), &block).unwrap();
    // The subject's own pages are the oldest. Those that it uses are in use in every window, the others in none.
    let (own, ..) = own_page(&images, &block);
    let subjects_pages = session.kernel.tables.usage().pages;
    for number in 1..=2 {
        insert_rows(&mut session.kernel, page(number), ROWS);
    }
    subject.tell("burn 50");
    session.kernel.next_window().unwrap();
    for number in 3..=4 {
        insert_rows(&mut session.kernel, page(number), ROWS);
    }
    session.kernel.next_window().unwrap();
    subject.tell("burn 50");
    let mut gone = Vec::new();
    for number in 5..=40 {
        insert_rows(&mut session.kernel, page(number), ROWS);
        let is_gone =
            |before: &u32| !session.kernel.tables.contains(page(*before)) && !gone.contains(before);
        let newly: Vec<u32> = (1..number).filter(is_gone).collect();
        gone.extend(newly);
        session.kernel.next_window().unwrap();
        subject.tell("burn 20");
        assert!(session.kernel.tables.contains(own), "a page in use went before others");
    }
    let expected: Vec<u32> = (1..=gone.len() as u32).collect();
    assert_eq!(gone, expected, "the oldest first");
    assert!(gone.len() > 20);
    let usage = session.kernel.tables.usage();
    assert_eq!(usage.slab_bytes, SLAB_ROWS * size_of::<ir_row>());
    assert!(usage.rows <= SLAB_ROWS && usage.rows > SLAB_ROWS / 2, "{usage:?}");
    assert!(usage.evicted_pages >= gone.len() as u64);
    assert!(usage.evicted_pages < (gone.len() + subjects_pages) as u64, "{usage:?}");
    // The kernel still unwinds with what was left.
    drop(session.take());
    subject.tell("burn 100");
    let taken = session.take();
    assert!(taken.samples.len() > taken.deferred.len());
}

#[test]
fn a_full_index_of_pages_evicts_as_well() {
    const INDEX: u32 = 65_536;
    let mut session = Session::load(&config());
    for number in 0..INDEX + 100 {
        insert_rows(&mut session.kernel, page(number), 1);
    }
    let usage = session.kernel.tables.usage();
    assert!(usage.pages <= INDEX as usize && usage.evicted_pages >= 100, "{usage:?}");
    assert!(session.kernel.tables.contains(page(INDEX + 99)));
    assert!(!session.kernel.tables.contains(page(0)));
    session.kernel.tables.remove_image(page(0).image);
    let usage = session.kernel.tables.usage();
    assert_eq!((usage.images, usage.pages, usage.rows), (0, 0, 0));
}

/// A page in which each of `often` rules is in force twice, and each of `rarely` once. No other page has any of them.
fn insert_rules(kernel: &mut Kernel, key: PageKey, often: usize, rarely: usize) {
    let rule = |number: usize| ir_rule {
        kind: IR_RULE_OFFSET as u8,
        cfa_offset: number as i32 * 8,
        cfa_offset2: (key.image << 12 | key.page) as i32,
        ..ir_rule::default()
    };
    let rules: Vec<_> = (0..often + rarely).map(rule).collect();
    let rows = (0..often + rarely).chain(0..often).enumerate();
    let rows: Vec<_> =
        rows.map(|(at, rule)| ir_row { address_low: at as u16, rule: rule as u16 }).collect();
    kernel.tables.insert(key, PageTable { rows: &rows, rules: &rules }).unwrap();
}

#[test]
fn an_image_with_too_many_rules_loses_its_rarest_and_no_other_image_does() {
    let mut session = Session::load(&config());
    let before = session.kernel.tables.usage();
    let (greedy, modest) = (IR_IMAGE_FIRST, IR_IMAGE_FIRST + 1);
    let first = PageKey { image: greedy, page: 1 };
    insert_rules(&mut session.kernel, first, MAX_RULES_OF_IMAGE, 904);
    let usage = session.kernel.tables.usage();
    assert_eq!(usage.rules, before.rules + MAX_RULES_OF_IMAGE);
    assert_eq!(usage.rows_over_rule_limit, 904, "the rarest");
    insert_rules(&mut session.kernel, PageKey { page: 2, ..first }, 0, 100);
    insert_rules(&mut session.kernel, PageKey { image: modest, page: 1 }, 200, 0);
    let usage = session.kernel.tables.usage();
    assert_eq!(usage.rules, before.rules + MAX_RULES_OF_IMAGE + 200);
    assert_eq!(usage.rows_over_rule_limit, 904 + 100);
    session.kernel.tables.remove_image(greedy);
    assert_eq!(session.kernel.tables.usage().rules, before.rules + 200, "given back");
    insert_rules(&mut session.kernel, first, MAX_RULES_OF_IMAGE, 0);
    assert_eq!(session.kernel.tables.usage().rows_over_rule_limit, 904 + 100);
}

#[test]
fn many_images_with_many_rules_leave_room_for_those_of_others() {
    let mut session = Session::load(&config());
    let modest = PageKey { image: IR_IMAGE_FIRST, page: 1 };
    insert_rules(&mut session.kernel, modest, 500, 0);
    for image in 1..=24 {
        for page in 1..=8 {
            let key = PageKey { image: IR_IMAGE_FIRST + image, page };
            insert_rules(&mut session.kernel, key, MAX_RULES_OF_IMAGE / 8, 0);
        }
    }
    let usage = session.kernel.tables.usage();
    assert!(usage.rules <= 32_768 && usage.evicted_pages > 0, "{usage:?}");
    assert_eq!(usage.rows_over_rule_limit, 0, "old pages go before new ones lose anything");
    assert!(session.kernel.tables.contains(modest), "who has few rules keeps them");
    let late = PageKey { image: IR_IMAGE_FIRST + 100, page: 1 };
    insert_rules(&mut session.kernel, late, 700, 0);
    assert_eq!(session.kernel.tables.usage().rows_over_rule_limit, 0);
}
