//! Unwind tables in the kernel: rows in slabs, a page index, and one table of distinct rules for all images.
//!
//! Pages come and go one by one, under a byte budget: what was not looked up for longest goes first. A page that is gone
//! is missed by the kernel side and made again. Who makes pages is not known here.

mod recency;
mod rules;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    rc::Rc,
    time::{Duration, Instant},
};

use infrared_abi::{
    IR_MAX_RULES, IR_RULE_UNREADABLE, IR_SLAB_ROWS, bytes_of, ir_page, ir_page_key, ir_row, ir_rule,
};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use self::{
    recency::Recency,
    rules::{RuleId, Rules, UNSUPPORTED},
};
use crate::{
    arena::{Arena, SlabKind, put},
    error::KernelError,
    extents::Extent,
    live::Live,
};

/// 64 KiB of an image's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageKey {
    pub image: u32,
    /// Stated address >> 16.
    pub page: u32,
}

impl PageKey {
    /// What a walk lacked; `None` if nothing.
    pub(crate) fn missing(key: ir_page_key) -> Option<Self> {
        (key.image != 0).then_some(Self { image: key.image, page: key.page })
    }

    fn to_abi(self) -> ir_page_key {
        ir_page_key { image: self.image, page: self.page }
    }
}

/// The rows of one page as their builder made them: rule indexes are into `rules`.
#[derive(Clone, Copy, Debug)]
pub struct PageTable<'a> {
    pub rows: &'a [ir_row],
    pub rules: &'a [ir_rule],
}

/// Why a page was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the page is damaged: {0}")]
    Damaged(&'static str),
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// How much is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUsage {
    /// Images of which pages are loaded.
    pub images: usize,
    pub pages: usize,
    pub rows: usize,
    pub rules: usize,
    /// Bytes of rows, page index and rules in use.
    pub bytes: usize,
    /// Bytes of kernel memory that the slabs take, used or not.
    pub slab_bytes: usize,
    pub evicted_pages: u64,
    /// Rows without their rule, because their image has too many different ones.
    pub rows_over_rule_limit: u64,
}

/// The most distinct rules that one image may have in use. All executables of a machine have some thousands together, and
/// none more than 1,500.
pub const MAX_RULES_OF_IMAGE: usize = 4096;

/// Bytes of the page index that a page takes: key, value and the hash element around them.
const PAGE_ENTRY_BYTES: usize = size_of::<ir_page_key>() + size_of::<ir_page>() + 48;
/// When there is no room, so much of all is made free at once: waiting for readers costs the same for one page as for many.
const EVICTED_PART: usize = 16;
/// While pages are evicted, an epoch ends so often: which of them are in use is then known no worse.
const EPOCH_UNDER_PRESSURE: Duration = Duration::from_millis(250);

#[derive(Debug)]
struct LoadedPage {
    extent: Extent,
    /// The epoch in which user space looked it up last.
    used: Cell<u32>,
}

#[derive(Debug, Default)]
struct LoadedImage {
    pages: HashSet<u32>,
    /// How many of its pages have rows with a rule.
    rules: HashMap<RuleId, u32>,
}

/// All tables that the kernel has.
#[derive(Debug)]
pub struct UnwindTables {
    rows: Arena<ir_row>,
    index: MapHandle,
    rule_map: MapHandle,
    live: Rc<Live>,
    rules: Rules,
    pages: HashMap<PageKey, LoadedPage>,
    images: HashMap<u32, LoadedImage>,
    recency: Recency,
    epoch_began: Instant,
    evicted_pages: u64,
    rows_over_rule_limit: u64,
}

impl UnwindTables {
    pub(crate) fn new(
        slabs: MapHandle,
        index: MapHandle,
        rule_map: MapHandle,
        live: Rc<Live>,
        budget_bytes: usize,
    ) -> Result<Self, KernelError> {
        let slab_bytes = IR_SLAB_ROWS as usize * size_of::<ir_row>();
        let limit = (budget_bytes / slab_bytes).clamp(1, slabs.max_entries() as usize) as u32;
        let kind = SlabKind { what: "unwind rows", size: IR_SLAB_ROWS, limit };
        let rules = Rules::new();
        for id in 0..rules.len() as RuleId {
            if let Some(rule) = rules.get(id) {
                put(&rule_map, "ir_rules", &u32::from(id), &rule)?;
            }
        }
        Ok(Self {
            rows: Arena::new(kind, slabs),
            index,
            rule_map,
            live,
            rules,
            pages: HashMap::new(),
            images: HashMap::new(),
            recency: Recency::default(),
            epoch_began: Instant::now(),
            evicted_pages: 0,
            rows_over_rule_limit: 0,
        })
    }

    pub fn contains(&self, key: PageKey) -> bool {
        self.pages.contains_key(&key)
    }

    /// Loads a page, in place of what was there, and evicts others while there is no room.
    pub fn insert(&mut self, key: PageKey, table: PageTable<'_>) -> Result<(), TableError> {
        let counts = count_rules(table)?;
        let replaced = self.contains(key);
        self.remove(key);
        let extent = self.room_for(table.rows.len())?;
        let result = self.load(key, table, &counts, extent);
        if result.is_err() {
            self.rows.release(extent);
        }
        if replaced {
            self.outdate_known();
        }
        result
    }

    /// Makes room for pages that come next, with `rows` together: waiting for readers once costs less than for each.
    pub fn make_room(&mut self, rows: usize) -> Result<(), TableError> {
        let missing = rows.saturating_sub(self.rows.free()).min(self.rows.capacity() / 2);
        let mut freed = 0;
        while freed < missing {
            let Some(key) = self.oldest() else { break };
            freed += self.pages.get(&key).map_or(0, |page| page.extent.count as usize);
            self.evict(key);
        }
        if freed > 0 {
            self.rows.wait_for_readers()?;
            self.rules.end_rest();
            self.end_epoch();
        }
        Ok(())
    }

    /// Says of a page that its rows cannot be made.
    pub fn insert_unreadable(&mut self, key: PageKey) -> Result<(), TableError> {
        let rules = [rules::rule_of_kind(IR_RULE_UNREADABLE)];
        self.insert(key, PageTable { rows: &[ir_row::default()], rules: &rules })
    }

    fn load(
        &mut self,
        key: PageKey,
        table: PageTable<'_>,
        counts: &[u32],
        extent: Extent,
    ) -> Result<(), TableError> {
        let ids = self.acquire_rules(key.image, table.rules, counts)?;
        let rows: Vec<ir_row> = (table.rows.iter())
            .map(|row| ir_row { rule: ids[usize::from(row.rule)], ..*row })
            .collect();
        let epoch = self.live.tables_epoch();
        let written = self.rows.write(extent, &rows).and_then(|()| {
            let Extent { slab, first, .. } = extent;
            let entry = ir_page { slab, first, count: rows.len() as u32, last_used: epoch };
            put(&self.index, "ir_pages", &key.to_abi(), &entry)
        });
        if let Err(error) = written {
            self.release_rules(key.image, rows.iter().map(|row| row.rule));
            return Err(error.into());
        }
        self.images.entry(key.image).or_default().pages.insert(key.page);
        self.pages.insert(key, LoadedPage { extent, used: Cell::new(epoch) });
        self.recency.add(key, epoch);
        Ok(())
    }

    /// Room for so many rows, and an entry in the index.
    fn room_for(&mut self, rows: usize) -> Result<Extent, TableError> {
        while self.pages.len() >= self.index.max_entries() as usize {
            if !self.evict_some() {
                break;
            }
        }
        loop {
            match self.rows.take(rows) {
                Err(KernelError::Full { .. }) if self.evict_some() => {}
                taken => return Ok(taken?),
            }
        }
    }

    /// A place for each rule that rows have: `counts` tells in how many rows each is. The rarest are unsupported where the
    /// image has too many; where all images together have, the image with the most gives some up.
    fn acquire_rules(
        &mut self,
        image: u32,
        rules: &[ir_rule],
        counts: &[u32],
    ) -> Result<Vec<RuleId>, TableError> {
        let mut used: Vec<usize> = (0..rules.len()).filter(|at| counts[*at] > 0).collect();
        used.sort_by_key(|at| std::cmp::Reverse(counts[*at]));
        while self.places_wanted(rules, &used) > self.rules.room(Instant::now()) {
            if self.rules.has_resting() {
                self.rows.wait_for_readers()?;
                self.rules.end_rest();
            } else if !self.evict_for_rules() {
                break;
            }
        }
        let mut ids = vec![UNSUPPORTED; rules.len()];
        let loaded = self.images.entry(image).or_default();
        for at in used {
            let known = self.rules.id(&rules[at]);
            if let Some(id) = known.filter(|id| Rules::is_kept(*id)) {
                ids[at] = id;
                continue;
            }
            let has_it = known.is_some_and(|id| loaded.rules.contains_key(&id));
            let acquired = if has_it || loaded.rules.len() < MAX_RULES_OF_IMAGE {
                self.rules.acquire(&rules[at])
            } else {
                None
            };
            let Some((id, is_new)) = acquired else {
                self.rows_over_rule_limit += u64::from(counts[at]);
                continue;
            };
            *loaded.rules.entry(id).or_default() += 1;
            ids[at] = id;
            if is_new
                && let Err(error) = put(&self.rule_map, "ir_rules", &u32::from(id), &rules[at])
            {
                self.release_rules(image, ids.into_iter());
                return Err(error.into());
            }
        }
        Ok(ids)
    }

    /// How many of the rules have no place yet.
    fn places_wanted(&self, rules: &[ir_rule], used: &[usize]) -> usize {
        let new = used.iter().filter(|at| self.rules.id(&rules[**at]).is_none());
        new.count().min(MAX_RULES_OF_IMAGE)
    }

    /// The rules of a page's rows have a user less.
    fn release_rules(&mut self, image: u32, rules: impl Iterator<Item = RuleId>) {
        let now = Instant::now();
        let Some(loaded) = self.images.get_mut(&image) else { return };
        let mut seen = vec![false; IR_MAX_RULES as usize];
        for id in rules.filter(|id| !Rules::is_kept(*id)) {
            if std::mem::replace(&mut seen[usize::from(id)], true) {
                continue;
            }
            if let Some(pages) = loaded.rules.get_mut(&id) {
                *pages -= 1;
                if *pages == 0 {
                    loaded.rules.remove(&id);
                }
            }
            self.rules.release(id, now);
        }
        if loaded.pages.is_empty() {
            self.images.remove(&image);
        }
    }

    /// Takes all pages of an image out of the kernel.
    pub fn remove_image(&mut self, image: u32) {
        let pages: Vec<u32> =
            self.images.get(&image).map_or_else(Vec::new, |i| i.pages.iter().copied().collect());
        for page in &pages {
            self.remove(PageKey { image, page: *page });
        }
        if !pages.is_empty() {
            self.outdate_known();
        }
    }

    /// Takes a page out of the kernel, which misses it when it needs it.
    pub fn remove_page(&mut self, key: PageKey) {
        if self.contains(key) {
            self.remove(key);
            self.outdate_known();
        }
    }

    /// Takes a page out. Rules of it that CPUs have at hand stay right.
    fn remove(&mut self, key: PageKey) {
        let Some(page) = self.pages.remove(&key) else { return };
        self.recency.remove(key);
        if let Some(image) = self.images.get_mut(&key.image) {
            image.pages.remove(&key.page);
        }
        if let Err(error) = self.index.delete(bytes_of(&key.to_abi())) {
            tracing::warn!(?key, %error, "cannot unpublish a page of unwind rows: its room is lost");
            return;
        }
        match self.rows.read(page.extent) {
            Ok(rows) => self.release_rules(key.image, rows.iter().map(|row| row.rule)),
            Err(error) => tracing::warn!(?key, %error, "rules of a page are not given back"),
        }
        self.rows.release(page.extent);
    }

    /// Evicts the pages that were not used for longest: a part of all. `false` if there are none.
    fn evict_some(&mut self) -> bool {
        let (rows, pages) = (self.rows.capacity() / EVICTED_PART, self.pages.len() / EVICTED_PART);
        let (mut freed_rows, mut freed_pages) = (0, 0);
        while freed_rows < rows && freed_pages <= pages {
            let Some(key) = self.oldest() else { break };
            freed_rows += self.pages.get(&key).map_or(0, |page| page.extent.count as usize);
            freed_pages += 1;
            self.evict(key);
        }
        self.end_epoch();
        freed_pages > 0
    }

    /// Under pressure, epochs are short.
    fn end_epoch(&mut self) {
        if self.epoch_began.elapsed() >= EPOCH_UNDER_PRESSURE {
            self.outdate_known();
        }
    }

    /// Evicts the oldest pages of the image that has the most rules: a part of all. `false` if no image has any.
    fn evict_for_rules(&mut self) -> bool {
        let image = self.images.iter().max_by_key(|(id, image)| (image.rules.len(), **id));
        let Some((&image, loaded)) = image else { return false };
        let mut pages: Vec<(u32, PageKey)> = (loaded.pages.iter())
            .map(|page| PageKey { image, page: *page })
            .map(|key| (self.last_use(key), key))
            .collect();
        pages.sort_unstable();
        for (_, key) in &pages[..pages.len().div_ceil(EVICTED_PART)] {
            self.evict(*key);
        }
        !pages.is_empty()
    }

    fn evict(&mut self, key: PageKey) {
        self.remove(key);
        self.evicted_pages += 1;
    }

    fn oldest(&mut self) -> Option<PageKey> {
        let mut recency = std::mem::take(&mut self.recency);
        let oldest = recency.oldest(|key| self.last_use(key));
        self.recency = recency;
        oldest
    }

    /// The epoch in which a page was looked up last, by the kernel or here.
    fn last_use(&self, key: PageKey) -> u32 {
        let here = self.pages.get(&key).map_or(0, |page| page.used.get());
        let bytes = self.index.lookup(bytes_of(&key.to_abi()), MapFlags::ANY).ok().flatten();
        let there = bytes.and_then(|bytes| infrared_abi::read::<ir_page>(&bytes));
        there.map_or(here, |page| page.last_used.max(here))
    }

    /// CPUs let go of the rules that they have at hand, and mark pages as used anew.
    fn outdate_known(&mut self) {
        self.epoch_began = Instant::now();
        if let Err(error) = self.live.tables_changed() {
            tracing::warn!(%error, "the kernel may use rules of a table that is gone");
        }
    }

    /// The index entry of a page, which is marked as used.
    pub(crate) fn page(&self, key: PageKey) -> Option<ir_page> {
        let page = self.pages.get(&key)?;
        let last_used = self.live.tables_epoch();
        page.used.set(last_used);
        let Extent { slab, first, count } = page.extent;
        Some(ir_page { slab, first, count, last_used })
    }

    pub(crate) fn rule(&self, index: u32) -> Option<ir_rule> {
        self.rules.get(RuleId::try_from(index).ok()?)
    }

    /// The rows of a slab; null if there is none. To be read while nothing else is done with the tables.
    pub(crate) fn row_slab(&self, slab: u32) -> *const ir_row {
        self.rows.slab(slab).map_or(std::ptr::null(), <*mut ir_row>::cast_const)
    }

    /// Lets go of memory that is at hand for what comes in a row.
    pub(crate) fn let_go(&mut self) {
        self.rows.let_go();
    }

    pub fn usage(&self) -> TableUsage {
        let (pages, rules) = (self.pages.len(), self.rules.len());
        TableUsage {
            images: self.images.len(),
            pages,
            rows: self.rows.used(),
            rules,
            bytes: self.rows.used_bytes() + pages * PAGE_ENTRY_BYTES + rules * size_of::<ir_rule>(),
            slab_bytes: self.rows.slab_bytes(),
            evicted_pages: self.evicted_pages,
            rows_over_rule_limit: self.rows_over_rule_limit,
        }
    }
}

/// In how many rows each rule is.
fn count_rules(table: PageTable<'_>) -> Result<Vec<u32>, TableError> {
    if table.rows.is_empty() || table.rows.len() > 1 << 16 {
        return Err(TableError::Damaged("the number of rows"));
    }
    let mut counts = vec![0; table.rules.len()];
    for row in table.rows {
        let count = counts.get_mut(usize::from(row.rule));
        *count.ok_or(TableError::Damaged("a row's rule is out of range"))? += 1;
    }
    Ok(counts)
}
