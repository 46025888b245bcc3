//! A vector of each image against the vectors of a reference run (spec 06 §8.1, vectors).

use super::chance::{Agreement, GROSS, chi2_cut, is_chance, is_unusual};
use super::scalar::{excused_as_chance, probability};
use super::settings::{Model, TestSettings, Tests};
use super::{fit_line, kolmogorov, not_applicable, short, verdict, welch};
use crate::dqm::catalogue::{Description, Scope};
use crate::dqm::model::{Flag, LineFit, QualityTest};
use crate::stats::distributions::normal_survival;
use crate::stats::robust::{self, Ddof};
use std::sync::OnceLock;

/// Number of reference images from which on every position has a spread of its own.
const OWN_SPREAD: usize = 20;

/// The vectors of a reference run for one monitor element, amplifier and CCD.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Run number.
    pub run: i64,
    /// Positions.
    pub x: Vec<f64>,
    /// Median over the images at each position.
    pub median: Vec<f64>,
    /// Mean over the images.
    mean: Vec<f64>,
    /// Spread at each position.
    sigma: Vec<f64>,
    /// All vectors of the length of `x`.
    vectors: Vec<Vec<f64>>,
    /// All vectors, sorted and finite, for the comparison of distributions.
    sorted: Vec<Vec<f64>>,
    /// How they agree with each other in the Kolmogorov–Smirnov and in the t test.
    agreement: OnceLock<[Agreement; 2]>,
}

impl Reference {
    /// From the vectors (x, y) of the images, in their order; those with most common length define the positions. `None`
    /// without vectors.
    pub fn new(run: i64, vectors: &[(&[f64], &[f64])]) -> Option<Self> {
        let lengths: Vec<usize> = vectors.iter().map(|(_, y)| y.len()).collect();
        let length =
            lengths.iter().copied().filter(|n| *n > 0).max_by_key(|n| lengths.iter().filter(|m| *m == n).count())?;
        let x = vectors.iter().find(|(x, y)| y.len() == length && x.len() == length)?.0.to_vec();
        let same: Vec<Vec<f64>> = vectors.iter().filter(|(_, y)| y.len() == length).map(|(_, y)| y.to_vec()).collect();
        let column = |j: usize| -> Vec<f64> { same.iter().map(|v| v[j]).filter(|y| y.is_finite()).collect() };
        let columns: Vec<Vec<f64>> = (0..length).map(column).collect();
        let median = columns.iter().map(|c| robust::median(c)).collect();
        let mean: Vec<f64> = columns.iter().map(|c| if c.is_empty() { f64::NAN } else { robust::mean(c) }).collect();
        let sigma = spreads(&x, &same, &columns, &mean);
        let sorted = vectors
            .iter()
            .map(|(_, y)| {
                let mut y: Vec<f64> = y.iter().copied().filter(|y| y.is_finite()).collect();
                y.sort_unstable_by(f64::total_cmp);
                y
            })
            .collect();
        Some(Self { run, x, median, mean, sigma, vectors: same, sorted, agreement: OnceLock::new() })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.vectors.len()
    }

    fn agreement(&self) -> &[Agreement; 2] {
        self.agreement.get_or_init(|| {
            [
                Agreement::new(&self.sorted, |a, b| kolmogorov::two_sorted(a, b).map(|t| t.1)),
                Agreement::new(&self.sorted, |a, b| welch::welch(a, b).map(|t| t.2)),
            ]
        })
    }

    /// A test of the distribution of an image, from its probabilities against the images of the reference.
    fn distribution(&self, name: &'static str, settings: &TestSettings, p: &[f64], what: &str) -> QualityTest {
        let mean = robust::mean(p);
        let agreement = &self.agreement()[usize::from(name == "QTTtest")];
        let usual = settings.allow_for_images && !agreement.is_unusual_image(p);
        let excuse = usual.then_some("its images differ as much from each other");
        probability(name, settings, mean, what, self.run, excuse)
    }

    /// A test of the distribution of the mean over a run.
    fn mean_distribution(&self, name: &'static str, settings: &TestSettings, p: f64, what: &str) -> QualityTest {
        let agreement = &self.agreement()[usize::from(name == "QTTtest")];
        let excuse = excused_as_chance(settings, if settings.allow_for_images { agreement.of_means(p) } else { p });
        probability(
            name,
            settings,
            p,
            what,
            self.run,
            excuse.map(|_| "its images differ as much from each other, or it is chance"),
        )
    }

    /// The line through the medians that are not outliers.
    pub fn line(&self, n_std: f64) -> Option<LineFit> {
        let finite: Vec<f64> = self.median.iter().copied().filter(|y| y.is_finite()).collect();
        let (mean, std) = robust::mean_and_std(&finite, Ddof::Population);
        let kept: Vec<usize> = (0..self.x.len()).filter(|&j| (self.median[j] - mean).abs() < n_std * std).collect();
        if kept.is_empty() {
            return fit_line(&self.x, &self.median, None);
        }
        let pick = |v: &[f64]| -> Vec<f64> { kept.iter().map(|&j| v[j]).collect() };
        fit_line(&pick(&self.x), &pick(&self.median), None)
    }

    /// What is expected at each position.
    fn model(&self, model: Model, n_std: f64) -> Option<Vec<f64>> {
        match model {
            Model::Profile => Some(self.median.clone()),
            Model::Line => self.line(n_std).map(|line| self.x.iter().map(|x| line.at(*x)).collect()),
        }
    }

    /// Means over the first `count` images.
    fn mean_of_first(&self, count: usize) -> Vec<f64> {
        if count >= self.vectors.len() {
            return self.mean.clone();
        }
        mean_profile(&self.vectors[..count].iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// [`chi2`] with the spreads of the reference.
    fn chi2(&self, y: &[f64], expected: &[f64], parameters: f64) -> Option<(f64, f64)> {
        chi2(y, expected, &self.sigma, parameters)
    }

    /// χ²/ndf of each image of the reference. Where positions have spreads of their own, they are those of the other
    /// images: an image that stands out somewhere must not make itself ordinary.
    fn own_chi2(&self, expected: &[f64], parameters: f64) -> Vec<f64> {
        let own_spreads = self.vectors.len() >= OWN_SPREAD;
        let counts: Vec<usize> =
            (0..self.x.len()).map(|j| self.vectors.iter().filter(|w| w[j].is_finite()).count()).collect();
        let without = |v: &[f64], j: usize| {
            let n = counts[j] as f64;
            let deviation = v[j] - self.mean[j];
            let squares = (n - 1.0) * self.sigma[j] * self.sigma[j] - deviation * deviation * n / (n - 1.0);
            (squares.max(0.0) / (n - 2.0)).sqrt()
        };
        let of = |v: &Vec<f64>| {
            if !own_spreads {
                return self.chi2(v, expected, parameters);
            }
            let sigma: Vec<f64> = (0..v.len()).map(|j| without(v, j)).collect();
            chi2(v, expected, &sigma, parameters)
        };
        self.vectors.iter().filter_map(of).map(|c| c.0).collect()
    }

    /// Percentage of the positions of each reference image that lie outside of the limit.
    fn usual_percentages(&self, expected: &[f64], centre: f64, limit: f64) -> Vec<f64> {
        let of = |v: &Vec<f64>| {
            let d: Vec<f64> = v.iter().zip(expected).map(|(y, m)| y - m - centre).filter(|d| d.is_finite()).collect();
            100.0 * d.iter().filter(|d| d.abs() > limit).count() as f64 / d.len().max(1) as f64
        };
        self.vectors.iter().map(of).collect()
    }

    /// Fraction of the positions of the reference images themselves that lie outside of the limit.
    fn usual_fraction(&self, expected: &[f64], centre: f64, limit: f64) -> f64 {
        let residuals = || {
            self.vectors
                .iter()
                .flat_map(|v| v.iter().zip(expected).map(|(y, m)| y - m - centre))
                .filter(|d| d.is_finite())
        };
        residuals().filter(|d| d.abs() > limit).count() as f64 / residuals().count().max(1) as f64
    }

    /// Largest distance of a position of a reference image from what is expected.
    fn farthest(&self, expected: &[f64], centre: f64) -> f64 {
        let residuals = self.vectors.iter().flat_map(|v| v.iter().zip(expected).map(|(y, m)| (y - m - centre).abs()));
        residuals.filter(|d| d.is_finite()).fold(0.0, f64::max)
    }

    /// Whether a shift of the mean over `images` images is no larger than the means of the reference images scatter:
    /// what all positions of an image have in common does not show in the scatter of single positions.
    fn is_usual_shift(&self, shift: f64, expected: &[f64], images: usize) -> bool {
        let means: Vec<f64> = self
            .vectors
            .iter()
            .map(|v| v.iter().zip(expected).map(|(y, m)| y - m).filter(|d| d.is_finite()).collect::<Vec<_>>())
            .filter(|d| !d.is_empty())
            .map(|d| robust::mean(&d))
            .collect();
        if means.len() < 3 {
            return false;
        }
        let n = means.len() as f64;
        let spread = robust::std_deviation(&means, Ddof::Sample);
        let limit = welch::student_quantile(2.0 * normal_survival(GROSS), n - 1.0);
        shift.abs() <= limit * spread * (1.0 / images.max(1) as f64 + 1.0 / n).sqrt()
    }

    /// Whether positions are the same.
    fn comparable(&self, x: &[f64], y: &[f64]) -> bool {
        y.len() == self.x.len() && x.iter().zip(&self.x).all(|(a, b)| (a - b).abs() < 0.5)
    }
}

/// χ²/ndf and ndf of a vector; `None` if no position has a spread.
fn chi2(y: &[f64], expected: &[f64], sigma: &[f64], parameters: f64) -> Option<(f64, f64)> {
    let terms: Vec<f64> = (0..y.len())
        .filter(|&j| sigma[j] > 0.0)
        .map(|j| ((y[j] - expected[j]) / sigma[j]).powi(2))
        .filter(|t| t.is_finite())
        .collect();
    let ndf = terms.len() as f64 - parameters;
    (ndf > 0.0).then(|| (terms.iter().sum::<f64>() / ndf, ndf))
}

/// σ_ref at each position.
fn spreads(x: &[f64], vectors: &[Vec<f64>], columns: &[Vec<f64>], mean: &[f64]) -> Vec<f64> {
    let n = columns.len();
    match vectors.len() {
        1 => {
            let own = fit_line(x, &vectors[0], None).map(|line| {
                let residuals: Vec<f64> =
                    x.iter().zip(&vectors[0]).map(|(x, y)| y - line.at(*x)).filter(|r| r.is_finite()).collect();
                robust::std_deviation(&residuals, Ddof::Population)
            });
            vec![own.unwrap_or(f64::NAN); n]
        }
        2..OWN_SPREAD => {
            let squares: f64 =
                columns.iter().zip(mean).flat_map(|(c, m)| c.iter().map(move |y| (y - m) * (y - m))).sum();
            let freedom: usize = columns.iter().map(|c| c.len().saturating_sub(1)).sum();
            vec![if freedom > 0 { (squares / freedom as f64).sqrt() } else { f64::NAN }; n]
        }
        _ => columns
            .iter()
            .map(|c| if c.len() > 1 { robust::std_deviation(c, Ddof::Sample) } else { f64::NAN })
            .collect(),
    }
}

/// Mean over vectors of one length at each position, missing values left out.
fn mean_profile(vectors: &[&[f64]]) -> Vec<f64> {
    let n = vectors.first().map_or(0, |v| v.len());
    (0..n)
        .map(|j| {
            let column: Vec<f64> = vectors.iter().map(|v| v[j]).filter(|y| y.is_finite()).collect();
            if column.is_empty() { f64::NAN } else { robust::mean(&column) }
        })
        .collect()
}

/// The tests of the vector of one image.
///
/// `errors`: those of `y`, if they differ from one position to the next; a position is then judged by the larger one of
/// its error and the spread of the reference.
pub fn image(
    tests: &Tests,
    description: &Description,
    x: &[f64],
    (y, errors): (&[f64], &[f64]),
    r: &Reference,
) -> Vec<QualityTest> {
    let mut made = Vec::new();
    let mut own: Vec<f64> = y.iter().copied().filter(|y| y.is_finite()).collect();
    own.sort_unstable_by(f64::total_cmp);
    for name in ["QTChi2", "QTKstest", "QTTtest", "QTresiduals"] {
        let settings = tests.get(name);
        if !settings.active {
            continue;
        }
        let none = |why: &str| not_applicable(name, Some(r.run), why);
        if own.len() < 3 {
            made.push(none("there are fewer than 3 values"));
            continue;
        }
        let against =
            |test: &dyn Fn(&[f64]) -> Option<f64>| -> Vec<f64> { r.sorted.iter().filter_map(|v| test(v)).collect() };
        made.push(match name {
            "QTKstest" => match against(&|v| kolmogorov::two_sorted(&own, v).map(|t| t.1)) {
                p if p.is_empty() => none("the reference has no values"),
                p => r.distribution(name, settings, &p, "Kolmogorov–Smirnov, mean over its images"),
            },
            "QTTtest" => match against(&|v| welch::welch(&own, v).map(|t| t.2)) {
                p if p.is_empty() => none("the values do not vary"),
                p => r.distribution(name, settings, &p, "Welch t, mean over its images"),
            },
            _ if !r.comparable(x, y) => none("the positions are not those of the reference"),
            _ => {
                let model = tests.model(name, description);
                let sigma = finite_mean(&r.sigma);
                positions(name, settings, (model, description), (x, y, errors), r, sigma, 1)
            }
        });
    }
    made
}

/// The tests of the vectors of a run, one per image, with the numbers of the images.
pub fn run(
    tests: &Tests,
    description: &Description,
    x: &[f64],
    numbered: &[(i64, Vec<f64>)],
    r: &Reference,
) -> Vec<QualityTest> {
    let vectors: Vec<&[f64]> = numbered.iter().map(|(_, v)| &v[..]).collect();
    let mean = mean_profile(&vectors);
    let finite = mean.iter().filter(|y| y.is_finite()).count();
    let mut made = Vec::new();
    for name in ["QTChi2", "QTKstest", "QTTtest", "QTresiduals"] {
        let settings = tests.get(name);
        if !settings.active {
            continue;
        }
        let none = |why: &str| not_applicable(name, Some(r.run), why);
        if finite < 3 {
            made.push(none("there are fewer than 3 values"));
            continue;
        }
        // Means over different numbers of images have different spreads, which is no sign of trouble.
        let same = if settings.allow_for_images { vectors.len().min(r.images()) } else { usize::MAX };
        let profiles = || (mean_profile(&vectors[..same.min(vectors.len())]), r.mean_of_first(same.min(r.images())));
        made.push(match name {
            "QTKstest" => {
                let (own, theirs) = profiles();
                match kolmogorov::two_sample(&own, &theirs) {
                    Some((d, p)) => r.mean_distribution(name, settings, p, &format!("mean profiles, D = {}", short(d))),
                    None => none("the reference has no values"),
                }
            }
            "QTTtest" => match welch::welch(&mean, &r.mean) {
                Some((t, _, p)) => r.mean_distribution(name, settings, p, &format!("mean profiles, t = {}", short(t))),
                None => none("the values do not vary"),
            },
            _ if !r.comparable(x, &mean) => none("the positions are not those of the reference"),
            _ => {
                let model = tests.model(name, description);
                let sigma = run_sigma(settings, model, vectors.len(), r);
                let mut test =
                    positions(name, settings, (model, description), (x, &mean, &[]), r, sigma, vectors.len());
                if test.flag > Flag::Pass {
                    test.reason.push_str(&dominating(numbered, r));
                }
                test
            }
        });
    }
    made
}

/// The image that makes most of the difference of the run to the reference, if there is one, for a sentence.
fn dominating(numbered: &[(i64, Vec<f64>)], r: &Reference) -> String {
    let shifts: Vec<(i64, f64)> = numbered
        .iter()
        .filter(|(_, v)| v.len() == r.median.len())
        .map(|(image, v)| {
            let d: Vec<f64> = v.iter().zip(&r.median).map(|(y, m)| y - m).filter(|d| d.is_finite()).collect();
            (*image, if d.is_empty() { 0.0 } else { robust::mean(&d) })
        })
        .collect();
    let total: f64 = shifts.iter().map(|(_, d)| d).sum();
    let largest = shifts.iter().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    match largest {
        Some((image, shift)) if shifts.len() > 2 && (total - shift).abs() < 0.3 * total.abs() => {
            format!(", mostly by image {image}")
        }
        _ => String::new(),
    }
}

/// The spread s of the mean over the run around the model.
///
/// For the line, the spread of the reference means around it (enlarged if the run has fewer images than the reference);
/// for the profile, what the spreads of single images make of two means: the reference means scatter little around
/// their own medians.
fn run_sigma(settings: &TestSettings, model: Model, images: usize, r: &Reference) -> f64 {
    let (n_run, n_ref) = (images.max(1) as f64, r.images() as f64);
    if r.images() < 2 {
        return finite_mean(&r.sigma);
    }
    let around_line = || {
        let expected = r.model(model, settings.n_std).unwrap_or_default();
        let rho: Vec<f64> = r.mean.iter().zip(&expected).map(|(y, m)| y - m).filter(|y| y.is_finite()).collect();
        robust::std_deviation(&rho, Ddof::Population)
    };
    match (model, settings.allow_for_images) {
        (_, false) => around_line(),
        (Model::Line, true) => around_line() * (n_ref / n_run).max(1.0).sqrt(),
        // variance of a mean over the run, and of a median over the reference
        (Model::Profile, true) => finite_mean(&r.sigma) * (1.0 / n_run + std::f64::consts::FRAC_PI_2 / n_ref).sqrt(),
    }
}

fn finite_mean(values: &[f64]) -> f64 {
    let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    if finite.is_empty() { f64::NAN } else { robust::mean(&finite) }
}

/// `QTChi2` and `QTresiduals`: position by position against the model; `s` is the spread for the residuals, `images` the
/// number of images whose mean is tested.
///
/// A cut that holds for hundreds of positions flags short vectors by chance: one of twenty blocks alone is 5 %, and
/// χ²/ndf of 18 degrees of freedom exceeds 2 in one case of 130. So a violation must also be one that chance does not
/// make: see [`is_chance`], [`chi2_cut`], [`Reference::is_usual_shift`].
fn positions(
    name: &'static str,
    settings: &TestSettings,
    (model, description): (Model, &Description),
    (x, y, errors): (&[f64], &[f64], &[f64]),
    r: &Reference,
    s: f64,
    images: usize,
) -> QualityTest {
    let (unit, place) = (description.unit, if description.scope == Scope::C { "column" } else { "row" });
    let none = |why: &str| not_applicable(name, Some(r.run), why);
    let Some(expected) = r.model(model, settings.n_std) else { return none("the reference defines no line") };
    let what = match model {
        Model::Line => "the line of",
        Model::Profile => "the profile of",
    };
    let at_least = |spread: f64, j: usize| match errors.get(j) {
        Some(error) if settings.allow_for_images && *error > spread => *error,
        _ => spread,
    };
    let mut test = if name == "QTChi2" {
        let parameters = if model == Model::Line { 2.0 } else { 0.0 };
        let sigma: Vec<f64> = (0..y.len()).map(|j| at_least(r.sigma[j], j)).collect();
        let Some((value, ndf)) = chi2(y, &expected, &sigma, parameters) else {
            return none("no position has a spread in the reference");
        };
        let cut = settings.cut.unwrap_or_else(|| chi2_cut(2.0, ndf, None));
        // What all positions of an image have in common makes χ² large for the images of the reference, too.
        let own = || r.own_chi2(&expected, parameters);
        let usual = !(value < cut) && settings.allow_for_images && !is_unusual(value, &own());
        let violated = !(value < cut) && !usual;
        let pull = |j: usize| if sigma[j] > 0.0 { (y[j] - expected[j]) / sigma[j] } else { f64::NAN };
        let pulls: Vec<f64> = (0..y.len()).map(pull).collect();
        let mut test = verdict(name, violated, settings.severity.unwrap_or(Flag::Warn), value, cut);
        test.reason = format!(
            "χ²/ndf = {} to {what} run {}, limit {}{}{}",
            short(value),
            r.run,
            short(cut),
            if usual { "; its own images have as much" } else { "" },
            if violated { worst(x, &pulls, place) } else { String::new() }
        );
        test.x = if violated { beyond(&pulls, settings.n_std).iter().map(|&j| x[j]).collect() } else { Vec::new() };
        test.y = if violated { beyond(&pulls, settings.n_std).iter().map(|&j| y[j]).collect() } else { Vec::new() };
        test
    } else {
        let used: Vec<usize> = (0..y.len()).filter(|&j| y[j].is_finite() && expected[j].is_finite()).collect();
        let rho: Vec<f64> = r.mean.iter().zip(&expected).map(|(y, m)| y - m).filter(|d| d.is_finite()).collect();
        if used.len() < 3 || rho.is_empty() || !(s > 0.0) {
            return none("the values of the reference do not vary");
        }
        let residuals: Vec<f64> = used.iter().map(|&j| y[j] - expected[j]).collect();
        let (centre, width) = robust::mean_and_std(&rho, Ddof::Population);
        let (mean, std) = robust::mean_and_std(&residuals, Ddof::Population);
        let limit = settings.n_std * s;
        let pulls: Vec<f64> = used.iter().zip(&residuals).map(|(j, d)| (d - centre) / at_least(s, *j)).collect();
        let outside: Vec<usize> =
            used.iter().zip(&pulls).filter(|(_, z)| z.abs() > settings.n_std).map(|(j, _)| *j).collect();
        let percent = 100.0 * outside.len() as f64 / used.len() as f64;
        let displaced = (mean - std > centre + width || mean + std < centre - width)
            && !r.is_usual_shift(mean - centre, &expected, images);
        let cut = settings.cut.unwrap_or(5.0);
        let too_many = percent > cut && {
            // In units of the spread of single images, whose tails show what is ordinary.
            let single = finite_mean(&r.sigma);
            let allow = settings.allow_for_images;
            let (usual, ordinary) = match (images, allow) {
                (1, _) => (r.usual_fraction(&expected, centre, limit), r.farthest(&expected, centre) / s),
                (_, true) => {
                    let usual = r.usual_fraction(&expected, centre, settings.n_std * single);
                    (usual, r.farthest(&expected, centre) / single)
                }
                (_, false) => (0.0, 0.0),
            };
            let ordinary = if allow { ordinary } else { 0.0 };
            // What is so far away that it is no chance must be too much itself: one hot column does not make a few more
            // positions beyond the limit a fault of the whole.
            let far_limit = GROSS.max(settings.n_std).max(ordinary);
            let far = pulls.iter().filter(|z| z.abs() > far_limit).count();
            let rest = outside.len().saturating_sub(far);
            let share = |count: usize| 100.0 * count as f64 / used.len() as f64;
            let differs =
                images > 1 || !allow || is_unusual(share(rest), &r.usual_percentages(&expected, centre, limit));
            // A track lies in neighbouring positions: chance is asked for stretches of them, not for each one.
            let near: Vec<bool> = pulls.iter().map(|z| z.abs() > settings.n_std && z.abs() <= far_limit).collect();
            let counted = if images == 1 && allow { stretches(&near) } else { rest };
            share(far) > cut || (differs && !is_chance(counted, used.len(), usual, settings.n_std))
        };
        let violated = too_many || displaced;
        let mut test = verdict(name, violated, settings.severity.unwrap_or(Flag::Fail), percent, cut);
        test.mean_ref = centre;
        test.x = outside.iter().map(|&j| x[j]).collect();
        test.y = outside.iter().map(|&j| y[j]).collect();
        test.reason = format!(
            "{}{} of {} positions ({} %, limit {} %) lie more than {} s from {what} run {} (s = {} {unit}){}",
            if displaced {
                format!("the whole is displaced by {} {unit}; ", short(mean - centre))
            } else {
                String::new()
            },
            outside.len(),
            used.len(),
            short(percent),
            short(cut),
            short(settings.n_std),
            r.run,
            short(s),
            if too_many {
                worst(&used.iter().map(|&j| x[j]).collect::<Vec<_>>(), &pulls, place)
            } else if percent > cut && !displaced {
                "; so few may be chance".to_owned()
            } else {
                String::new()
            },
        );
        test
    };
    test.n_std = settings.n_std;
    test.std_ref = s;
    test.run_ref = Some(r.run);
    test
}

/// Number of stretches of positions that are outside; one inside between two outside does not end a stretch.
fn stretches(outside: &[bool]) -> usize {
    let places: Vec<usize> = (0..outside.len()).filter(|&j| outside[j]).collect();
    places.iter().zip(places.iter().skip(1)).filter(|(a, b)| *b - *a > 2).count() + usize::from(!places.is_empty())
}

/// Positions farther than `n_std`.
fn beyond(pulls: &[f64], n_std: f64) -> Vec<usize> {
    (0..pulls.len()).filter(|&j| pulls[j].abs() > n_std).collect()
}

/// Which position is farthest away, for a sentence.
fn worst(x: &[f64], pulls: &[f64], place: &str) -> String {
    let finite = (0..pulls.len()).filter(|&j| pulls[j].is_finite());
    let farthest = finite.max_by(|&a, &b| pulls[a].abs().total_cmp(&pulls[b].abs()));
    farthest.map(|j| format!("; farthest: {place} {}, {:+.1} s", short(x[j]), pulls[j])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dqm::catalogue;

    const X: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    const R: [[f64; 6]; 4] = [
        [0.10, 0.11, 0.09, 0.12, 0.10, 0.11],
        [0.11, 0.10, 0.10, 0.11, 0.12, 0.10],
        [0.09, 0.12, 0.11, 0.10, 0.11, 0.12],
        [0.10, 0.09, 0.12, 0.11, 0.10, 0.09],
    ];
    const Y: [f64; 6] = [0.10, 0.12, 0.10, 0.11, 0.10, 0.20];

    fn numbered(vectors: Vec<Vec<f64>>) -> Vec<(i64, Vec<f64>)> {
        (1..).zip(vectors).collect()
    }

    #[test]
    fn neighbours_are_one_stretch() {
        let of = |text: &str| stretches(&text.chars().map(|c| c == 'x').collect::<Vec<_>>());
        assert_eq!(["", "...", "x", "xx.x", "x..x", "xxx..xx.x...x"].map(of), [0, 0, 1, 1, 2, 3]);
    }

    #[test]
    fn the_image_that_makes_the_difference_is_named() {
        let mut vectors = vec![Y.map(|_| 0.1).to_vec(); 20];
        vectors[16] = vec![1.1; 6];
        assert_eq!(dominating(&numbered(vectors.clone()), &reference()), ", mostly by image 17");
        vectors.iter_mut().for_each(|v| v.iter_mut().for_each(|y| *y += 1.0));
        assert_eq!(dominating(&numbered(vectors), &reference()), "");
    }

    fn reference() -> Reference {
        let vectors: Vec<(&[f64], &[f64])> = R.iter().map(|r| (&X[..], &r[..])).collect();
        Reference::new(30, &vectors).unwrap()
    }

    fn named<'a>(made: &'a [QualityTest], name: &str) -> &'a QualityTest {
        made.iter().find(|t| t.name == name).unwrap()
    }

    fn tests(json: serde_json::Value) -> Tests {
        let mut tests = Tests::of(catalogue::by_id(1).unwrap());
        tests.read_tests(&json, &mut Vec::new()).unwrap();
        tests
    }

    #[test]
    fn image_of_the_specification() {
        let r = reference();
        let line = r.line(3.0).unwrap();
        assert!((line.slope - 8.571429e-4).abs() < 5e-10 && (line.intercept - 0.102).abs() < 1e-9);
        let me = catalogue::by_id(1).unwrap();
        let made = image(&tests(serde_json::json!({})), me, &X, (&Y, &[]), &r);
        let chi2 = named(&made, "QTChi2");
        assert!((chi2.value - 18.573399).abs() < 5e-7 && chi2.flag == Flag::Warn);
        assert!((named(&made, "QTKstest").value - 0.982684).abs() < 5e-7);
        assert!((named(&made, "QTTtest").value - 0.371390).abs() < 5e-7);
        let residuals = named(&made, "QTresiduals");
        assert!((residuals.value - 100.0 / 6.0).abs() < 1e-9 && residuals.flag == Flag::Fail);
        assert!((residuals.mean_ref - 4.16667e-4).abs() < 5e-9 && (residuals.std_ref - 0.01099242).abs() < 5e-9);
        assert_eq!((residuals.x.as_slice(), residuals.y.as_slice()), (&[6.0][..], &[0.20][..]));
        assert!(!residuals.reason.contains("displaced"));

        let profile = tests(serde_json::json!({"QTChi2": {"model": "profile"}}));
        let value = named(&image(&profile, me, &X, (&Y, &[]), &r), "QTChi2").value;
        assert!((value - 12.827586).abs() < 5e-7, "{value}");
        let (t, nu, p) = welch::welch(&Y, &R[0]).unwrap();
        assert!((t - 1.006055).abs() < 5e-7 && (nu - 5.712186).abs() < 5e-7 && (p - 0.355087).abs() < 5e-7);
    }

    #[test]
    fn run_of_the_specification() {
        let plain = serde_json::json!({"allow_for_images": 0});
        let tests = tests(serde_json::json!({"QTKstest": plain, "QTresiduals": plain, "QTChi2": plain}));
        let vectors = vec![(1, Y.to_vec()), (2, Y.iter().map(|y| 0.98 * y).collect())];
        let made = run(&tests, catalogue::by_id(1).unwrap(), &X, &vectors, &reference());
        assert!((named(&made, "QTChi2").value - 17.779966).abs() < 5e-7);
        assert!((named(&made, "QTKstest").value - 0.474026).abs() < 5e-7);
        assert!((named(&made, "QTTtest").value - 0.387267).abs() < 5e-7);
        let residuals = named(&made, "QTresiduals");
        assert!((residuals.std_ref - 0.00244686).abs() < 5e-9);
        assert_eq!((residuals.value, residuals.flag, residuals.x.clone()), (50.0, Flag::Fail, vec![2.0, 5.0, 6.0]));
    }

    #[test]
    fn the_spread_without_an_image_is_that_of_the_others() {
        let mut random = crate::stats::random::Stream::from_seed(9);
        let x: Vec<f64> = (1..=8).map(f64::from).collect();
        let images: Vec<Vec<f64>> = (0..25).map(|_| x.iter().map(|_| random.normal()).collect()).collect();
        let of = |images: &[Vec<f64>]| {
            let vectors: Vec<(&[f64], &[f64])> = images.iter().map(|v| (&x[..], &v[..])).collect();
            Reference::new(1, &vectors).unwrap()
        };
        let expected = vec![0.0; 8];
        let own = of(&images).own_chi2(&expected, 0.0);
        for k in [0, 7] {
            let mut others = images.clone();
            let one = others.remove(k);
            let (value, _) = of(&others).chi2(&one, &expected, 0.0).unwrap();
            assert!((own[k] / value - 1.0).abs() < 1e-9, "{k}: {} {value}", own[k]);
        }
    }

    #[test]
    fn other_positions_are_compared_as_distributions_only() {
        let made =
            image(&tests(serde_json::json!({})), catalogue::by_id(1).unwrap(), &X[..5], (&Y[..5], &[]), &reference());
        assert_eq!(named(&made, "QTresiduals").flag, Flag::None);
        assert_eq!(named(&made, "QTChi2").flag, Flag::None);
        assert_eq!(named(&made, "QTKstest").flag, Flag::Pass);
        let none = [f64::NAN; 6];
        let made = image(&tests(serde_json::json!({})), catalogue::by_id(1).unwrap(), &X, (&none, &[]), &reference());
        assert!(made.iter().all(|t| t.flag == Flag::None && t.result));
    }

    #[test]
    fn runs_of_one_distribution_pass_whatever_their_numbers_of_images_and_a_displaced_one_fails() {
        let mut random = crate::stats::random::Stream::from_seed(7);
        let mut gauss = move || random.normal();
        let x: Vec<f64> = (1..=200).map(f64::from).collect();
        let mut images = |n: usize, shift: f64| -> Vec<Vec<f64>> {
            (0..n).map(|_| (0..200).map(|j| shift + if j == 17 { 9.0 } else { 0.0 } + gauss()).collect()).collect()
        };
        for (n_ref, n_run) in [(60, 60), (60, 10), (10, 60)] {
            let vectors = images(n_ref, 0.0);
            let views: Vec<(&[f64], &[f64])> = vectors.iter().map(|v| (&x[..], &v[..])).collect();
            let r = Reference::new(1, &views).unwrap();
            for id in [1, 10] {
                let me = catalogue::by_id(id).unwrap();
                let tests = Tests::of(me);
                // the hot column is no line
                let worst = |made: Vec<QualityTest>| {
                    Flag::worst(made.iter().filter(|t| t.name != "QTChi2" || id == 10).map(|t| t.flag))
                };
                assert_eq!(
                    worst(run(&tests, me, &x, &numbered(images(n_run, 0.0)), &r)),
                    Flag::Pass,
                    "{n_ref} {n_run} {id}"
                );
                assert_eq!(
                    worst(image(&tests, me, &x, (&images(1, 0.0)[0], &[]), &r)),
                    Flag::Pass,
                    "{n_ref} {n_run} {id}"
                );
                assert_eq!(worst(run(&tests, me, &x, &numbered(images(n_run, 10.0)), &r)), Flag::Fail);
                assert_eq!(worst(image(&tests, me, &x, (&images(1, 10.0)[0], &[]), &r)), Flag::Fail);
            }
        }
    }
}
