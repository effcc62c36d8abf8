//! Unwind tables in the kernel: rows in slabs, a page index, and one table of distinct rules for all images.
//!
//! Under a byte budget: what the kernel has not looked up for longest is evicted first.

use std::{collections::HashMap, rc::Rc};

use infrared_abi::{IR_MAX_RULES, IR_SLAB_ROWS, bytes_of, ir_page, ir_page_key, ir_row, ir_rule};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::{
    arena::{Arena, SlabKind, SlabView, put},
    error::KernelError,
    extents::Extent,
    live::Live,
};

/// The rows of one 64 KiB page: `rows[first..first + count]` of an [`ImageTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRows {
    /// Stated address >> 16.
    pub page: u32,
    pub first: usize,
    pub count: usize,
}

/// The table of one image as its builder made it: rule indexes are into `rules`.
#[derive(Clone, Copy, Debug)]
pub struct ImageTable<'a> {
    pub pages: &'a [PageRows],
    pub rows: &'a [ir_row],
    pub rules: &'a [ir_rule],
}

/// Why a table was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the table alone is larger than the budget")]
    OverBudget,
    #[error("the table is damaged: {0}")]
    Damaged(&'static str),
    #[error("all {IR_MAX_RULES} distinct rules are in use")]
    TooManyRules,
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

/// How much is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableUsage {
    pub images: usize,
    pub pages: usize,
    pub rows: usize,
    pub rules: usize,
    /// Bytes of rows, page index and rules in use.
    pub bytes: usize,
    /// Bytes of kernel memory that the slabs take, used or not.
    pub slab_bytes: usize,
    pub evicted_images: u64,
}

#[derive(Debug)]
struct LoadedImage {
    pages: Vec<(u32, Extent)>,
    rows: usize,
}

/// All tables that the kernel has.
#[derive(Debug)]
pub struct UnwindTables {
    rows: Arena<ir_row>,
    pages: MapHandle,
    rules: MapHandle,
    live: Rc<Live>,
    rule_ids: HashMap<ir_rule, u16>,
    rule_list: Vec<ir_rule>,
    images: HashMap<u32, LoadedImage>,
    budget_bytes: usize,
    evicted_images: u64,
}

/// Bytes of the page index that a page takes: key, value and the hash element around them.
const PAGE_ENTRY_BYTES: usize = size_of::<ir_page_key>() + size_of::<ir_page>() + 48;

impl UnwindTables {
    pub(crate) fn new(
        slabs: MapHandle,
        pages: MapHandle,
        rules: MapHandle,
        live: Rc<Live>,
        budget_bytes: usize,
    ) -> Self {
        let slab_bytes = IR_SLAB_ROWS as usize * size_of::<ir_row>();
        let limit = (budget_bytes / slab_bytes).clamp(1, slabs.max_entries() as usize) as u32;
        let kind = SlabKind { what: "unwind rows", size: IR_SLAB_ROWS, limit };
        Self {
            rows: Arena::new(kind, slabs),
            pages,
            rules,
            live,
            rule_ids: HashMap::new(),
            rule_list: Vec::new(),
            images: HashMap::new(),
            budget_bytes,
            evicted_images: 0,
        }
    }

    pub fn contains(&self, image: u32) -> bool {
        self.images.contains_key(&image)
    }

    /// Loads the table of an image, evicting others while there is no room. Returns the images evicted.
    pub fn insert(&mut self, image: u32, table: ImageTable<'_>) -> Result<Vec<u32>, TableError> {
        let mut evicted = Vec::new();
        if size_of_val(table.rows) > self.budget_bytes {
            return Err(TableError::OverBudget);
        }
        self.remove(image);
        let rule_ids = self.intern_rules(table.rules)?;
        let mut loaded = LoadedImage { pages: Vec::with_capacity(table.pages.len()), rows: 0 };
        for page in table.pages {
            let rows = table
                .rows
                .get(page.first..page.first + page.count)
                .ok_or(TableError::Damaged("a page's rows are out of range"))?;
            let result = self.insert_page(image, page.page, rows, &rule_ids, &mut evicted);
            match result {
                Ok(extent) => {
                    loaded.pages.push((page.page, extent));
                    loaded.rows += rows.len();
                }
                Err(error) => {
                    self.unload(image, loaded);
                    return Err(error);
                }
            }
        }
        self.images.insert(image, loaded);
        Ok(evicted)
    }

    fn insert_page(
        &mut self,
        image: u32,
        page: u32,
        rows: &[ir_row],
        rule_ids: &[u16],
        evicted: &mut Vec<u32>,
    ) -> Result<Extent, TableError> {
        let rows: Option<Vec<ir_row>> = rows
            .iter()
            .map(|row| Some(ir_row { rule: *rule_ids.get(usize::from(row.rule))?, ..*row }))
            .collect();
        let rows = rows.ok_or(TableError::Damaged("a row's rule is out of range"))?;
        let extent = loop {
            match self.rows.take(rows.len()) {
                Ok(extent) => break extent,
                Err(KernelError::Full { .. }) => match self.evict_oldest() {
                    Some(gone) => evicted.push(gone),
                    None => return Err(TableError::OverBudget),
                },
                Err(error) => return Err(error.into()),
            }
        };
        self.rows.write(extent, &rows)?;
        let key = ir_page_key { image, page };
        let value =
            ir_page { slab: extent.slab, first: extent.first, count: extent.count, last_used: 0 };
        if let Err(error) = put(&self.pages, "ir_pages", &key, &value) {
            self.rows.release(extent);
            return Err(error.into());
        }
        Ok(extent)
    }

    fn intern_rules(&mut self, rules: &[ir_rule]) -> Result<Vec<u16>, TableError> {
        let mut ids = Vec::with_capacity(rules.len());
        for rule in rules {
            let id = if let Some(id) = self.rule_ids.get(rule) {
                *id
            } else {
                let id = self.rule_list.len() as u32;
                if id >= IR_MAX_RULES {
                    return Err(TableError::TooManyRules);
                }
                put(&self.rules, "ir_rules", &id, rule)?;
                self.rule_list.push(*rule);
                self.rule_ids.insert(*rule, id as u16);
                id as u16
            };
            ids.push(id);
        }
        Ok(ids)
    }

    /// Takes an image's table out of the kernel.
    pub fn remove(&mut self, image: u32) {
        if let Some(loaded) = self.images.remove(&image) {
            self.unload(image, loaded);
        }
    }

    fn unload(&mut self, image: u32, loaded: LoadedImage) {
        for (page, extent) in loaded.pages {
            let key = ir_page_key { image, page };
            if let Err(error) = self.pages.delete(bytes_of(&key)) {
                tracing::warn!(image, page, %error, "cannot unpublish a page of unwind rows");
                continue;
            }
            self.rows.release(extent);
        }
        if let Err(error) = self.live.tables_changed() {
            tracing::warn!(image, %error, "the kernel may use rules of a table that is gone");
        }
    }

    /// Evicts the image whose most recent look-up is the oldest; `None` if nothing is loaded.
    fn evict_oldest(&mut self) -> Option<u32> {
        let oldest = self
            .images
            .iter()
            .min_by_key(|(id, loaded)| self.last_used(**id, loaded))
            .map(|(id, _)| *id);
        if let Some(image) = oldest {
            self.remove(image);
            self.evicted_images += 1;
        }
        oldest
    }

    /// The last window in which the kernel looked any page of the image up.
    fn last_used(&self, image: u32, loaded: &LoadedImage) -> u32 {
        let used = loaded
            .pages
            .iter()
            .filter_map(|(page, _)| self.page(ir_page_key { image, page: *page }));
        used.map(|page| page.last_used).max().unwrap_or(0)
    }

    /// The index entry of a page, as the kernel has it.
    pub(crate) fn page(&self, key: ir_page_key) -> Option<ir_page> {
        let bytes = self.pages.lookup(bytes_of(&key), MapFlags::ANY).ok().flatten()?;
        infrared_abi::read(&bytes)
    }

    pub(crate) fn rule(&self, index: u32) -> Option<ir_rule> {
        self.rule_list.get(index as usize).copied()
    }

    pub(crate) fn row_slab(&self, slab: u32) -> Option<SlabView> {
        self.rows.view(slab, false).ok()
    }

    pub fn usage(&self) -> TableUsage {
        let pages: usize = self.images.values().map(|i| i.pages.len()).sum();
        let rules = self.rule_list.len();
        TableUsage {
            images: self.images.len(),
            pages,
            rows: self.images.values().map(|i| i.rows).sum(),
            rules,
            bytes: self.rows.used_bytes() + pages * PAGE_ENTRY_BYTES + rules * size_of::<ir_rule>(),
            slab_bytes: self.rows.slab_bytes(),
            evicted_images: self.evicted_images,
        }
    }
}
