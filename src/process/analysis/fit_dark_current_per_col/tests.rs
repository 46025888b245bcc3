//! Per-column fits: every amplifier, hot columns, and the tables.

use ndarray::Array2;

use super::*;
use crate::image::raw_data::Mask;
use crate::image::{Amplifier, Region, Side};
use crate::process::{CommonParameters, registry};
use crate::stats::random::{Poisson, Stream};

const IMAGE: &str = "mean_compressed_pedestal_subtracted";

fn run(process: &FitDarkCurrentPerCol, raw: &mut RawData) {
    let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
    let entry = registry::find("FitDarkCurrentPerCol").unwrap();
    for amplifier in 0..raw.amplifiers.len() {
        raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
        process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 }).unwrap();
    }
}

/// Two amplifiers of 40 columns; dark current 0.2 e⁻, none in the overscan (last 5 columns read), 0.6 in columns 10–14.
fn two_amplifiers() -> RawData {
    let mut stream = Stream::from_seed(8);
    let pixels = Array2::from_shape_fn((1500, 80), |(_, c)| {
        let lambda = match c {
            35..45 => 0.0,
            10..15 => 0.6,
            _ => 0.2,
        };
        10.0 * Poisson::new(lambda).draw(&mut stream) as f64 + 1.5 * stream.normal()
    });
    let mut raw = RawData::from_image(IMAGE, pixels);
    let amplifier = |name: &str, side, full: std::ops::Range<usize>, active, overscan| Amplifier {
        side,
        full: Region::new(0..1500, full),
        active: Region::new(0..1500, active),
        overscan: Region::new(0..1500, overscan),
        ..Amplifier::whole_image(name, 0, 1500, 80)
    };
    raw.amplifiers =
        vec![amplifier("U", Side::U, 40..80, 45..80, 40..45), amplifier("L", Side::L, 0..40, 0..35, 35..40)];
    raw
}

fn process() -> FitDarkCurrentPerCol {
    serde_json::from_str(
        r#"{"col_step": 5, "n_peaks": 5, "binning_size": 0.5, "x_min": -6, "x_max": 45, "dc_max": 20, "fit_options": "L",
            "save_results": true, "degree_pol": 2}"#,
    )
    .unwrap()
}

#[test]
fn every_amplifier_and_all_columns_are_fitted() {
    let mut raw = two_amplifiers();
    run(&process(), &mut raw);
    for (name, empty_group) in [("U", 0), ("L", 7)] {
        let fits = &raw.products.get_for::<PerColFits>(name).unwrap().0;
        assert_eq!(fits.fits.len(), 8, "{name}: prescan and overscan included");
        for (k, fit) in fits.fits.iter().enumerate() {
            if k == empty_group {
                // without electrons there is no gain to fit: a limit, and not trusted
                assert!(!fit.trusts(&fit.dc) && !fit.verdict.is_good(), "{name} {k}: {fit:?}");
                continue;
            }
            let truth = if (name, k) == ("L", 2) { 0.6 } else { 0.2 };
            // 7500 pixels
            let sigma = (truth / 7500.0_f64).sqrt();
            assert!((fit.dc.value - truth).abs() < 6.0 * sigma, "{name} {k}: {:?}", fit.dc);
        }
        assert_eq!(fits.trends[0].as_ref().unwrap().coefficients.len(), 3);
    }
    let tables: Vec<_> = raw.report.tables.iter().map(|t| t.1.name.as_str()).collect();
    for name in [
        "FitDarkCurrentPerCol_DCvsCOLS_results_ampU",
        "FitDarkCurrentPerCol_DCvsCOLS_results_ampL",
        "FitDarkCurrentPerCol_sideL",
    ] {
        assert!(tables.contains(&name), "{tables:?}");
    }
    let results = raw.report.tables.iter().find(|t| t.1.name.ends_with("results_ampL")).unwrap();
    assert_eq!(results.1.columns.join(","), "cols,ecols,noise,enoise,gain,egain,dc,edc,chi2");
    let figures: Vec<_> = raw.report.figures.iter().map(|f| f.figure.name.as_str()).collect();
    assert!(figures.contains(&"FitDarkCurrentPerCol_plot_chi2vsCols_U"), "{figures:?}");
    assert!(raw.report.cards.is_empty());
}

#[test]
fn the_cluster_mask_acts_in_the_active_region_only() {
    let mut raw = two_amplifiers();
    // as BuildClusterMask makes it: everything outside of the active region is masked, and one cluster
    let mut pixels = Array2::from_elem((1500, 80), false);
    Region::new(0..1500, 35..45).view_mut(&mut pixels).fill(true);
    Region::new(0..1000, 0..5).view_mut(&mut pixels).fill(true);
    raw.masks.insert("mask_clusters".into(), Mask { pixels, extname: None });
    run(&FitDarkCurrentPerCol { mask_clusters: true, ..process() }, &mut raw);
    let fits = &raw.products.get_for::<PerColFits>("L").unwrap().0;
    assert_eq!(fits.fits.len(), 8);
    assert!(fits.fits[0].pixels <= 2500 && fits.fits[0].pixels > 2400);
    assert!(fits.fits[7].pixels > 7400, "the overscan is fitted all the same");
}

#[test]
fn the_fit_of_the_amplifier_lends_its_parameters() {
    let fit = FitDarkCurrentProcess { n_peaks: 7.into(), fit_options: "Q".into(), ..Default::default() };
    let columns = FitDarkCurrentPerCol::from(&fit);
    assert_eq!((columns.n_peaks.clone(), columns.fit_options.as_str()), (7.into(), "Q"));
    assert_eq!(columns.fit(), fit);
    let problems: Vec<String> = serde_json::from_str::<FitDarkCurrentPerCol>(r#"{"degree_pol": 12}"#).unwrap().check();
    assert!(problems[0].contains("`degree_pol` is 12"));
}
