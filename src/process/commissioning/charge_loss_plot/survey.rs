//! Images of single skips, and the mean and spread of every skip, in one pass (spec 04 §5.2).

use ndarray::Array2;

use crate::image::Region;
use crate::image::cube::{Block, Samples};
use crate::process::commissioning::moments::Moments;
use crate::process::commissioning::selection::rows_in_block;
use crate::process::commissioning::survey::Survey;

/// Sees all pixels of the image.
#[derive(Debug)]
pub struct SkipImagesSurvey {
    shape: (usize, usize, usize),
    shown: Vec<usize>,
    /// Pixels of each amplifier.
    regions: Vec<Region>,
    /// Pixels of the images, one list per shown skip.
    images: Vec<Vec<f64>>,
    /// Per amplifier.
    skips: Vec<SkipMoments>,
}

/// The pixels of an amplifier in every skip.
#[derive(Debug, Clone, PartialEq)]
pub struct SkipMoments {
    /// Their moments, `[skip]`.
    pub all: Vec<Moments>,
    /// Number and sums `[skip]` of those of [`GROUPS`] groups of neighbouring rows: how far they differ tells the errors.
    pub groups: Vec<RowGroup>,
}

/// The pixels of a group of neighbouring rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowGroup {
    /// Pixels.
    pub n: f64,
    /// Sum of each skip, ADU; empty without a pixel, not finite with an undefined sample.
    pub sum: Vec<f64>,
}

/// Groups of rows at most.
const GROUPS: usize = 64;

/// What is found in a block.
#[derive(Debug)]
pub struct Found {
    images: Vec<Vec<f64>>,
    moments: Vec<Option<FoundMoments>>,
}

/// What is found in a block of the pixels of an amplifier: the groups with their numbers.
#[derive(Debug)]
struct FoundMoments {
    all: Vec<Moments>,
    groups: Vec<(usize, RowGroup)>,
}

/// Rows per group of a region.
fn rows_per_group(region: &Region) -> usize {
    region.rows.len().div_ceil(GROUPS).max(1)
}

impl SkipImagesSurvey {
    /// Images of the skips `shown` of a cube of this shape (rows, columns, skips), and the moments of the pixels in the
    /// regions.
    pub fn new(shape: (usize, usize, usize), shown: Vec<usize>, regions: Vec<Region>) -> Self {
        let images = vec![Vec::new(); shown.len()];
        let skips = regions
            .iter()
            .map(|region| SkipMoments {
                all: vec![Moments::default(); shape.2],
                groups: vec![RowGroup::default(); region.rows.len().div_ceil(rows_per_group(region))],
            })
            .collect();
        Self { shape, shown, regions, images, skips }
    }

    /// The images, `[row, col]`, in the order in which their skips were listed, and the moments of each amplifier.
    pub fn into_parts(self) -> (Vec<Array2<f64>>, Vec<SkipMoments>) {
        let shape = (self.shape.0, self.shape.1);
        let images = self.images.into_iter().map(|p| Array2::from_shape_vec(shape, p).unwrap_or_default());
        (images.collect(), self.skips)
    }
}

impl Survey for SkipImagesSurvey {
    type Found = Found;

    fn observe(&self, block: &Block<'_>) -> Found {
        let pixels = block.rows.len() * block.cols.len();
        let image = |k: &usize| (0..pixels).map(|p| block.samples.get(p * block.skips + k)).collect();
        Found {
            images: self.shown.iter().map(image).collect(),
            moments: self.regions.iter().map(|region| moments_of_skips(block, region)).collect(),
        }
    }

    fn collect(&mut self, found: Found) {
        for (image, part) in self.images.iter_mut().zip(found.images) {
            image.extend(part);
        }
        for (mine, found) in self.skips.iter_mut().zip(found.moments) {
            let Some(found) = found else { continue };
            mine.all.iter_mut().zip(&found.all).for_each(|(moments, part)| moments.merge(part));
            for (number, part) in found.groups {
                let Some(group) = mine.groups.get_mut(number) else { continue };
                group.n += part.n;
                group.sum.resize(part.sum.len(), 0.0);
                group.sum.iter_mut().zip(&part.sum).for_each(|(sum, part)| *sum += part);
            }
        }
    }
}

/// Moments of each skip over the pixels of a region in a block; `None` without a pixel.
fn moments_of_skips(block: &Block<'_>, region: &Region) -> Option<FoundMoments> {
    let rows = rows_in_block(region, &block.rows);
    if rows.is_empty() || region.cols.is_empty() {
        return None;
    }
    let skips = block.skips;
    // deviations from the first pixel are small numbers, whose squares lose no digits
    let first = block.pixel(rows.start, region.cols.start);
    let centre: Vec<f64> = first.iter().map(|x| if x.is_finite() { x } else { 0.0 }).collect();
    let (mut sum, mut squares) = (vec![0.0; skips], vec![0.0; skips]);
    let mut missing = vec![0u32; if block_may_miss(block) { skips } else { 0 }];
    let number = |row: usize| (row - region.rows.start) / rows_per_group(region);
    let mut groups: Vec<(usize, RowGroup)> = Vec::new();
    // the sums at the end of the group before
    let (mut before, mut group_start) = (vec![0.0; skips], rows.start);
    for row in rows.clone() {
        for col in region.cols.clone() {
            match block.pixel(row, col) {
                Samples::Int(x) => pulp::Arch::new().dispatch(|| {
                    let lanes = sum.iter_mut().zip(&mut squares).zip(centre.iter().zip(x));
                    for ((sum, squares), (c, x)) in lanes {
                        let d = f64::from(*x) - c;
                        *sum += d;
                        *squares += d * d;
                    }
                }),
                Samples::Real(x) => {
                    for (k, x) in x.iter().enumerate() {
                        if x.is_finite() {
                            let d = x - centre[k];
                            sum[k] += d;
                            squares[k] += d * d;
                        } else {
                            missing[k] += 1;
                        }
                    }
                }
            }
        }
        if row + 1 == rows.end || number(row + 1) != number(row) {
            let n = ((row + 1 - group_start) * region.cols.len()) as f64;
            let of_skip = |(k, (sum, before)): (usize, (&f64, &f64))| {
                if missing.get(k).is_some_and(|n| *n > 0) { f64::NAN } else { sum - before + n * centre[k] }
            };
            let of_group = sum.iter().zip(&before).enumerate().map(of_skip).collect();
            groups.push((number(row), RowGroup { n, sum: of_group }));
            before.copy_from_slice(&sum);
            group_start = row + 1;
        }
    }
    let pixels = (rows.len() * region.cols.len()) as f64;
    let found = (0..skips).map(|k| {
        let n = pixels - missing.get(k).copied().map_or(0.0, f64::from);
        Moments::from_shifted(n, centre[k], sum[k], squares[k])
    });
    Some(FoundMoments { all: found.collect(), groups })
}

fn block_may_miss(block: &Block<'_>) -> bool {
    matches!(block.samples, Samples::Real(_))
}
