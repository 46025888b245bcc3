//! Calibrated images rebuilt from the comparison data, for tests: the real image with its recorded pedestals, and the
//! golden chains of the synthetic one.

use ndarray::Array2;
use serde_json::Value;

use crate::image::raw_data::{Numbers, Times};
use crate::image::{Amplifier, RawData, Region};
use crate::process::analysis::products::{Axis, Gain, Pedestal, PedestalAxis};
use crate::process::{CommonParameters, Context, ProcessError, SKImageProcess, registry};
use crate::stats::test_data;

/// An averaged image with pedestals per row and a gain, as Compress, Pedestal and Calibration leave it; `base` is
/// `mean_compressed` or `median_compressed`.
pub fn calibrated(
    base: &str,
    averaged: Array2<f64>,
    mu: &[f64],
    sigma: &[f64],
    gain: f64,
    amplifier: Amplifier,
) -> RawData {
    let mut subtracted = averaged.clone();
    subtracted.rows_mut().into_iter().zip(mu).for_each(|(mut row, mu)| row -= *mu);
    let electrons = &subtracted / gain;
    let mut raw = RawData::from_image(base, averaged);
    raw.images.insert(format!("{base}_pedestal_subtracted"), subtracted);
    raw.images.insert(format!("{base}_pedestal_subtracted_e"), electrons);
    let nan = vec![f64::NAN; mu.len()];
    let axis = PedestalAxis {
        axis: Axis::Row,
        first: 0,
        mu: mu.to_vec(),
        sigma: sigma.to_vec(),
        mu_error: nan.clone(),
        sigma_error: nan.clone(),
        chi2_ndf: nan,
    };
    raw.products.set_for(&amplifier.name, Pedestal { axes: vec![axis] });
    raw.products.set_for(&amplifier.name, Gain { adu_per_electron: gain });
    raw.amplifiers = vec![amplifier];
    raw
}

/// Extension 1 of the real image with the pedestals and the gain of the recorded ROOT file (spec 05 §11).
pub fn real_image() -> Option<RawData> {
    let mu = test_data::recorded_nested("info", "EXT1_pedestal_mu_row_ADU")?.concat();
    let sigma = test_data::recorded_nested("info", "EXT1_pedestal_sigma_row_ADU")?.concat();
    let pixels = Array2::from_shape_vec((320, 640), test_data::real_image(1)?).unwrap();
    let amplifier = Amplifier::whole_image("EXT1", 1, 320, 640);
    let mut raw = calibrated("mean_compressed", pixels, &mu, &sigma, 1.35, amplifier);
    raw.numbers = Numbers { run: 0, image: 15, ccd: 109 };
    // The recorded file was made at UTC−7.
    let offset = 25200.0;
    raw.times = Times {
        exposure_start: 1754586133.624482 + offset,
        readout_start: 1754586133.624482 + offset,
        readout_end: 1754590403.968173 + offset,
        exposure: 500.0,
        readout: 4270.343691,
        readout_from_dates: true,
    };
    Some(raw)
}

/// One of the golden chains of the small synthetic image.
pub fn golden(folder: &str, gain: f64) -> Option<RawData> {
    let array = |name: &str| test_data::npy(&format!("golden/small/{folder}/{name}.npy"));
    let averaged = Array2::from_shape_vec((50, 80), array("image_mean_compressed")?).unwrap();
    let (mu, sigma) = (array("pedestal_mu_EXT0_axis0")?, array("pedestal_sigma_EXT0_axis0")?);
    let mut amplifier = Amplifier::whole_image("EXT0", 0, 50, 80);
    amplifier.prescan = Region::new(0..50, 0..8);
    amplifier.active = Region::new(0..50, 8..60);
    amplifier.overscan = Region::new(0..50, 60..80);
    let mut raw = calibrated("mean_compressed", averaged, &mu, &sigma, gain, amplifier);
    raw.numbers = Numbers { run: 0, image: 0, ccd: 1 };
    raw.times = Times {
        exposure_start: 1735689600.0,
        readout_start: 1735689600.0,
        readout_end: 1735693200.0,
        exposure: 500.0,
        readout: 3600.0,
        readout_from_dates: true,
    };
    Some(raw)
}

/// A tree that the other program wrote for a golden chain: its only entry, and the type of each branch.
pub fn golden_tree(folder: &str, tree: &str) -> Option<(Value, Value)> {
    let mut json = test_data::json(&format!("golden/small/{folder}/{tree}.json"))?;
    Some((json["entries"][0].take(), json["types"].take()))
}

/// A process from the parameters that a configuration file would give.
pub fn process(name: &str, parameters: Value) -> Box<dyn SKImageProcess> {
    let maker = registry::find(name).unwrap().maker.unwrap();
    let mut block = (maker.defaults)();
    for (key, value) in parameters.as_object().unwrap() {
        assert!(block.get(key).is_some(), "{name} has no parameter {key}");
        block[key] = value.clone();
    }
    (maker.build)(block).unwrap()
}

/// Runs a process as the manager does: once, or once per amplifier.
pub fn run(raw: &mut RawData, name: &str, parameters: Value) -> Result<(), ProcessError> {
    let process = process(name, parameters);
    let entry = registry::find(name).unwrap();
    let times = if entry.scope == registry::Scope::Image { 1 } else { raw.amplifiers.len() };
    let common = CommonParameters::default();
    for amplifier in 0..times {
        let label = raw.amplifiers[amplifier].name.clone();
        raw.report.enter(0, entry.tag, (entry.scope == registry::Scope::Amplifier).then_some(&label));
        process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 })?;
    }
    Ok(())
}
