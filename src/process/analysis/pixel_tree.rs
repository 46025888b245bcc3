//! The pixel tree (`create_ttree`): one entry per pixel, one branch per image that exists.
//!
//! CompressSkipperProcess, PedestalSubtractionProcess, CalibrationProcess and AbsoluteChargeProcess ask for it once all
//! amplifiers are done; the file is written with the other outputs. Spec 02 §11.
//!
//! | frame | branches (double) | entries |
//! |---|---|---|
//! | one amplifier | `row`, `col`, `Q`, `STD`, `psQ`, `Ne`, `N`, `PN` | rows × cols |
//! | L and U | `row`, `col`, then each with `_L` and `_U`; columns in the order of readout | rows × cols/2 |
//! | stacked extensions | as one amplifier, with `amp` (HDU); rows within the extension | all pixels |
//!
//! `Q` is the averaged image, `STD` the standard deviation of the skips, `psQ` the pedestal-subtracted and `Ne` the
//! calibrated image, `N` the integer charge with its probability `PN`; each is there if the image exists.

use ndarray::Array2;

use crate::image::{Amplifier, RawData, Side};
use crate::process::Context;

/// Values of about this many entries are made at a time.
const ENTRIES_AT_A_TIME: usize = 1 << 18;

/// The trees that the chain asked for, left for the output.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PixelTrees(pub Vec<PixelTree>);

/// A tree to be written: which images it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelTree {
    /// File-name part: `<Tag>_tree`.
    pub name: String,
    /// Branch (without the suffix of an amplifier) and name of the image.
    pub images: Vec<(&'static str, String)>,
}

/// Asks for the tree of this process, if `wanted` and its last amplifier is done. Images made later are not in it.
pub fn request(raw: &mut RawData, context: &Context<'_>, wanted: bool) {
    let last = match context.entry.scope {
        crate::process::Scope::Image => true,
        crate::process::Scope::Amplifier => context.amplifier + 1 == raw.amplifiers.len(),
    };
    if !wanted || !last {
        return;
    }
    let exists = |name: &String| raw.images.contains_key(name);
    let averaged = ["mean", "average", "median", "nanmean", "nanmedian"]
        .iter()
        .map(|f| format!("{f}_compressed"))
        .find(exists)
        .unwrap_or_else(|| "mean_compressed".into());
    let first_of = |names: &[String]| names.iter().find(|n| exists(n)).cloned();
    let last_with = |ending: &str| raw.images.keys().rev().find(|n| n.ends_with(ending)).cloned();
    let subtracted = format!("{averaged}_pedestal_subtracted");
    let images = [
        ("Q", first_of(std::slice::from_ref(&averaged))),
        ("STD", first_of(&["std_compressed".into(), "nanstd_compressed".into()])),
        ("psQ", first_of(std::slice::from_ref(&subtracted))),
        // corrected images have longer names, e.g. …_correct_cols_e: the last one made counts
        ("Ne", first_of(&[format!("{subtracted}_e"), format!("{averaged}_e")]).or_else(|| last_with("_e"))),
        ("N", last_with("_n")),
        ("PN", last_with("_n_probability")),
    ];
    let tree = PixelTree {
        name: format!("{}_tree", context.entry.tag),
        images: images.into_iter().filter_map(|(branch, name)| Some((branch, name?))).collect(),
    };
    let mut trees = raw.products.take::<PixelTrees>().unwrap_or_default();
    trees.0.retain(|old| old.name != tree.name);
    trees.0.push(tree);
    raw.products.set(trees);
}

/// How the pixels of the frame become entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Single,
    Halves,
    Stacked,
}

fn frame(raw: &RawData) -> Frame {
    let has = |side| raw.amplifiers.iter().any(|a| a.side == side);
    if has(Side::L) && has(Side::U) {
        Frame::Halves
    } else if raw.stacked || raw.amplifiers.len() > 1 {
        Frame::Stacked
    } else {
        Frame::Single
    }
}

/// Amplifiers whose pixels share an entry, in the order of the branches (L before U).
fn sides(raw: &RawData) -> Vec<&Amplifier> {
    [Side::L, Side::U].iter().filter_map(|side| raw.amplifiers.iter().find(|a| a.side == *side)).collect()
}

impl PixelTree {
    /// Names of the branches, in order.
    pub fn branches(&self, raw: &RawData) -> Vec<String> {
        let mut names: Vec<String> = match frame(raw) {
            Frame::Stacked => vec!["amp".into(), "row".into(), "col".into()],
            _ => vec!["row".into(), "col".into()],
        };
        for (branch, _) in &self.images {
            match frame(raw) {
                Frame::Halves => names.extend([format!("{branch}_L"), format!("{branch}_U")]),
                _ => names.push((*branch).into()),
            }
        }
        names
    }

    /// Hands over the values of all branches, some rows at a time: one vector per branch, entries in the order of rows.
    ///
    /// # Errors
    /// What `sink` says.
    pub fn for_each_chunk<E>(
        &self,
        raw: &RawData,
        mut sink: impl FnMut(&[Vec<f64>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let images: Vec<&Array2<f64>> = self.images.iter().filter_map(|(_, name)| raw.images.get(name)).collect();
        match frame(raw) {
            Frame::Single => {
                let parts: Vec<Part> = images.iter().map(|image| Part::whole(image, raw)).collect();
                chunks(raw.rows, raw.cols, None, 0, &parts, &mut sink)
            }
            Frame::Halves => {
                let sides = sides(raw);
                let rows = sides.iter().map(|a| a.full.rows.len()).min().unwrap_or(0);
                let cols = sides.iter().map(|a| a.full.cols.len()).min().unwrap_or(0);
                let part = |image| sides.iter().map(move |amplifier| Part { image, amplifier: Some(amplifier) });
                let parts: Vec<Part> = images.iter().copied().flat_map(part).collect();
                chunks(rows, cols, None, 0, &parts, &mut sink)
            }
            Frame::Stacked => {
                for amplifier in &raw.amplifiers {
                    let parts: Vec<Part> =
                        images.iter().map(|image| Part { image, amplifier: Some(amplifier) }).collect();
                    let (rows, cols) = (amplifier.full.rows.len(), amplifier.full.cols.len());
                    chunks(rows, cols, Some(amplifier.hdu as f64), amplifier.full.cols.start, &parts, &mut sink)?;
                }
                Ok(())
            }
        }
    }
}

/// An image as one amplifier sees it, or the whole of it.
#[derive(Clone, Copy)]
struct Part<'a> {
    image: &'a Array2<f64>,
    amplifier: Option<&'a Amplifier>,
}

impl<'a> Part<'a> {
    fn whole(image: &'a Array2<f64>, _raw: &RawData) -> Self {
        Self { image, amplifier: None }
    }

    /// The pixel in this row and column of readout.
    fn at(&self, row: usize, col: usize) -> f64 {
        let Some(a) = self.amplifier else { return self.image[[row, col]] };
        let col = if a.side == Side::U { a.full.cols.end - 1 - col } else { a.full.cols.start + col };
        self.image[[a.full.rows.start + row, col]]
    }
}

fn chunks<E>(
    rows: usize,
    cols: usize,
    amp: Option<f64>,
    first_col: usize,
    parts: &[Part<'_>],
    sink: &mut impl FnMut(&[Vec<f64>]) -> Result<(), E>,
) -> Result<(), E> {
    let step = (ENTRIES_AT_A_TIME / cols.max(1)).max(1);
    for first in (0..rows).step_by(step) {
        let lines = first..(first + step).min(rows);
        let places = || lines.clone().flat_map(|row| (0..cols).map(move |col| (row, col)));
        let mut values: Vec<Vec<f64>> = Vec::with_capacity(parts.len() + 3);
        values.extend(amp.map(|amp| vec![amp; lines.len() * cols]));
        values.push(places().map(|(row, _)| row as f64).collect());
        values.push(places().map(|(_, col)| (first_col + col) as f64).collect());
        values.extend(parts.iter().map(|part| places().map(|(row, col)| part.at(row, col)).collect::<Vec<f64>>()));
        sink(&values)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Region;
    use crate::process::{CommonParameters, registry};

    fn ask(raw: &mut RawData, process: &str, amplifier: usize) {
        let common = CommonParameters::default();
        let entry = registry::find(process).unwrap();
        request(raw, &Context { entry, common: &common, amplifier, seed: 1 }, true);
    }

    fn entries(raw: &RawData) -> (Vec<String>, Vec<Vec<f64>>) {
        let tree = &raw.products.get::<PixelTrees>().unwrap().0[0];
        let mut all: Vec<Vec<f64>> = vec![Vec::new(); tree.branches(raw).len()];
        tree.for_each_chunk::<()>(raw, |values| {
            all.iter_mut().zip(values).for_each(|(a, v)| a.extend(v));
            Ok(())
        })
        .unwrap();
        (tree.branches(raw), all)
    }

    fn image(rows: usize, cols: usize, offset: f64) -> Array2<f64> {
        Array2::from_shape_fn((rows, cols), |(r, c)| offset + (10 * r + c) as f64)
    }

    #[test]
    fn one_amplifier() {
        let mut raw = RawData::from_image("mean_compressed", image(2, 3, 0.0));
        raw.images.insert("mean_compressed_pedestal_subtracted".into(), image(2, 3, 100.0));
        ask(&mut raw, "PedestalSubtractionProcess", 0);
        raw.images.insert("std_compressed".into(), image(2, 3, 0.0));
        let (names, values) = entries(&raw);
        assert_eq!(names, ["row", "col", "Q", "psQ"], "images made later are not in it");
        assert_eq!(values[0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(values[1], [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
        assert_eq!(values[3], [100.0, 101.0, 102.0, 110.0, 111.0, 112.0]);
        assert_eq!(raw.products.get::<PixelTrees>().unwrap().0[0].name, "PedestalSubtractionProcess_tree");
    }

    #[test]
    fn corrected_and_counted_images_are_found_by_their_endings() {
        let mut raw = RawData::from_image("mean_compressed", image(1, 2, 0.0));
        let corrected = "mean_compressed_pedestal_subtracted_correct_cols";
        for (ending, offset) in [("", 100.0), ("_e", 10.0), ("_n", 7.0), ("_n_probability", 0.5)] {
            raw.images.insert(format!("{corrected}{ending}"), image(1, 2, offset));
        }
        ask(&mut raw, "AbsoluteChargeProcess", 0);
        let (names, values) = entries(&raw);
        assert_eq!(names, ["row", "col", "Q", "Ne", "N", "PN"]);
        assert_eq!((values[3][1], values[4][1], values[5][1]), (11.0, 8.0, 1.5));
    }

    #[test]
    fn both_halves_in_one_entry_u_from_the_right_edge() {
        let mut raw = RawData::from_image("mean_compressed", image(2, 4, 0.0));
        let half = |name: &str, side, cols| Amplifier {
            side,
            full: Region::new(0..2, cols),
            ..Amplifier::whole_image(name, 0, 2, 4)
        };
        raw.amplifiers = vec![half("U", Side::U, 2..4), half("L", Side::L, 0..2)];
        ask(&mut raw, "PedestalSubtractionProcess", 0);
        assert!(raw.products.get::<PixelTrees>().is_none(), "not before the last amplifier");
        ask(&mut raw, "PedestalSubtractionProcess", 1);
        let (names, values) = entries(&raw);
        assert_eq!(names, ["row", "col", "Q_L", "Q_U"]);
        assert_eq!(values[0], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(values[1], [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(values[2], [0.0, 1.0, 10.0, 11.0]);
        assert_eq!(values[3], [3.0, 2.0, 13.0, 12.0]);
    }

    #[test]
    fn stacked_extensions_name_their_hdu_and_count_rows_within_it() {
        let mut raw = RawData::from_image("mean_compressed", image(4, 2, 0.0));
        raw.stacked = true;
        let block = |n: usize| Amplifier {
            full: Region::new(2 * n..2 * n + 2, 0..2),
            ..Amplifier::whole_image(&format!("EXT{}", 3 - n), 3 - n, 4, 2)
        };
        raw.amplifiers = vec![block(0), block(1)];
        ask(&mut raw, "CompressSkipperProcess", 0);
        let (names, values) = entries(&raw);
        assert_eq!(names, ["amp", "row", "col", "Q"]);
        assert_eq!(values[0], [3.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0]);
        assert_eq!(values[1], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(values[3], [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0]);
        assert_eq!(raw.products.get::<PixelTrees>().unwrap().0[0].name, "CompressSkipsProcess_tree");
    }
}
