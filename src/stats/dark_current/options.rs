//! The letters of `fit_options`, ROOT's way of choosing the objective (spec 03 §1.6).

use super::model::BinValue;

/// What the fit minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectiveKind {
    /// Σ (h − f)²/h over bins with h > 0.
    #[default]
    Neyman,
    /// 2 Σ [f − h + h·(ln h − ln f)] over all bins (Baker & Cousins 1984).
    Likelihood,
    /// Σ (h − f)²/f over all bins.
    Pearson,
    /// Σ (h − f)² over bins with h > 0.
    UnitWeights,
    /// Σ (h − f)² over all bins.
    UnitWeightsAll,
}

impl ObjectiveKind {
    /// The objective uses all bins, not only the non-empty ones.
    pub fn uses_empty_bins(self) -> bool {
        matches!(self, Self::Likelihood | Self::Pearson | Self::UnitWeightsAll)
    }
}

/// Parsed fit options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FitOptions {
    /// The objective.
    pub objective: ObjectiveKind,
    /// Bin centre or bin mean (letter `I`).
    pub bin_value: BinValue,
    /// Profile intervals are wanted (letter `E`).
    pub minos: bool,
    /// Iterations are to be reported (letter `V`).
    pub verbose: bool,
    /// Letters without a meaning, in order; they deserve a warning.
    pub unknown: Vec<char>,
}

impl FitOptions {
    /// Reads ROOT-style letters: spaces are ignored, case too. `L` stands above `P`, `P` above `W`.
    pub fn parse(letters: &str) -> Self {
        let mut options = Self::default();
        let (mut likelihood, mut pearson, mut weights) = (false, false, 0);
        for letter in letters.chars().filter(|letter| !letter.is_whitespace()) {
            match letter.to_ascii_uppercase() {
                'L' => likelihood = true,
                'P' => pearson = true,
                'W' => weights += 1,
                'I' => options.bin_value = BinValue::Mean,
                'E' => options.minos = true,
                'V' => options.verbose = true,
                // no effect: R because the histogram is the window, the others concern ROOT's session
                'R' | 'Q' | 'S' | 'M' | 'N' | '0' | '+' | 'B' | 'C' | 'F' | 'G' => {}
                _ => options.unknown.push(letter),
            }
        }
        options.objective = match (likelihood, pearson, weights) {
            (true, _, _) => ObjectiveKind::Likelihood,
            (_, true, _) => ObjectiveKind::Pearson,
            (_, _, 0) => ObjectiveKind::Neyman,
            (_, _, 1) => ObjectiveKind::UnitWeights,
            _ => ObjectiveKind::UnitWeightsAll,
        };
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        let default = FitOptions::parse("QR S L EM");
        assert_eq!(
            (default.objective, default.minos, default.bin_value),
            (ObjectiveKind::Likelihood, true, BinValue::Centre)
        );
        assert_eq!(FitOptions::parse("QSMEFR").objective, ObjectiveKind::Neyman);
        assert_eq!(FitOptions::parse("qi").bin_value, BinValue::Mean);
        assert_eq!(FitOptions::parse("P").objective, ObjectiveKind::Pearson);
        assert_eq!(FitOptions::parse("W").objective, ObjectiveKind::UnitWeights);
        assert_eq!(FitOptions::parse("w W").objective, ObjectiveKind::UnitWeightsAll);
        assert_eq!(FitOptions::parse("LX?").unknown, ['X', '?']);
        assert_eq!(FitOptions::parse(""), FitOptions::default());
    }
}
