//! GaussianNoiseProcess: readout noise for simulated images that have none.
//!
//! Every pixel of the frame gets an independent Gaussian number. Each row has its own stream of random numbers, chosen by
//! seed, position of the file, HDU and row (within the extension): the numbers depend on nothing else. Spec 02 §7.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::unit_of_image;
use crate::image::RawData;
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::random::{Stream, Tag};

/// Parameters of GaussianNoiseProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GaussianNoiseProcess {
    /// Image to which noise is added.
    pub image: String,
    /// Standard deviation of the noise, in units of the image.
    pub sigma: f64,
    /// Seed of the random numbers; null: that of the run (`--seed`).
    pub seed: Option<u64>,
}

impl Default for GaussianNoiseProcess {
    fn default() -> Self {
        Self { image: "mean_compressed".into(), sigma: 0.2758, seed: None }
    }
}

impl SKImageProcess for GaussianNoiseProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let name = raw.resolve_image_name(&self.image).to_owned();
        let mut image = raw.image(&name)?.clone();
        let seed = self.seed.unwrap_or(context.seed);
        let places: Vec<(u64, u64)> = (0..image.nrows()).map(|row| hdu_and_row(raw, row)).collect();
        let position = raw.source.position as u64;
        let lines: Vec<_> = image.rows_mut().into_iter().zip(places).collect();
        lines.into_par_iter().for_each(|(mut line, (hdu, row))| {
            let mut noise = vec![0.0; line.len()];
            Stream::new(seed, Tag::AddNoise, position, hdu, row).fill_normal(self.sigma, &mut noise);
            line.iter_mut().zip(noise).for_each(|(q, n)| *q += n);
        });
        let unit = unit_of_image(&name);
        raw.images.insert(format!("{name}_wgnoise"), image);
        raw.report.measure(Measurement::new("added_noise", self.sigma, unit));
        raw.report.result(format!("Gaussian noise of {} {unit} added (seed {seed})", self.sigma));
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        if self.sigma >= 0.0 && self.sigma.is_finite() {
            Vec::new()
        } else {
            vec![format!("`sigma` is {}; a number from 0 on is expected", self.sigma)]
        }
    }
}

/// HDU of a row of the stored image, and the row within its extension.
pub(super) fn hdu_and_row(raw: &RawData, row: usize) -> (u64, u64) {
    match raw.amplifiers.iter().find(|a| a.full.rows.contains(&row)) {
        Some(a) => (a.hdu as u64, (row - a.full.rows.start) as u64),
        None => (0, row as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Amplifier, Region};
    use crate::process::{CommonParameters, registry};
    use crate::stats::robust::{Ddof, mean_and_std};
    use ndarray::Array2;

    fn run(json: &str, raw: &mut RawData, seed: u64) -> Array2<f64> {
        let process: GaussianNoiseProcess = serde_json::from_str(json).unwrap();
        let common = CommonParameters::default();
        let entry = registry::find("GaussianNoiseProcess").unwrap();
        raw.report.enter(0, entry.tag, None);
        process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed }).unwrap();
        raw.images["mean_compressed_wgnoise"].clone()
    }

    fn image(rows: usize, cols: usize) -> RawData {
        RawData::from_image("mean_compressed", Array2::from_elem((rows, cols), 7.0))
    }

    #[test]
    fn the_noise_has_the_width_asked_for() {
        let noisy = run("{}", &mut image(320, 640), 321);
        let differences: Vec<f64> = noisy.iter().map(|q| q - 7.0).collect();
        let (mean, std) = mean_and_std(&differences, Ddof::Sample);
        // spec 02 §7: within 0.5 %, three standard errors of 204 800 pixels
        assert!((std / 0.2758 - 1.0).abs() < 0.005, "{std}");
        assert!(mean.abs() < 5.0 * 0.2758 / 204_800f64.sqrt());
        let beyond = differences.iter().filter(|d| d.abs() > 3.0 * 0.2758).count() as f64;
        assert!((beyond - 204_800.0 * 0.002_699_8).abs() < 5.0 * 553f64.sqrt(), "{beyond} beyond 3 σ");
    }

    #[test]
    fn numbers_depend_on_seed_file_hdu_and_row_only() {
        let noisy = run("{}", &mut image(4, 5), 1);
        assert_eq!(run("{}", &mut image(4, 5), 1), noisy);
        assert_ne!(run("{}", &mut image(4, 5), 2), noisy);
        assert_eq!(run(r#"{"seed": 1}"#, &mut image(4, 5), 2), noisy);
        // more rows do not change the first ones, another position does
        assert_eq!(run("{}", &mut image(9, 5), 1).row(3), noisy.row(3));
        let mut second = image(4, 5);
        second.source.position = 1;
        assert_ne!(run("{}", &mut second, 1), noisy);
        // two stacked extensions: the rows of each get the numbers they would get alone
        let mut stacked = image(8, 5);
        let block =
            |n: usize| Amplifier { full: Region::new(4 * n..4 * n + 4, 0..5), ..Amplifier::whole_image("x", n, 8, 5) };
        stacked.amplifiers = vec![block(0), block(1)];
        let both = run("{}", &mut stacked, 1);
        assert_eq!(both.row(1), noisy.row(1));
        assert_ne!(both.row(5), both.row(1));
    }

    #[test]
    fn missing_pixels_stay_missing_and_the_image_is_kept() {
        let mut raw = image(3, 3);
        raw.images["mean_compressed"][[1, 1]] = f64::NAN;
        let noisy = run(r#"{"sigma": 0}"#, &mut raw, 1);
        assert!(noisy[[1, 1]].is_nan() && noisy[[0, 0]] == 7.0);
        assert_eq!(raw.images["mean_compressed"][[0, 0]], 7.0);
        assert_eq!(serde_json::from_str::<GaussianNoiseProcess>(r#"{"sigma": -1}"#).unwrap().check().len(), 1);
    }
}
