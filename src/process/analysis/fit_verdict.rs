//! What a fit is worth, in one word that goes wherever its numbers go: log, header, ROOT, summary and figure.
//!
//! The word is a sum of flags, 0 when nothing is wrong. The first four are those of the dark-current fit (spec 03
//! §1.7); the fifth says that the fit, though it settled, is contradicted by its own residuals: χ² has a probability
//! below 10⁻⁶ *and* the typical residual is more than √2 of its error. Both are asked for, because with a million
//! pixels a deviation of no practical importance is statistically certain.

use crate::image::RawData;
use crate::plot::{Anchor, Colour, Note};
use crate::process::Measurement;
use crate::stats::dark_current::DarkCurrentFit;
use crate::stats::distributions::chi2_survival;
use crate::stats::gaussian_fit::{GaussianFit, Outcome};

/// Probability of χ² below which the residuals may contradict a fit: about 5 σ.
const CONTRADICTING_PROBABILITY: f64 = 1e-6;
/// χ²/NDF above which they do, if the probability agrees.
const CONTRADICTING_CHI2_PER_NDF: f64 = 2.0;

/// Status word of a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FitVerdict(u8);

/// A flag with its meaning.
const MEANINGS: [(u8, &str); 5] = [
    (FitVerdict::NOT_CONVERGED, "did not converge"),
    (FitVerdict::AT_LIMIT, "a parameter rests on a limit"),
    (FitVerdict::NO_ERRORS, "no errors: the second derivatives are not positive definite"),
    (FitVerdict::TOO_FEW_DATA, "too few data for a fit"),
    (FitVerdict::CONTRADICTED, "contradicted by its residuals"),
];

impl FitVerdict {
    /// The search did not settle.
    pub const NOT_CONVERGED: u8 = 1;
    /// A parameter rests on a limit.
    pub const AT_LIMIT: u8 = 2;
    /// The second-derivative matrix is not positive definite: there are no errors.
    pub const NO_ERRORS: u8 = 4;
    /// No degree of freedom: nothing was fitted.
    pub const TOO_FEW_DATA: u8 = 8;
    /// The residuals contradict the model.
    pub const CONTRADICTED: u8 = 16;

    /// The verdict with these flags.
    pub fn new(flags: u8) -> Self {
        Self(flags)
    }

    /// Nothing is known against the fit.
    pub fn is_good(self) -> bool {
        self.0 == 0
    }

    /// The numbers may be used downstream, with a warning unless [`is_good`](Self::is_good): the fit was made, converged
    /// and has errors.
    pub fn is_usable(self) -> bool {
        self.0 & (Self::NOT_CONVERGED | Self::NO_ERRORS | Self::TOO_FEW_DATA) == 0
    }

    /// Whether a flag is set.
    pub fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// The same verdict with a flag set if `condition` holds.
    pub fn with(self, flag: u8, condition: bool) -> Self {
        if condition { Self(self.0 | flag) } else { self }
    }

    /// The status word.
    pub fn word(self) -> u8 {
        self.0
    }

    /// The verdict in words, e.g. "a parameter rests on a limit; contradicted by its residuals".
    pub fn text(self) -> String {
        if self.is_good() {
            return "good".into();
        }
        let parts: Vec<&str> = MEANINGS.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, text)| *text).collect();
        parts.join("; ")
    }

    /// What to append to a result line: nothing for a good fit, else the verdict in brackets.
    pub fn remark(self) -> String {
        if self.is_good() { String::new() } else { format!(" [NOT GOOD: {}]", self.text()) }
    }

    /// A red note for the figure of a fit that is not good.
    pub fn note(self) -> Option<Note> {
        (!self.is_good())
            .then(|| Note::new(Anchor::Free, [format!("fit not good: {}", self.text())]).colour(Colour::RED).boxed())
    }

    /// The status word as a measurement, with a header card.
    pub fn measurement(self, name: &str, keyword: &str) -> Measurement {
        Measurement::integer(name, i64::from(self.0)).card(keyword, "fit: 0 good 1 conv 2 limit 4 err 8 few 16 chi2")
    }

    /// Warns about a fit that is not good. `what` begins the sentence, e.g. "amplifier EXT1: the Gaussian fit".
    pub fn warn(self, raw: &mut RawData, what: &str) {
        if !self.is_good() {
            raw.report.warn(format!("{what} is not good: {}", self.text()));
        }
    }
}

impl From<&GaussianFit> for FitVerdict {
    fn from(fit: &GaussianFit) -> Self {
        let made = matches!(fit.outcome, Outcome::Converged | Outcome::NotConverged);
        Self::default()
            .with(Self::TOO_FEW_DATA, !made)
            .with(Self::NOT_CONVERGED, fit.outcome == Outcome::NotConverged)
            .with(Self::AT_LIMIT, fit.at_limit())
            .with(
                Self::NO_ERRORS,
                made && !fit.at_limit() && !(fit.mu_error.is_finite() && fit.sigma_error.is_finite()),
            )
            .with(Self::CONTRADICTED, made && is_contradicted(fit.chi2, fit.ndf))
    }
}

impl From<&DarkCurrentFit> for FitVerdict {
    fn from(fit: &DarkCurrentFit) -> Self {
        Self::new(fit.status.0)
            .with(Self::CONTRADICTED, fit.was_made() && is_contradicted(fit.goodness.chi2, fit.goodness.ndf))
    }
}

/// Whether a χ² with this number of degrees of freedom contradicts its model.
pub fn is_contradicted(chi2: f64, ndf: i64) -> bool {
    let Ok(degrees) = u64::try_from(ndf) else { return false };
    degrees > 0
        && chi2 > CONTRADICTING_CHI2_PER_NDF * degrees as f64
        && chi2_survival(chi2, degrees) < CONTRADICTING_PROBABILITY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_speak_in_words_and_in_one_number() {
        let verdict = FitVerdict::default().with(FitVerdict::AT_LIMIT, true).with(FitVerdict::CONTRADICTED, true);
        assert_eq!(verdict.word(), 18);
        assert_eq!(verdict.text(), "a parameter rests on a limit; contradicted by its residuals");
        assert!(verdict.is_usable() && !verdict.is_good());
        assert!(!FitVerdict::new(FitVerdict::NOT_CONVERGED).is_usable());
        assert_eq!(FitVerdict::default().remark(), "");
    }

    #[test]
    fn residuals_contradict_only_when_significant_and_large() {
        // 5 σ points of χ²: 1 degree 23.9, 10 degrees 47.3; with 10⁴ degrees χ²/NDF = 1.5 is certain but small
        assert!(!is_contradicted(20.0, 1) && is_contradicted(30.0, 1));
        assert!(!is_contradicted(40.0, 10) && is_contradicted(55.0, 10));
        assert!(!is_contradicted(15_000.0, 10_000) && is_contradicted(25_000.0, 10_000));
        assert!(!is_contradicted(1e9, 0) && !is_contradicted(f64::NAN, 5) && !is_contradicted(5.0, -2));
    }
}
