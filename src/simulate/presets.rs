//! Known set-ups, as the keys in which they differ from the defaults (spec 07 §8.2).

use serde_json::{Value, json};

/// A named set of parameters.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Name for `--preset`.
    pub name: &'static str,
    /// One line for the help.
    pub summary: &'static str,
    values: fn() -> Value,
}

impl Preset {
    /// The keys that the preset sets.
    pub fn values(&self) -> Value {
        (self.values)()
    }
}

/// All presets.
pub const PRESETS: [Preset; 4] = [
    Preset { name: "tiny", summary: "the defaults: 100 × 200 pixels, 100 skips, one amplifier", values: || json!({}) },
    Preset {
        name: "leach",
        summary: "test-stand CCD read by two amplifiers, 200 × 600 pixels, 500 skips",
        values: leach,
    },
    Preset { name: "acm", summary: "module of four CCDs, 500 skips averaged on the board", values: acm },
    Preset {
        name: "example",
        summary: "the example image of the documentation, with peaks and tracks",
        values: example,
    },
];

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name.eq_ignore_ascii_case(name))
}

fn leach() -> Value {
    json!({
        "layout": "dual", "rows": 200, "active_cols": 600, "overscan_cols": 100, "skips": 500, "gain": 10.0,
        "noise": {"sigma1": 3.0}
    })
}

/// Close to a real averaged image of a module test: 0.165 e⁻ noise, 0.73 e⁻/pixel.
fn acm() -> Value {
    json!({
        "layout": "acm", "rows": 320, "active_cols": 640, "prescan_cols": 0, "overscan_cols": 0, "skips": 500,
        "averaged": true, "gain": [1.35, 1.35, 1.35, 1.35], "noise": {"sigma1": 3.7}, "lambda_image": 0.7,
        "pedestal": {"base": -40.0, "row_drift": 2.0, "col_transient": {"amplitude": 3.0, "tau": 0.4}}
    })
}

/// Small enough for a repository, with resolved single-electron peaks and, well apart, a few of everything that makes
/// clusters. The low gain keeps the samples compressible.
fn example() -> Value {
    json!({
        "rows": 64, "active_cols": 84, "prescan_cols": 4, "overscan_cols": 16, "skips": 64,
        "gain": 1.5, "noise": {"sigma1": 1.4}, "pedestal": {"base": 1000.0, "row_rms": 1.0},
        "dark_current": 8.4, "t_exp": 3600.0,
        "sources": [
            {"type": "fe55", "n": 3},
            {"type": "point", "n": 3, "energy_keV": 1.5},
            {"type": "electron", "n": 1, "energy_keV": 150.0},
            {"type": "muon", "n": 1, "zenith": 0.8}
        ],
        "seed": 52
    })
}
