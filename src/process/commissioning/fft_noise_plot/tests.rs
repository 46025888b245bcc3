//! The cube of spec 04 §7.3.

use super::*;
use crate::image::SkipCube;
use crate::process::commissioning::test_data::skip_cube;
use crate::process::{CommonParameters, registry};
use std::f64::consts::PI;

fn spectrum(samples: ndarray::Array3<f64>, region: Region) -> Spectrum {
    let mut raw = RawData::from_image(IMAGE, ndarray::Array2::zeros((16, 48)));
    let skips = samples.dim().2;
    raw.cube = Some(SkipCube::from_reals(samples));
    raw.nskips = skips;
    let common = CommonParameters::default();
    let entry = registry::find("FFTNoisePlot").unwrap();
    let context = Context { entry, common: &common, amplifier: 0, seed: 1 };
    let survey = finished(&mut raw, &context, SkipSpectrumSurvey::new(region, 0..skips)).unwrap();
    survey.spectrum(Some(16e-6)).unwrap()
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found}, expected {expected}");
}

#[test]
fn skips_with_a_sinusoid() {
    let mut cube = skip_cube();
    for ((_, _, k), x) in cube.indexed_iter_mut() {
        *x += 3.0 * (2.0 * PI * 5.0 * k as f64 / 64.0).cos();
    }
    let found = spectrum(cube, Region::new(0..16, 0..48));
    near(found.resolution(), 976.5625, 1e-9);
    // digits of the specification
    for (m, expected) in found.magnitude.iter().zip([81.413, 82.825, 85.867, 85.189, 122.923, 87.200, 81.912]) {
        near(*m, expected, 6e-4);
    }
    let others = |v: &[f64]| (0..31).filter(|i| *i != 4).map(|i| v[i]).sum::<f64>() / 30.0;
    near(others(&found.magnitude), 84.930, 6e-4);
    near(found.magnitude[31], 77.223, 6e-4);
    near(found.psd[4], 0.00915972, 6e-9);
    near(others(&found.psd), 0.00458593, 6e-9);
    near(found.variance(), 145.592124, 1e-6);
    let lines = NoiseSpectrum::of(found).lines;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].bin, 4);
    near(lines[0].amplitude, 3.0, 4.0 * lines[0].amplitude_error);
}

#[test]
fn skips_of_the_active_region() {
    let found = spectrum(skip_cube(), Region::new(0..16, 0..32));
    for (m, expected) in found.magnitude.iter().zip([80.3832, 81.6144, 86.3569]) {
        near(*m, expected, 6e-5);
    }
    near(found.magnitude[..31].iter().sum::<f64>() / 31.0, 85.1875, 6e-5);
}

#[test]
fn rows_of_the_mean_image() {
    let mean = skip_cube().mean_axis(ndarray::Axis(2)).unwrap();
    let region = Region::new(0..16, 0..32);
    let (found, clipped) = row_spectrum(region.view(&mean), None, Some(1.024e-3)).unwrap();
    assert_eq!(clipped, 0);
    near(found.resolution(), 30.5175781, 1e-7);
    for (m, expected) in found.magnitude.iter().zip([7.1889, 7.7767, 8.1093, 7.1793]) {
        near(*m, expected, 6e-5);
    }
    near(found.magnitude[..15].iter().sum::<f64>() / 15.0, 7.67149, 6e-6);
    // a track in one row is removed by clipping
    let mut track = mean.clone();
    track[[3, 5]] += 5000.0;
    let (loud, _) = row_spectrum(region.view(&track), None, None).unwrap();
    let (quiet, clipped) = row_spectrum(region.view(&track), Some(6.0), None).unwrap();
    assert_eq!(clipped, 1);
    assert!(loud.magnitude[3] > 200.0 && quiet.magnitude[3] < 10.0);
}

#[test]
fn the_process_needs_the_mean_image_and_uses_the_range_of_skips() {
    let cube = skip_cube();
    let mut raw = RawData::from_image("raw", ndarray::Array2::zeros((16, 48)));
    raw.cube = Some(SkipCube::from_reals(cube.clone()));
    (raw.nskips, raw.ndcm) = (64, 64);
    raw.times.readout = 0.786432;
    raw.amplifiers[0].active = Region::new(0..16, 0..32);
    raw.amplifiers[0].overscan = Region::new(0..16, 32..48);
    let common = CommonParameters { save_plots: true, id_skip_start: Some(4), ..CommonParameters::default() };
    let entry = registry::find("FFTNoisePlot").unwrap();
    let context = Context { entry, common: &common, amplifier: 0, seed: 1 };
    let process = FFTNoisePlot::default();
    let error = process.execute(&mut raw, &context).unwrap_err().to_string();
    assert!(error.contains("CompressSkipperProcess"), "{error}");
    raw.images.insert(IMAGE.into(), cube.mean_axis(ndarray::Axis(2)).unwrap());
    process.execute(&mut raw, &context).unwrap();
    let spectra = raw.products.get_for::<NoiseSpectra>("EXT0").unwrap();
    let skips = &spectra.skips.as_ref().unwrap().spectrum;
    assert_eq!((skips.length, skips.series), (60, 512));
    near(skips.step, 16e-6, 1e-12);
    near(spectra.rows.as_ref().unwrap().spectrum.step, 1.024e-3, 1e-12);
    // a table beside each of the three figures
    let tables: Vec<_> = raw.report.tables.iter().map(|(_, t)| (t.name.as_str(), t.rows.len())).collect();
    assert_eq!(
        tables,
        [("FFTNoisePlot_skips_EXT0", 30), ("FFTNoisePlot_rows_EXT0", 16), ("FFTNoisePlot_EXT0", 30 + 16)]
    );
    let names: Vec<_> = raw.report.figures.iter().map(|f| f.figure.name.as_str()).collect();
    assert_eq!(names, ["FFTNoisePlot_skips_EXT0", "FFTNoisePlot_rows_EXT0", "FFTNoisePlot_EXT0"]);
    assert!(raw.report.table_heads["FFTNoisePlot_skips_EXT0"].scalars.iter().any(|(k, _)| k == "white_level"));
}
