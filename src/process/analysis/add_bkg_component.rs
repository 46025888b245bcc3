//! AddBKGComponent: background added to simulated or blank images.
//!
//! A constant, one-pixel clusters whose density grows along the rows, or dark current that grows along the rows. The image
//! is changed in place; a copy of what it was is kept. Every row of an amplifier has its own stream of random numbers.
//! Spec 02 §10.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::unit_of_image;
use crate::config::named::named_values;
use crate::image::{Amplifier, RawData, Side};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::random::{Poisson, Stream, Tag};
use ndarray::Array2;

/// Density of clusters along the rows, from the first to the last (arbitrary scale): intercept and slope.
const DENSITY: (f64, f64) = (0.0050, 0.0040);
/// Share of the electrons of the whole CCD that each quadrant collects.
const QUADRANTS: f64 = 4.0;
/// The two amplifiers of an extension share its HDU number; the rows of U are counted from here on in the choice of
/// streams.
const ROWS_OF_U: u64 = 1 << 31;

named_values! {
    /// What is added.
    pub enum BackgroundFunction {
        /// The same value to every pixel.
        Uniform = "uniform" | "uni",
        /// One-pixel clusters whose density grows along the rows.
        Linear = "linear",
        /// Poisson numbers whose mean grows along the rows.
        Dc = "dc",
    }
}

/// Parameters of AddBKGComponent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AddBKGComponent {
    /// Image that is changed.
    pub image: String,
    /// What is added: uniform, linear or dc.
    pub function: BackgroundFunction,
    /// uniform: value added to every active pixel, image units.
    pub value: f64,
    /// linear: number of one-pixel clusters per amplifier.
    #[serde(rename = "Ncls")]
    pub n_clusters: Option<u64>,
    /// linear: smallest charge, image units.
    #[serde(rename = "Emin")]
    pub e_min: f64,
    /// linear: largest charge, image units.
    #[serde(rename = "Emax")]
    pub e_max: f64,
    /// dc: [slope per row, intercept]; the mean of a pixel is a quarter of slope·row + intercept.
    pub params: Option<Vec<f64>>,
    /// Seed of the random numbers; null: that of the run (`--seed`).
    pub seed: Option<u64>,
}

impl Default for AddBKGComponent {
    fn default() -> Self {
        Self {
            image: "mean_compressed".into(),
            function: BackgroundFunction::Uniform,
            value: 0.0,
            n_clusters: None,
            e_min: 0.04,
            e_max: 0.15,
            params: None,
            seed: None,
        }
    }
}

impl SKImageProcess for AddBKGComponent {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let name = raw.resolve_image_name(&self.image).to_owned();
        let mut image = raw.image(&name)?.clone();
        if context.amplifier == 0 {
            raw.images.insert(format!("{name}_woExtraDC"), image.clone());
        }
        let streams = Streams {
            seed: self.seed.unwrap_or(context.seed),
            image: raw.source.position as u64,
            hdu: amplifier.hdu as u64,
            first: if amplifier.side == Side::U { ROWS_OF_U } else { 0 },
        };
        let added = match self.function {
            BackgroundFunction::Uniform => self.add_value(&mut image, &amplifier),
            BackgroundFunction::Linear => self.add_clusters(&mut image, &amplifier, &streams)?,
            BackgroundFunction::Dc => self.add_dark_current(&mut image, &amplifier, &streams)?,
        };
        raw.images[&name] = image;
        let unit = unit_of_image(&name);
        let pixels = amplifier.active.len().max(1) as f64;
        raw.report.measure(Measurement::new("added_background", added / pixels, format!("{unit}/pix")));
        raw.report.result(format!(
            "amplifier {}: {} background added, {:.6} {unit}/pix in the active region",
            amplifier.name,
            self.function,
            added / pixels
        ));
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match self.function {
            BackgroundFunction::Uniform if !self.value.is_finite() => {
                problems.push(format!("`value` is {}; a number is expected", self.value));
            }
            BackgroundFunction::Linear if self.n_clusters.is_none() => {
                problems.push("`Ncls` is null; `function` \"linear\" needs the number of clusters".into());
            }
            BackgroundFunction::Dc if self.line().is_none() => {
                problems.push(format!(
                    "`params` is {:?}; `function` \"dc\" needs [slope, intercept]",
                    self.params.clone().unwrap_or_default()
                ));
            }
            _ => {}
        }
        if !(self.e_min <= self.e_max) {
            problems.push(format!("`Emin` is {} and `Emax` is {}; Emin ≤ Emax is expected", self.e_min, self.e_max));
        }
        problems
    }
}

/// The streams of one amplifier.
struct Streams {
    seed: u64,
    image: u64,
    hdu: u64,
    first: u64,
}

impl Streams {
    fn row(&self, row: usize) -> Stream {
        Stream::new(self.seed, Tag::AddBackground, self.image, self.hdu, self.first + row as u64)
    }
}

impl AddBKGComponent {
    fn line(&self) -> Option<(f64, f64)> {
        match self.params.as_deref() {
            Some([slope, intercept]) if slope.is_finite() && intercept.is_finite() => Some((*slope, *intercept)),
            _ => None,
        }
    }

    fn add_value(&self, image: &mut Array2<f64>, amplifier: &Amplifier) -> f64 {
        amplifier.active.view_mut(image).mapv_inplace(|q| q + self.value);
        self.value * amplifier.active.len() as f64
    }

    /// Clusters at rows with a linear density, drawn by rejection; charges of coinciding ones add up.
    fn add_clusters(
        &self,
        image: &mut Array2<f64>,
        amplifier: &Amplifier,
        streams: &Streams,
    ) -> Result<f64, ProcessError> {
        let Some(n) = self.n_clusters else {
            return Err(ProcessError::Failed("parameter `Ncls` is needed for `function` \"linear\"".into()));
        };
        let active = &amplifier.active;
        if active.is_empty() {
            return Ok(0.0);
        }
        let mut stream = streams.row(0);
        let (low, slope) = DENSITY;
        let mut added = 0.0;
        for _ in 0..n {
            let u = loop {
                let u = stream.uniform();
                if stream.uniform() * (low + slope) < low + slope * u {
                    break u;
                }
            };
            let row = active.rows.start + (u * active.rows.len() as f64) as usize;
            let col = active.cols.start + stream.below(active.cols.len() as u64) as usize;
            let charge = stream.uniform_in(self.e_min, self.e_max);
            image[[row, col]] += charge;
            added += charge;
        }
        Ok(added)
    }

    fn add_dark_current(
        &self,
        image: &mut Array2<f64>,
        amplifier: &Amplifier,
        streams: &Streams,
    ) -> Result<f64, ProcessError> {
        let Some((slope, intercept)) = self.line() else {
            return Err(ProcessError::Failed("parameter `params` is needed for `function` \"dc\"".into()));
        };
        let mut added = 0.0;
        for (row, mut line) in amplifier.active.view_mut(image).rows_mut().into_iter().enumerate() {
            let mean = ((slope * row as f64 + intercept) / QUADRANTS).max(0.0);
            let poisson = Poisson::new(mean);
            let mut stream = streams.row(row);
            for q in &mut line {
                let n = poisson.draw(&mut stream) as f64;
                *q += n;
                added += n;
            }
        }
        Ok(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Region;
    use crate::process::{CommonParameters, registry};

    fn run(json: &str, raw: &mut RawData) {
        let process: AddBKGComponent = serde_json::from_str(json).unwrap();
        assert_eq!(process.check(), Vec::<String>::new());
        let common = CommonParameters::default();
        let entry = registry::find("AddBKGComponent").unwrap();
        for amplifier in 0..raw.amplifiers.len() {
            raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
            process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 }).unwrap();
        }
    }

    /// Two amplifiers of `half` columns, the inner 4 of each overscan.
    fn two_amplifiers(rows: usize, half: usize) -> RawData {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((rows, 2 * half)));
        let amplifier = |name: &str, side, full, active| Amplifier {
            side,
            full: Region::new(0..rows, full),
            active: Region::new(0..rows, active),
            ..Amplifier::whole_image(name, 0, rows, 2 * half)
        };
        raw.amplifiers = vec![
            amplifier("U", Side::U, half..2 * half, half + 4..2 * half),
            amplifier("L", Side::L, 0..half, 0..half - 4),
        ];
        raw
    }

    #[test]
    fn a_constant_is_added_once_to_every_active_pixel() {
        let mut raw = two_amplifiers(3, 10);
        run(r#"{"value": 2.5}"#, &mut raw);
        let image = &raw.images["mean_compressed"];
        for (col, expected) in [(0, 2.5), (5, 2.5), (6, 0.0), (13, 0.0), (14, 2.5), (19, 2.5)] {
            assert_eq!(image[[1, col]], expected, "column {col}");
        }
        assert!(raw.images["mean_compressed_woExtraDC"].iter().all(|q| *q == 0.0));
    }

    #[test]
    fn clusters_grow_denser_along_the_rows() {
        let n = 40_000;
        let mut raw = two_amplifiers(500, 104);
        run(&format!(r#"{{"function": "linear", "Ncls": {n}, "Emin": 1, "Emax": 1}}"#), &mut raw);
        let image = &raw.images["mean_compressed"];
        let (l, u) = (
            image.slice_axis(ndarray::Axis(1), (0..100).into()),
            image.slice_axis(ndarray::Axis(1), (108..208).into()),
        );
        for half in [&l, &u] {
            assert_eq!(half.sum() as usize, n, "nothing is lost, coinciding clusters add up");
            // share of the upper half of the rows: (0.005·½ + 0.004·⅜)/(0.005 + 0.002) = 4/7
            let upper = half.slice_axis(ndarray::Axis(0), (250..500).into()).sum() / n as f64;
            let p = 4.0 / 7.0;
            assert!((upper - p).abs() < 5.0 * (p * (1.0 - p) / n as f64).sqrt(), "{upper}");
        }
        assert_ne!(l, u, "the halves have different numbers");
        let again = image.clone();
        let mut raw = two_amplifiers(500, 104);
        run(&format!(r#"{{"function": "linear", "Ncls": {n}, "Emin": 1, "Emax": 1, "seed": 321}}"#), &mut raw);
        assert_eq!(raw.images["mean_compressed"], again);
    }

    #[test]
    fn charges_lie_in_their_range() {
        let mut raw = RawData::from_image("mean_compressed", Array2::zeros((400, 400)));
        run(r#"{"function": "linear", "Ncls": 300}"#, &mut raw);
        let charges: Vec<f64> = raw.images["mean_compressed"].iter().copied().filter(|q| *q > 0.0).collect();
        // 160 000 pixels, 300 clusters: less than one coincidence is expected
        assert!(charges.len() > 290 && charges.iter().filter(|q| !(0.04..=0.15).contains(*q)).count() <= 2);
    }

    #[test]
    fn dark_current_grows_along_the_rows() {
        let mut raw = two_amplifiers(400, 204);
        run(r#"{"function": "dc", "params": [0.01, 0.4]}"#, &mut raw);
        let image = &raw.images["mean_compressed"];
        for cols in [0..200, 208..408] {
            for rows in [0..100, 300..400] {
                let part = Region::new(rows.clone(), cols.clone());
                let mean = part.view(image).sum() / part.len() as f64;
                let expected = (0.01 * (rows.start as f64 + 49.5) + 0.4) / 4.0;
                assert!((mean - expected).abs() < 5.0 * (expected / part.len() as f64).sqrt(), "{mean} {expected}");
            }
        }
        assert_ne!(
            image.slice_axis(ndarray::Axis(1), (0..200).into()),
            image.slice_axis(ndarray::Axis(1), (208..408).into())
        );
        // a negative mean counts as 0
        let mut raw = two_amplifiers(4, 10);
        run(r#"{"function": "dc", "params": [0, -5]}"#, &mut raw);
        assert_eq!(raw.images["mean_compressed"].sum(), 0.0);
    }

    #[test]
    fn missing_parameters_are_named() {
        let problems = |json: &str| serde_json::from_str::<AddBKGComponent>(json).unwrap().check();
        assert!(problems(r#"{"function": "linear"}"#)[0].starts_with("`Ncls`"));
        assert!(problems(r#"{"function": "dc", "params": [1]}"#)[0].starts_with("`params`"));
        assert!(problems(r#"{"Emin": 2, "Emax": 1}"#)[0].starts_with("`Emin`"));
        assert!(serde_json::from_str::<AddBKGComponent>(r#"{"function": "square"}"#).is_err());
    }

    /// `raw` of an averaged image is the averaged image, for every amplifier.
    #[test]
    fn raw_means_the_averaged_image_of_all_amplifiers() {
        let mut raw = RawData::from_image("mean_compressed", Array2::from_elem((4, 6), 10.0));
        raw.amplifiers = ["U", "L"]
            .map(|name| {
                let mut a = crate::image::Amplifier::whole_image(name, 0, 4, 6);
                let cols = if name == "U" { 3..6 } else { 0..3 };
                (a.full.cols, a.active.cols) = (cols.clone(), cols);
                a
            })
            .into();
        let process: AddBKGComponent = serde_json::from_str(r#"{"image": "raw", "value": 7.0}"#).unwrap();
        let common = crate::process::CommonParameters::default();
        let entry = crate::process::registry::find("AddBKGComponent").unwrap();
        for amplifier in 0..2 {
            process.execute(&mut raw, &Context { entry, common: &common, amplifier, seed: 1 }).unwrap();
        }
        assert!(raw.images["mean_compressed"].iter().all(|q| *q == 17.0));
        assert!(raw.images["mean_compressed_woExtraDC"].iter().all(|q| *q == 10.0));
        assert_eq!(raw.image("raw").unwrap(), &raw.images["mean_compressed"]);
    }
}
