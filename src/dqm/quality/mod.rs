//! Quality tests: what is compared with what, and what it is called (spec 06 §8).
//!
//! | room | what is in it |
//! |---|---|
//! | [`mod@line`] | the straight line through the values of a monitor element |
//! | `chance` | which violations chance makes |
//! | [`kolmogorov`] | two-sample Kolmogorov–Smirnov test, exact |
//! | [`welch`] | t test for unequal variances |
//! | [`settings`] | which tests, with which cuts |
//! | [`limits`] | `QT:range`, `QT:chi2`, pedestal fits: tests without a reference |
//! | [`vector`] | a vector against a reference run, for an image and for a run |
//! | [`scalar`] | a number against a reference run, for an image and for a run |
//!
//! A test that does not apply has the flag `none`, never a failure, and says why.

mod chance;
pub mod kolmogorov;
pub mod limits;
pub mod line;
pub mod scalar;
pub mod settings;
pub mod vector;
pub mod welch;

pub use line::{fit_line, fit_line_without_outliers};
pub use settings::{Model, TestSettings, Tests};

use super::model::{Flag, QualityTest};

/// A test that does not apply.
pub(crate) fn not_applicable(name: &str, run_ref: Option<i64>, why: impl Into<String>) -> QualityTest {
    QualityTest {
        name: name.into(),
        flag: Flag::None,
        result: true,
        value: f64::NAN,
        cut: f64::NAN,
        n_std: f64::NAN,
        mean_ref: f64::NAN,
        std_ref: f64::NAN,
        run_ref,
        reason: why.into(),
        ..QualityTest::default()
    }
}

/// A test that was made.
pub(crate) fn verdict(name: &str, violated: bool, severity: Flag, value: f64, cut: f64) -> QualityTest {
    QualityTest {
        flag: if violated { severity } else { Flag::Pass },
        result: !violated,
        value,
        cut,
        ..not_applicable(name, None, "")
    }
}

/// A number for a sentence: four significant digits.
pub(crate) fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return format!("{x}");
    }
    let exponent = x.abs().log10().floor() as i32;
    if (-4..6).contains(&exponent) {
        let text = format!("{x:.*}", (3 - exponent).max(0) as usize);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{x:.3e}")
    }
}
