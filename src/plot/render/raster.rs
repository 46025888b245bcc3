//! Images made ready for paper: cut to what is seen, averaged down to the resolution of the output, coloured.

use ndarray::Array2;
use rayon::prelude::*;

use super::drawing::Raster;
use super::limits::Limits;
use crate::plot::image::{ColourScale, ImagePlot, MaskStyle};

/// Palette entries that carry values; the others are for masked and missing pixels.
const LEVELS: usize = 252;
const MASKED: u8 = 252;
const HATCH: u8 = 253;
const MISSING: u8 = 255;

/// Images smaller than this number of pixels are enlarged up to it.
const ENLARGED: usize = 250_000;

/// The rows or columns of an image that fall on `cells` equal parts of `from..to` (in pixels), with their weights:
/// averaging by area. With fewer pixels than cells every pixel stays itself.
struct Resampling {
    /// For every output cell: first pixel and the weight of each pixel from there on.
    cells: Vec<(usize, Vec<f64>)>,
}

impl Resampling {
    fn new(from: f64, to: f64, pixels: usize, cells: usize) -> Self {
        let width = (to - from) / cells.max(1) as f64;
        let cells = (0..cells)
            .map(|i| {
                let (a, b) = (from + width * i as f64, from + width * (i + 1) as f64);
                let first = (a.floor().max(0.0) as usize).min(pixels.saturating_sub(1));
                let last = ((b.ceil() as usize).max(first + 1)).min(pixels.max(first + 1));
                let overlap = |p: usize| (b.min(p as f64 + 1.0) - a.max(p as f64)).max(0.0);
                let mut weights: Vec<f64> = (first..last).map(overlap).collect();
                if weights.iter().sum::<f64>() <= 0.0 {
                    weights = vec![1.0];
                }
                (first, weights)
            })
            .collect();
        Self { cells }
    }
}

/// Values and mask at the resolution of the output.
struct Resampled {
    values: Array2<f64>,
    masked: Array2<bool>,
}

/// Averages over the finite, unmasked pixels of every output cell; a cell without any is missing, or masked when most
/// of it is masked. Rows of cells are independent, so threads do not change the result.
fn resample(image: &ImagePlot, rows: &Resampling, cols: &Resampling) -> Resampled {
    let shape = (rows.cells.len(), cols.cells.len());
    let mut values = vec![f64::NAN; shape.0 * shape.1];
    let mut masked = vec![false; shape.0 * shape.1];
    let width = shape.1.max(1);
    let output = values.par_chunks_mut(width).zip(masked.par_chunks_mut(width));
    output.zip(&rows.cells).for_each(|((values, masked), row_cell)| {
        resample_row(image, row_cell, cols, values, masked);
    });
    Resampled {
        values: Array2::from_shape_vec(shape, values).unwrap_or_default(),
        masked: Array2::from_shape_vec(shape, masked).unwrap_or_default(),
    }
}

/// One row of cells. `row_cell`: first row of the image and the weight of each from there on.
fn resample_row(
    image: &ImagePlot,
    (first_row, row_weights): &(usize, Vec<f64>),
    cols: &Resampling,
    values: &mut [f64],
    masked: &mut [bool],
) {
    let has_mask = image.mask.is_some();
    // Per cell: weighted sum and weight of the good pixels, weight of the masked ones, weight of all.
    let mut sums = vec![[0.0f64; 4]; cols.cells.len()];
    for (r, row_weight) in row_weights.iter().enumerate().map(|(k, w)| (first_row + k, w)) {
        let row = image.values.row(r);
        for ((first_col, col_weights), [sum, good, covered, whole]) in cols.cells.iter().zip(&mut sums) {
            for (k, col_weight) in col_weights.iter().enumerate() {
                let c = first_col + k;
                let weight = row_weight * col_weight;
                let v = row[c];
                *whole += weight;
                if has_mask && image.is_masked(r, c) {
                    *covered += weight;
                } else if v.is_finite() {
                    *sum += weight * v;
                    *good += weight;
                }
            }
        }
    }
    for ((value, masked), [sum, good, covered, whole]) in values.iter_mut().zip(masked).zip(sums) {
        if covered > 0.5 * whole || (covered > 0.0 && good == 0.0) {
            *masked = true;
        } else if good > 0.0 {
            *value = sum / good;
        }
    }
}

/// Part of an image in pixels: rows and columns, as places between pixel edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub row_from: f64,
    pub row_to: f64,
    pub col_from: f64,
    pub col_to: f64,
}

/// The image inside `window`, coloured, with at most `most_rows` × `most_cols` pixels; row 0 of the result is the lowest
/// row number unless `flip_rows`, column 0 the lowest column number unless `flip_cols`. The window must lie on the
/// image; it is widened to whole pixels (returned) unless the image is averaged down.
pub(crate) fn render(
    image: &ImagePlot,
    limits: Limits,
    window: Window,
    most: (usize, usize),
    flip: (bool, bool),
) -> (Raster, Window) {
    let (rows, cols) = image.values.dim();
    let axis = |from: f64, to: f64, pixels: usize, most: usize| {
        let (first, last) = (from.floor().max(0.0), to.ceil().min(pixels as f64));
        let whole = (last - first).max(1.0) as usize;
        if whole > most.max(1) { (from, to, most.max(1)) } else { (first, last, whole) }
    };
    let (row_from, row_to, out_rows) = axis(window.row_from, window.row_to, rows, most.0);
    let (col_from, col_to, out_cols) = axis(window.col_from, window.col_to, cols, most.1);
    let seen = Window { row_from, row_to, col_from, col_to };
    let resampled = resample(
        image,
        &Resampling::new(row_from, row_to, rows, out_rows),
        &Resampling::new(col_from, col_to, cols, out_cols),
    );
    let mut raster = colour(image, limits, &resampled, flip);
    if image.mask_style == MaskStyle::Hatched && resampled.masked.iter().any(|m| *m) {
        enlarge(&mut raster, most, 64);
        hatch(&mut raster);
    }
    (raster, seen)
}

fn colour(image: &ImagePlot, limits: Limits, resampled: &Resampled, (flip_rows, flip_cols): (bool, bool)) -> Raster {
    let (height, width) = resampled.values.dim();
    let place = placement(image, limits, &resampled.values);
    let mut indices = Vec::with_capacity(width * height);
    for i in 0..height {
        let r = if flip_rows { height - 1 - i } else { i };
        for j in 0..width {
            let c = if flip_cols { width - 1 - j } else { j };
            let v = resampled.values[[r, c]];
            indices.push(if resampled.masked[[r, c]] {
                MASKED
            } else if v.is_nan() {
                MISSING
            } else {
                level(place(v))
            });
        }
    }
    Raster::new(width, height, indices, palette(image))
}

fn level(t: f64) -> u8 {
    (t * LEVELS as f64).clamp(0.0, (LEVELS - 1) as f64) as u8
}

/// The function that maps a value to 0…1.
fn placement<'a>(image: &ImagePlot, limits: Limits, shown: &Array2<f64>) -> Box<dyn Fn(f64) -> f64 + 'a> {
    let Limits { low, high } = limits;
    match image.scale {
        ColourScale::Linear => Box::new(move |v| (v - low) / (high - low)),
        ColourScale::Log => {
            let (a, b) = (low.log10(), high.log10());
            Box::new(move |v| if v > 0.0 { (v.log10() - a) / (b - a) } else { 0.0 })
        }
        ColourScale::HistogramEqualised => {
            let mut sorted: Vec<f64> = shown.iter().copied().filter(|v| v.is_finite()).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let n = sorted.len().max(1) as f64;
            // Equal values share the middle of their ranks.
            Box::new(move |v| {
                let below = sorted.partition_point(|s| *s < v);
                let not_above = sorted.partition_point(|s| *s <= v);
                (below + not_above) as f64 / 2.0 / n
            })
        }
    }
}

/// Colour of a value at `t` in 0…1, in steps when the image asks for discrete colours.
pub(crate) fn colour_at(image: &ImagePlot, t: f64) -> [u8; 3] {
    let t = match image.steps {
        Some(n) if n > 1 => (t * n as f64).floor().clamp(0.0, (n - 1) as f64) / (n - 1) as f64,
        Some(_) => 0.5,
        None => t,
    };
    let c = image.palette.at(t).on_white();
    [c.r, c.g, c.b]
}

/// Whether the image is darker than a middle grey at this place (data coordinates). Equalised images, whose colours
/// depend on all pixels shown, count as bright.
pub(crate) fn is_dark_at(image: &ImagePlot, limits: Limits, x: f64, y: f64) -> bool {
    let (rows, cols) = image.values.dim();
    let [x0, x1, y0, y1] = image.edges();
    let pixel = |v: f64, from: f64, to: f64, n: usize| {
        let place = (v - from) / (to - from) * n as f64;
        (place >= 0.0 && place < n as f64).then_some(place as usize)
    };
    let (Some(row), Some(col)) = (pixel(y, y0, y1, rows), pixel(x, x0, x1, cols)) else {
        return false;
    };
    let v = image.values[[row, col]];
    if image.scale == ColourScale::HistogramEqualised || !v.is_finite() || image.is_masked(row, col) {
        return false;
    }
    let t = placement(image, limits, &Array2::zeros((0, 0)))(v);
    let [r, g, b] = colour_at(image, t.clamp(0.0, 1.0)).map(f64::from);
    // Relative luminance of sRGB, without linearising: good enough to choose between black and white.
    0.299 * r + 0.587 * g + 0.114 * b < 128.0
}

fn palette(image: &ImagePlot) -> Vec<[u8; 3]> {
    let mut colours: Vec<[u8; 3]> = (0..LEVELS).map(|i| colour_at(image, (i as f64 + 0.5) / LEVELS as f64)).collect();
    let mask = match image.mask_style {
        MaskStyle::Colour(c) => c.on_white(),
        MaskStyle::Hatched => crate::plot::style::Colour::WHITE,
    };
    colours.push([mask.r, mask.g, mask.b]);
    colours.push([0x70, 0x70, 0x70]);
    colours.resize(256, [0xff, 0xff, 0xff]);
    colours
}

/// Enlarges a small raster up to about a quarter of a million pixels: many programs smooth images when they enlarge
/// them, but pixels shall stay squares.
pub(crate) fn enlarge_small(raster: &mut Raster, most: (usize, usize)) {
    let pixels = (raster.width * raster.height).max(1);
    enlarge(raster, most, (ENLARGED / pixels).isqrt());
}

/// Repeats every pixel, at most `largest` times in each direction and not beyond `most` rows and columns.
fn enlarge(raster: &mut Raster, most: (usize, usize), largest: usize) {
    let factor = |size: usize, most: usize| (most / size.max(1)).clamp(1, largest.max(1));
    let (fy, fx) = (factor(raster.height, most.0), factor(raster.width, most.1));
    if (fy, fx) == (1, 1) {
        return;
    }
    let (width, height) = (raster.width * fx, raster.height * fy);
    let mut indices = Vec::with_capacity(width * height);
    for row in raster.indices.chunks_exact(raster.width.max(1)) {
        let start = indices.len();
        for &index in row {
            indices.extend(std::iter::repeat_n(index, fx));
        }
        for _ in 1..fy {
            indices.extend_from_within(start..start + width);
        }
    }
    *raster = Raster::new(width, height, indices, std::mem::take(&mut raster.palette));
}

/// Diagonal lines on masked pixels.
fn hatch(raster: &mut Raster) {
    for (y, row) in raster.indices.chunks_exact_mut(raster.width.max(1)).enumerate() {
        for (x, index) in row.iter_mut().enumerate() {
            if *index == MASKED && (x + y) % 9 < 2 {
                *index = HATCH;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::limits;
    use super::*;
    use crate::plot::style::Palette;
    use ndarray::arr2;

    fn whole(image: &ImagePlot) -> Window {
        let (rows, cols) = image.values.dim();
        Window { row_from: 0.0, row_to: rows as f64, col_from: 0.0, col_to: cols as f64 }
    }

    #[test]
    fn averaging_down_keeps_the_mean_and_skips_missing_pixels() {
        let image = ImagePlot::new(arr2(&[[1.0, 3.0, 5.0], [1.0, f64::NAN, 5.0]]));
        // Three columns onto two: the middle one is split in halves.
        let r = resample(&image, &Resampling::new(0.0, 2.0, 2, 1), &Resampling::new(0.0, 3.0, 3, 2));
        assert_eq!(r.values.dim(), (1, 2));
        assert!((r.values[[0, 0]] - (2.0 * 1.0 + 0.5 * 3.0) / 2.5).abs() < 1e-12);
        assert!((r.values[[0, 1]] - (2.0 * 5.0 + 0.5 * 3.0) / 2.5).abs() < 1e-12);
    }

    #[test]
    fn pixels_get_their_colours() {
        let values = arr2(&[[0.0, 1.0, 2.0], [f64::NAN, 9.0, 1.0]]);
        let mask = Array2::from_shape_fn((2, 3), |p| p == (1, 1));
        let image = ImagePlot::new(values).mask(mask).full_range().palette(Palette::Gray);
        let l = limits(&image);
        assert_eq!((l.low, l.high), (0.0, 2.0), "the masked pixel has no say in the range");
        let (raster, _) = render(&image, l, whole(&image), (100, 100), (false, false));
        assert_eq!((raster.width, raster.height), (3, 2));
        assert_eq!(raster.indices, [0, 126, 251, MISSING, MASKED, 126]);
        let (flipped, _) = render(&image, l, whole(&image), (100, 100), (true, true));
        assert_eq!(flipped.indices, [126, MASKED, MISSING, 251, 126, 0]);
        let (hatched, _) = render(&image.mask_hatched(), l, whole_of(2, 3), (90, 90), (false, false));
        assert_eq!((hatched.width, hatched.height), (90, 90));
        assert!(hatched.indices.contains(&HATCH) && hatched.indices.contains(&MASKED));
    }

    fn whole_of(rows: usize, cols: usize) -> Window {
        Window { row_from: 0.0, row_to: rows as f64, col_from: 0.0, col_to: cols as f64 }
    }

    #[test]
    fn equalising_spreads_the_ranks_evenly() {
        let values = Array2::from_shape_fn((10, 100), |(r, c)| ((r * 100 + c) as f64).exp2().min(1e300));
        let image = ImagePlot::new(values).equalised();
        let (raster, _) = render(&image, limits(&image), whole(&image), (1000, 1000), (false, false));
        let low_half = raster.indices.iter().filter(|&&i| i < 126).count();
        assert_eq!(low_half, 500);
    }

    #[test]
    fn a_window_is_cut_out() {
        let values = Array2::from_shape_fn((6, 6), |(r, c)| (10 * r + c) as f64);
        let image = ImagePlot::new(values).range(0.0, 56.0);
        let window = Window { row_from: 1.2, row_to: 3.0, col_from: 2.0, col_to: 4.9 };
        let (raster, seen) = render(&image, limits(&image), window, (100, 100), (false, false));
        assert_eq!((raster.height, raster.width), (2, 3));
        assert_eq!(seen, Window { row_from: 1.0, row_to: 3.0, col_from: 2.0, col_to: 5.0 });
        assert_eq!(raster.indices[0], level(12.0 / 56.0));
    }
}
