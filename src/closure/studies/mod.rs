//! The studies, one file per process or group of processes.

mod calibration;
mod clusters;
mod column_transient;
mod compress;
mod dark_current;
mod gaussian_fit;
mod lines;
mod pedestal;
mod physics;
mod slices;
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
    physics::STUDY,
];

/// π/2: variance of the median of normal numbers over that of their mean.
const MEDIAN_VARIANCE: f64 = std::f64::consts::FRAC_PI_2;
