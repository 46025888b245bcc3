//! Gaussian fits against the numbers of spec 02 §12 and the recorded file.

use super::*;
use crate::stats::distributions::normal_quantile;
use crate::stats::test_data;

const MANUAL_50: GaussianFitSettings =
    GaussianFitSettings { bins: BinRule::Manual(50), start: StartRule::HighDarkCurrent(PeakFinder::FirstBump) };
const SMOOTHED_50: GaussianFitSettings =
    GaussianFitSettings { bins: BinRule::Manual(50), start: StartRule::HighDarkCurrent(PeakFinder::Smoothed) };

#[test]
fn dev_recorded_rows() {
    let Some(pixels) = test_data::real_image(1) else { return };
    let rows = test_data::kept_rows(&pixels, 2.0);
    let mu = &test_data::recorded_nested("info", "EXT1_pedestal_mu_row_ADU").unwrap()[0];
    let sigma = &test_data::recorded_nested("info", "EXT1_pedestal_sigma_row_ADU").unwrap()[0];
    let mut fitter = GaussianFitter::new();
    let mut agree = 0;
    for (row, kept) in rows.iter().enumerate() {
        let fit = fitter.fit(kept, MANUAL_50);
        let (dm, ds) = (fit.mu - mu[row], fit.sigma - sigma[row]);
        if dm.abs() < 1e-4 && ds.abs() < 1e-4 {
            agree += 1;
        } else {
            println!("{row} {dm:e} {ds:e} {:?} {} {}", fit.outcome, fit.mu_at_limit, fit.sigma_at_limit);
        }
    }
    println!("agree {agree}");
}
