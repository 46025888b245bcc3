//! The checked, complete parameters of a simulation: everything derived once, nothing optional left.

use std::f64::consts::PI;
use std::sync::Arc;

use super::config::{CrossTalk, HotColumn, HotRow, Layout, LineConfig, PerAmp, SimulationConfig};
use super::detector::diffusion::{Diffusion, DiffusionParameters};
use super::detector::pair_creation::PairCreation;
use super::error::{Result, SimulateError};
use super::geant4_source::Geant4Events;
use super::geometry::Geometry;
use super::sources::{Count, Limits, Model, Source};

/// Seconds per day.
pub const DAY: f64 = 86_400.0;

/// Largest file that is made, bytes: beyond it the request is a mistake.
const LARGEST_FILE: u128 = 1 << 46;
/// Largest mean charge of a pixel, e⁻: charges are 32-bit integers.
const LARGEST_MEAN: f64 = 1e8;

/// Complete, valid parameters.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What the user asked for, with all defaults filled in.
    pub config: SimulationConfig,
    /// Shape of image and CCD.
    pub geometry: Geometry,
    /// Time to read one row, s.
    pub t_row: f64,
    /// Time to read the image, s.
    pub t_read: f64,
    /// ADU per e⁻, by amplifier.
    pub gain: Vec<f64>,
    /// `[to][from]`: fraction of the signal of amplifier `from` added to `to`; `None`: no cross-talk at all.
    pub crosstalk: Option<Vec<Vec<f64>>>,
    /// Corner frequencies of the 1/f noise, Hz; empty: none.
    pub flicker_corners: Vec<f64>,
    /// Particles.
    pub sources: Vec<Source>,
    /// Events of Geant4 files, for sources of that type.
    pub geant4: Arc<Geant4Events>,
    /// Pair creation.
    pub pairs: PairCreation,
    /// Diffusion.
    pub diffusion: Diffusion,
    /// Start of the exposure.
    pub start: jiff::civil::DateTime,
}

impl Setup {
    /// Checks the configuration; all problems are reported together.
    pub fn new(config: SimulationConfig) -> Result<Self> {
        let mut check = Checker::default();
        let geometry = check.geometry(&config);
        check.numbers(&config);
        let t_row = geometry.line() as f64 * geometry.skips as f64 * config.t_skip;
        let t_read = geometry.rows() as f64 * t_row;
        let gain = check.gain(&config.gain, geometry.amplifiers());
        let crosstalk = check.crosstalk(&config.crosstalk, geometry.amplifiers());
        let flicker_corners = check.flicker(&config, t_read);
        check.lines(&config.noise.lines);
        check.hot(&config.hot_cols, &config.hot_rows, &geometry);
        check.defects(&config, &geometry);
        let sources = check.sources(&config, &geometry);
        let diffusion = check.diffusion(&config);
        let start = match config.start_time.trim().trim_end_matches('Z').parse() {
            Ok(start) => start,
            Err(error) => {
                check.fail(format!("start_time = {:?} is not an ISO 8601 time: {error}", config.start_time));
                jiff::civil::DateTime::default()
            }
        };
        if let Err(error) = times_in_calendar(start, config.t_exp, t_read) {
            check.fail(error);
        }
        check.size(&geometry, &config, t_read);
        match (check.problems.is_empty(), diffusion) {
            (true, Some(diffusion)) => Ok(Self {
                pairs: PairCreation { model: config.pair_model, e2ev: config.e2ev, fano: config.fano },
                geometry,
                t_row,
                t_read,
                gain,
                crosstalk,
                flicker_corners,
                sources,
                geant4: Arc::default(),
                diffusion,
                start,
                config,
            }),
            _ => Err(SimulateError::Parameters(check.problems)),
        }
    }

    /// Takes the events for sources of type `geant4` from these files, and with `images` images makes sure that there are
    /// enough.
    ///
    /// # Errors
    /// If there are files without such a source or the other way round, a file is unusable, or the events do not suffice.
    pub fn with_geant4(mut self, files: &[std::path::PathBuf], images: u64) -> Result<Self> {
        let mut wanted = self.sources.iter().filter(|s| s.model == Model::Geant4).peekable();
        let problem = |text: String| Err(SimulateError::Parameters(vec![text]));
        match (wanted.peek().is_some(), files.is_empty()) {
            (false, true) => return Ok(self),
            (true, true) => return problem("a source of type `geant4` needs files: --g4file FILE…".into()),
            (false, false) => return problem("--g4file is given, but there is no source of type `geant4`".into()),
            (true, false) => {}
        }
        let events = Geant4Events::read(files, &self)?;
        let largest = events.by_extension.iter().map(Vec::len).max().unwrap_or(0) as u64;
        for source in wanted {
            if let Count::Exact(n) = source.count
                && n.saturating_mul(images) > largest
            {
                return problem(format!(
                    "{images} image(s) of n = {n} Geant4 events need {}, but the files have {largest}",
                    n.saturating_mul(images)
                ));
            }
        }
        self.geant4 = Arc::new(events);
        Ok(self)
    }

    /// Mean thermal charge of a pixel in the active columns of an image row, e⁻ (spec 07 §8.3 step 1).
    pub fn lambda(&self, row: usize) -> f64 {
        let config = &self.config;
        let g = &self.geometry;
        let binning = (g.npbin * g.nsbin) as f64;
        if g.is_active_row(row) {
            let mean = match config.lambda_image {
                Some(lambda) => lambda,
                None if config.dc_row_dependent => config.dark_current * (config.t_exp + row as f64 * self.t_row) / DAY,
                None => config.dark_current * (config.t_exp + 0.5 * self.t_read) / DAY,
            };
            mean * binning
        } else if row < g.prescan_rows || config.lambda_image.is_some() {
            0.0
        } else {
            // An overscan row is empty when the readout starts and travels through the whole CCD.
            let travel = (g.phys_rows / g.npbin) as f64 * self.t_row;
            config.dark_current * travel / DAY * binning
        }
    }

    /// Mean extra charge of a hot column or row that an image row has collected, e⁻.
    pub fn hot_mean(&self, row: usize, rate: f64, lambda: f64) -> f64 {
        let time = if self.config.dc_row_dependent {
            self.config.t_exp + row as f64 * self.t_row
        } else {
            self.config.t_exp + 0.5 * self.t_read
        };
        lambda + rate * time / DAY
    }

    /// Width of a pixel averaged over all skips, ADU, white noise only.
    pub fn sigma_average(&self, amplifier: usize) -> f64 {
        self.gain[amplifier] * self.config.noise.sigma1 / (self.geometry.skips as f64).sqrt()
    }

    /// Largest value of the ADC.
    pub fn adc_max(&self) -> f64 {
        (2.0_f64).powi(self.config.adc_bits as i32) - 1.0
    }
}

fn times_in_calendar(start: jiff::civil::DateTime, t_exp: f64, t_read: f64) -> std::result::Result<(), String> {
    let total = t_exp + t_read;
    let fits =
        total.is_finite() && total < 1e9 && start.checked_add(jiff::SignedDuration::from_secs_f64(total)).is_ok();
    if fits { Ok(()) } else { Err(format!("the image would end {total:.3e} s after start_time, beyond the calendar")) }
}

#[derive(Default)]
struct Checker {
    problems: Vec<String>,
}

impl Checker {
    fn fail(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    fn within(&mut self, key: &str, value: f64, range: std::ops::RangeInclusive<f64>, unit: &str) {
        if !range.contains(&value) {
            let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
            self.fail(format!("{key} = {value} must be from {:?} to {:?}{unit}", range.start(), range.end()));
        }
    }

    fn at_least_one(&mut self, key: &str, value: usize) -> usize {
        if value == 0 {
            self.fail(format!("{key} = 0 must be at least 1"));
        }
        value.max(1)
    }

    fn geometry(&mut self, config: &SimulationConfig) -> Geometry {
        const LONGEST: usize = 1 << 24;
        for (key, value) in [
            ("rows", config.rows),
            ("active_cols", config.active_cols),
            ("phys_rows", config.phys_rows.unwrap_or(1)),
            ("prescan_cols", config.prescan_cols),
            ("overscan_cols", config.overscan_cols),
            ("prescan_rows", config.prescan_rows),
            ("overscan_rows", config.overscan_rows),
            ("npbin", config.npbin),
            ("nsbin", config.nsbin),
            ("skips", config.skips),
        ] {
            if value > LONGEST {
                self.fail(format!("{key} = {value} is larger than {LONGEST}"));
            }
        }
        let small = |x: usize| x.min(LONGEST);
        let rows = self.at_least_one("rows", small(config.rows));
        let active_cols = self.at_least_one("active_cols", small(config.active_cols));
        let npbin = self.at_least_one("npbin", small(config.npbin));
        let nsbin = self.at_least_one("nsbin", small(config.nsbin));
        let skips = self.at_least_one("skips", small(config.skips));
        let phys_rows = self.at_least_one("phys_rows", small(config.phys_rows.unwrap_or(rows)));
        let amplifiers = if config.layout == Layout::Dual { 2 } else { 1 };
        if !active_cols.is_multiple_of(nsbin * amplifiers) {
            self.fail(format!(
                "active_cols = {active_cols} must be a multiple of {} (nsbin = {nsbin}, {amplifiers} amplifier(s) per CCD)",
                nsbin * amplifiers
            ));
        }
        let read_rows = rows.min(phys_rows);
        if !rows.is_multiple_of(npbin) || !read_rows.is_multiple_of(npbin) {
            self.fail(format!("rows = {rows} and phys_rows = {phys_rows} must be multiples of npbin = {npbin}"));
        }
        let overscan_rows = small(config.overscan_rows);
        if phys_rows > rows && overscan_rows > 0 {
            self.fail(format!(
                "overscan_rows = {overscan_rows} are read after the last row of the CCD, but only {rows} of phys_rows = {phys_rows} are read"
            ));
        }
        Geometry {
            layout: config.layout,
            prescan_rows: small(config.prescan_rows),
            active_rows: read_rows / npbin,
            overscan_rows: overscan_rows + (rows - read_rows) / npbin,
            prescan: small(config.prescan_cols),
            active: active_cols / nsbin / amplifiers,
            overscan: small(config.overscan_cols),
            npbin,
            nsbin,
            phys_rows,
            read_rows,
            phys_cols: active_cols,
            skips,
        }
    }

    fn numbers(&mut self, config: &SimulationConfig) {
        let big = 1e12;
        self.within("noise.sigma1", config.noise.sigma1, 0.0..=1e6, "e⁻");
        self.within("noise.flicker", config.noise.flicker, 0.0..=1e6, "e⁻");
        self.within("pedestal.base", config.pedestal.base, -big..=big, "ADU");
        self.within("pedestal.row_rms", config.pedestal.row_rms, 0.0..=1e6, "ADU");
        self.within("pedestal.col_rms", config.pedestal.col_rms, 0.0..=1e6, "ADU");
        self.within("pedestal.row_drift", config.pedestal.row_drift, -1e9..=1e9, "ADU");
        self.within("pedestal.col_transient.amplitude", config.pedestal.col_transient.amplitude, -1e9..=1e9, "ADU");
        self.within("pedestal.col_transient.tau", config.pedestal.col_transient.tau, 1e-6..=1e9, "columns");
        for (k, &offset) in config.pedestal.skip_transient.iter().enumerate() {
            self.within(&format!("pedestal.skip_transient[{k}]"), offset, -1e9..=1e9, "ADU");
        }
        if config.pedestal.skip_transient.len() > config.skips {
            self.fail(format!(
                "pedestal.skip_transient has {} values, but there are only skips = {}",
                config.pedestal.skip_transient.len(),
                config.skips
            ));
        }
        self.within("dark_current", config.dark_current, 0.0..=1e12, "e⁻/pix/day");
        self.within("t_exp", config.t_exp, 0.0..=1e9, "s");
        self.within("t_skip", config.t_skip, 1e-12..=1e6, "s");
        self.within("lambda_image", config.lambda_image.unwrap_or(0.0), 0.0..=LARGEST_MEAN, "e⁻/pix");
        self.within("spurious", config.spurious, 0.0..=LARGEST_MEAN, "e⁻/pix");
        self.within("charge_loss", config.charge_loss, 0.0..=1.0, "(a probability)");
        self.within("cti_h", config.cti_h, 0.0..=1.0, "(a fraction)");
        self.within("cti_v", config.cti_v, 0.0..=1.0, "(a fraction)");
        self.within("quadratic", config.quadratic, -1.0..=1.0, "1/e⁻");
        self.within("full_well", config.full_well, 0.0..=1e9, "e⁻");
        if config.full_well.fract() != 0.0 {
            self.fail(format!("full_well = {} must be a whole number of electrons (0: no limit)", config.full_well));
        }
        self.within("fano", config.fano, 0.0..=10.0, "");
        self.within("e2eV", config.e2ev, 0.1..=1e4, "eV");
        self.within("thickness", config.thickness, 1e-3..=1e5, "µm");
        self.within("pixel_size", config.pixel_size, 1e-3..=1e5, "µm");
        self.within("alpha0", config.alpha0, 0.0..=1e3, "");
        self.within("alpha", config.alpha, 0.0..=1.0, "pixel/eV");
        self.within("A", config.diffusion_a, 0.0..=1e9, "µm²");
        if !(1..=32).contains(&config.adc_bits) {
            self.fail(format!("adc_bits = {} must be from 1 to 32", config.adc_bits));
        }
        if config.polarity != 1 && config.polarity != -1 {
            self.fail(format!("polarity = {} must be 1 or -1", config.polarity));
        }
    }

    fn gain(&mut self, gain: &PerAmp, amplifiers: usize) -> Vec<f64> {
        let gains = match gain {
            PerAmp::All(gain) => vec![*gain; amplifiers],
            PerAmp::Each(gains) if gains.len() == amplifiers => gains.clone(),
            PerAmp::Each(gains) => {
                self.fail(format!("gain has {} values for {amplifiers} amplifier(s)", gains.len()));
                return vec![1.0; amplifiers];
            }
        };
        for &gain in &gains {
            self.within("gain", gain, 1e-9..=1e9, "ADU/e⁻");
        }
        gains
    }

    fn crosstalk(&mut self, crosstalk: &CrossTalk, amplifiers: usize) -> Option<Vec<Vec<f64>>> {
        let matrix: Vec<Vec<f64>> = match crosstalk {
            CrossTalk::All(fraction) => (0..amplifiers)
                .map(|i| (0..amplifiers).map(|j| if i == j { 0.0 } else { *fraction }).collect())
                .collect(),
            CrossTalk::Matrix(matrix) => matrix.clone(),
        };
        if matrix.len() != amplifiers || matrix.iter().any(|row| row.len() != amplifiers) {
            self.fail(format!("crosstalk must be a number or a matrix of {amplifiers} × {amplifiers} numbers"));
            return None;
        }
        if let CrossTalk::All(fraction) = crosstalk {
            self.within("crosstalk", *fraction, -1.0..=1.0, "");
            if *fraction != 0.0 && amplifiers < 2 {
                self.fail(format!("crosstalk = {fraction} needs two amplifiers; this layout has one"));
            }
        }
        for (i, row) in matrix.iter().enumerate() {
            for (j, &fraction) in row.iter().enumerate() {
                if i == j && fraction != 0.0 {
                    self.fail(format!("crosstalk[{i}][{i}] = {fraction} must be 0: no amplifier talks to itself"));
                } else {
                    self.within(&format!("crosstalk[{i}][{j}]"), fraction, -1.0..=1.0, "");
                }
            }
        }
        matrix.iter().flatten().any(|x| *x != 0.0).then_some(matrix)
    }

    fn flicker(&mut self, config: &SimulationConfig, t_read: f64) -> Vec<f64> {
        let noise = &config.noise;
        if noise.flicker == 0.0 {
            return Vec::new();
        }
        let fmin = noise.flicker_fmin.unwrap_or(1.0 / t_read);
        let fmax = noise.flicker_fmax.unwrap_or(0.1 / config.t_skip);
        if !(fmin > 0.0 && fmax >= fmin && fmax <= 1e3 / config.t_skip) {
            self.fail(format!(
                "the 1/f noise needs 0 < noise.flicker_fmin ≤ noise.flicker_fmax, but the range is {fmin:.4e} to {fmax:.4e} Hz"
            ));
            return Vec::new();
        }
        let octaves = (fmax / fmin).log2();
        let intervals = (2.0 * octaves).round().max(0.0) as usize;
        if intervals > 400 {
            self.fail(format!("the range of the 1/f noise, {fmin:.4e} to {fmax:.4e} Hz, is wider than 200 octaves"));
            return Vec::new();
        }
        if intervals == 0 {
            return vec![fmin];
        }
        (0..=intervals).map(|j| fmin * libm::pow(fmax / fmin, j as f64 / intervals as f64)).collect()
    }

    fn lines(&mut self, lines: &[LineConfig]) {
        for (i, line) in lines.iter().enumerate() {
            self.within(&format!("noise.lines[{i}].freq"), line.freq, 0.0..=1e12, "Hz");
            self.within(&format!("noise.lines[{i}].amplitude"), line.amplitude, 0.0..=1e9, "e⁻");
            if let super::config::LinePhase::Fixed(phase) = line.phase {
                self.within(&format!("noise.lines[{i}].phase"), phase, -100.0 * PI..=100.0 * PI, "rad");
            }
        }
    }

    fn hot(&mut self, cols: &[HotColumn], rows: &[HotRow], geometry: &Geometry) {
        let groups = cols
            .iter()
            .map(|c| ("hot_cols", "column", c.col, c.width, c.rate, c.lambda, c.ext, geometry.cols()))
            .chain(rows.iter().map(|r| ("hot_rows", "row", r.row, r.width, r.rate, r.lambda, r.ext, geometry.rows())));
        for (key, axis, first, width, rate, lambda, ext, length) in groups {
            if width == 0 || first.saturating_add(width) > length {
                self.fail(format!(
                    "{key}: {axis} {first} with width {width} does not lie in the image of {length} {axis}s"
                ));
            }
            self.within(&format!("{key}: rate"), rate, 0.0..=1e12, "e⁻/pix/day");
            self.within(&format!("{key}: lambda"), lambda, 0.0..=LARGEST_MEAN, "e⁻/pix");
            if let Some(ext) = ext
                && ext >= geometry.extensions()
            {
                self.fail(format!("{key}: extension {ext} does not exist, there are {}", geometry.extensions()));
            }
        }
    }

    /// Hot pixels, traps and light of the amplifiers.
    fn defects(&mut self, config: &SimulationConfig, geometry: &Geometry) {
        let (rows, cols, extensions) = (geometry.rows(), geometry.cols(), geometry.extensions());
        let pixels = config.hot_pixels.iter().map(|p| ("hot_pixels", p.row, p.col, p.ext));
        for (key, row, col, ext) in pixels.chain(config.traps.iter().map(|t| ("traps", t.row, t.col, t.ext))) {
            if row >= rows || col >= cols {
                self.fail(format!(
                    "{key}: pixel [{row}, {col}] does not lie in the image of {rows} rows and {cols} columns"
                ));
            }
            if let Some(ext) = ext.filter(|e| *e >= extensions) {
                self.fail(format!("{key}: extension {ext} does not exist, there are {extensions}"));
            }
        }
        let light = &config.amplifier_light;
        self.within("amplifier_light.length", light.length, 1e-3..=1e9, "pixels");
        let charges = config.hot_pixels.iter().map(|p| ("hot_pixels", p.rate, p.lambda));
        for (key, rate, lambda) in charges.chain([("amplifier_light", light.rate, light.lambda)]) {
            self.within(&format!("{key}: rate"), rate, 0.0..=1e12, "e⁻/pix/day");
            self.within(&format!("{key}: lambda"), lambda, 0.0..=LARGEST_MEAN, "e⁻/pix");
        }
        for trap in &config.traps {
            self.within("traps: release", trap.release, 0.0..=1.0, "(a probability)");
        }
    }

    fn sources(&mut self, config: &SimulationConfig, geometry: &Geometry) -> Vec<Source> {
        let limits = Limits {
            phys_rows: geometry.phys_rows,
            phys_cols: geometry.phys_cols,
            rows: geometry.rows(),
            cols: geometry.cols(),
            extensions: geometry.extensions(),
            thickness: config.thickness,
        };
        let mut sources = Vec::new();
        for (i, source) in config.sources.iter().enumerate() {
            match source.check(&limits) {
                Ok(source) => sources.push(source),
                Err(problems) => problems.iter().for_each(|p| self.fail(format!("sources[{i}]: {p}"))),
            }
        }
        sources
    }

    fn diffusion(&mut self, config: &SimulationConfig) -> Option<Diffusion> {
        let parameters = DiffusionParameters {
            amplitude: config.diffusion_a,
            shape: config.diffusion_b,
            z_offset: 0.0,
            z_max: config.z_max,
            alpha0: config.alpha0,
            alpha: config.alpha,
            pixel: config.pixel_size,
        };
        Diffusion::new(parameters, config.thickness).map_err(|e| self.fail(e.to_string())).ok()
    }

    fn size(&mut self, geometry: &Geometry, config: &SimulationConfig, t_read: f64) {
        let samples = geometry.rows() as u128 * geometry.cols() as u128 * geometry.skips as u128;
        let bytes = samples * geometry.extensions() as u128 * 4;
        if bytes > LARGEST_FILE {
            self.fail(format!("the image would have {samples} samples per extension, more than this program makes"));
        }
        let longest = (config.t_exp + t_read) / DAY;
        let largest = config.dark_current * longest * (geometry.npbin * geometry.nsbin) as f64;
        if largest > LARGEST_MEAN && config.lambda_image.is_none() {
            self.fail(format!("the dark current would make {largest:.3e} e⁻ per pixel, more than {LARGEST_MEAN:e}"));
        }
        let hot = config.hot_cols.iter().map(|c| c.rate).chain(config.hot_rows.iter().map(|r| r.rate));
        let hot = hot.chain(config.hot_pixels.iter().map(|p| p.rate)).chain([config.amplifier_light.rate]);
        for rate in hot {
            if rate * longest > LARGEST_MEAN {
                self.fail(format!("a hot pixel of rate {rate} e⁻/pix/day would collect more than {LARGEST_MEAN:e} e⁻"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(json: serde_json::Value) -> Result<Setup> {
        Setup::new(serde_json::from_value(json).unwrap())
    }

    /// λ = R (t_exp + r t_row)/86400 with t_row = line · N · t_skip.
    #[test]
    fn dark_current_grows_with_the_row_by_the_time_of_a_row() {
        let s = setup(
            serde_json::json!({"rows": 10, "overscan_rows": 2, "active_cols": 20, "prescan_cols": 4, "overscan_cols": 6,
            "skips": 100, "t_skip": 1e-3, "dark_current": 86.4, "t_exp": 100.0, "npbin": 2, "nsbin": 5}),
        )
        .unwrap();
        assert_eq!(s.geometry.line(), 14);
        assert!((s.t_row - 1.4).abs() < 1e-12 && (s.t_read - 7.0 * 1.4).abs() < 1e-12);
        for row in 0..5 {
            assert!((s.lambda(row) - 1e-3 * (100.0 + row as f64 * 1.4) * 10.0).abs() < 1e-12);
        }
        // the empty rows pass through 10 physical rows, two at a time
        assert!((s.lambda(5) - 1e-3 * 5.0 * 1.4 * 10.0).abs() < 1e-12);
        let uniform =
            setup(serde_json::json!({"dc_row_dependent": false, "dark_current": 86400.0, "t_exp": 1.0})).unwrap();
        assert!((uniform.lambda(7) - (1.0 + uniform.t_read / 2.0)).abs() < 1e-9);
        assert_eq!(setup(serde_json::json!({"lambda_image": 0.3})).unwrap().lambda(9), 0.3);
    }

    #[test]
    fn fewer_rows_in_the_ccd_than_are_read_are_row_overscan() {
        let s = setup(serde_json::json!({"rows": 10, "phys_rows": 8})).unwrap();
        assert_eq!((s.geometry.active_rows, s.geometry.overscan_rows, s.geometry.rows()), (8, 2, 10));
    }

    #[test]
    fn corner_frequencies_are_two_per_octave() {
        let s =
            setup(serde_json::json!({"noise": {"flicker": 1.0, "flicker_fmin": 1.0, "flicker_fmax": 256.0}})).unwrap();
        assert_eq!(s.flicker_corners.len(), 17);
        assert!((s.flicker_corners[2] - 2.0).abs() < 1e-12 && (s.flicker_corners[16] - 256.0).abs() < 1e-9);
    }

    #[test]
    fn impossible_parameters_are_all_reported_with_their_values() {
        let error = setup(serde_json::json!({"skips": 0, "noise": {"sigma1": -3.0}, "gain": [1.0, 2.0], "polarity": 0,
            "charge_loss": 1.5, "adc_bits": 40, "start_time": "yesterday", "B": 0.01, "active_cols": 201, "nsbin": 2,
            "hot_cols": [{"col": 249, "width": 3}], "sources": [{"type": "muon"}], "crosstalk": [[0.0, 0.1]]}))
        .unwrap_err()
        .to_string();
        for text in [
            "skips = 0",
            "noise.sigma1 = -3",
            "gain has 2 values for 1",
            "polarity = 0",
            "charge_loss = 1.5",
            "adc_bits = 40",
            "yesterday",
            "diffusion width is infinite",
            "active_cols = 201",
            "column 249 with width 3",
            "sources[0]: either",
            "matrix of 1 × 1",
        ] {
            assert!(error.contains(text), "`{text}` not in: {error}");
        }
        for json in [
            serde_json::json!({"rows": 16_000_000, "active_cols": 16_000_000, "skips": 10_000}),
            serde_json::json!({"rows": usize::MAX, "active_cols": usize::MAX, "skips": usize::MAX}),
            serde_json::json!({"t_exp": 1e9, "dark_current": 1e12}),
            serde_json::json!({"start_time": "9999-12-31T23:59:59", "t_exp": 1e6}),
            serde_json::json!({"noise": {"flicker": 1.0, "flicker_fmin": 5.0, "flicker_fmax": 1.0}}),
            serde_json::json!({"rows": 3, "npbin": 2}),
            serde_json::json!({"phys_rows": 200, "overscan_rows": 3}),
        ] {
            assert!(setup(json.clone()).is_err(), "{json}");
        }
    }
}
