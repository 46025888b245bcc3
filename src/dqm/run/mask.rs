//! The mask of the run: hot pixels, rows and columns (spec 06 §7).
//!
//! Every image says which of its active pixels are outlying; the counts are added, which does not depend on any order.
//! A pixel is hot if it is outlying in more than a fraction of the images; a row or column of an amplifier is hot if more
//! than a fraction of its pixels are.

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::path::Path;

use base64::Engine as _;
use ndarray::Array2;

use crate::dqm::elements::Outliers;
use crate::dqm::elements::config::ElementConfig;
use crate::dqm::model::{MaskCounts, MaskRegions, padded};
use crate::fits::{Card, FitsWriter, Header};

/// Bit of a hot pixel.
pub const HOT_PIXEL: u8 = 1;
/// Bit of a pixel in a hot row.
pub const HOT_ROW: u8 = 2;
/// Bit of a pixel in a hot column.
pub const HOT_COL: u8 = 4;

/// Largest frame that is read back, pixels.
const LARGEST_FRAME: usize = 1 << 30;

/// Counts of outlying pixels, one list per shape of frame.
#[derive(Debug, Default)]
pub struct MaskAccumulator {
    shapes: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    rows: usize,
    cols: usize,
    files: Vec<String>,
    regions: Vec<MaskRegions>,
    counts: Vec<u32>,
    /// The file that is counted apart from the others.
    apart: Option<String>,
}

impl Counted {
    fn has_shape_of(&self, other: &Self) -> bool {
        (self.rows, self.cols) == (other.rows, other.cols) && self.regions == other.regions
    }
}

impl MaskAccumulator {
    /// Adds the outlying pixels of an image; one that every part of a run has is counted `apart`.
    pub fn add(&mut self, file: &str, ccd: i64, outliers: &Outliers, apart: bool) {
        let corners = |r: &crate::image::Region| [r.rows.start, r.rows.end, r.cols.start, r.cols.end];
        let regions: Vec<MaskRegions> = outliers
            .amplifiers
            .iter()
            .map(|a| MaskRegions { name: a.name.clone(), ccd, full: corners(&a.full), active: corners(&a.active) })
            .collect();
        let (rows, cols) = outliers.pixels.dim();
        let counted = self.shape(rows, cols, regions, apart.then_some(file));
        counted.files.push(file.to_owned());
        for (count, outlying) in counted.counts.iter_mut().zip(&outliers.pixels) {
            *count += u32::from(*outlying);
        }
    }

    fn shape(&mut self, rows: usize, cols: usize, regions: Vec<MaskRegions>, apart: Option<&str>) -> &mut Counted {
        let apart = apart.map(str::to_owned);
        let found = self
            .shapes
            .iter()
            .position(|s| (s.rows, s.cols) == (rows, cols) && s.regions == regions && s.apart == apart);
        let position = found.unwrap_or_else(|| {
            let counts = vec![0; rows * cols];
            self.shapes.push(Counted { rows, cols, files: Vec::new(), regions, counts, apart });
            self.shapes.len() - 1
        });
        &mut self.shapes[position]
    }

    /// Adds the counts of a part of the run.
    ///
    /// # Errors
    /// A file that is counted already, or counts that cannot be read.
    pub fn add_record(&mut self, record: &MaskCounts) -> Result<(), String> {
        let counts = unpack(record)?;
        let known = |file: &String| self.shapes.iter().any(|s| s.files.contains(file));
        if let Some(file) = record.files.iter().find(|f| known(f)) {
            return Err(format!("{file} is counted twice in the masks of the parts"));
        }
        let apart = record.apart.then(|| record.files.first().map(String::as_str)).flatten();
        let shape = self.shape(record.rows, record.cols, record.amplifiers.clone(), apart);
        shape.files.extend(record.files.iter().cloned());
        shape.counts.iter_mut().zip(counts).for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// The counts as they stand in the summary.
    pub fn records(&self) -> Vec<MaskCounts> {
        let mut records: Vec<MaskCounts> = self
            .shapes
            .iter()
            .map(|s| {
                let mut files = s.files.clone();
                files.sort();
                let amplifiers = s.regions.clone();
                let (apart, counts) = (s.apart.is_some(), pack(&s.counts));
                MaskCounts { rows: s.rows, cols: s.cols, files, amplifiers, counts, apart }
            })
            .collect();
        records.sort_by(|a, b| a.files.cmp(&b.files));
        records
    }
}

fn pack(counts: &[u32]) -> String {
    let bytes: Vec<u8> = counts.iter().flat_map(|c| c.to_le_bytes()).collect();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(6));
    // Writing to memory does not fail.
    let packed = encoder.write_all(&bytes).and_then(|()| encoder.finish()).unwrap_or_default();
    base64::engine::general_purpose::STANDARD.encode(packed)
}

fn unpack(record: &MaskCounts) -> Result<Vec<u32>, String> {
    let pixels = record.rows.checked_mul(record.cols).filter(|n| *n <= LARGEST_FRAME);
    let pixels = pixels.ok_or_else(|| format!("a mask of {} × {} pixels is too large", record.rows, record.cols))?;
    let packed = base64::engine::general_purpose::STANDARD
        .decode(&record.counts)
        .map_err(|e| format!("the counts of the mask are damaged: {e}"))?;
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(&packed[..])
        .take(4 * pixels as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("the counts of the mask are damaged: {e}"))?;
    if bytes.len() != 4 * pixels {
        return Err(format!("the counts of the mask hold {} bytes; {} were expected", bytes.len(), 4 * pixels));
    }
    Ok(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

/// The mask of a run.
#[derive(Debug, Clone)]
pub struct Mask {
    /// Fraction of the images in which a pixel is outlying, `[row, col]`.
    pub fraction: Array2<f64>,
    /// Why a pixel is masked: sum of [`HOT_PIXEL`], [`HOT_ROW`], [`HOT_COL`]; 0: not masked.
    pub bits: Array2<u8>,
    /// Images counted.
    pub images: usize,
    /// Masked pixels.
    pub masked: usize,
    /// By amplifier.
    pub amplifiers: Vec<MaskedAmplifier>,
    /// File whose header the mask gets: the first image counted.
    pub first_file: String,
    /// Limits: pixel, row, column.
    pub limits: (f64, f64, f64),
}

/// What is masked in an amplifier; rows are counted within the amplifier, columns in the frame, from 0.
#[derive(Debug, Clone)]
pub struct MaskedAmplifier {
    /// Name.
    pub name: String,
    /// CCD number.
    pub ccd: i64,
    /// Masked pixels.
    pub masked: usize,
    /// Hot pixels.
    pub hot_pixels: usize,
    /// Hot rows.
    pub hot_rows: Vec<usize>,
    /// Hot columns.
    pub hot_cols: Vec<usize>,
}

/// Name of the file.
pub fn file_name(run: i64) -> String {
    format!("mask_run{}.fits", padded(run))
}

/// The mask from the counts of the frames that have the shape of the `first` image; `None` if nothing was counted.
pub(super) fn build(
    accumulator: &MaskAccumulator,
    first: Option<&str>,
    config: &ElementConfig,
    warnings: &mut Vec<String>,
) -> Option<Mask> {
    let counted = accumulator
        .shapes
        .iter()
        .find(|s| first.is_some_and(|f| s.files.iter().any(|file| file == f)))
        .or_else(|| accumulator.shapes.iter().min_by_key(|s| s.files.iter().min()))?;
    let mut left_out: Vec<&str> = accumulator
        .shapes
        .iter()
        .filter(|s| !s.has_shape_of(counted))
        .flat_map(|s| s.files.iter().map(String::as_str))
        .collect();
    left_out.sort_unstable();
    if !left_out.is_empty() {
        warnings.push(format!("run mask: left out are frames of another shape: {}", left_out.join(", ")));
    }
    let limits = Limits {
        pixel: config.plain_number("hot_pixel_fraction"),
        row: config.truth("mask_hot_rows").then(|| config.plain_number("hot_rows_fraction")),
        col: config.truth("mask_hot_cols").then(|| config.plain_number("hot_cols_fraction")),
        allow_for_chance: config.truth("allow_for_chance"),
    };
    let same: Vec<&Counted> = accumulator.shapes.iter().filter(|s| s.has_shape_of(counted)).collect();
    let mut counts = vec![0u32; counted.counts.len()];
    for shape in &same {
        counts.iter_mut().zip(&shape.counts).for_each(|(sum, n)| *sum += n);
    }
    let images = same.iter().map(|s| s.files.len()).sum();
    if images == 1 {
        warnings.push("run mask: there is one image only; the mask holds only hot rows and columns".into());
    } else if (limits.pixel * images as f64) < 1.0 && !limits.allow_for_chance {
        warnings.push(format!(
            "run mask: with {images} images a pixel that is outlying once is hot already (limit {}): most of these are chance",
            limits.pixel
        ));
    }
    let mut mask = hot(counted.rows, counted.cols, &counts, images, &counted.regions, &limits);
    mask.first_file = same.iter().flat_map(|s| &s.files).min().cloned().unwrap_or_default();
    Some(mask)
}

struct Limits {
    pixel: f64,
    row: Option<f64>,
    col: Option<f64>,
    /// Pixels and lines must also be outlying more often than chance makes them.
    allow_for_chance: bool,
}

/// Probability below which a number of outlying pixels is not chance.
const CHANCE: f64 = 1e-4;

/// Ratio of odds, hot to usual, from which on something is more than a little brighter than the rest.
const ODDS: f64 = 3.0;

/// Smallest number of `n` trials that is hot: above `limit`·n and, if chance is allowed for, less likely than [`CHANCE`]
/// with the probability `usual` of a trial, and with odds more than [`ODDS`] times those. More than `n`: none can be.
///
/// With a dark current of half an electron every second pixel lies above its overscan in any image: without the second
/// condition the mask would be the whole active region.
fn smallest_hot(n: usize, limit: f64, usual: f64, allow_for_chance: bool) -> usize {
    let first = (0..=n).find(|&k| k as f64 / n.max(1) as f64 > limit).unwrap_or(n + 1);
    if !allow_for_chance {
        return first;
    }
    let is_brighter = |k: usize| k as f64 * (1.0 - usual) > ODDS * usual * (n - k) as f64;
    (first..=n).find(|&k| is_brighter(k) && binomial_tail(k, n, usual) < CHANCE).unwrap_or(n + 1)
}

/// Probability of `k` or more successes of `n` with probability `p` each: I_p(k, n − k + 1).
fn binomial_tail(k: usize, n: usize, p: f64) -> f64 {
    if k == 0 || p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 || k > n {
        return 0.0;
    }
    statrs::function::beta::checked_beta_reg(k as f64, (n - k + 1) as f64, p).unwrap_or(1.0)
}

fn hot(rows: usize, cols: usize, counts: &[u32], images: usize, regions: &[MaskRegions], limits: &Limits) -> Mask {
    let fraction = Array2::from_shape_fn((rows, cols), |(r, c)| {
        f64::from(counts.get(r * cols + c).copied().unwrap_or(0)) / images.max(1) as f64
    });
    let mut bits = Array2::<u8>::zeros((rows, cols));
    let mut amplifiers = Vec::new();
    for region in regions {
        let clip = |from: usize, to: usize, end: usize| from.min(end)..to.min(end);
        let (active_rows, active_cols) =
            (clip(region.active[0], region.active[1], rows), clip(region.active[2], region.active[3], cols));
        let (full_rows, full_cols) =
            (clip(region.full[0], region.full[1], rows), clip(region.full[2], region.full[3], cols));
        let count_of = |r: usize, c: usize| counts.get(r * cols + c).map_or(0, |n| *n as usize);
        let active = || active_rows.clone().flat_map(|r| active_cols.clone().map(move |c| (r, c)));
        // How often a pixel of this amplifier is outlying, and how often it is so in too many images.
        let pixels = (active_rows.len() * active_cols.len()).max(1) as f64;
        let mean = active().map(|(r, c)| count_of(r, c)).sum::<usize>() as f64 / (pixels * images.max(1) as f64);
        let pixel_from = smallest_hot(images, limits.pixel, mean, limits.allow_for_chance);
        let often_from = smallest_hot(images, limits.pixel, mean, false);
        let often_share = binomial_tail(often_from, images, mean);
        let line_from = |limit: Option<f64>, length: usize| {
            limit.map(|limit| smallest_hot(length, limit, often_share, limits.allow_for_chance))
        };
        let (row_from, col_from) = (line_from(limits.row, active_cols.len()), line_from(limits.col, active_rows.len()));
        let is_often = |r: usize, c: usize| count_of(r, c) >= often_from;
        let hot_rows: Vec<usize> = active_rows
            .clone()
            .filter(|r| {
                let count = active_cols.clone().filter(|c| is_often(*r, *c)).count();
                row_from.is_some_and(|from| count >= from)
            })
            .collect();
        let hot_cols: Vec<usize> = active_cols
            .clone()
            .filter(|c| {
                let count = active_rows.clone().filter(|r| is_often(*r, *c)).count();
                col_from.is_some_and(|from| count >= from)
            })
            .collect();
        let mut hot_pixels = 0;
        // With one image every outlying pixel would be hot, most of them by chance.
        if images > 1 {
            for r in active_rows.clone() {
                for c in active_cols.clone() {
                    if count_of(r, c) >= pixel_from {
                        bits[[r, c]] |= HOT_PIXEL;
                        hot_pixels += 1;
                    }
                }
            }
        }
        for &r in &hot_rows {
            full_cols.clone().for_each(|c| bits[[r, c]] |= HOT_ROW);
        }
        for &c in &hot_cols {
            full_rows.clone().for_each(|r| bits[[r, c]] |= HOT_COL);
        }
        let masked = full_rows.clone().map(|r| full_cols.clone().filter(|c| bits[[r, *c]] != 0).count()).sum();
        amplifiers.push(MaskedAmplifier {
            name: region.name.clone(),
            ccd: region.ccd,
            masked,
            hot_pixels,
            hot_rows: hot_rows.iter().map(|r| r - full_rows.start).collect(),
            hot_cols,
        });
    }
    let masked = bits.iter().filter(|b| **b != 0).count();
    let limits = (limits.pixel, limits.row.unwrap_or(f64::NAN), limits.col.unwrap_or(f64::NAN));
    Mask { fraction, bits, images, masked, amplifiers, first_file: String::new(), limits }
}

/// Writes `mask_runNNN.fits`: fraction, mask (1: masked), bits. `base` is the header of the first image.
///
/// # Errors
/// A sentence with the path.
pub(super) fn write(mask: &Mask, run: i64, base: &Header, path: &Path) -> Result<(), String> {
    let mut header = super::image::plain_header(base);
    header.set(Card::new("EXTNAME", "FRACTION", "fraction of images in which a pixel is outlying"));
    header.set(Card::new("RUN", run, "run number"));
    header.set(Card::new("NFILES", mask.images as i64, "images counted"));
    for (keyword, value, comment) in [
        ("FPIX", mask.limits.0, "limit: fraction of images of a hot pixel"),
        ("FPPROW", mask.limits.1, "limit: fraction of hot pixels of a hot row"),
        ("FPPCOL", mask.limits.2, "limit: fraction of hot pixels of a hot column"),
    ] {
        if value.is_finite() {
            header.set(Card::new(keyword, value, comment));
        }
    }
    header.set(Card::new("NMASKED", mask.masked as i64, "masked pixels"));
    header.push(Card::history(format!("Made by {}", crate::output::images::TOOL)));
    let named = |name: &str, comment: &str| {
        let mut header = Header::new();
        header.set(Card::new("EXTNAME", name, comment));
        header
    };
    let mut bits = named("BITS", "why a pixel is masked");
    for (keyword, meaning) in [("BIT0", "hot pixel"), ("BIT1", "hot row"), ("BIT2", "hot column")] {
        bits.set(Card::new(keyword, meaning, "meaning of this bit"));
    }
    let mut writer = FitsWriter::new();
    writer.push(header, Cow::Borrowed(&mask.fraction));
    writer.push_bytes(named("MASK", "1: masked"), Cow::Owned(mask.bits.mapv(|b| u8::from(b != 0))));
    writer.push_bytes(bits, Cow::Borrowed(&mask.bits));
    writer.write(path, false).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions() -> Vec<MaskRegions> {
        vec![MaskRegions { name: "L".into(), ccd: 1, full: [0, 4, 0, 5], active: [0, 4, 0, 5] }]
    }

    #[test]
    fn example_of_the_specification() {
        let counts = [0, 2, 0, 3, 0, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 1];
        let limits = Limits { pixel: 0.5, row: Some(0.3), col: Some(0.3), allow_for_chance: false };
        let mask = hot(4, 5, &counts, 3, &regions(), &limits);
        let rows: Vec<String> =
            mask.bits.rows().into_iter().map(|r| r.iter().map(|b| if *b != 0 { '1' } else { '0' }).collect()).collect();
        assert_eq!(rows, ["11111", "00010", "10010", "00010"]);
        assert_eq!((mask.masked, mask.amplifiers[0].hot_pixels), (9, 5));
        assert_eq!((mask.amplifiers[0].hot_rows.clone(), mask.amplifiers[0].hot_cols.clone()), (vec![0], vec![3]));
        assert_eq!(mask.bits[[0, 3]], HOT_PIXEL | HOT_ROW | HOT_COL);
        assert_eq!(mask.bits[[2, 3]], HOT_COL);
    }

    #[test]
    fn counts_come_back_and_can_be_added_in_parts() {
        let amplifier = crate::image::Amplifier::whole_image("L", 0, 3, 4);
        let outliers = |k: usize| Outliers {
            pixels: Array2::from_shape_fn((3, 4), |(r, c)| (r * 4 + c + k).is_multiple_of(3)),
            amplifiers: vec![amplifier.clone()],
        };
        let mut whole = MaskAccumulator::default();
        let (mut a, mut b) = (MaskAccumulator::default(), MaskAccumulator::default());
        for k in 0..7 {
            whole.add(&format!("{k}"), 1, &outliers(k), k == 3);
            if k % 2 == 0 { &mut a } else { &mut b }.add(&format!("{k}"), 1, &outliers(k), k == 3);
        }
        let mut merged = MaskAccumulator::default();
        for record in b.records().iter().chain(&a.records()) {
            merged.add_record(record).unwrap();
        }
        assert_eq!(merged.records(), whole.records());
        assert!(merged.add_record(&a.records()[0]).unwrap_err().contains("twice"));
        let mut damaged = a.records().remove(0);
        damaged.rows = 4;
        assert!(MaskAccumulator::default().add_record(&damaged).is_err());
    }

    /// A dark current that puts 45 % of all pixels above their overscan is no defect; a hot column, a hot pixel and a hot
    /// row above it are.
    #[test]
    fn what_chance_makes_of_a_dark_current_is_not_masked() {
        let mut random = crate::stats::random::Stream::from_seed(5);
        let (rows, cols) = (60, 90);
        let regions = vec![MaskRegions { name: "L".into(), ccd: 1, full: [0, 60, 0, 90], active: [0, 60, 0, 90] }];
        let counts_of = |images: u32, usual: f64, random: &mut crate::stats::random::Stream| -> Vec<u32> {
            let mut counts: Vec<u32> =
                (0..rows * cols).map(|_| (0..images).filter(|_| random.uniform() < usual).count() as u32).collect();
            (0..rows).for_each(|r| counts[r * cols + 30] = images);
            (0..cols).for_each(|c| counts[7 * cols + c] = images);
            counts[50 * cols + 70] = images;
            counts
        };
        let limits = |allow_for_chance| Limits { pixel: 0.4, row: Some(0.2), col: Some(0.2), allow_for_chance };
        for (images, usual) in [(10, 0.3), (60, 0.3), (60, 0.45), (3, 0.03)] {
            let counts = counts_of(images, usual, &mut random);
            let found = hot(rows, cols, &counts, images as usize, &regions, &limits(true));
            let a = &found.amplifiers[0];
            assert_eq!((a.hot_rows.clone(), a.hot_cols.clone()), (vec![7], vec![30]), "{images} {usual}");
            if images == 3 {
                // three of three is no evidence for a single pixel, but for a line
                continue;
            }
            assert!(found.bits[[50, 70]] & HOT_PIXEL != 0, "{images} {usual}");
            // of 5400 pixels with a probability of 1e-4: 0.54, 5 standard deviations
            assert!((a.hot_pixels as i64 - 150).abs() <= 5, "{images} {usual}: {}", a.hot_pixels);
        }
        let counts = counts_of(60, 0.45, &mut random);
        let bare = hot(rows, cols, &counts, 60, &regions, &limits(false));
        assert!(bare.amplifiers[0].hot_rows.len() == 60, "without the allowance everything is masked");
    }

    #[test]
    fn binomial_tails_are_sums() {
        for (n, p) in [(3usize, 0.2333), (20, 0.05), (60, 0.4)] {
            let term = |k: usize| {
                let ways: f64 = (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product();
                ways * f64::powi(p, k as i32) * f64::powi(1.0 - p, (n - k) as i32)
            };
            for k in 0..=n {
                let sum: f64 = (k..=n).map(term).sum();
                assert!((binomial_tail(k, n, p) - sum).abs() < 1e-12, "{k} {n} {p}");
            }
        }
    }

    #[test]
    fn a_single_image_masks_rows_and_columns_only() {
        let mut counts = [0u32; 20];
        counts[3] = 1;
        (5..10).for_each(|k| counts[k] = 1);
        let limits = Limits { pixel: 0.5, row: Some(0.5), col: Some(0.6), allow_for_chance: false };
        let mask = hot(4, 5, &counts, 1, &regions(), &limits);
        assert_eq!(mask.masked, 5);
        assert!(mask.bits.row(1).iter().all(|b| *b == HOT_ROW));
    }
}
