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
    /// Number and sums `[skip]` of those of groups of neighbouring pixels: how far they differ tells the errors. Up to
    /// [`MOST_GROUPS`] groups of whole rows, or parts of rows if there are few.
    pub groups: Vec<PixelGroup>,
}

/// A group of neighbouring pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PixelGroup {
    /// Pixels.
    pub n: f64,
    /// Sum of each skip, ADU; empty without a pixel, not finite with an undefined sample.
    pub sum: Vec<f64>,
}

/// Groups of rows at most.
const MOST_GROUPS: usize = 64;
/// Groups below which rows are divided.
const FEWEST_GROUPS: usize = 16;

/// How the pixels of a region are grouped.
#[derive(Debug, Clone)]
struct Grouping {
    region: Region,
    /// Rows of a group, and columns of the groups within a row.
    rows: usize,
    cols: usize,
}

impl Grouping {
    fn of(region: &Region) -> Self {
        let (rows, cols) = (region.rows.len(), region.cols.len());
        let parts = if rows > 0 && rows < FEWEST_GROUPS { FEWEST_GROUPS.div_ceil(rows) } else { 1 };
        Self { region: region.clone(), rows: rows.div_ceil(MOST_GROUPS).max(1), cols: cols.div_ceil(parts).max(1) }
    }

    fn parts(&self) -> usize {
        self.region.cols.len().div_ceil(self.cols)
    }

    fn count(&self) -> usize {
        self.region.rows.len().div_ceil(self.rows) * self.parts()
    }

    fn number(&self, row: usize, col: usize) -> usize {
        (row - self.region.rows.start) / self.rows * self.parts() + (col - self.region.cols.start) / self.cols
    }
}

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
    groups: Vec<(usize, PixelGroup)>,
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
                groups: vec![PixelGroup::default(); Grouping::of(region).count()],
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
    let grouping = Grouping::of(region);
    let mut groups: Vec<(usize, PixelGroup)> = Vec::new();
    // the sums at the end of the group before, and the number of the pixels since then
    let (mut before, mut since) = (vec![0.0; skips], 0usize);
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
            since += 1;
            let next = if col + 1 < region.cols.end { (row, col + 1) } else { (row + 1, region.cols.start) };
            let number = grouping.number(row, col);
            if next.0 == rows.end || grouping.number(next.0, next.1) != number {
                let n = since as f64;
                let of_skip = |(k, (sum, before)): (usize, (&f64, &f64))| {
                    if missing.get(k).is_some_and(|n| *n > 0) { f64::NAN } else { sum - before + n * centre[k] }
                };
                let sums = sum.iter().zip(&before).enumerate().map(of_skip).collect();
                groups.push((number, PixelGroup { n, sum: sums }));
                before.copy_from_slice(&sum);
                since = 0;
            }
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
