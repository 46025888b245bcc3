//! The part of the font that a page uses, for embedding in PDF and EPS.

use std::collections::BTreeMap;

use subsetter::GlyphRemapper;

use super::RenderError;
use super::drawing::{Drawing, Mark};
use super::font;

/// A font file with the used glyphs only.
pub(crate) struct Subset {
    /// TrueType file without character map.
    pub file: Vec<u8>,
    remapper: GlyphRemapper,
    /// New glyph number → (character, advance width in units of the font size).
    pub glyphs: BTreeMap<u16, (char, f64)>,
    /// Six capitals that mark the subset, the same for the same set of glyphs.
    pub tag: String,
}

impl Subset {
    /// The glyphs of these pages; `None` when there is no text at all.
    pub fn of(drawings: &[Drawing]) -> Result<Option<Self>, RenderError> {
        // In the order of the glyph numbers, so that the file does not depend on where text stands.
        let mut used: BTreeMap<u16, char> = BTreeMap::new();
        for mark in drawings.iter().flat_map(|d| &d.marks) {
            if let Mark::Text { glyphs, .. } = mark {
                used.extend(glyphs.iter().map(|g| (g.id, g.character)));
            }
        }
        if used.is_empty() {
            return Ok(None);
        }
        let mut remapper = GlyphRemapper::new();
        let mut glyphs = BTreeMap::new();
        for (&id, &character) in &used {
            glyphs.insert(remapper.remap(id), (character, font::advance(id)));
        }
        let file =
            subsetter::subset(font::DATA, 0, &remapper).map_err(|e| RenderError::Font { message: format!("{e:?}") })?;
        Ok(Some(Self { file, remapper, glyphs, tag: tag(used.keys()) }))
    }

    /// Number of a glyph in the subset.
    pub fn number(&self, id: u16) -> u16 {
        self.remapper.get(id).unwrap_or(0)
    }
}

/// FNV-1a hash of the glyph numbers, in letters.
fn tag<'a>(ids: impl Iterator<Item = &'a u16>) -> String {
    let mut hash = ids
        .flat_map(|id| id.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut out = String::new();
    for _ in 0..6 {
        out.push(char::from(b'A' + (hash % 26) as u8));
        hash /= 26;
    }
    out
}
