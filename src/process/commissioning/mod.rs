//! Studies of a detector on the test bench: gain, noise, spectrum, charge loss (spec 04).
//!
//! The skips are streamed, never held: processes book what they want to see ([`survey`]), and one pass over the file
//! serves all of them.
//!
//! | room | what is in it |
//! |---|---|
//! | [`survey`], [`selection`], [`time_base`], [`moments`] | what the processes share |
//! | [`fit_calibration_constant`] | gain and linearity from the single-electron peaks |
//! | [`rn_vs_n_skips_plot`] | noise against the number of skips averaged, best number of skips |
//! | [`fft_noise_plot`] | noise spectra along the skips and along the rows, pick-up lines, 1/f noise |
//! | [`charge_loss_plot`] | images of single skips and their differences |
//! | [`charge_loss_skewness_process`] | asymmetry of differences, probability of losing an electron per transfer |

pub mod charge_loss_plot;
pub mod charge_loss_skewness_process;
pub mod fft_noise_plot;
pub mod fit_calibration_constant;
pub mod moments;
pub mod rn_vs_n_skips_plot;
pub mod selection;
pub mod survey;
#[cfg(test)]
pub(crate) mod test_data;
pub mod time_base;

pub use charge_loss_plot::ChargeLossPlot;
pub use charge_loss_skewness_process::ChargeLossSkewnessProcess;
pub use fft_noise_plot::FFTNoisePlot;
pub use fit_calibration_constant::FitCalibrationConstant;
pub use rn_vs_n_skips_plot::RNvsNskipsPlot;

use crate::image::RawData;
use crate::plot::{Figure, SecondAxis};
use crate::process::Context;
use crate::process::analysis::products::Gain;

/// Gain of an amplifier, ADU/e⁻, if an earlier process found or used one.
fn known_gain(raw: &RawData, amplifier: usize) -> Option<f64> {
    let gain = raw.products.get_for::<Gain>(&raw.amplifiers[amplifier].name)?.adu_per_electron;
    (gain.is_finite() && gain > 0.0).then_some(gain)
}

/// A figure with the three title lines: what, image, chain up to this process.
fn figure(raw: &RawData, context: &Context<'_>, name: String, what: &str) -> Figure {
    let mut chain = raw.chain.clone();
    chain.push(context.entry.tag.to_owned());
    Figure::new(name).titles(what, &raw.source.label, &chain)
}

/// A scale in electrons at the right of a scale in ADU.
fn electrons(label: &str, gain: f64) -> SecondAxis {
    SecondAxis::scaled(label, 1.0 / gain)
}
