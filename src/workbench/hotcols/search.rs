//! Columns that stand out of their neighbours.

use crate::stats::polynomial::fit_polynomial;
use crate::stats::robust::{MAD_TO_SIGMA, mad, median_in_place};

/// A column, a row, or some of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Number of the (first) column.
    pub first: usize,
    /// Number of columns.
    pub width: usize,
    /// Pixels with a charge in the window.
    pub selected: u64,
    /// Unmasked pixels.
    pub total: u64,
}

impl Line {
    /// Selected per unmasked pixel; NaN if all are masked.
    pub fn rate(&self) -> f64 {
        self.selected as f64 / self.total as f64
    }
}

/// What a quiet column is expected to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Running median over this number of columns.
    RunningMedian(usize),
    /// Robust polynomial of this degree.
    Polynomial(usize),
}

/// What was found about a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Expected rate, selected per unmasked pixel.
    pub baseline: f64,
    /// Significance; NaN if all pixels are masked.
    pub z: f64,
    /// Whether it is hot.
    pub hot: bool,
}

/// Judges each column against its neighbours; `both`: too little charge counts as hot too.
pub fn find_hot(lines: &[Line], baseline: &Baseline, nsigma: f64, both: bool) -> Vec<Found> {
    let expected = match *baseline {
        Baseline::RunningMedian(window) => running_median(lines, window),
        Baseline::Polynomial(degree) => polynomial(lines, degree),
    };
    let mut z: Vec<f64> = lines
        .iter()
        .zip(&expected)
        .map(|(line, b)| {
            let mean = b * line.total as f64;
            if line.total == 0 { f64::NAN } else { (line.selected as f64 - mean) / mean.max(1.0).sqrt() }
        })
        .collect();
    let finite: Vec<f64> = z.iter().copied().filter(|z| z.is_finite()).collect();
    let spread = (MAD_TO_SIGMA * mad(&finite)).max(1.0);
    z.iter_mut().for_each(|z| *z /= spread);
    let judged = expected.into_iter().zip(z);
    judged.map(|(baseline, z)| Found { baseline, z, hot: z >= nsigma || (both && z <= -nsigma) }).collect()
}

/// Median rate of the columns within half a window of each column; the window is cut at the ends, and at a step: the last
/// active column must not be held against the overscan.
fn running_median(lines: &[Line], window: usize) -> Vec<f64> {
    let half = window / 2;
    let median = |around: &[Line]| {
        let mut rates: Vec<f64> = around.iter().map(Line::rate).filter(|r| r.is_finite()).collect();
        median_in_place(&mut rates)
    };
    (0..lines.len())
        .map(|i| {
            let (first, end) = (i.saturating_sub(half), (i + half + 1).min(lines.len()));
            let (left, right) = (median(&lines[first..i]), median(&lines[i + 1..end]));
            let sides = (i - first, end - i - 1);
            if is_step(left, right, sides, lines[i].total) {
                // the region of the column is that of its nearest neighbours, not the one its own charge is near
                let near = median(&lines[i.saturating_sub(2)..(i + 3).min(lines.len())]);
                return if (near - left).abs() <= (near - right).abs() { left } else { right };
            }
            median(&lines[first..end])
        })
        .collect()
}

/// Whether the rates on either side of a column (so many columns of so many pixels) are those of different regions: by a
/// factor of two, and by more than five standard deviations of two medians of Poisson numbers.
fn is_step(left: f64, right: f64, sides: (usize, usize), total: u64) -> bool {
    const FACTOR: f64 = 2.0;
    const SIGNIFICANT: f64 = 5.0;
    let (low, high) = (left.min(right), left.max(right));
    let columns = sides.0.min(sides.1) as f64;
    // variance of a median: π/2 times that of the mean
    let error = (std::f64::consts::FRAC_PI_2 * (low + high) / (columns * total as f64)).sqrt();
    columns > 2.0 && high > FACTOR * low && high - low > SIGNIFICANT * error
}

/// Polynomial through the rates; columns further than 3 standard deviations away are left out, until nothing changes.
fn polynomial(lines: &[Line], degree: usize) -> Vec<f64> {
    let x: Vec<f64> = lines.iter().map(|l| l.first as f64 + 0.5 * (l.width as f64 - 1.0)).collect();
    let rates: Vec<f64> = lines.iter().map(Line::rate).collect();
    let mut start: Vec<f64> = rates.iter().copied().filter(|r| r.is_finite()).collect();
    let overall = median_in_place(&mut start);
    let mut curve = vec![overall; lines.len()];
    for _ in 0..10 {
        let error = |i: usize| {
            let total = lines[i].total as f64;
            (curve[i].max(1.0 / total) / total).sqrt()
        };
        let deviations: Vec<f64> = (0..lines.len()).map(|i| (rates[i] - curve[i]) / error(i)).collect();
        let finite: Vec<f64> = deviations.iter().copied().filter(|d| d.is_finite()).collect();
        let reach = 3.0 * (MAD_TO_SIGMA * mad(&finite)).max(1.0);
        let kept: Vec<f64> =
            (0..lines.len()).map(|i| if deviations[i].abs() <= reach { error(i) } else { f64::NAN }).collect();
        let Ok(fit) = fit_polynomial(&x, &rates, &kept, degree) else { return curve };
        if fit.coefficients.iter().any(|c| !c.is_finite()) {
            return curve;
        }
        let next: Vec<f64> = x.iter().map(|x| fit.at(*x).max(0.0)).collect();
        let change = next.iter().zip(&curve).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        curve = next;
        if change <= 1e-9 * overall.abs() {
            break;
        }
    }
    curve
}

/// Hot columns by gaps: as long as the largest gap in the sorted rates has at least the mean above it, everything above
/// it is hot and counts as 0. A gap between the columns set to 0 and the others ends the search: it says only that
/// something has been removed. Also the lowest rate that was hot.
pub fn find_gaps(lines: &[Line]) -> (Vec<bool>, Option<f64>) {
    let mut rates: Vec<f64> = lines.iter().map(|l| if l.total == 0 { 0.0 } else { l.rate() }).collect();
    let mut hot = vec![false; lines.len()];
    let mut threshold = None;
    loop {
        let mut sorted = rates.clone();
        sorted.sort_by(f64::total_cmp);
        let removed = hot.iter().filter(|h| **h).count();
        let largest = sorted
            .windows(2)
            .enumerate()
            .fold((0.0, 0), |best, (i, w)| if w[1] - w[0] > best.0 { (w[1] - w[0], i + 1) } else { best });
        let mean = rates.iter().sum::<f64>() / rates.len().max(1) as f64;
        if largest.0 <= 0.0 || (removed > 0 && largest.1 <= removed) || sorted[largest.1] < mean {
            return (hot, threshold);
        }
        let from = sorted[largest.1];
        threshold = Some(from);
        for (rate, hot) in rates.iter_mut().zip(&mut hot) {
            if *rate >= from {
                (*rate, *hot) = (0.0, true);
            }
        }
    }
}
