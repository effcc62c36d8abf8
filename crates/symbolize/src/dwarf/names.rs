//! The name of a function entry: its linkage name, else its plain name, looked for through abstract
//! origins and specifications, across units and into the supplementary file.

use std::rc::Rc;
use std::sync::Arc;

use gimli::{AttributeValue, DwAt, Reader, Unit, UnitOffset, constants as dw};

use super::sections::Debug;
use crate::error::Result;
use crate::paged::SectionReader;

/// References followed for one name; compilers make chains of two or three.
const MAX_REFERENCES: usize = 16;

/// The attributes of an entry that can lead to a name.
#[derive(Default)]
pub(crate) struct Origin {
    linkage_name: Option<AttributeValue<SectionReader>>,
    name: Option<AttributeValue<SectionReader>>,
    abstract_entry: Option<AttributeValue<SectionReader>>,
    specification: Option<AttributeValue<SectionReader>>,
}

impl Origin {
    pub(crate) fn take(&mut self, attribute: DwAt, value: AttributeValue<SectionReader>) {
        match attribute {
            dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => self.linkage_name = Some(value),
            dw::DW_AT_name => self.name = Some(value),
            dw::DW_AT_abstract_origin => self.abstract_entry = Some(value),
            dw::DW_AT_specification => self.specification = Some(value),
            _ => {}
        }
    }
}

/// Where a reference leads: a file (ours or the supplementary one), a unit, an entry.
struct Target<'a> {
    debug: &'a Debug,
    unit: Rc<Unit<SectionReader>>,
    entry: UnitOffset<usize>,
}

pub(crate) fn name(debug: &Debug, unit: &Unit<SectionReader>, origin: &Origin) -> Option<Arc<str>> {
    if let Some(linkage) = &origin.linkage_name {
        return string(debug, unit, linkage);
    }
    let referred = follow(debug, unit, origin).and_then(referred_name);
    if let Some(Name { text, linkage: true }) = referred {
        return Some(text);
    }
    let own = origin.name.as_ref().and_then(|name| string(debug, unit, name));
    own.or(referred.map(|name| name.text))
}

/// A name, and whether it is the linker's, which goes before any other.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    text: Arc<str>,
    linkage: bool,
}

/// The name that the entries from `target` on give: many inlined calls refer to the same one.
fn referred_name(target: Target<'_>) -> Option<Name> {
    let (debug, start) = (target.debug, target.unit.header.debug_info_offset()?.0);
    let key = start.checked_add(target.entry.0)?;
    debug.name_once(key, || walk(target))
}

fn walk(first: Target<'_>) -> Option<Name> {
    let mut plain = None;
    let mut next = Some(first);
    for _ in 0..MAX_REFERENCES {
        let Some(target) = next else { break };
        let Ok(origin) = read_origin(&target) else { break };
        let (debug, unit) = (target.debug, &target.unit);
        if let Some(linkage) = &origin.linkage_name {
            return string(debug, unit, linkage).map(|text| Name { text, linkage: true });
        }
        if plain.is_none() {
            plain = origin.name.as_ref().and_then(|name| string(debug, unit, name));
        }
        next = follow(debug, unit, &origin);
    }
    plain.map(|text| Name { text, linkage: false })
}

fn string(
    debug: &Debug,
    unit: &Unit<SectionReader>,
    value: &AttributeValue<SectionReader>,
) -> Option<Arc<str>> {
    let reader = debug.dwarf.attr_string(unit, value.clone()).ok()?;
    let text = reader.to_string_lossy().ok()?;
    (!text.is_empty()).then(|| Arc::from(&*text))
}

fn read_origin(target: &Target<'_>) -> Result<Origin> {
    let mut origin = Origin::default();
    let mut entries = target.unit.entries_raw(Some(target.entry))?;
    if let Some(abbreviation) = entries.read_abbreviation()? {
        target.debug.spend(abbreviation.attributes().len())?;
        for &specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(specification)?;
            origin.take(attribute.name(), attribute.value());
        }
    }
    Ok(origin)
}

fn follow<'a>(debug: &'a Debug, unit: &Unit<SectionReader>, origin: &Origin) -> Option<Target<'a>> {
    let reference = origin.abstract_entry.as_ref().or(origin.specification.as_ref())?;
    let (debug, offset) = match *reference {
        AttributeValue::UnitRef(entry) => {
            let start = unit.header.debug_info_offset()?;
            let unit = debug.unit(start.0).ok()?;
            return Some(Target { debug, unit, entry });
        }
        AttributeValue::DebugInfoRef(offset) => (debug, offset),
        AttributeValue::DebugInfoRefSup(offset) => (debug.supplement.as_deref()?, offset),
        _ => return None,
    };
    let (start, entry) = debug.unit_around(offset).ok()?;
    Some(Target { debug, unit: debug.unit(start).ok()?, entry })
}
