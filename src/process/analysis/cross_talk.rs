//! CrossTalkProcess: pixels whose skips scatter unusually in all amplifiers at the same readout position.
//!
//! A large signal in one channel disturbs the others while they read the same position; averaging the skips hides it, but
//! their standard deviation does not. A pixel is flagged where |std − m| > n_sig·s in *every* amplifier, m and s being
//! mean and standard deviation of the central values of each. Spec 03 §5.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fit_verdict::FitVerdict;
use super::gaussian_histogram::gaussian_panel;
use crate::fits::FitsInput;
use crate::image::raw_data::Mask;
use crate::image::report::Table;
use crate::image::{Amplifier, Level, RawData, Side};
use crate::plot::{Colour, Figure, Guide, ImagePlot, Marker, Panel, Points, Shape};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::gaussian_fit::{GaussianFit, GaussianFitSettings, StartRule, fit_gaussian};
use crate::stats::histogram::BinRule;
use crate::stats::robust::{self, Ddof};

/// Flagged pixels named in the log; all are in the table.
const MAX_NAMED: usize = 20;
/// Flagged pixels marked with circles in the figure.
const MAX_CIRCLED: usize = 200;
/// Half width of the interval whose values are fitted, standard deviations.
const FITTED_SIGMAS: f64 = 3.0;

/// Parameters of CrossTalkProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CrossTalkProcess {
    /// Threshold, standard deviations of the central values.
    pub n_sig: f64,
    /// Percentiles between which values are central.
    pub percentile: [f64; 2],
    /// For averaged images: the file with the standard deviations has the second text in its name where the image has the
    /// first.
    pub std_pattern: [String; 2],
}

impl Default for CrossTalkProcess {
    fn default() -> Self {
        Self {
            n_sig: 5.0,
            percentile: [5.0, 95.0],
            std_pattern: ["avg_skips_contrun".into(), "var_skips_contrun".into()],
        }
    }
}

/// What is usual in an amplifier.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Usual {
    /// Mean of the central values.
    mean: f64,
    /// Their standard deviation, ÷ (n − 1).
    std: f64,
}

impl SKImageProcess for CrossTalkProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        if raw.amplifiers.len() < 2 {
            raw.report.warn("cross-talk needs at least two amplifiers read at the same time; nothing is done");
            return Ok(());
        }
        let shape = shape_of(&raw.amplifiers)?;
        let spread = match raw.images.get("std_compressed") {
            Some(image) => image.clone(),
            None => self.read_spread(raw)?,
        };
        let mut flagged = Array2::from_elem(shape, true);
        let mut usual = Vec::new();
        for amplifier in &raw.amplifiers {
            let values = local(amplifier, &spread);
            let Some(limits) = self.usual(&values) else {
                return Err(ProcessError::Failed(format!(
                    "amplifier {}: the standard deviations hold no finite value",
                    amplifier.name
                )));
            };
            flagged.zip_mut_with(&values, |flag, x| *flag &= (x - limits.mean).abs() > self.n_sig * limits.std);
            usual.push((amplifier.clone(), values, limits));
        }
        let places: Vec<(usize, usize)> = flagged.indexed_iter().filter(|(_, f)| **f).map(|(at, _)| at).collect();
        self.report(raw, &places, &usual);
        if context.wants_figures() {
            self.draw(raw, context, &flagged, &usual);
        }
        let mut pixels = Array2::from_elem((raw.rows, raw.cols), false);
        for amplifier in &raw.amplifiers {
            for &(row, col) in &places {
                pixels[stored(amplifier, row, col)] = true;
            }
        }
        raw.masks.insert("xtalk".into(), Mask { pixels, extname: Some("CROSSTALK".into()) });
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(self.n_sig > 0.0) {
            problems.push(format!("`n_sig` is {}; a positive number is expected", self.n_sig));
        }
        let [lo, hi] = self.percentile;
        if !(0.0 <= lo && lo < hi && hi <= 100.0) {
            problems.push(format!("`percentile` is [{lo}, {hi}]; two ascending numbers in 0…100 are expected"));
        }
        if self.std_pattern[0].is_empty() {
            problems.push("`std_pattern` begins with an empty text; a part of the file name is expected".into());
        }
        problems
    }
}

/// Rows and columns of every amplifier, which must be the same.
fn shape_of(amplifiers: &[Amplifier]) -> Result<(usize, usize), ProcessError> {
    let shape = |a: &Amplifier| (a.full.rows.len(), a.full.cols.len());
    let first = amplifiers.first().map_or((0, 0), shape);
    match amplifiers.iter().find(|a| shape(a) != first) {
        None => Ok(first),
        Some(other) => Err(ProcessError::Failed(format!(
            "amplifier {} reads {:?} pixels and amplifier {} {:?}; the same shape is needed to compare them",
            amplifiers[0].name,
            first,
            other.name,
            shape(other)
        ))),
    }
}

/// The amplifier's part of an image, columns in the order in which they are read.
fn local(amplifier: &Amplifier, image: &Array2<f64>) -> Array2<f64> {
    let mut part = amplifier.full.view(image);
    if amplifier.side == Side::U {
        part.invert_axis(Axis(1));
    }
    part.to_owned()
}

/// The pixel of the stored image that the amplifier reads at this position.
fn stored(amplifier: &Amplifier, row: usize, col: usize) -> (usize, usize) {
    let cols = &amplifier.full.cols;
    let col = if amplifier.side == Side::U { cols.end - 1 - col } else { cols.start + col };
    (amplifier.full.rows.start + row, col)
}

impl CrossTalkProcess {
    /// The standard deviations from the file beside the input, with the extensions stacked as in the image.
    fn read_spread(&self, raw: &RawData) -> Result<Array2<f64>, ProcessError> {
        let path = spread_path(&raw.source.path, &self.std_pattern)?;
        let failed = |e: &dyn std::fmt::Display| {
            ProcessError::Input(format!("the standard deviations cannot be read from {}: {e}", path.display()))
        };
        let input = FitsInput::open(&path).map_err(|e| failed(&e))?;
        let mut parts = Vec::new();
        for hdu in &raw.source.hdus {
            parts.push(input.read_image(*hdu).map_err(|e| failed(&e))?);
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let spread = concatenate(Axis(0), &views).map_err(|e| failed(&e))?;
        if spread.dim() != (raw.rows, raw.cols) {
            return Err(failed(&format!(
                "it holds {:?} pixels (rows, columns); the image has {:?}",
                spread.dim(),
                (raw.rows, raw.cols)
            )));
        }
        Ok(spread)
    }

    /// Mean and standard deviation of the values between the percentiles; `None` without finite values.
    fn usual(&self, values: &Array2<f64>) -> Option<Usual> {
        let mut values: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
        if values.is_empty() {
            return None;
        }
        let [lo, hi] = robust::percentiles(&values, self.percentile);
        values.retain(|x| (lo..=hi).contains(x));
        let (mean, std) = robust::mean_and_std(&values, Ddof::Sample);
        Some(Usual { mean, std })
    }

    fn report(&self, raw: &mut RawData, places: &[(usize, usize)], usual: &[(Amplifier, Array2<f64>, Usual)]) {
        raw.report.measure(Measurement::integer("cross_talk_pixels", places.len() as i64));
        for (amplifier, values, limits) in usual {
            let unusual = |x: &&f64| (**x - limits.mean).abs() > self.n_sig * limits.std;
            let alone = values.iter().filter(unusual).count();
            let (_, fit) = fit_central(values, limits);
            raw.report.measure(
                Measurement::new("skip_std_mean", limits.mean, "ADU")
                    .error(limits.std / (values.len().max(1) as f64).sqrt())
                    .amplifier(&amplifier.name),
            );
            raw.report.result(format!(
                "amplifier {}: standard deviation of the skips {:.4} ± {:.4} ADU, {alone} unusual pixels; Gaussian fit μ \
                 {:.4}, σ {:.4} ADU{}",
                amplifier.name,
                limits.mean,
                limits.std,
                fit.mu,
                fit.sigma,
                FitVerdict::from(&fit).remark()
            ));
        }
        raw.report.result(format!(
            "cross-talk: {} readout positions are unusual (> {} σ) in all {} amplifiers",
            places.len(),
            self.n_sig,
            usual.len()
        ));
        if !places.is_empty() {
            let mut list: Vec<String> =
                places.iter().take(MAX_NAMED).map(|(row, col)| format!("({row}, {col})")).collect();
            if places.len() > MAX_NAMED {
                list.push(format!("and {} more", places.len() - MAX_NAMED));
            }
            let text = format!("positions (row, column in the order of readout): {}", list.join(" "));
            raw.report.log(Level::Info, text);
        }
        let mut columns = vec!["row".to_owned(), "readout_column".to_owned()];
        columns.extend(usual.iter().map(|(a, _, _)| format!("std_{}_ADU", a.name)));
        raw.report.table(Table {
            name: "CrossTalkProcess_pixels".into(),
            columns,
            rows: places
                .iter()
                .map(|&(row, col)| {
                    let mut line = vec![row as f64, col as f64];
                    line.extend(usual.iter().map(|(_, values, _)| values[[row, col]]));
                    line
                })
                .collect(),
        });
    }

    /// The distributions with their limits, and the flagged positions.
    fn draw(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        flagged: &Array2<bool>,
        usual: &[(Amplifier, Array2<f64>, Usual)],
    ) {
        let mut chain = raw.chain.clone();
        chain.push(context.entry.tag.to_owned());
        let count = usual.len() + 1;
        let cols = count.min(3);
        let mut figure = Figure::new("CrossTalkProcess")
            .titles("Standard deviation of the skips", &raw.source.label, &chain)
            .grid(count.div_ceil(cols), cols)
            .size(5.0 * cols as f64, 4.2 * count.div_ceil(cols) as f64);
        for (amplifier, values, limits) in usual {
            let (central, fit) = fit_central(values, limits);
            let panel = gaussian_panel(&central, &fit, "ADU")
                .title(format!("amplifier {}", amplifier.name))
                .x("standard deviation of the skips [ADU]")
                .guide(Guide::vertical(limits.mean - self.n_sig * limits.std).colour(Colour::GREY))
                .guide(Guide::vertical(limits.mean + self.n_sig * limits.std).colour(Colour::GREY));
            figure = figure.panel(panel);
        }
        let map = ImagePlot::new(flagged.mapv(|f| f64::from(u8::from(f)))).range(0.0, 1.0).without_colour_bar();
        let mut panel = Panel::image_of(map).x("readout column").y("row");
        let (rows, cols): (Vec<f64>, Vec<f64>) =
            flagged.indexed_iter().filter(|(_, f)| **f).map(|((row, col), _)| (row as f64, col as f64)).unzip();
        panel = panel.title(format!("unusual in all amplifiers: {}", rows.len()));
        // single pixels of a large image are smaller than a dot of the screen
        if (1..=MAX_CIRCLED).contains(&rows.len()) {
            panel = panel.points(Points::new(cols, rows).marker(Marker::open(Shape::Circle, Colour::RED).size(7.0)));
        }
        figure = figure.panel(panel);
        raw.report.figure(figure);
    }
}

/// Values within 3 s of the mean, and the Gaussian fitted to them (for information).
fn fit_central(values: &Array2<f64>, limits: &Usual) -> (Vec<f64>, GaussianFit) {
    let near = |x: &f64| (x - limits.mean).abs() <= FITTED_SIGMAS * limits.std;
    let central: Vec<f64> = values.iter().copied().filter(near).collect();
    let fit = fit_gaussian(&central, GaussianFitSettings { bins: BinRule::Sturges, start: StartRule::Standard });
    (central, fit)
}

/// The path of the file with the standard deviations.
fn spread_path(image: &Path, pattern: &[String; 2]) -> Result<PathBuf, ProcessError> {
    let name = image.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains(&pattern[0]) {
        return Err(ProcessError::Input(format!(
            "the image has no standard deviations (CompressSkipperProcess makes them from single skips), and its name {name} \
             does not contain `{}` (`std_pattern`), which would lead to a file with them; the cross-talk of averaged images is \
             measured by `panaSKImg crosstalk`",
            pattern[0]
        )));
    }
    Ok(PathBuf::from(image.to_string_lossy().replace(&pattern[0], &pattern[1])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Region;
    use crate::process::{CommonParameters, registry};
    use crate::stats::random::Stream;

    fn run(process: &CrossTalkProcess, raw: &mut RawData) -> Result<(), ProcessError> {
        let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
        let entry = registry::find("CrossTalkProcess").unwrap();
        raw.report.enter(0, entry.tag, None);
        process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 321 })
    }

    #[test]
    fn limits_of_the_specification() {
        let process = CrossTalkProcess { n_sig: 1.0, ..Default::default() };
        let values = Array2::from_shape_fn((1, 20), |(_, c)| c as f64 + 1.0);
        let usual = process.usual(&values).unwrap();
        assert!((usual.mean - 10.5).abs() < 1e-12 && (usual.std - 5.338539).abs() < 1e-6, "{usual:?}");
        let flags: Vec<usize> = (1..=20).filter(|x| (*x as f64 - usual.mean).abs() > usual.std).collect();
        assert_eq!(flags, [1, 2, 3, 4, 5, 16, 17, 18, 19, 20]);
    }

    /// Spread 4 ± 0.1 ADU everywhere.
    fn spread(rows: usize, cols: usize) -> Array2<f64> {
        let mut stream = Stream::from_seed(6);
        Array2::from_shape_fn((rows, cols), |_| 4.0 + 0.1 * stream.normal())
    }

    fn stacked(n: usize, rows: usize, cols: usize) -> Vec<Amplifier> {
        (0..n)
            .map(|k| Amplifier {
                full: Region::new(k * rows..(k + 1) * rows, 0..cols),
                ..Amplifier::whole_image(&format!("EXT{}", k + 1), k + 1, n * rows, cols)
            })
            .collect()
    }

    #[test]
    fn positions_unusual_in_all_extensions_are_flagged_in_each() {
        let mut image = spread(40, 30);
        for k in 0..4 {
            image[[10 * k + 3, 7]] = 9.0;
            image[[10 * k + 9, 29]] = 0.5;
        }
        image[[12, 12]] = 9.0;
        image[[5, 5]] = f64::NAN;
        let mut raw = RawData::from_image("std_compressed", image);
        raw.amplifiers = stacked(4, 10, 30);
        raw.stacked = true;
        run(&CrossTalkProcess::default(), &mut raw).unwrap();
        let mask = &raw.masks["xtalk"];
        assert_eq!(mask.extname.as_deref(), Some("CROSSTALK"));
        let set: Vec<_> = mask.pixels.indexed_iter().filter(|(_, m)| **m).map(|(at, _)| at).collect();
        assert_eq!(set, [(3, 7), (9, 29), (13, 7), (19, 29), (23, 7), (29, 29), (33, 7), (39, 29)]);
        assert_eq!(raw.report.measurements[0].value, 2.0);
        let table = &raw.report.tables[0].1;
        assert_eq!(table.rows[0][..2], [3.0, 7.0]);
        assert_eq!(table.rows[0].len(), 6);
        assert_eq!(raw.report.figures[0].figure.panels.len(), 5);
    }

    #[test]
    fn the_u_half_is_mirrored() {
        let mut image = spread(10, 40);
        image[[2, 4]] = 9.0;
        image[[2, 39 - 4]] = 9.0;
        image[[6, 8]] = 9.0;
        image[[6, 28]] = 9.0;
        let mut raw = RawData::from_image("std_compressed", image);
        let half = |name: &str, side, cols| Amplifier {
            side,
            full: Region::new(0..10, cols),
            ..Amplifier::whole_image(name, 0, 10, 40)
        };
        raw.amplifiers = vec![half("U", Side::U, 20..40), half("L", Side::L, 0..20)];
        run(&CrossTalkProcess::default(), &mut raw).unwrap();
        let mask = &raw.masks["xtalk"].pixels;
        let set: Vec<_> = mask.indexed_iter().filter(|(_, m)| **m).map(|(at, _)| at).collect();
        assert_eq!(set, [(2, 4), (2, 35)]);
    }

    #[test]
    fn standard_deviations_are_read_from_the_file_beside_the_image() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("var_skips_contrun_7.fits");
        let mut writer = crate::fits::FitsWriter::new();
        for k in 0..3 {
            let mut part = spread(6, 20);
            part[[k, 2]] = 4.0;
            part[[5, 11]] = 9.0;
            writer.push(crate::fits::Header::new(), std::borrow::Cow::Owned(part));
        }
        writer.write(&path, false).unwrap();
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((12, 20)));
        raw.source.path = directory.path().join("avg_skips_contrun_7.fits");
        raw.source.hdus = vec![1, 2];
        raw.amplifiers = stacked(2, 6, 20);
        run(&CrossTalkProcess::default(), &mut raw).unwrap();
        assert!(raw.masks["xtalk"].pixels[[5, 11]] && raw.masks["xtalk"].pixels[[11, 11]]);
        assert_eq!(raw.report.measurements[0].value, 1.0);

        raw.source.hdus = vec![1];
        assert!(run(&CrossTalkProcess::default(), &mut raw).unwrap_err().to_string().contains("(6, 20)"));
        raw.source.path = directory.path().join("avg_skips_contrun_8.fits");
        assert!(run(&CrossTalkProcess::default(), &mut raw).unwrap_err().to_string().contains("var_skips_contrun_8"));
        raw.source.path = directory.path().join("image.fits");
        assert!(run(&CrossTalkProcess::default(), &mut raw).unwrap_err().to_string().contains("std_pattern"));
    }

    #[test]
    fn one_amplifier_is_a_warning_and_odd_shapes_an_error() {
        let mut raw = RawData::from_image("std_compressed", spread(4, 4));
        run(&CrossTalkProcess::default(), &mut raw).unwrap();
        assert_eq!(raw.report.warnings().count(), 1);
        assert!(raw.masks.is_empty());
        raw.amplifiers = stacked(2, 2, 4);
        raw.amplifiers[1].full.rows = 2..3;
        assert!(run(&CrossTalkProcess::default(), &mut raw).unwrap_err().to_string().contains("same shape"));
        let bad: CrossTalkProcess =
            serde_json::from_str(r#"{"n_sig": 0, "percentile": [95, 5], "std_pattern": ["", "x"]}"#).unwrap();
        assert_eq!(bad.check().len(), 3);
    }
}
