//! A number of each image against the numbers of a reference run (spec 06 §8.1, scalars).

use super::chance::{CHANCE, GROSS, chi2_cut, is_chance_of_few};
use super::settings::{TestSettings, Tests};
use super::{fit_line, kolmogorov, not_applicable, short, verdict, welch};
use crate::dqm::model::{Flag, LineFit, QualityTest};
use crate::stats::distributions::normal_survival;
use crate::stats::robust::{self, Ddof};

/// A small reference widens its limits by this factor at the most: the spread of five numbers is too uncertain for any
/// verdict at three standard deviations, but a fault must not pass because of that.
const WIDEST: f64 = 2.0;

/// The numbers of the reference run: ordinals 1, 2, … and the line through those that are not outliers.
struct Reference {
    y: Vec<f64>,
    /// Mean of the points of the line: an image that stands out there must not move it.
    mean: f64,
    line: LineFit,
    /// Distances of the points of the line from it, by ordinal.
    residuals: Vec<(f64, f64)>,
    /// Standard deviation of the residuals of the points of the line.
    spread: f64,
    /// Points of the line.
    used: usize,
    /// Mean of their ordinals and sum of the squared distances from it.
    ordinals: (f64, f64),
}

impl Reference {
    /// `None` with fewer than three numbers.
    fn new(y: &[f64], n_std: f64) -> Option<Self> {
        let y: Vec<f64> = y.iter().copied().filter(|y| y.is_finite()).collect();
        if y.len() < 3 {
            return None;
        }
        let (mean, std) = robust::mean_and_std(&y, Ddof::Population);
        let kept: Vec<(f64, f64)> = y
            .iter()
            .enumerate()
            .filter(|(_, y)| (*y - mean).abs() <= n_std * std)
            .map(|(k, y)| (k as f64 + 1.0, *y))
            .collect();
        let (x, kept): (Vec<f64>, Vec<f64>) = kept.into_iter().unzip();
        let line = fit_line(&x, &kept, None)?;
        let residuals: Vec<(f64, f64)> = x.iter().zip(&kept).map(|(x, y)| (*x, y - line.at(*x))).collect();
        let spread = robust::std_deviation(&residuals.iter().map(|(_, d)| *d).collect::<Vec<_>>(), Ddof::Population);
        let centre = robust::mean(&x);
        let ordinals = (centre, x.iter().map(|x| (x - centre).powi(2)).sum());
        Some(Self { mean: robust::mean(&kept), line, residuals, spread, used: kept.len(), ordinals, y })
    }

    /// `n_std` standard deviations of the mean of `count` new numbers around the line at the mean ordinal `x`: what the
    /// numbers scatter and what the line is uncertain there, with the Student quantile of the same probability.
    fn limit(&self, n_std: f64, x: f64, count: f64) -> f64 {
        let n = self.used as f64;
        let away = if self.ordinals.1 > 0.0 { (x - self.ordinals.0).powi(2) / self.ordinals.1 } else { 0.0 };
        self.spread * student_factor(n_std, self.used) * (1.0 / count + 1.0 / n + away).sqrt()
    }
}

/// `QTresiduals` of the number of one image: |y − mean of the reference| in units of the spread s around the line of the
/// reference.
///
/// The limit is that of a Gaussian with n_std standard deviations when the reference is large; s comes from N numbers,
/// so the limit is the Student quantile of the same probability, with N − 2 degrees of freedom, for a new number.
pub fn image(tests: &Tests, y: f64, reference: &[f64], run_ref: i64, unit: &str) -> QualityTest {
    let name = "QTresiduals";
    let settings = tests.get(name);
    let none = |why: &str| not_applicable(name, Some(run_ref), why);
    if !y.is_finite() {
        return none("there is no value");
    }
    let Some(r) = Reference::new(reference, settings.n_std) else {
        return none("the reference has fewer than 3 values");
    };
    if !(r.spread > 0.0) {
        return none("the values of the reference do not vary");
    }
    let distance = (y - r.mean).abs() / r.spread;
    let limit = student_limit(settings.n_std, r.used);
    let hard = student_limit(settings.n_std.max(GROSS), r.used);
    let severity = settings.severity.unwrap_or(if distance > hard { Flag::Fail } else { Flag::Warn });
    let mut test = verdict(name, distance > limit, severity, distance, limit);
    test.n_std = settings.n_std;
    test.mean_ref = r.mean;
    test.std_ref = r.spread;
    test.run_ref = Some(run_ref);
    if distance > limit {
        test.y = vec![y];
    }
    test.reason = format!(
        "{} {unit} lies {} s from the mean {} of run {run_ref} (s = {}; warn above {} s, fail above {} s)",
        short(y),
        short(distance),
        short(r.mean),
        short(r.spread),
        short(limit),
        short(hard),
    );
    test
}

/// `n_std` Gaussian standard deviations as a multiple of the population standard deviation of `n` residuals of a line,
/// for a new number at the middle of the line.
fn student_limit(n_std: f64, n: usize) -> f64 {
    student_factor(n_std, n) * (1.0 + 1.0 / n as f64).sqrt()
}

/// The same without the uncertainty of the line.
fn student_factor(n_std: f64, n: usize) -> f64 {
    let ndf = n as f64 - 2.0;
    let most = WIDEST * n_std;
    if ndf < 1.0 {
        return most;
    }
    (welch::student_quantile(2.0 * normal_survival(n_std), ndf) * (n as f64 / ndf).sqrt()).min(most)
}

/// All tests of the numbers of a run, in the order of its images, against those of the reference.
///
/// `numbers`: image number and value.
pub fn run(tests: &Tests, numbers: &[(i64, f64)], reference: &[f64], run_ref: i64, unit: &str) -> Vec<QualityTest> {
    let (images, y): (Vec<i64>, Vec<f64>) = numbers.iter().filter(|(_, y)| y.is_finite()).copied().unzip();
    let mut made = Vec::new();
    for name in ["QTChi2", "QTKstest", "QTTtest", "QTresiduals"] {
        let settings = tests.get(name);
        if settings.active {
            let mut test = one(name, settings, (&images, &y), reference, run_ref, unit);
            test.run_ref = Some(run_ref);
            made.push(test);
        }
    }
    made
}

fn one(
    name: &'static str,
    settings: &TestSettings,
    (images, y): (&[i64], &[f64]),
    reference: &[f64],
    run_ref: i64,
    unit: &str,
) -> QualityTest {
    let none = |why: &str| not_applicable(name, Some(run_ref), why);
    if y.len() < 3 {
        return none("the run has fewer than 3 values");
    }
    let Some(r) = Reference::new(reference, settings.n_std) else {
        return none("the reference has fewer than 3 values");
    };
    // A line need not hold beyond the images that define it: from the last one on it is level.
    let last = if settings.allow_for_images { r.y.len() } else { usize::MAX };
    let x: Vec<f64> = (1..=y.len()).map(|k| k.min(last) as f64).collect();
    let severity = |default: Flag| settings.severity.unwrap_or(default);
    let residuals: Vec<f64> = x.iter().zip(y).map(|(x, y)| y - r.line.at(*x)).collect();
    match name {
        "QTChi2" => {
            let std = robust::std_deviation(&r.y, Ddof::Population);
            if !(std > 0.0) || y.len() < 3 {
                return none("the values of the reference do not vary");
            }
            let value = residuals.iter().map(|r| (r / std).powi(2)).sum::<f64>() / (y.len() as f64 - 2.0);
            let spread = settings.allow_for_images.then_some(r.used as f64 - 2.0);
            let cut = settings.cut.unwrap_or_else(|| match spread {
                Some(_) => {
                    let ndf = y.len() as f64 - 2.0;
                    chi2_cut(2.0, ndf, spread).min(WIDEST * WIDEST * chi2_cut(2.0, ndf, None))
                }
                None => 2.0,
            });
            let mut test = verdict(name, !(value < cut), severity(Flag::Warn), value, cut);
            test.mean_ref = r.mean;
            test.std_ref = std;
            test.reason = format!("χ²/ndf = {} to the line of run {run_ref}, limit {}", short(value), short(cut));
            test
        }
        "QTKstest" => match kolmogorov::two_sample(y, &r.y) {
            Some((distance, p)) => probability(
                name,
                settings,
                p,
                &format!("D = {}", short(distance)),
                run_ref,
                excused_as_chance(settings, p),
            ),
            None => none("there are no values"),
        },
        "QTTtest" => match welch::welch(y, &r.y) {
            Some((t, nu, p)) => probability(
                name,
                settings,
                p,
                &format!("t = {}, ν = {}", short(t), short(nu)),
                run_ref,
                excused_as_chance(settings, p),
            ),
            None => none("the values do not vary"),
        },
        _ => residual_test(name, settings, (images, &x, y, &residuals), &r, run_ref, unit),
    }
}

fn residual_test(
    name: &'static str,
    settings: &TestSettings,
    (images, x, y, residuals): (&[i64], &[f64], &[f64], &[f64]),
    r: &Reference,
    run_ref: i64,
    unit: &str,
) -> QualityTest {
    if !(r.spread > 0.0) {
        return not_applicable(name, Some(run_ref), "the values of the reference do not vary");
    }
    let own: Vec<f64> = r.residuals.iter().map(|(_, d)| *d).collect();
    let (centre, width) = robust::mean_and_std(&own, Ddof::Population);
    let (mean, std) = robust::mean_and_std(residuals, Ddof::Population);
    // Around the middle of the line; farther out it is uncertain itself.
    let limit_at = |x: f64, n_std: f64| {
        if settings.allow_for_images { r.limit(n_std, x, 1.0) } else { n_std * r.spread }
    };
    let beyond = |n_std: f64| -> Vec<usize> {
        (0..y.len()).filter(|&k| (residuals[k] - centre).abs() > limit_at(x[k], n_std)).collect()
    };
    let outside = beyond(settings.n_std);
    let percent = 100.0 * outside.len() as f64 / y.len() as f64;
    let mut displaced = mean - std > centre + width || mean + std < centre - width;
    let cut = settings.cut.unwrap_or(5.0);
    let mut too_many = percent > cut;
    if settings.allow_for_images {
        let n_ref = own.len() as f64;
        let usual = r.residuals.iter().filter(|(x, d)| (d - centre).abs() > limit_at(*x, settings.n_std));
        let usual = usual.count() as f64 / n_ref;
        let gross = !beyond(settings.n_std.max(GROSS)).is_empty();
        let nu = (r.used as f64 - 2.0).max(1.0);
        let limit = welch::student_quantile(2.0 * normal_survival(settings.n_std), nu);
        too_many &= gross || !is_chance_of_few(outside.len(), y.len(), usual, limit, nu);
        displaced &= (mean - centre).abs() > r.limit(GROSS, robust::mean(x), y.len() as f64);
    }
    let limit = limit_at(r.ordinals.0, settings.n_std);
    let violated = too_many || displaced;
    let mut test = verdict(name, violated, settings.severity.unwrap_or(Flag::Fail), percent, cut);
    test.n_std = settings.n_std;
    test.mean_ref = centre;
    test.std_ref = r.spread;
    test.x = outside.iter().map(|&k| k as f64 + 1.0).collect();
    test.y = outside.iter().map(|&k| y[k]).collect();
    test.reason = format!(
        "{}{} of {} images ({} %, limit {} %) lie more than {} {unit} from the line of run {run_ref}{}{}",
        if displaced {
            format!("all are displaced by {} {unit} (mean); ", short(mean - centre))
        } else {
            String::new()
        },
        outside.len(),
        y.len(),
        short(percent),
        short(cut),
        short(limit),
        farthest(images, residuals, centre, unit),
        if !displaced && percent > cut && !too_many { "; so few may be chance" } else { "" }
    );
    test
}

/// Which image is farthest away, for a sentence.
fn farthest(images: &[i64], residuals: &[f64], centre: f64, unit: &str) -> String {
    let place =
        (0..residuals.len()).max_by(|&a, &b| (residuals[a] - centre).abs().total_cmp(&(residuals[b] - centre).abs()));
    let one = |k: usize| format!("; farthest: {} {unit} in image {}", short(residuals[k] - centre), images[k]);
    place.map(one).unwrap_or_default()
}

/// A test whose value is a probability that must exceed the cut. `excuse`: why it is no violation all the same.
pub(super) fn probability(
    name: &'static str,
    settings: &TestSettings,
    p: f64,
    what: &str,
    run_ref: i64,
    excuse: Option<&str>,
) -> QualityTest {
    let cut = settings.cut.unwrap_or(0.005);
    let small = !(p > cut);
    let mut test = verdict(name, small && excuse.is_none(), settings.severity.unwrap_or(Flag::Warn), p, cut);
    test.run_ref = Some(run_ref);
    let relation = if small { "not above" } else { "above" };
    test.reason = format!(
        "probability {} that the values are those of run {run_ref} ({what}), {relation} {}",
        short(p),
        short(cut)
    );
    if let Some(excuse) = excuse.filter(|_| small) {
        test.reason.push_str("; ");
        test.reason.push_str(excuse);
    }
    test
}

/// Why a small probability in a test of a run is none, if it may be chance: a run has hundreds of them.
pub(super) fn excused_as_chance(settings: &TestSettings, p: f64) -> Option<&'static str> {
    let excused = settings.allow_for_images && p > settings.cut.unwrap_or(CHANCE);
    excused.then_some("of the hundreds of tests of a run a few are so by chance")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::catalogue;

    /// Numbers of images 1, 2, …
    fn numbered(y: &[f64]) -> Vec<(i64, f64)> {
        (1..).zip(y.iter().copied()).collect()
    }

    #[test]
    fn run_of_the_specification() {
        let mut tests = Tests::of(catalogue::by_id(63).unwrap());
        tests.read_tests(&serde_json::json!({"QTresiduals": {"allow_for_images": 0}}), &mut Vec::new()).unwrap();
        let reference = [0.300, 0.305, 0.298, 0.302, 0.301];
        let r = Reference::new(&reference, 3.0).unwrap();
        assert!((r.line.slope + 1e-4).abs() < 1e-12 && (r.line.intercept - 0.3015).abs() < 1e-12);
        assert!((r.spread - 0.00231084).abs() < 5e-9);
        let made = run(&tests, &numbered(&[0.303, 0.299, 0.340]), &reference, 30, "e⁻");
        let value = |name: &str| made.iter().find(|t| t.name == name).unwrap();
        assert!((value("QTChi2").value - 282.330).abs() < 5e-4);
        assert!((value("QTKstest").value - 0.678571).abs() < 5e-7);
        assert!((value("QTTtest").value - 0.430265).abs() < 5e-7);
        let residuals = value("QTresiduals");
        assert!((residuals.value - 100.0 / 3.0).abs() < 1e-9 && residuals.flag == Flag::Fail);
        assert!(!residuals.reason.contains("displaced") && residuals.reason.contains("image 3"));
        assert_eq!(residuals.y, [0.340]);
    }

    #[test]
    fn numbers_of_the_same_population_are_flagged_as_often_as_the_standard_deviations_say() {
        // 3 σ: 0.27 %, whatever the size of the reference (of at least ten: smaller ones have their limits held down);
        // 5 standard deviations of the count are allowed
        let tests = Tests::of(catalogue::by_id(63).unwrap());
        let mut random = crate::stats::random::Stream::from_seed(1);
        let mut gauss = move || random.normal();
        for n in [10, 20] {
            let trials = 20_000;
            let flagged = (0..trials)
                .filter(|_| {
                    let reference: Vec<f64> = (0..n).map(|_| gauss()).collect();
                    image(&tests, gauss(), &reference, 1, "").flag > Flag::Pass
                })
                .count() as f64;
            let expected = 0.0027 * f64::from(trials);
            assert!(
                (flagged - expected).abs() < 5.0 * expected.sqrt(),
                "{n}: {flagged} of {trials}, {expected} expected"
            );
        }
    }

    #[test]
    fn a_run_of_the_same_population_passes_whatever_its_length_and_a_shifted_one_fails() {
        let tests = Tests::of(catalogue::by_id(63).unwrap());
        let mut random = crate::stats::random::Stream::from_seed(2);
        for (n_ref, n_run) in [(60, 15), (20, 15), (10, 60)] {
            let mut numbers = |n: usize, shift: f64| -> Vec<f64> { (0..n).map(|_| shift + random.normal()).collect() };
            let trials = 300;
            let flagged = (0..trials)
                .filter(|_| {
                    let (reference, own) = (numbers(n_ref, 0.0), numbers(n_run, 0.0));
                    run(&tests, &numbered(&own), &reference, 1, "").iter().any(|t| t.flag > Flag::Pass)
                })
                .count();
            // four tests at 1e-5 each: 0.01 expected; one in 600 runs where the limit of ten numbers is held down
            assert!(flagged <= 3, "{n_ref} {n_run}: {flagged} of {trials}");
            let made = run(&tests, &numbered(&numbers(n_run, 8.0)), &numbers(n_ref, 0.0), 1, "");
            assert_eq!(made.iter().map(|t| t.flag).max(), Some(Flag::Fail), "{n_ref} {n_run}: {made:?}");
        }
        // a fault fails with the smallest reference, too: 11 and 17 standard deviations of five numbers
        let reference = [0.3, -1.2, 1.0, 0.4, -0.9];
        let spread = Reference::new(&reference, 3.0).unwrap().spread;
        for shift in [11.0, 17.0] {
            assert_eq!(image(&tests, shift * spread, &reference, 1, "").flag, Flag::Fail, "{shift}");
        }
        assert_eq!(
            run(&tests, &numbered(&[0.1, 0.5, 17.0 * spread, -0.5, 0.2]), &reference, 1, "")
                .iter()
                .map(|t| t.flag)
                .max(),
            Some(Flag::Fail)
        );
    }

    /// One image of the reference that stands out moves neither its mean nor its line.
    #[test]
    fn an_outlier_of_the_reference_does_not_count() {
        let tests = Tests::of(catalogue::by_id(33).unwrap());
        let mut reference: Vec<f64> = (0..10).map(|k| 1.7 + 0.01 * f64::from(k % 4)).collect();
        let own: Vec<f64> = (0..9).map(|k| 1.7 + 0.01 * f64::from((k + 1) % 4)).collect();
        let bare = Reference::new(&reference, 3.0).unwrap();
        reference.insert(4, 0.8);
        let r = Reference::new(&reference, 3.0).unwrap();
        assert_eq!((r.used, r.mean), (10, bare.mean));
        assert!(own.iter().all(|y| image(&tests, *y, &reference, 1, "ADU").flag == Flag::Pass));
        let made = run(&tests, &numbered(&own), &reference, 1, "ADU");
        assert_eq!(made.iter().find(|t| t.name == "QTresiduals").unwrap().flag, Flag::Pass);
    }

    #[test]
    fn a_displaced_number_fails_and_too_few_are_not_tested() {
        let tests = Tests::of(catalogue::by_id(32).unwrap());
        let reference: Vec<f64> = (0..30).map(|k| 1000.0 + 0.1 * f64::from(k % 3)).collect();
        assert_eq!(image(&tests, 1000.1, &reference, 1, "ADU").flag, Flag::Pass);
        assert_eq!(image(&tests, 1010.0, &reference, 1, "ADU").flag, Flag::Fail);
        assert_eq!(image(&tests, 1010.0, &reference[..2], 1, "ADU").flag, Flag::None);
        assert_eq!(image(&tests, f64::NAN, &reference, 1, "ADU").flag, Flag::None);
    }
}
