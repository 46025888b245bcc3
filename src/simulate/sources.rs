//! What leaves charge in the CCD (spec 07 §8.4): the entries of `sources` as written by the user, and the checked form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceType {
    /// One deposit of fixed energy.
    Point,
    /// Exact charges in given pixels.
    Pixels,
    /// One deposit with a flat energy distribution.
    Uniform,
    /// X rays of Fe-55.
    Fe55,
    /// X and γ rays of Am-241.
    Am241,
    /// Electrons.
    Electron,
    /// Muons through the whole thickness.
    Muon,
    /// Events of the Geant4 files given with --g4file.
    Geant4,
}

impl SourceType {
    /// Name in the configuration and in the truth files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "point",
            Self::Pixels => "pixels",
            Self::Uniform => "uniform",
            Self::Fe55 => "fe55",
            Self::Am241 => "am241",
            Self::Electron => "electron",
            Self::Muon => "muon",
            Self::Geant4 => "geant4",
        }
    }
}

/// When a particle arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhaseConfig {
    /// During the exposure.
    #[default]
    Exposure,
    /// During the readout.
    Readout,
    /// Any time: in the exposure with probability t_exp/(t_exp + t_read).
    Both,
}

/// Side of the CCD from which X rays come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CcdSide {
    /// The gates, z = 0.
    Front,
    /// The back side, z = thickness.
    Back,
}

/// Fluctuation of the energy loss of muons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Straggling {
    /// None.
    None,
    /// The total is multiplied by 1 + 0.06 (m − 1.27), m a Moyal number.
    Moyal,
}

/// Zenith angle of muons.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Zenith {
    /// Always this angle, rad.
    Fixed(f64),
    /// The flux at sea level.
    Distribution(ZenithWord),
}

/// Names of zenith distributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ZenithWord {
    /// Intensity ∝ cos²θ through a horizontal plane: cos θ = U^(1/4).
    Cos2,
}

/// A rectangle of physical pixels, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionConfig {
    /// First row.
    #[serde(default)]
    pub row_min: usize,
    /// Last row, included; null: the last of the CCD.
    #[serde(default)]
    pub row_max: Option<usize>,
    /// First column.
    #[serde(default)]
    pub col_min: usize,
    /// Last column, included; null: the last of the CCD.
    #[serde(default)]
    pub col_max: Option<usize>,
}

/// An entry of `sources`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Kind of source.
    #[serde(rename = "type")]
    pub kind: SourceType,
    /// Exact number of particles per CCD and image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Mean number of particles per CCD and image (Poisson).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// When they arrive: `exposure` (default), `readout` or `both`.
    #[serde(default)]
    pub phase: PhaseConfig,
    /// Where they arrive (physical pixels); null: the whole CCD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<RegionConfig>,
    /// Energy, keV (`point`, `electron`).
    #[serde(default, rename = "energy_keV", skip_serializing_if = "Option::is_none")]
    pub energy_kev: Option<f64>,
    /// Depth from the gates, µm (`point`); null: uniform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth_um: Option<f64>,
    /// Charges `[row, col, electrons]` or `[extension, row, col, electrons]` in image pixels (`pixels`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<Vec<u64>>>,
    /// Smallest energy, keV (`uniform`).
    #[serde(default, rename = "emin_keV", skip_serializing_if = "Option::is_none")]
    pub emin_kev: Option<f64>,
    /// Largest energy, keV (`uniform`).
    #[serde(default, rename = "emax_keV", skip_serializing_if = "Option::is_none")]
    pub emax_kev: Option<f64>,
    /// Side from which X rays come: `back` (default) or `front` (`fe55`, `am241`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<CcdSide>,
    /// Probability that 1740 eV escape (`fe55`; default 0.005).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<f64>,
    /// Lines `[keV, weight, attenuation length in µm]` instead of the built-in ones (`am241`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<[f64; 3]>>,
    /// Energy loss, keV/µm (`muon`; default 0.30).
    #[serde(default, rename = "dedx_keV_um", skip_serializing_if = "Option::is_none")]
    pub dedx_kev_um: Option<f64>,
    /// Fluctuation of the energy loss: `none` (default) or `moyal` (`muon`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub straggling: Option<Straggling>,
    /// Zenith angle: `cos2` (default) or an angle in rad (`muon`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zenith: Option<Zenith>,
}

/// How many particles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Count {
    /// Exactly so many.
    Exact(u64),
    /// Poisson with this mean.
    Mean(f64),
    /// All that there are.
    All,
}

/// An X-ray line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct XRayLine {
    /// Energy, eV.
    pub energy: f64,
    /// Relative intensity.
    pub weight: f64,
    /// Attenuation length in silicon, µm.
    pub attenuation: f64,
}

/// The checked form of a source's physics; energies in eV, lengths in µm.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// One deposit.
    Point {
        /// eV.
        energy: f64,
        /// µm from the gates; `None`: uniform.
        depth: Option<f64>,
    },
    /// Exact charges: (image row, image column, electrons) for each extension.
    Pixels(Vec<Vec<(usize, usize, u32)>>),
    /// One deposit, energy uniform in this range.
    Uniform {
        /// eV.
        min: f64,
        /// eV.
        max: f64,
    },
    /// X rays absorbed at an exponential depth.
    XRays {
        /// Lines.
        lines: Vec<XRayLine>,
        /// Side they come from.
        side: CcdSide,
        /// Probability that the silicon K line escapes.
        escape: f64,
    },
    /// An electron.
    Electron {
        /// eV.
        energy: f64,
    },
    /// A muon.
    Muon {
        /// eV/µm.
        dedx: f64,
        /// Fluctuation of the energy loss.
        straggling: Straggling,
        /// Zenith angle.
        zenith: Zenith,
    },
    /// Events of Geant4 files.
    Geant4,
}

/// A checked source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Kind, for the truth files.
    pub kind: SourceType,
    /// How many.
    pub count: Count,
    /// When.
    pub phase: PhaseConfig,
    /// Where: rows and columns of physical pixels.
    pub region: (std::ops::Range<usize>, std::ops::Range<usize>),
    /// What.
    pub model: Model,
}

/// Lines of Fe-55: energy (eV), weight, attenuation length (µm).
const FE55: [(f64, f64, f64); 3] = [(5898.8, 100.0, 28.8), (5887.6, 51.0, 28.7), (6490.4, 17.0, 37.0)];
/// Lines of Am-241: energy (eV), intensity per 100 decays, attenuation length (µm).
const AM241: [(f64, f64, f64); 5] = [
    (13_940.0, 13.0, 330.0),
    (17_750.0, 18.6, 680.0),
    (20_800.0, 4.8, 1080.0),
    (26_340.0, 2.3, 2200.0),
    (59_540.0, 35.9, 33_000.0),
];
/// Default probability that a silicon K photon escapes after the absorption of a Mn line.
const FE55_ESCAPE: f64 = 0.005;
/// Default energy loss of muons, keV/µm.
const MUON_DEDX: f64 = 0.30;

/// What a source may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows of the CCD.
    pub phys_rows: usize,
    /// Active columns of the CCD.
    pub phys_cols: usize,
    /// Image rows.
    pub rows: usize,
    /// Image columns.
    pub cols: usize,
    /// Extensions.
    pub extensions: usize,
    /// Thickness, µm.
    pub thickness: f64,
}

impl SourceConfig {
    /// An entry with this type and nothing else.
    pub fn of_kind(kind: SourceType) -> Self {
        Self {
            kind,
            n: None,
            rate: None,
            phase: PhaseConfig::default(),
            region: None,
            energy_kev: None,
            depth_um: None,
            list: None,
            emin_kev: None,
            emax_kev: None,
            side: None,
            escape: None,
            lines: None,
            dedx_kev_um: None,
            straggling: None,
            zenith: None,
        }
    }

    /// Checks the entry; every problem becomes a sentence without the position of the entry.
    pub fn check(&self, limits: &Limits) -> Result<Source, Vec<String>> {
        let mut problems = Vec::new();
        let name = self.kind.name();
        for (key, given, used) in self.keys() {
            if given && !used {
                problems.push(format!("`{key}` has no meaning for the source type `{name}`"));
            }
        }
        let count = self.count(&mut problems);
        let region = self.region(limits, &mut problems);
        let model = self.model(limits, &mut problems);
        if problems.is_empty() {
            Ok(Source { kind: self.kind, count, phase: self.phase, region, model })
        } else {
            Err(problems)
        }
    }

    /// Key, whether it is given, whether this type uses it.
    fn keys(&self) -> [(&'static str, bool, bool); 14] {
        use SourceType::{Am241, Electron, Fe55, Geant4, Muon, Pixels, Point, Uniform};
        let kind = self.kind;
        [
            ("n", self.n.is_some(), kind != Pixels),
            ("rate", self.rate.is_some(), !matches!(kind, Pixels | Geant4)),
            ("region", self.region.is_some(), !matches!(kind, Pixels | Geant4)),
            ("energy_keV", self.energy_kev.is_some(), matches!(kind, Point | Electron)),
            ("depth_um", self.depth_um.is_some(), kind == Point),
            ("list", self.list.is_some(), kind == Pixels),
            ("emin_keV", self.emin_kev.is_some(), kind == Uniform),
            ("emax_keV", self.emax_kev.is_some(), kind == Uniform),
            ("side", self.side.is_some(), matches!(kind, Fe55 | Am241)),
            ("escape", self.escape.is_some(), kind == Fe55),
            ("lines", self.lines.is_some(), kind == Am241),
            ("dedx_keV_um", self.dedx_kev_um.is_some(), kind == Muon),
            ("straggling", self.straggling.is_some(), kind == Muon),
            ("zenith", self.zenith.is_some(), kind == Muon),
        ]
    }

    fn count(&self, problems: &mut Vec<String>) -> Count {
        match (self.n, self.rate) {
            _ if self.kind == SourceType::Pixels => Count::Exact(1),
            (None, None) if self.kind == SourceType::Geant4 => Count::All,
            (Some(n), None) => {
                if n > u64::from(u32::MAX) {
                    problems.push(format!("n = {n} is too large, at most {} particles are possible", u32::MAX));
                }
                Count::Exact(n)
            }
            (None, Some(rate)) => {
                if !(0.0..=1e9).contains(&rate) {
                    problems.push(format!("rate = {rate} must be a number of particles per image from 0 to 1e9"));
                }
                Count::Mean(rate)
            }
            (Some(_), Some(_)) => {
                problems.push("`n` and `rate` exclude each other".into());
                Count::Exact(0)
            }
            (None, None) => {
                problems.push("either `n` (exact number) or `rate` (mean number per image) must be given".into());
                Count::Exact(0)
            }
        }
    }

    fn region(&self, limits: &Limits, problems: &mut Vec<String>) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let Some(region) = &self.region else { return (0..limits.phys_rows, 0..limits.phys_cols) };
        let mut range = |axis: &str, min: usize, max: Option<usize>, length: usize| {
            let last = max.unwrap_or(length.saturating_sub(1));
            if min > last || last >= length {
                problems.push(format!("region: {axis}s {min} to {last} do not lie in the CCD of {length} {axis}s"));
            }
            min..last.saturating_add(1)
        };
        (
            range("row", region.row_min, region.row_max, limits.phys_rows),
            range("column", region.col_min, region.col_max, limits.phys_cols),
        )
    }

    fn model(&self, limits: &Limits, problems: &mut Vec<String>) -> Model {
        let kev = |key: &str, value: Option<f64>, problems: &mut Vec<String>| match value {
            Some(e) if e > 0.0 && e <= 1e6 => e * 1e3,
            Some(e) => {
                problems.push(format!("{key} = {e} must be larger than 0 and at most 1e6 keV"));
                1.0
            }
            None => {
                problems.push(format!("the source type `{}` needs `{key}`", self.kind.name()));
                1.0
            }
        };
        match self.kind {
            SourceType::Point => {
                if let Some(depth) = self.depth_um
                    && !(0.0..=limits.thickness).contains(&depth)
                {
                    problems.push(format!("depth_um = {depth} is not inside the CCD of {} µm", limits.thickness));
                }
                Model::Point { energy: kev("energy_keV", self.energy_kev, problems), depth: self.depth_um }
            }
            SourceType::Electron => Model::Electron { energy: kev("energy_keV", self.energy_kev, problems) },
            SourceType::Uniform => {
                let min = match self.emin_kev {
                    Some(0.0) => 0.0,
                    other => kev("emin_keV", other, problems),
                };
                let max = kev("emax_keV", self.emax_kev, problems);
                if min > max {
                    problems.push(format!("emin_keV = {} is larger than emax_keV = {}", min / 1e3, max / 1e3));
                }
                Model::Uniform { min, max }
            }
            SourceType::Pixels => Model::Pixels(self.pixels(limits, problems)),
            SourceType::Geant4 => Model::Geant4,
            SourceType::Fe55 => {
                let escape = self.escape.unwrap_or(FE55_ESCAPE);
                if !(0.0..=1.0).contains(&escape) {
                    problems.push(format!("escape = {escape} must be a probability"));
                }
                Model::XRays { lines: built_in(&FE55), side: self.side.unwrap_or(CcdSide::Back), escape }
            }
            SourceType::Am241 => {
                let lines = match &self.lines {
                    None => built_in(&AM241),
                    Some(lines) => self.own_lines(lines, problems),
                };
                Model::XRays { lines, side: self.side.unwrap_or(CcdSide::Back), escape: 0.0 }
            }
            SourceType::Muon => {
                let dedx = kev("dedx_keV_um", Some(self.dedx_kev_um.unwrap_or(MUON_DEDX)), problems);
                let zenith = self.zenith.unwrap_or(Zenith::Distribution(ZenithWord::Cos2));
                if let Zenith::Fixed(angle) = zenith
                    && !(0.0..std::f64::consts::FRAC_PI_2 - 1e-4).contains(&angle)
                {
                    problems.push(format!("zenith = {angle} rad must be from 0 to below π/2"));
                }
                Model::Muon { dedx, straggling: self.straggling.unwrap_or(Straggling::None), zenith }
            }
        }
    }

    fn own_lines(&self, lines: &[[f64; 3]], problems: &mut Vec<String>) -> Vec<XRayLine> {
        if lines.is_empty() {
            problems.push("`lines` is empty".into());
        }
        for line in lines {
            if !line.iter().all(|x| *x > 0.0 && *x < 1e9) {
                problems.push(format!("lines: {line:?} must be [keV, weight, attenuation length in µm], all positive"));
            }
        }
        lines.iter().map(|&[kev, weight, attenuation]| XRayLine { energy: kev * 1e3, weight, attenuation }).collect()
    }

    fn pixels(&self, limits: &Limits, problems: &mut Vec<String>) -> Vec<Vec<(usize, usize, u32)>> {
        let mut charges = vec![Vec::new(); limits.extensions];
        let Some(list) = &self.list else {
            problems.push("the source type `pixels` needs `list`".into());
            return charges;
        };
        for entry in list {
            let (ext, row, col, electrons) = match entry[..] {
                [row, col, electrons] => (0, row, col, electrons),
                [ext, row, col, electrons] => (ext, row, col, electrons),
                _ => {
                    problems.push(format!("list: {entry:?} must be [row, col, e⁻] or [extension, row, col, e⁻]"));
                    continue;
                }
            };
            if ext >= limits.extensions as u64 || row >= limits.rows as u64 || col >= limits.cols as u64 {
                problems.push(format!(
                    "list: {entry:?} lies outside the image of {} extension(s) with {} rows and {} columns",
                    limits.extensions, limits.rows, limits.cols
                ));
            } else if electrons > i32::MAX as u64 {
                problems.push(format!("list: {entry:?} has more than {} electrons", i32::MAX));
            } else if electrons > 0 {
                charges[ext as usize].push((row as usize, col as usize, electrons as u32));
            }
        }
        charges
    }
}

fn built_in(lines: &[(f64, f64, f64)]) -> Vec<XRayLine> {
    lines.iter().map(|&(energy, weight, attenuation)| XRayLine { energy, weight, attenuation }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { phys_rows: 100, phys_cols: 200, rows: 100, cols: 250, extensions: 1, thickness: 675.0 };

    fn check(json: &str) -> Result<Source, String> {
        let config: SourceConfig = serde_json::from_str(json).map_err(|e| e.to_string())?;
        config.check(&LIMITS).map_err(|problems| problems.join("; "))
    }

    #[test]
    fn sensible_sources_are_accepted_with_their_defaults() {
        let muon = check(r#"{"type": "muon", "rate": 2.5, "phase": "both"}"#).unwrap();
        assert_eq!(muon.count, Count::Mean(2.5));
        assert!(matches!(muon.model, Model::Muon { dedx: 300.0, straggling: Straggling::None, .. }));
        let fe55 = check(r#"{"type": "fe55", "n": 10, "region": {"row_max": 49}}"#).unwrap();
        assert_eq!(fe55.region, (0..50, 0..200));
        assert!(
            matches!(fe55.model, Model::XRays { ref lines, escape: 0.005, side: CcdSide::Back } if lines.len() == 3)
        );
        let pixels = check(r#"{"type": "pixels", "list": [[1, 2, 3], [0, 4, 5, 6]]}"#).unwrap();
        assert_eq!(pixels.model, Model::Pixels(vec![vec![(1, 2, 3), (4, 5, 6)]]));
    }

    #[test]
    fn impossible_sources_are_refused_with_the_value_in_the_message() {
        for (json, text) in [
            (r#"{"type": "point", "n": 1}"#, "needs `energy_keV`"),
            (r#"{"type": "point", "n": 1, "energy_keV": -5}"#, "energy_keV = -5"),
            (r#"{"type": "point", "n": 1, "energy_keV": 5, "depth_um": 700}"#, "700 is not inside the CCD of 675 µm"),
            (r#"{"type": "muon"}"#, "either `n`"),
            (r#"{"type": "muon", "n": 1, "rate": 1.0}"#, "exclude each other"),
            (r#"{"type": "muon", "n": 1, "zenith": 1.6}"#, "zenith = 1.6"),
            (r#"{"type": "muon", "n": 1, "energy_keV": 5}"#, "no meaning for the source type `muon`"),
            (r#"{"type": "fe55", "n": 1, "region": {"col_min": 190, "col_max": 200}}"#, "columns 190 to 200"),
            (r#"{"type": "pixels", "list": [[100, 0, 1]]}"#, "outside the image"),
            (r#"{"type": "pixels", "list": [[100, 0]]}"#, "must be [row, col, e⁻]"),
            (r#"{"type": "uniform", "n": 1, "emin_keV": 5, "emax_keV": 1}"#, "larger than emax_keV"),
            (r#"{"type": "am241", "n": 1, "lines": [[1, 0, 3]]}"#, "all positive"),
            (r#"{"type": "neutrino", "n": 1}"#, "neutrino"),
            (r#"{"type": "muon", "n": 1, "dedx": 1}"#, "dedx"),
        ] {
            let message = check(json).unwrap_err();
            assert!(message.contains(text), "{json}: {message}");
        }
    }
}
