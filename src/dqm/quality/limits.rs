//! Tests against limits: no reference is needed.

use super::settings::Tests;
use super::{not_applicable, short, verdict};
use crate::dqm::model::{Flag, Pair, QualityTest};

/// Default cut of χ²/ndf of a dark-current fit.
pub const CHI2_CUT: f64 = 5.0;

/// `QT:range`: the fraction of values outside of the allowed range, which must be 0.
pub fn range(
    tests: &Tests,
    x: &[f64],
    values: &[f64],
    limits: (f64, f64),
    default_severity: Flag,
    unit: &str,
) -> QualityTest {
    let name = "QT:range";
    let settings = tests.get(name);
    let finite: Vec<usize> = (0..values.len()).filter(|&k| values[k].is_finite()).collect();
    if finite.is_empty() {
        return not_applicable(name, None, "there is no value");
    }
    let outside: Vec<usize> = finite.iter().copied().filter(|&k| !(limits.0..=limits.1).contains(&values[k])).collect();
    let fraction = outside.len() as f64 / finite.len() as f64;
    let cut = settings.cut.unwrap_or(0.0);
    let violated = fraction > cut;
    let mut test = verdict(name, violated, settings.severity.unwrap_or(default_severity), fraction, cut);
    let end = |x: f64, open: &str| if x.is_finite() { short(x) } else { open.to_owned() };
    let allowed = format!("{}…{} {unit}", end(limits.0, "−∞"), end(limits.1, "∞"));
    test.range = Some(Pair::new(limits.0, limits.1));
    test.x = outside.iter().map(|&k| x.get(k).copied().unwrap_or(k as f64 + 1.0)).collect();
    test.y = outside.iter().map(|&k| values[k]).collect();
    test.reason = match (values.len(), violated) {
        (1, true) => format!("{} {unit} lies outside of {allowed}", short(values[0])),
        (1, false) => format!("{} {unit} lies in {allowed}", short(values[0])),
        (_, true) => format!("{} of {} values lie outside of {allowed}", outside.len(), finite.len()),
        (_, false) => format!("all values lie in {allowed}"),
    };
    test
}

/// `QT:chi2`: χ²/ndf of the dark-current fit; warn above the cut, fail above twice the cut or below zero.
pub fn chi2(tests: &Tests, chi2_ndf: f64) -> QualityTest {
    let name = "QT:chi2";
    let settings = tests.get(name);
    if !chi2_ndf.is_finite() {
        return not_applicable(name, None, "the fit has no χ²/ndf");
    }
    let cut = settings.cut.unwrap_or(CHI2_CUT);
    let violated = !(0.0..=cut).contains(&chi2_ndf);
    let bad = chi2_ndf > 2.0 * cut || chi2_ndf < 0.0;
    let severity = settings.severity.unwrap_or(if bad { Flag::Fail } else { Flag::Warn });
    let mut test = verdict(name, violated, severity, chi2_ndf, cut);
    let relation = if violated { "not in" } else { "in" };
    let hint = if violated { ": particles, hot pixels, or charge beyond the last peak (`n_peaks`)?" } else { "" };
    test.reason = format!("χ²/ndf = {} of the dark-current fit is {relation} 0…{}{hint}", short(chi2_ndf), short(cut));
    test
}

/// `QTChi2FromFit`: the same with one stricter cut.
pub fn chi2_from_fit(tests: &Tests, chi2_ndf: f64) -> QualityTest {
    let name = "QTChi2FromFit";
    let settings = tests.get(name);
    if !chi2_ndf.is_finite() {
        return not_applicable(name, None, "the fit has no χ²/ndf");
    }
    let cut = settings.cut.unwrap_or(2.0);
    let violated = !(chi2_ndf < cut);
    let mut test = verdict(name, violated, settings.severity.unwrap_or(Flag::Warn), chi2_ndf, cut);
    test.reason = format!("χ²/ndf = {} of the fit, limit {}", short(chi2_ndf), short(cut));
    test
}

/// Fits of pedestal rows: warn if more than 5 % of the rows have χ²/ndf > 10. `None` if no row was fitted.
pub fn row_fits(tests: &Tests, rows: &[f64], goodness: &[f64]) -> Option<QualityTest> {
    const WORST: f64 = 10.0;
    let settings = tests.get("QT:chi2");
    let finite: Vec<usize> = (0..goodness.len()).filter(|&k| goodness[k].is_finite()).collect();
    if finite.is_empty() || !settings.active {
        return None;
    }
    let bad: Vec<usize> = finite.iter().copied().filter(|&k| goodness[k] > WORST).collect();
    let percent = 100.0 * bad.len() as f64 / finite.len() as f64;
    let cut = settings.cut.unwrap_or(5.0);
    let mut test = verdict("QT:chi2", percent > cut, settings.severity.unwrap_or(Flag::Warn), percent, cut);
    test.x = bad.iter().map(|&k| rows[k]).collect();
    test.y = bad.iter().map(|&k| goodness[k]).collect();
    test.reason = format!(
        "{} of {} rows have a pedestal fit with χ²/ndf > {WORST} (limit {} %)",
        bad.len(),
        finite.len(),
        short(cut)
    );
    Some(test)
}

/// Fits of blocks of rows or columns: warn if one of them has a χ²/ndf above the cut (its values are then compared with
/// nothing). `None` if no block was fitted.
pub fn block_fits(tests: &Tests, blocks: &[f64], goodness: &[f64]) -> Option<QualityTest> {
    let settings = tests.get("QT:chi2");
    let finite: Vec<usize> = (0..goodness.len()).filter(|&k| goodness[k].is_finite()).collect();
    if finite.is_empty() || !settings.active {
        return None;
    }
    let cut = settings.cut.unwrap_or(CHI2_CUT);
    let worst = finite.iter().copied().max_by(|&a, &b| goodness[a].total_cmp(&goodness[b]))?;
    let bad: Vec<usize> = finite.iter().copied().filter(|&k| !(goodness[k] <= cut)).collect();
    let severity = settings.severity.unwrap_or(Flag::Warn);
    let mut test = verdict("QT:chi2", !bad.is_empty(), severity, goodness[worst], cut);
    test.x = bad.iter().map(|&k| blocks[k]).collect();
    test.y = bad.iter().map(|&k| goodness[k]).collect();
    test.reason = if bad.is_empty() {
        format!("the largest χ²/ndf of {} blocks is {}, limit {}", finite.len(), short(goodness[worst]), short(cut))
    } else {
        format!(
            "the fit does not describe {} of {} blocks (χ²/ndf up to {} around {}, limit {}): particles, hot pixels, \
             or charge beyond the last peak (`n_peaks`)",
            bad.len(),
            finite.len(),
            short(goodness[worst]),
            short(blocks[worst]),
            short(cut)
        )
    };
    Some(test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::catalogue;

    fn tests(id: u16) -> Tests {
        Tests::of(catalogue::by_id(id).unwrap())
    }

    #[test]
    fn range_ends_are_allowed_and_missing_values_do_not_count() {
        let t = range(&tests(33), &[1.0, 2.0, 3.0], &[1.0, 2.0, f64::NAN], (1.0, 2.0), Flag::Fail, "ADU");
        assert_eq!((t.flag, t.value), (Flag::Pass, 0.0));
        let t = range(&tests(33), &[1.0, 2.0], &[1.0, 2.5], (1.0, 2.0), Flag::Fail, "ADU");
        assert_eq!((t.flag, t.value, t.x, t.y), (Flag::Fail, 0.5, vec![2.0], vec![2.5]));
        let t = range(&tests(61), &[7.0], &[0.02], (-0.01, 0.01), Flag::Warn, "e⁻");
        assert_eq!(t.flag, Flag::Warn);
        assert!(t.reason.contains("0.02 e⁻"), "{}", t.reason);
    }

    #[test]
    fn chi2_warns_and_then_fails() {
        for (value, flag) in [
            (0.0, Flag::Pass),
            (5.0, Flag::Pass),
            (5.1, Flag::Warn),
            (10.0, Flag::Warn),
            (10.1, Flag::Fail),
            (-1.0, Flag::Fail),
            (f64::NAN, Flag::None),
        ] {
            assert_eq!(chi2(&tests(60), value).flag, flag, "{value}");
        }
    }
}
