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
    /// `[amplifier][skip]`.
    moments: Vec<Vec<Moments>>,
}

/// What is found in a block.
#[derive(Debug)]
pub struct Found {
    images: Vec<Vec<f64>>,
    moments: Vec<Option<Vec<Moments>>>,
}

impl SkipImagesSurvey {
    /// Images of the skips `shown` of a cube of this shape (rows, columns, skips), and the moments of the pixels in the
    /// regions.
    pub fn new(shape: (usize, usize, usize), shown: Vec<usize>, regions: Vec<Region>) -> Self {
        let images = vec![Vec::new(); shown.len()];
        let moments = vec![vec![Moments::default(); shape.2]; regions.len()];
        Self { shape, shown, regions, images, moments }
    }

    /// The images, `[row, col]`, in the order in which their skips were listed, and the moments, `[amplifier][skip]`.
    pub fn into_parts(self) -> (Vec<Array2<f64>>, Vec<Vec<Moments>>) {
        let shape = (self.shape.0, self.shape.1);
        let images = self.images.into_iter().map(|p| Array2::from_shape_vec(shape, p).unwrap_or_default());
        (images.collect(), self.moments)
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
        for (all, part) in self.moments.iter_mut().zip(found.moments) {
            for (moments, part) in all.iter_mut().zip(part.into_iter().flatten()) {
                moments.merge(&part);
            }
        }
    }
}

/// Moments of each skip over the pixels of a region in a block; `None` without a pixel.
fn moments_of_skips(block: &Block<'_>, region: &Region) -> Option<Vec<Moments>> {
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
    }
    let pixels = (rows.len() * region.cols.len()) as f64;
    let found = (0..skips).map(|k| {
        let n = pixels - missing.get(k).copied().map_or(0.0, f64::from);
        Moments::from_shifted(n, centre[k], sum[k], squares[k])
    });
    Some(found.collect())
}

fn block_may_miss(block: &Block<'_>) -> bool {
    matches!(block.samples, Samples::Real(_))
}
