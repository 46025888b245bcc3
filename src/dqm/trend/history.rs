//! What trends need of a run, from its summary or from the database.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::dqm::catalogue::Scope;
use crate::dqm::model::{Entry, Flag, ImageRecord, LineFit, MonitorElement, Pair, Summary};
use crate::stats::robust;

/// Ids of the scalars of the dark-current fit.
pub(crate) const MU0: u16 = 61;
/// Single-electron resolution.
pub(crate) const SIGMA: u16 = 62;
/// Dark current.
pub(crate) const LAMBDA: u16 = 63;
/// Calibration.
pub(crate) const GAIN: u16 = 64;
/// Median charge per column, whose profile has its own trend.
pub(crate) const COLUMN_PROFILE: u16 = 10;

/// A monitor element and an amplifier on a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrendValue {
    /// Median: of the images for scalars, of the median profile for vectors.
    pub median: f64,
    /// Lower quartile.
    pub p25: f64,
    /// Upper quartile.
    pub p75: f64,
    /// Straight line through the median profile; for scalars through the values against image number.
    pub fit: Option<LineFit>,
}

/// Results of the dark-current fit that stand for a run: of the high-resolution image, else of the last image that has
/// them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitValue {
    /// Gain, ADU/e⁻.
    pub gain: Pair,
    /// Dark current, e⁻/pix/img.
    pub lambda: Pair,
    /// Dark current, e⁻/pix/day, with the time texp + tread/2 of the image; missing without its times.
    pub lambda_per_day: Pair,
    /// Single-electron resolution, e⁻.
    pub sigma: Pair,
    /// Position of the zero-electron peak, e⁻.
    pub mu0: Pair,
}

impl FitValue {
    const UNKNOWN: Self = Self {
        gain: Pair::UNKNOWN,
        lambda: Pair::UNKNOWN,
        lambda_per_day: Pair::UNKNOWN,
        sigma: Pair::UNKNOWN,
        mu0: Pair::UNKNOWN,
    };

    /// Takes one of the four numbers; `days`: time in which the dark current was collected.
    pub(crate) fn set(&mut self, me_id: u16, value: Pair, days: f64) {
        match me_id {
            MU0 => self.mu0 = value,
            SIGMA => self.sigma = value,
            GAIN => self.gain = value,
            LAMBDA => {
                self.lambda = value;
                self.lambda_per_day = Pair::new(value.value / days, value.error / days);
            }
            _ => {}
        }
    }
}

impl Default for FitValue {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

/// A test of a monitor element that is violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// How badly.
    pub flag: Flag,
    /// Name of the element.
    pub element: String,
    /// Name of the test.
    pub test: String,
    /// In how many images; 0: by the run.
    pub images: usize,
}

/// The worst reasons first, those of the run before those of images, what is in many images before what is in few.
pub(crate) fn sorted(mut reasons: Vec<Reason>) -> Vec<Reason> {
    let key = |r: &Reason| (Reverse(r.flag), r.images > 0, Reverse(r.images), r.element.clone(), r.test.clone());
    reasons.sort_by_cached_key(key);
    reasons
}

/// A run as trends see it. Keys name the amplifier, after its CCD when that is not 0 (`1 L`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunTrend {
    /// Run number.
    pub run: i64,
    /// Tag.
    pub tag: String,
    /// Start of the first exposure, UTC.
    pub start: Option<String>,
    /// Flag.
    pub status: Flag,
    /// Images.
    pub n_images: usize,
    /// Images with an error.
    pub n_errors: usize,
    /// Masked pixels.
    pub n_masked: Option<u64>,
    /// Tests with a warning or worse, the worst first.
    pub reasons: Vec<Reason>,
    /// Values by id and amplifier.
    pub values: BTreeMap<(u16, String), TrendValue>,
    /// Dark-current fits by amplifier.
    pub fits: BTreeMap<String, FitValue>,
    /// Run-median profile of the charge per column by amplifier: columns and e⁻/pix.
    pub profiles: BTreeMap<String, (Vec<f64>, Vec<f64>)>,
}

/// Key of an amplifier.
pub(crate) fn key(ccd: i64, amplifier: &str) -> String {
    if ccd == 0 { amplifier.to_owned() } else { format!("{ccd} {amplifier}") }
}

/// Days in which an image collects dark current: its exposure and half of its readout.
pub(crate) fn days(texp_s: f64, tread_s: f64) -> f64 {
    let seconds = texp_s + if tread_s.is_finite() { tread_s / 2.0 } else { 0.0 };
    if seconds > 0.0 { seconds / 86_400.0 } else { f64::NAN }
}

impl RunTrend {
    /// From a summary.
    pub fn of_summary(summary: &Summary) -> Self {
        let mut trend = Self {
            run: summary.run.number,
            tag: summary.run.tag.clone(),
            start: summary.run.start.clone(),
            status: summary.run.status,
            n_images: summary.run.n_images.max(summary.images.len()),
            n_errors: summary.images.iter().filter(|i| i.error.is_some()).count(),
            n_masked: summary.run.n_masked,
            reasons: reasons(summary),
            ..Self::default()
        };
        for me in summary.mes.values().filter(|me| !matches!(me.scope, Scope::I | Scope::H)) {
            trend.take_values(me);
        }
        for id in [MU0, SIGMA, LAMBDA, GAIN] {
            if let Some(me) = summary.element(id) {
                trend.take_fit(summary, me);
            }
        }
        for run in summary.element(COLUMN_PROFILE).iter().flat_map(|me| &me.run) {
            let profile = (run.x.as_slice().to_vec(), run.median.as_slice().to_vec());
            trend.profiles.insert(key(run.ccd, &run.amplifier), profile);
        }
        trend
    }

    fn take_values(&mut self, me: &MonitorElement) {
        for run in &me.run {
            let values = run_values(me, &run.amplifier, run.median.as_slice());
            let Some([p25, median, p75]) = quartiles(&values) else { continue };
            self.values.insert((me.id, key(run.ccd, &run.amplifier)), TrendValue { median, p25, p75, fit: run.fit });
        }
    }

    fn take_fit(&mut self, summary: &Summary, me: &MonitorElement) {
        // The last one wins: files ascending, the high-resolution image at the end.
        let mut entries: Vec<(&Entry, &ImageRecord)> =
            me.entries.iter().filter_map(|e| summary.image(&e.file).map(|i| (e, i))).collect();
        entries.sort_by_key(|(_, image)| image.is_hr);
        for (entry, image) in entries {
            if let Some(value) = entry.headline() {
                let pair = Pair::new(value, entry.yerr.scalar().unwrap_or(f64::NAN));
                let fit = self.fits.entry(key(entry.ccd, &entry.amplifier)).or_default();
                fit.set(me.id, pair, days(image.texp, image.tread));
            }
        }
    }
}

fn reasons(summary: &Summary) -> Vec<Reason> {
    // files in which a test of an element is violated; a violation by the run is in none
    let mut files: BTreeMap<(&str, &str, Flag, bool), BTreeSet<&str>> = BTreeMap::new();
    for (element, entry, test) in summary.image_tests().filter(|(_, _, test)| test.flag >= Flag::Warn) {
        files.entry((element, &test.name, test.flag, true)).or_default().insert(&entry.file);
    }
    for (element, _, test) in summary.run_tests().filter(|(_, _, test)| test.flag >= Flag::Warn) {
        files.entry((element, &test.name, test.flag, false)).or_default();
    }
    let reason = |((element, test, flag, _), files): ((&str, &str, Flag, bool), BTreeSet<&str>)| Reason {
        flag,
        element: element.to_owned(),
        test: test.to_owned(),
        images: files.len(),
    };
    sorted(files.into_iter().map(reason).collect())
}

/// What the quartiles of an element on a run are taken from: the images for scalars, the median profile for vectors.
pub(crate) fn run_values(me: &MonitorElement, amplifier: &str, median: &[f64]) -> Vec<f64> {
    if me.scope == Scope::S {
        me.of_amplifier(amplifier).filter_map(Entry::headline).collect()
    } else {
        median.to_vec()
    }
}

/// 25, 50, 75 % of the finite values; `None` without any.
pub(crate) fn quartiles(values: &[f64]) -> Option<[f64; 3]> {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    (!finite.is_empty()).then(|| robust::percentiles(&finite, [25.0, 50.0, 75.0]))
}
