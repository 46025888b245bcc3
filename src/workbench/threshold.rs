//! `panaSKImg threshold`: the charge above which a pixel counts as not empty, from a dark-current fit (spec 04 §8.9).
//!
//! The pixel charge distribution is Σᵢ wᵢ·N(μ₀ + i g, σ₀), wᵢ = Poisson(i; λ/g). With fᵢ the term of i electrons,
//! two thresholds x are given:
//!
//! 1. equal losses: ∫ₓ^∞ f₀ = ∫₋∞ˣ f₁, as many empty pixels above as pixels with one electron below;
//! 2. the largest F1 = 2PR/(P + R) of purity P = T₁/(T₁ + T₀) and efficiency R = T₁/∫f₁, Tᵢ = ∫ₓ^∞ fᵢ.
//!
//! Both are zeros of monotone functions of x, found by bisection to the last digit.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::Array2;

use super::error::{BenchError, BenchResult};
use super::files::{Extension, FitsFile, name_of};
use super::results::{FigureArgs, Results, plus_minus};
use crate::image::report::Table;
use crate::plot::{Axis, Colour, Figure, Guide, ImagePlot, Line, Panel};
use crate::stats::distributions::{gaussian, normal_survival, poisson_probability};

/// Options of `panaSKImg threshold`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ThresholdArgs {
    /// Result of a dark-current fit: mu0, sigma, gain, lambda, all in ADU
    #[arg(long, num_args = 4, value_names = ["MU0", "SIGMA", "GAIN", "LAMBDA"], allow_negative_numbers = true,
          default_values_t = [DEFAULT.mu0, DEFAULT.sigma, DEFAULT.gain, DEFAULT.lambda])]
    pub dcfit: Vec<f64>,
    /// Take the fit from the header of a processed file (cards MEMU0, MESIG, MEGAIN, MEDC)
    #[arg(long, value_name = "FILE", conflicts_with = "dcfit")]
    pub from: Option<PathBuf>,
    /// Extension of --from with the cards
    #[arg(long, value_name = "EXT", default_value = "0")]
    pub hext: Extension,
    /// Amplifier of --from [default: all]
    #[arg(long, value_name = "AMP", value_delimiter = ',')]
    pub amp: Vec<String>,
    /// Charge axis of the figure, ADU [default: -5 5; of another fit mu0 - 5 sigma to mu0 + 2 gain + 5 sigma]
    #[arg(long, num_args = 2, value_names = ["LO", "HI"], allow_negative_numbers = true)]
    pub xrange: Option<Vec<f64>>,
    /// Map of the thresholds for sigma between A and B, ADU (with --scan-lam)
    #[arg(long, num_args = 2, value_names = ["A", "B"], requires = "scan_lam")]
    pub scan_sigma: Option<Vec<f64>>,
    /// Map of the thresholds for lambda between A and B, ADU (with --scan-sigma)
    #[arg(long, num_args = 2, value_names = ["A", "B"], requires = "scan_sigma")]
    pub scan_lam: Option<Vec<f64>>,
    /// Output.
    #[command(flatten)]
    pub output: FigureArgs,
}

/// Result of a dark-current fit, ADU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DarkCurrentFit {
    /// Position of the empty pixels.
    pub mu0: f64,
    /// Noise.
    pub sigma: f64,
    /// ADU per electron.
    pub gain: f64,
    /// Dark current, ADU.
    pub lambda: f64,
}

/// The fit of the older program.
const DEFAULT: DarkCurrentFit = DarkCurrentFit { mu0: 0.003_482, sigma: 0.2729, gain: 1.284, lambda: 0.006_609 };

/// The two thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Equal losses, ADU.
    pub equal: f64,
    /// Largest F1, ADU.
    pub best: f64,
    /// F1 there.
    pub f1: f64,
    /// Share of the pixels above `best` (0 and 1 e⁻) that hold an electron.
    pub purity: f64,
    /// Share of the pixels with one electron that lie above `best`.
    pub efficiency: f64,
}

/// Points per axis of the map.
const SCAN: usize = 100;

impl DarkCurrentFit {
    fn weights(&self) -> (f64, f64) {
        let mean = self.lambda / self.gain;
        (poisson_probability(0, mean), poisson_probability(1, mean))
    }

    /// T₀ and T₁: shares of all pixels that lie above x and hold 0 and 1 e⁻.
    fn above(&self, x: f64) -> (f64, f64) {
        let (w0, w1) = self.weights();
        let t = (x - self.mu0) / self.sigma;
        (w0 * normal_survival(t), w1 * normal_survival(t - self.gain / self.sigma))
    }

    /// Density of the pixel charge, 1/ADU, of pixels with `electrons`.
    fn density(&self, x: f64, electrons: u64) -> f64 {
        let weight = poisson_probability(electrons, self.lambda / self.gain);
        weight * gaussian(x, self.mu0 + electrons as f64 * self.gain, self.sigma)
    }

    /// Charge axis on which both peaks are seen.
    fn range(&self) -> (f64, f64) {
        if *self == DEFAULT {
            return (-5.0, 5.0);
        }
        (self.mu0 - 5.0 * self.sigma, self.mu0 + 2.0 * self.gain + 5.0 * self.sigma)
    }

    /// A charge in electrons, counted from the empty pixels.
    fn electrons(&self, x: f64) -> f64 {
        (x - self.mu0) / self.gain
    }

    /// mu0, sigma, gain, lambda with six significant digits.
    fn texts(&self) -> [String; 4] {
        [self.mu0, self.sigma, self.gain, self.lambda].map(|x| plus_minus(x, f64::NAN))
    }

    /// F1 at x.
    fn f1(&self, x: f64) -> f64 {
        let (t0, t1) = self.above(x);
        2.0 * t1 / (self.weights().1 + t1 + t0)
    }

    /// The thresholds; `None` if a parameter is not positive or not finite.
    pub fn thresholds(&self) -> Option<Thresholds> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !(positive(self.sigma) && positive(self.gain) && positive(self.lambda) && self.mu0.is_finite()) {
            return None;
        }
        let (w0, w1) = self.weights();
        let reach = 40.0 * self.sigma + self.gain;
        let (lo, hi) = (self.mu0 - reach, self.mu0 + self.gain + reach);
        // Empty pixels above fall with x, pixels with an electron below rise.
        let t = |x: f64| (x - self.mu0) / self.sigma;
        let d = self.gain / self.sigma;
        let equal = bisect(lo, hi, |x| w1 * normal_survival(d - t(x)) - w0 * normal_survival(t(x)));
        // dF1/dx = 0 ⇔ f₁·(W + T₀) = f₀·T₁: with r = f₁/f₀, which rises with x, r·(W + T₀) − T₁ changes sign once.
        let best = bisect(lo, hi, |x| {
            let (t0, t1) = self.above(x);
            let log_ratio = (w1 / w0).ln() + d * (t(x) - 0.5 * d);
            log_ratio + (w1 + t0).ln() - t1.max(f64::MIN_POSITIVE).ln()
        });
        let (t0, t1) = self.above(best);
        Some(Thresholds { equal, best, f1: self.f1(best), purity: t1 / (t1 + t0), efficiency: t1 / w1 })
    }

    /// Errors of `equal` and `best` from independent errors of the four parameters (mu0, sigma, gain, lambda).
    fn threshold_errors(&self, errors: [f64; 4]) -> (f64, f64) {
        let mut variance = (0.0, 0.0);
        for (k, error) in errors.into_iter().enumerate() {
            let moved = |by: f64| {
                let mut p = [self.mu0, self.sigma, self.gain, self.lambda];
                p[k] += by;
                Self { mu0: p[0], sigma: p[1], gain: p[2], lambda: p[3] }.thresholds()
            };
            if let (Some(up), Some(down)) = (moved(0.1 * error), moved(-0.1 * error)) {
                variance.0 += ((up.equal - down.equal) / 0.2).powi(2);
                variance.1 += ((up.best - down.best) / 0.2).powi(2);
            } else {
                return (f64::NAN, f64::NAN);
            }
        }
        (variance.0.sqrt(), variance.1.sqrt())
    }
}

/// Zero of a rising function between `lo` and `hi`.
fn bisect(mut lo: f64, mut hi: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (lo + hi);
        if middle <= lo || middle >= hi {
            break;
        }
        if f(middle) < 0.0 { lo = middle } else { hi = middle }
    }
    0.5 * (lo + hi)
}

/// Prints the thresholds, draws the distribution and, if asked for, the map.
///
/// # Errors
/// Parameters that are not positive; a file without the cards.
pub fn run(args: &ThresholdArgs, base: &Path) -> BenchResult<Results> {
    let mut results = Results::new(&args.output, base)?;
    let xrange = args.xrange.as_deref().map(|ends| (ends[0], ends[1]));
    if xrange.is_some_and(|(lo, hi)| !(lo < hi)) {
        return Err(BenchError::option("--xrange", "LO must be less than HI"));
    }
    for (name, fit, errors) in fits(args, base)? {
        let Some(found) = fit.thresholds() else {
            let problem = format!(
                "no threshold for mu0 {}, sigma {}, gain {}, lambda {}: sigma, gain and lambda must be positive",
                fit.mu0, fit.sigma, fit.gain, fit.lambda
            );
            // numbers of the command line are its fault, those of a file the file's
            let given = args.from.is_none();
            return Err(if given { BenchError::option("--dcfit", problem) } else { BenchError::Data(problem) });
        };
        let amplifier = if name.is_empty() { String::new() } else { format!("amplifier {name}: ") };
        let (equal_error, best_error) = errors.map_or((0.0, 0.0), |e| fit.threshold_errors(e));
        let [mu0, sigma, gain, lambda] = fit.texts();
        results.line(format!("{amplifier}mu0 {mu0} ADU, sigma {sigma} ADU, gain {gain} ADU/e-, lambda {lambda} ADU"));
        let both = [("equal losses", found.equal, equal_error), ("largest F1", found.best, best_error)];
        for (what, x, error) in both {
            let adu = if error > 0.0 { plus_minus(x, error) } else { format!("{x:.6}") };
            results.line(format!(
                "  {what:<13} {adu} ADU = {:.6} e- ((x - mu0)/gain) = {:.4} sigma (x/sigma)",
                fit.electrons(x),
                x / fit.sigma
            ));
        }
        results.line(format!(
            "  F1 {:.5}, purity {:.5}, efficiency {:.5} at the second",
            found.f1, found.purity, found.efficiency
        ));
        let suffix = if name.is_empty() { String::new() } else { format!("_{name}") };
        results.figure(figure(&fit, &found, xrange.unwrap_or_else(|| fit.range()), &suffix));
        table(&fit, &found, (equal_error, best_error), &suffix, &mut results)?;
        if let (Some(sigma), Some(lambda)) = (&args.scan_sigma, &args.scan_lam) {
            scan(&fit, (sigma[0], sigma[1]), (lambda[0], lambda[1]), &suffix, &mut results)?;
        }
    }
    Ok(results)
}

/// Both thresholds: 1 for equal losses, 2 for the largest F1.
fn table(
    fit: &DarkCurrentFit,
    found: &Thresholds,
    errors: (f64, f64),
    suffix: &str,
    results: &mut Results,
) -> BenchResult<()> {
    let row = |criterion: f64, x: f64, error: f64| {
        let (t0, t1) = fit.above(x);
        let error = if error > 0.0 { error } else { f64::NAN };
        let (purity, efficiency) = (t1 / (t1 + t0), t1 / fit.weights().1);
        vec![criterion, x, error, fit.electrons(x), x / fit.sigma, fit.f1(x), purity, efficiency]
    };
    let columns = ["criterion", "x_ADU", "x_err", "electrons", "x_over_sigma", "F1", "purity", "efficiency"];
    let table = Table {
        name: format!("threshold{suffix}"),
        columns: columns.map(String::from).to_vec(),
        rows: vec![row(1.0, found.equal, errors.0), row(2.0, found.best, errors.1)],
    };
    let scalars = [
        ("mu0_ADU", fit.mu0.to_string()),
        ("sigma_ADU", fit.sigma.to_string()),
        ("gain_ADU_per_e", fit.gain.to_string()),
        ("lambda_ADU", fit.lambda.to_string()),
    ];
    results.csv(&table, &scalars)
}

type NamedFit = (String, DarkCurrentFit, Option<[f64; 4]>);

fn fits(args: &ThresholdArgs, base: &Path) -> BenchResult<Vec<NamedFit>> {
    let Some(path) = &args.from else {
        let d = &args.dcfit;
        return Ok(vec![(String::new(), DarkCurrentFit { mu0: d[0], sigma: d[1], gain: d[2], lambda: d[3] }, None)]);
    };
    let path = base.join(path);
    if !path.is_file() {
        return Err(BenchError::NoInput(format!("{} does not exist", path.display())));
    }
    let file = FitsFile::open(&path)?;
    let cards = file.cards(file.find(&args.hext)?)?;
    let amplifiers: Vec<String> = if args.amp.is_empty() {
        let complete = |a: &String| cards.number(&format!("MEGAIN{a}")).is_some();
        cards.suffixes("MEMU0").into_iter().filter(complete).collect()
    } else {
        args.amp.iter().map(|a| a.trim().trim_start_matches("EXT").to_owned()).collect()
    };
    if amplifiers.is_empty() {
        return Err(BenchError::Keyword {
            path: file.path,
            reason: "there is no dark-current fit (cards MEMU0, MESIG, MEGAIN, MEDC); process the image with \
                     FitDarkCurrentProcess"
                .into(),
        });
    }
    amplifiers
        .into_iter()
        .map(|a| {
            let number = |key: &str| {
                let key = format!("{key}{a}");
                cards.number(&key).ok_or_else(|| BenchError::Keyword {
                    path: file.path.clone(),
                    reason: format!("there is no number {key} in {}", name_of(&file.path)),
                })
            };
            let fit = DarkCurrentFit {
                mu0: number("MEMU0")?,
                sigma: number("MESIG")?,
                gain: number("MEGAIN")?,
                lambda: number("MEDC")?,
            };
            let errors = ["EMEMU0", "EMESIG", "EMEGAIN", "EMEDC"].map(|key| cards.number(&format!("{key}{a}")));
            let errors = match errors {
                [Some(m), Some(s), Some(g), Some(l)] => Some([m, s, g, l]),
                _ => None,
            };
            Ok((a, fit, errors))
        })
        .collect()
}

fn figure(fit: &DarkCurrentFit, found: &Thresholds, range: (f64, f64), suffix: &str) -> Figure {
    let (lo, hi) = range;
    let [mu0, sigma, gain, lambda] = fit.texts();
    let place =
        |x: f64| format!("x = {x:.4} ADU, (x − μ_{{0}})/gain = {:.3} e⁻, x/σ = {:.2}", fit.electrons(x), x / fit.sigma);
    let curve = |electrons: u64, colour: Colour, label: &str| {
        Line::function(lo, hi, 1200, |x| fit.density(x, electrons)).colour(colour).label(label)
    };
    let total = Line::function(lo, hi, 1200, |x| (0..12).map(|i| fit.density(x, i)).sum()).colour(Colour::BLACK);
    let peak = fit.density(fit.mu0, 0).max(fit.density(fit.mu0 + fit.gain, 1));
    let lowest = 1e-4 * fit.density(fit.mu0 + fit.gain, 1).max(1e-12 * peak);
    let distribution = Panel::new()
        .y_axis(Axis::new("density [1/ADU]").log().range(lowest, 3.0 * peak))
        .x_range(lo, hi)
        .line(total.width(0.9).label("all"))
        .line(curve(0, Colour::BLUE, "0 e⁻"))
        .line(curve(1, Colour::ORANGE, "1 e⁻"))
        .guide(
            Guide::vertical(found.equal).colour(Colour::GREEN).label(format!("equal losses: {}", place(found.equal))),
        )
        .guide(
            Guide::vertical(found.best)
                .colour(Colour::RED)
                .dotted()
                .label(format!("largest F1: {}", place(found.best))),
        );
    let quality = Panel::new()
        .x("pixel charge [ADU]")
        .y("share")
        .x_range(lo, hi)
        .y_range(0.0, 1.05)
        .line(Line::function(lo, hi, 600, |x| fit.f1(x)).colour(Colour::RED).label("F1"))
        .line(
            Line::function(lo, hi, 600, |x| {
                let (t0, t1) = fit.above(x);
                t1 / (t1 + t0)
            })
            .colour(Colour::BLUE)
            .dashed()
            .label("purity"),
        )
        .line(
            Line::function(lo, hi, 600, |x| fit.above(x).1 / fit.weights().1).colour(Colour::GREEN).label("efficiency"),
        )
        .guide(Guide::vertical(found.equal).colour(Colour::GREEN))
        .guide(Guide::vertical(found.best).colour(Colour::RED).dotted());
    Figure::new(format!("threshold{suffix}"))
        .title("Charge threshold between 0 and 1 e⁻")
        .title(format!("μ_{{0}} = {mu0} ADU, σ = {sigma} ADU, gain = {gain} ADU/e⁻, λ = {lambda} ADU"))
        .size(8.0, 6.5)
        .grid(2, 1)
        .heights([2.0, 1.2])
        .share_x()
        .panel(distribution)
        .panel(quality)
}

/// Thresholds over a grid of σ and λ, as CSV and map.
fn scan(
    fit: &DarkCurrentFit,
    sigma: (f64, f64),
    lambda: (f64, f64),
    suffix: &str,
    results: &mut Results,
) -> BenchResult<()> {
    for (option, (lo, hi)) in [("--scan-sigma", sigma), ("--scan-lam", lambda)] {
        if !(lo > 0.0 && hi > lo && hi.is_finite()) {
            return Err(BenchError::option(option, format!("0 < A < B is expected, not {lo} and {hi}")));
        }
    }
    let at = |(lo, hi): (f64, f64), i: usize| lo + (hi - lo) * i as f64 / (SCAN - 1) as f64;
    let grid = Array2::from_shape_fn((SCAN, SCAN), |(row, col)| {
        DarkCurrentFit { sigma: at(sigma, col), lambda: at(lambda, row), ..*fit }.thresholds()
    });
    let value = |f: fn(&Thresholds) -> f64| grid.mapv(|t| t.as_ref().map_or(f64::NAN, f));
    let (equal, best) = (value(|t| t.equal), value(|t| t.best));
    let rows = grid.indexed_iter().map(|((row, col), t)| {
        let (e, b, f1) = t.map_or((f64::NAN, f64::NAN, f64::NAN), |t| (t.equal, t.best, t.f1));
        vec![at(sigma, col), at(lambda, row), e, b, f1]
    });
    let columns = ["sigma_ADU", "lambda_ADU", "threshold_equal_ADU", "threshold_F1_ADU", "F1"];
    let table = Table {
        name: format!("threshold_scan{suffix}"),
        columns: columns.map(String::from).to_vec(),
        rows: rows.collect(),
    };
    results.csv(&table, &[("mu0_ADU", fit.mu0.to_string()), ("gain_ADU_per_e", fit.gain.to_string())])?;
    let half = |(lo, hi): (f64, f64)| 0.5 * (hi - lo) / (SCAN - 1) as f64;
    let (hs, hl) = (half(sigma), half(lambda));
    let map = |values: Array2<f64>, title: &str| {
        let plot = ImagePlot::new(values)
            .origin_bottom()
            .extent(sigma.0 - hs, sigma.1 + hs, lambda.0 - hl, lambda.1 + hl)
            .full_range()
            .colour_label("threshold [ADU]");
        Panel::new().image(plot).title(title).x("σ [ADU]").y("λ [ADU]")
    };
    results.figure(
        Figure::new(format!("threshold_scan{suffix}"))
            .title(format!("Charge threshold between 0 and 1 e⁻, gain {} ADU/e⁻", fit.texts()[2]))
            .size(11.0, 4.5)
            .grid(1, 2)
            .panel(map(equal, "equal losses"))
            .panel(map(best, "largest F1")),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both thresholds of a fit with a high gain lie in the figure, and in the table.
    #[test]
    fn the_figure_shows_the_peaks_of_any_fit() {
        use clap::FromArgMatches as _;
        assert_eq!(DEFAULT.range(), (-5.0, 5.0));
        let folder = tempfile::tempdir().unwrap();
        let command = ThresholdArgs::augment_args(clap::Command::new("threshold"));
        let words = ["threshold", "--dcfit", "2", "10", "60", "3"];
        let args = ThresholdArgs::from_arg_matches(&command.get_matches_from(words)).unwrap();
        let results = run(&args, folder.path()).unwrap();
        let axis = &results.figures[0].0.panels[0].x;
        let (lo, hi) = (axis.min.unwrap(), axis.max.unwrap());
        assert_eq!((lo, hi), (2.0 - 50.0, 2.0 + 120.0 + 50.0));
        let csv = std::fs::read_to_string(folder.path().join("threshold.csv")).unwrap();
        let rows: Vec<Vec<f64>> = csv
            .lines()
            .filter(|l| l.starts_with(['1', '2']))
            .map(|l| l.split(',').map(|x| x.parse().unwrap_or(f64::NAN)).collect())
            .collect();
        assert!(rows.len() == 2 && rows.iter().all(|r| lo < r[1] && r[1] < hi), "{csv}");
        assert!(
            (rows[0][3] - (rows[0][1] - 2.0) / 60.0).abs() < 1e-12 && (rows[0][4] - rows[0][1] / 10.0).abs() < 1e-12
        );
        assert!(results.text[1].contains(" e- ((x - mu0)/gain) = "), "{:?}", results.text);
    }

    #[test]
    fn the_defaults_give_the_values_of_the_specification() {
        let t = DEFAULT.thresholds().unwrap();
        assert!((t.equal - 0.912_120).abs() < 1e-6, "{t:?}");
        assert!((t.best - 0.941_623).abs() < 1e-6, "{t:?}");
        assert!((t.f1 - 0.918_39).abs() < 1e-5, "{t:?}");
        assert!((t.equal / DEFAULT.sigma - 3.3423).abs() < 1e-4);
        assert!((t.best / DEFAULT.sigma - 3.4504).abs() < 1e-4);
    }

    #[test]
    fn no_point_of_a_fine_grid_has_a_larger_f1_and_the_losses_are_equal() {
        for (sigma, lambda) in [(0.1, 0.5), (0.2, 1e-4), (0.4, 0.01), (0.05, 2.0), (0.5, 0.3)] {
            let fit = DarkCurrentFit { mu0: -0.2, sigma, gain: 1.4, lambda };
            let t = fit.thresholds().unwrap();
            let highest = (0..4000).map(|i| fit.f1(-2.0 + 0.001 * f64::from(i))).fold(0.0, f64::max);
            assert!(t.f1 >= highest - 1e-12, "{fit:?} {t:?} {highest}");
            let (t0, t1) = fit.above(t.equal);
            let (_, w1) = fit.weights();
            assert!((t0 - (w1 - t1)).abs() < 1e-9 * w1.max(t0), "{fit:?}");
        }
    }

    #[test]
    fn errors_follow_from_moving_the_parameters() {
        // Moving mu0 moves both thresholds by the same amount.
        let (a, b) = DEFAULT.threshold_errors([0.01, 0.0, 0.0, 0.0]);
        assert!((a - 0.01).abs() < 1e-6 && (b - 0.01).abs() < 1e-6, "{a} {b}");
        let up = DarkCurrentFit { sigma: DEFAULT.sigma + 0.003, ..DEFAULT }.thresholds().unwrap();
        let (a, _) = DEFAULT.threshold_errors([0.0, 0.003, 0.0, 0.0]);
        assert!((a - (up.equal - DEFAULT.thresholds().unwrap().equal)).abs() < 0.02 * a);
    }

    #[test]
    fn nonsense_has_no_threshold() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(DarkCurrentFit { sigma: bad, ..DEFAULT }.thresholds(), None);
            assert_eq!(DarkCurrentFit { lambda: bad, ..DEFAULT }.thresholds(), None);
        }
    }
}
