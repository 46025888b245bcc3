//! PasteClusterProcess: simulated clusters on blank images of a real detector (spec 07 §4.7).

use std::ffi::OsString;
use std::path::PathBuf;

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flag::flag;
use crate::fits::{Card, FitsInput, Header};
use crate::process::digitize::{
    Ccd, DigitizeProcess, Extent, GatheredImage, Gatherer, HitCollection, ImagePlace, PastedPixels, Recorded,
    ResponseContext, ResponseError,
};
use crate::stats::random::{Stream, Tag};

const NAME: &str = "PasteClusterProcess";

/// Ratio of the densities of the last and the first row, `compton`.
const COMPTON_RATIO: f64 = 6.82;

/// How clusters are spread over the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowDistribution {
    /// Evenly.
    Uniform,
    /// Density proportional to the row.
    Linear,
    /// Density linear in the row, in the last one 6.82 times that of the first; and the response of a Compton calibration.
    Compton,
}

/// Parameters of PasteClusterProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PasteClusterProcess {
    /// Pattern of the blank FITS images.
    pub blank_dir: Option<PathBuf>,
    /// Existing directory for the images.
    pub blank_outdir: Option<PathBuf>,
    /// HDU of the blank image.
    pub extension: usize,
    /// How clusters are spread over the rows: `uniform`, `linear`, `compton`.
    pub row_cls_dist_fx: RowDistribution,
    /// Collections pasted on each blank.
    pub clusters_per_blank: usize,
    /// So many of them uniform in rows (`compton` only).
    pub clusters_per_blank_texp: Option<usize>,
    /// The blank is in ADU; false: in eV.
    #[serde(rename = "in_ADU", deserialize_with = "flag")]
    pub in_adu: bool,
    /// Mean gain, ADU/e⁻; null: that of `CF`.
    pub calibration: Option<f64>,
    /// Spread of the gain from blank to blank, ADU/e⁻.
    pub sigma: Option<f64>,
    /// Take the blanks in random order; false: sorted.
    #[serde(deserialize_with = "flag")]
    pub random_image_start: bool,
}

impl Default for PasteClusterProcess {
    fn default() -> Self {
        Self {
            blank_dir: None,
            blank_outdir: None,
            extension: 0,
            row_cls_dist_fx: RowDistribution::Compton,
            clusters_per_blank: 0,
            clusters_per_blank_texp: None,
            in_adu: true,
            calibration: None,
            sigma: None,
            random_image_start: true,
        }
    }
}

impl DigitizeProcess for PasteClusterProcess {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        60
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        let mut problems = Vec::new();
        if self.blank_dir.is_none() {
            problems.push("`blank_dir` is required: the pattern of the blank images".into());
        }
        match &self.blank_outdir {
            None => problems.push("`blank_outdir` is required".into()),
            Some(dir) if !dir.is_dir() => {
                problems.push(format!("`blank_outdir`: {} is not an existing directory", dir.display()));
            }
            Some(_) => {}
        }
        if self.clusters_per_blank == 0 {
            problems.push("`clusters_per_blank` must be at least 1".into());
        }
        if self.calibration.is_some_and(|c| !(c > 0.0 && c < 1e9)) {
            problems.push(format!("`calibration` = {:?} must be positive", self.calibration));
        }
        if self.sigma.is_some_and(|s| !(0.0..1e9).contains(&s)) {
            problems.push(format!("`sigma` = {:?} must not be negative", self.sigma));
        }
        problems
    }

    /// Clusters are pasted without noise, the blank has its own: the signal is kept for later.
    fn execute(&self, hits: &mut HitCollection, _: &ResponseContext<'_>) -> Result<(), ResponseError> {
        hits.keep_signal();
        Ok(())
    }

    fn gatherer(&self, _: &Ccd, seed: u64) -> Result<Option<Box<dyn Gatherer>>, ResponseError> {
        let failed = |reason| ResponseError::Process { process: NAME, reason };
        let (Some(pattern), Some(outdir)) = (&self.blank_dir, &self.blank_outdir) else {
            return Err(failed("`blank_dir` and `blank_outdir` are required".into()));
        };
        let here = std::env::current_dir().map_err(|e| failed(e.to_string()))?;
        let found =
            crate::cli::inputs::select(&[OsString::from(pattern)], &[], &here).map_err(|e| failed(e.to_string()))?;
        let mut files = found.files;
        if files.is_empty() {
            return Err(failed(format!("`blank_dir`: no file matches {}", pattern.display())));
        }
        let mut stream = Stream::new(seed, Tag::Paste, 0, 0, 0);
        let mut next = 0;
        if self.random_image_start {
            for i in (1..files.len()).rev() {
                files.swap(i, stream.below(i as u64 + 1) as usize);
            }
            next = stream.below(files.len() as u64) as usize;
        }
        Ok(Some(Box::new(Paster {
            parameters: self.clone(),
            outdir: outdir.clone(),
            files,
            next,
            written: 0,
            gains: stream,
            blank: None,
        })))
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        let rows = match self.row_cls_dist_fx {
            RowDistribution::Uniform => "uniform",
            RowDistribution::Linear => "linear",
            RowDistribution::Compton => "compton",
        };
        let mut values = vec![
            ("row_cls_dist_fx", rows.into()),
            ("clusters_per_blank", self.clusters_per_blank.into()),
            ("clusters_per_blank_texp", self.clusters_per_blank_texp.unwrap_or(0).into()),
            ("in_ADU", self.in_adu.into()),
            ("extension", self.extension.into()),
            ("blank_dir", Recorded::path(self.blank_dir.as_ref())),
            ("blank_outdir", Recorded::path(self.blank_outdir.as_ref())),
            ("random_image_start", self.random_image_start.into()),
        ];
        values.extend(self.calibration.map(|c| ("calibration", c.into())));
        values.extend(self.sigma.map(|s| ("sigma", s.into())));
        values
    }
}

/// Row (not yet an integer) drawn by `u` in [0, 1) among `rows`.
pub fn draw_row(distribution: RowDistribution, u: f64, rows: usize) -> f64 {
    let rows = rows as f64;
    match distribution {
        RowDistribution::Uniform => rows * u,
        RowDistribution::Linear => rows * u.sqrt(),
        RowDistribution::Compton => {
            let m = COMPTON_RATIO;
            let v = (1.0 - u * (1.0 - 1.0 / (m * m))).sqrt();
            rows * (m * v - 1.0) / (m - 1.0)
        }
    }
}

/// Charge in ADU of `n` electrons in the Compton calibration.
pub fn compton_adu(n: f64) -> f64 {
    (0.4088 + 5.177 * n + 7.85e-6 * n * n).round_ties_even()
}

/// First and last row and column of the signal.
fn extent(signal: &[(u32, u32, f64)]) -> Option<Extent> {
    let &(row, col, _) = signal.first()?;
    let start = Extent { rows: (row, row), cols: (col, col) };
    Some(signal.iter().fold(start, |e, &(row, col, _)| Extent {
        rows: (e.rows.0.min(row), e.rows.1.max(row)),
        cols: (e.cols.0.min(col), e.cols.1.max(col)),
    }))
}

/// A blank image with what has been pasted on it.
#[derive(Debug)]
struct Blank {
    path: PathBuf,
    header: Header,
    pixels: Array2<f64>,
    /// eV.
    truth: Array2<f64>,
    ids: Array2<f64>,
    /// Value of the blank under the clusters.
    raw: Array2<f64>,
    /// Total energy of the cluster, eV, on each of its pixels.
    totals: Array2<f64>,
    /// ADU per e⁻.
    gain: f64,
    pasted: usize,
}

#[derive(Debug)]
struct Paster {
    parameters: PasteClusterProcess,
    outdir: PathBuf,
    files: Vec<PathBuf>,
    next: usize,
    written: usize,
    gains: Stream,
    blank: Option<Blank>,
}

impl Paster {
    fn open(&mut self, ccd: &Ccd) -> Result<Blank, ResponseError> {
        let path = self.files[self.next].clone();
        self.next = (self.next + 1) % self.files.len();
        let failed = |reason| ResponseError::Process { process: NAME, reason };
        let input = FitsInput::open(&path).map_err(|e| failed(format!("{}: {e}", path.display())))?;
        let hdu = self.parameters.extension;
        let pixels = input.read_image(hdu).map_err(|e| failed(format!("{}: {e}", path.display())))?;
        let (rows, cols) = pixels.dim();
        if rows <= ccd.rows_prescan + ccd.rows_overscan || cols <= ccd.cols_prescan + ccd.cols_overscan {
            return Err(failed(format!(
                "{}: {rows} × {cols} pixels leave no active region beside pre- and overscan",
                path.display()
            )));
        }
        let mut header = input.header(hdu).map_err(|e| failed(e.to_string()))?;
        header.remove_if(|card| crate::output::images::is_structural(&card.keyword));
        let mean = self.parameters.calibration.unwrap_or(ccd.e2ev / ccd.adc2ev);
        let spread = self.parameters.sigma.unwrap_or(0.0);
        let gain = if spread > 0.0 { mean + spread * self.gains.normal() } else { mean };
        let empty = Array2::zeros(pixels.dim());
        Ok(Blank {
            path,
            header,
            pixels,
            truth: empty.clone(),
            ids: empty.clone(),
            raw: empty.clone(),
            totals: empty,
            gain,
            pasted: 0,
        })
    }

    fn finished(&mut self, mut blank: Blank) -> GatheredImage {
        self.written += 1;
        let name = blank.path.file_name().unwrap_or_default().to_string_lossy();
        let stem = crate::output::naming::stem(&name);
        let name = format!("psimulCCDimg_{stem}_Ncls{}_{}.fits", blank.pasted, self.written);
        blank.header.set(Card::new("NMAX", self.parameters.clusters_per_blank, "collections to be pasted"));
        blank.header.set(Card::new("NEVTS", blank.pasted, "collections pasted"));
        blank.header.set(Card::new("EV2ADU", blank.gain, "ADU per electron"));
        let named = |name: &str, unit: &str| {
            let mut header = Header::new();
            header.push(Card::new("EXTNAME", name, ""));
            header.push(Card::new("BUNIT", unit, ""));
            header
        };
        GatheredImage {
            place: ImagePlace::Path(self.outdir.join(name)),
            hdus: vec![
                (blank.header, blank.pixels),
                (named("MONTECARLOTRUTH", "eV"), blank.truth),
                (named("MCT_ID", ""), blank.ids),
                (named("MCT_ERAW", "adu"), blank.raw),
                (named("MCT_EMCT", "eV"), blank.totals),
            ],
        }
    }

    /// Where the cluster goes: shifts of rows and columns.
    fn place(&self, hits: &HitCollection, extent: Extent, blank: &Blank, context: &ResponseContext<'_>) -> (i64, i64) {
        let ccd = context.ccd;
        let (rows, cols) = blank.pixels.dim();
        let active_rows = rows - ccd.rows_prescan - ccd.rows_overscan;
        let active_cols = cols - ccd.cols_prescan - ccd.cols_overscan;
        let mut stream = hits.stream(context.seed, Tag::Paste);
        let first_ones = blank.pasted < self.parameters.clusters_per_blank_texp.unwrap_or(0);
        let distribution = match self.parameters.row_cls_dist_fx {
            RowDistribution::Compton if first_ones => RowDistribution::Uniform,
            other => other,
        };
        let row = (draw_row(distribution, stream.uniform(), active_rows) as i64).min(active_rows as i64 - 1);
        let width = (extent.cols.1 - extent.cols.0 + 1) as usize;
        let free = active_cols.saturating_sub(width) as u64 + 1;
        let col = stream.below(free) as i64;
        (
            ccd.rows_prescan as i64 + row - i64::from(extent.rows.1),
            ccd.cols_prescan as i64 + col - i64::from(extent.cols.0),
        )
    }

    fn paste(&self, hits: &mut HitCollection, blank: &mut Blank, context: &ResponseContext<'_>) -> bool {
        let Some(extent) = extent(&hits.signal) else { return false };
        let (down, right) = self.place(hits, extent, blank, context);
        let ccd = context.ccd;
        let total: f64 = hits.signal.iter().map(|(.., energy)| energy).sum();
        let mut pasted = PastedPixels::default();
        for &(row, col, energy) in &hits.signal {
            let row = usize::try_from(i64::from(row) + down);
            let col = usize::try_from(i64::from(col) + right);
            let (Ok(row), Ok(col)) = (row, col) else { continue };
            let Some(value) = blank.pixels.get_mut((row, col)) else { continue };
            let electrons = energy / ccd.e2ev;
            let charge = match (self.parameters.in_adu, self.parameters.row_cls_dist_fx) {
                (true, RowDistribution::Compton) => compton_adu(electrons),
                (true, _) => electrons * blank.gain,
                (false, _) => energy,
            };
            blank.raw[(row, col)] = *value;
            *value += charge;
            if let Some(limit) = context.saturation_adu {
                *value = value.min(if self.parameters.in_adu { limit } else { limit * ccd.adc2ev });
            }
            blank.truth[(row, col)] += energy;
            blank.ids[(row, col)] = (blank.pasted + 1) as f64;
            blank.totals[(row, col)] = total;
            pasted.rows.push(row as i32);
            pasted.cols.push(col as i32);
            pasted.energies.push((energy / 1e3) as f32);
        }
        let any = !pasted.rows.is_empty();
        hits.pasted = any.then_some(pasted);
        any
    }
}

impl Gatherer for Paster {
    fn gather(
        &mut self,
        hits: &mut HitCollection,
        context: &ResponseContext<'_>,
    ) -> Result<Vec<GatheredImage>, ResponseError> {
        let mut blank = match self.blank.take() {
            Some(blank) => blank,
            None => self.open(context.ccd)?,
        };
        if self.paste(hits, &mut blank, context) {
            blank.pasted += 1;
        } else {
            hits.killed = true;
        }
        if blank.pasted == self.parameters.clusters_per_blank {
            return Ok(vec![self.finished(blank)]);
        }
        self.blank = Some(blank);
        Ok(Vec::new())
    }

    fn close(&mut self, _: &ResponseContext<'_>) -> Result<Vec<GatheredImage>, ResponseError> {
        Ok(match self.blank.take() {
            Some(blank) if blank.pasted > 0 => vec![self.finished(blank)],
            _ => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of spec 07 §4.7: mean row 0.6240 R, and the charges of 1, 100 and 1000 electrons.
    #[test]
    fn rows_and_charges_of_the_specification() {
        let mut stream = Stream::from_seed(1);
        let n = 200_000;
        for (distribution, mean, variance) in [
            (RowDistribution::Uniform, 0.5, 1.0 / 12.0),
            (RowDistribution::Linear, 2.0 / 3.0, 1.0 / 18.0),
            (RowDistribution::Compton, 0.6240, 0.07),
        ] {
            let sum: f64 = (0..n).map(|_| draw_row(distribution, stream.uniform(), 1000)).sum();
            let error = 1000.0 * (variance / f64::from(n)).sqrt();
            assert!(
                (sum / f64::from(n) - 1000.0 * mean).abs() < 5.0 * error + 0.1,
                "{distribution:?} {}",
                sum / f64::from(n)
            );
        }
        assert_eq!([compton_adu(1.0), compton_adu(100.0), compton_adu(1000.0)], [6.0, 518.0, 5185.0]);
        // the row drawn is always inside
        assert!(draw_row(RowDistribution::Compton, 0.0, 1000) <= 1000.0);
        assert!(draw_row(RowDistribution::Compton, 1.0 - 1e-16, 1000) >= 0.0);
    }
}
