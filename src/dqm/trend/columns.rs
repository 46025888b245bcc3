//! Charge per column against the column: the exponential near the amplifier (spec 06 §16).
//!
//! The run-median profile of the median charge per column, over columns 1 to 250, is described by
//! y = A·exp(−k·column) + y₀. (The older script fitted N·exp(x₀ + λ·column) + y₀, in which N and x₀ say the same:
//! A = N·e^{x₀}, k = −λ.) All columns weigh the same; errors are scaled to the residuals. A profile that a constant
//! describes as well has no exponential: A and k would be noise.

use std::collections::BTreeSet;

use super::figures::Span;
use super::history::RunTrend;
use crate::dqm::model::Pair;
use crate::dqm::plots::style;
use crate::plot::{Axis, Figure, Panel, Points, Strip};
use crate::stats::minimise::{Fit, Parameter};
use crate::stats::robust;

/// Last column of the fit.
const LAST_COLUMN: f64 = 250.0;

/// Result of the fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    /// Amplitude A, e⁻/pix.
    pub amplitude: Pair,
    /// Rate k, 1/column.
    pub rate: Pair,
    /// Level y₀, e⁻/pix.
    pub level: Pair,
}

/// Gain in χ², scaled to the residuals, that two more parameters have by chance with a probability of 0.001.
const SIGNIFICANT: f64 = 13.8;

/// Fits the profile; `None` without at least eight columns, when the fit does not converge or rests on a limit, or when
/// the exponential is not significant.
pub fn exponential(columns: &[f64], profile: &[f64]) -> Option<Exponential> {
    let (x, y): (Vec<f64>, Vec<f64>) = columns
        .iter()
        .zip(profile)
        .filter(|(x, y)| (1.0..=LAST_COLUMN).contains(*x) && y.is_finite())
        .map(|(x, y)| (*x, *y))
        .unzip();
    if x.len() < 8 {
        return None;
    }
    let tail = robust::median(&y[y.len() / 2..]);
    let head = robust::median(&y[..y.len() / 8 + 1]);
    let scale = robust::mean(&y.iter().map(|v| (v - tail).abs()).collect::<Vec<_>>()).max(1e-9);
    let length = x[x.len() - 1] - x[0];
    // The sum of squares has a flat valley in k: of several starts the best one counts.
    let best = [0.5, 2.0, 8.0, 32.0]
        .iter()
        .filter_map(|turns| {
            let rate = turns / length;
            let fit = Fit::new([
                Parameter::new("A", (head - tail) * (rate * x[0]).exp(), scale),
                Parameter::new("k", rate, 0.2 * rate).limited(0.05 / length, 3.0),
                Parameter::new("y0", tail, scale),
            ]);
            let result = fit.least_squares(&x, &y, &vec![1.0; x.len()], |x, p| p[0] * (-p[1] * x).exp() + p[2]).ok()?;
            result.minimum.is_finite().then_some(result)
        })
        .min_by(|a, b| a.minimum.total_cmp(&b.minimum))
        .filter(|best| best.status.is_good())?;
    let mean = robust::mean(&y);
    let flat: f64 = y.iter().map(|v| (v - mean).powi(2)).sum();
    if (flat / best.minimum - 1.0) * (x.len() as f64 - 3.0) < SIGNIFICANT {
        return None;
    }
    let best = best.scaled_to_residuals();
    let pair = |name: &str| Some(Pair::new(best.value(name)?, best.error(name)?));
    Some(Exponential { amplitude: pair("A")?, rate: pair("k")?, level: pair("y0")? })
}

/// Position and name of an amplifier, and its fits with their runs.
type FitsOfAmplifier<'a> = (usize, &'a str, Vec<(f64, Exponential)>);

/// Takes one parameter of a fit.
type PickParameter = fn(&Exponential) -> Pair;

/// The three parameters against the run. `None` if no run has a profile that can be fitted.
pub fn figure(runs: &[RunTrend], spans: &[Span]) -> Option<Figure> {
    let amplifiers: BTreeSet<&str> = runs.iter().flat_map(|r| r.profiles.keys()).map(String::as_str).collect();
    let fitted: Vec<FitsOfAmplifier<'_>> = amplifiers
        .iter()
        .enumerate()
        .map(|(k, amplifier)| {
            let of = |r: &RunTrend| {
                let (x, y) = r.profiles.get(*amplifier)?;
                Some((r.run as f64, exponential(x, y)?))
            };
            (k, *amplifier, runs.iter().filter_map(of).collect())
        })
        .collect();
    if fitted.iter().all(|(.., fits)| fits.is_empty()) {
        return None;
    }
    let mut figure = Figure::new("BaselinePerCol_ExpoFit_run_evolution")
        .pixels(2800, 900, 200.0)
        .grid(1, 3)
        .title("Median charge per column, columns 1 to 250: A·exp(−k·column) + y_{0}");
    let pick: [(&str, PickParameter); 3] =
        [("A [e⁻/pix]", |e| e.amplitude), ("k [1/column]", |e| e.rate), ("y_{0} [e⁻/pix]", |e| e.level)];
    for (label, value) in pick {
        let mut panel = Panel::new().x_axis(Axis::new("run").integer()).y(label).with_grid();
        for (k, span) in spans.iter().enumerate() {
            let colour = crate::plot::Colour::series(k).with_alpha(0.12);
            panel = panel.strip(Strip::vertical(span.first - 0.5, span.last + 0.5).colour(colour));
        }
        for (k, amplifier, fits) in &fitted {
            let short = amplifier.rsplit(' ').next().unwrap_or(amplifier);
            let points = Points::new(fits.iter().map(|(x, _)| *x), fits.iter().map(|(_, e)| value(e).value))
                .y_errors(fits.iter().map(|(_, e)| value(e).error))
                .marker(style::marker(short, *k))
                .label(*amplifier);
            panel = panel.points(points);
        }
        figure = figure.panel(panel);
    }
    Some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_that_was_put_in_comes_out() {
        let x: Vec<f64> = (1..=300).map(f64::from).collect();
        let exact: Vec<f64> = x.iter().map(|x| 0.4 * (-0.03 * x).exp() + 0.1).collect();
        let fit = exponential(&x, &exact).unwrap();
        for (found, wanted) in [(fit.amplitude, 0.4), (fit.rate, 0.03), (fit.level, 0.1)] {
            assert!((found.value - wanted).abs() < 1e-4 * wanted, "{found:?} {wanted}");
        }
        // With noise of a fixed pattern: within four of its own errors.
        let noisy: Vec<f64> = exact.iter().zip(&x).map(|(y, x)| y + 0.01 * (x * 12.9898).sin()).collect();
        let fit = exponential(&x, &noisy).unwrap();
        for (found, wanted) in [(fit.amplitude, 0.4), (fit.rate, 0.03), (fit.level, 0.1)] {
            assert!((found.value - wanted).abs() < 4.0 * found.error, "{found:?} {wanted}");
            assert!(found.error < 0.1 * wanted);
        }
        // A rough constant has none.
        let mut random = crate::stats::random::Stream::from_seed(3);
        let found = (0..100).filter(|_| {
            let constant: Vec<f64> = x.iter().map(|_| 0.02 + 0.004 * random.normal()).collect();
            exponential(&x, &constant).is_some()
        });
        assert!(found.count() <= 3, "0.1 expected; the position of a short exponential is free, which adds chances");
        assert!(exponential(&x[..5], &exact[..5]).is_none());
        assert!(exponential(&x, &vec![f64::NAN; 300]).is_none());
    }
}
