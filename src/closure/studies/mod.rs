//! The studies, one file per process or group of processes.

mod absolute_charge;
mod add_background;
mod calibration;
mod clusters;
mod column_transient;
mod commissioning;
mod compress;
mod correlated_noise;
mod cross_talk;
mod crosstalk_tool;
mod dark_current;
mod gaussian_fit;
mod halo;
mod lines;
mod pedestal;
mod physics;
mod slices;
mod test_stand;
mod transfer;
mod two_amplifiers;

use super::Study;

/// All studies, in the order of the report.
pub static STUDIES: &[Study] = &[
    compress::STUDY,
    pedestal::STUDY,
    gaussian_fit::STUDY,
    dark_current::STUDY,
    calibration::STUDY,
    lines::STUDY,
    slices::STUDY,
    two_amplifiers::STUDY,
    column_transient::STUDY,
    clusters::STUDY,
    transfer::STUDY,
    halo::STUDY,
    cross_talk::STUDY,
    crosstalk_tool::STUDY,
    correlated_noise::STUDY,
    absolute_charge::STUDY,
    add_background::STUDY,
    commissioning::STUDY,
    test_stand::STUDY,
    physics::STUDY,
];

/// π/2: variance of the median of normal numbers over that of their mean.
const MEDIAN_VARIANCE: f64 = std::f64::consts::FRAC_PI_2;

/// Student's t of n − 1 degrees of freedom is wider than a normal number by this factor.
fn student(n: usize) -> f64 {
    let n = n as f64;
    ((n - 1.0) / (n - 3.0)).sqrt()
}
