//! The truth of a simulated image as its files tell it (spec 07 §8.6): what a user of the files sees is what is compared.

use std::collections::BTreeMap;
use std::fs;

use ndarray::Array2;
use serde_json::Value;

use crate::fits::FitsInput;
use crate::simulate::ImageFiles;

/// One particle (`_truth.csv`).
#[derive(Debug, Clone, PartialEq)]
pub struct TrueParticle {
    /// Number within the extension, from 1.
    pub id: u32,
    /// Deposited energy, keV.
    pub energy: f64,
    /// Pairs created.
    pub created: f64,
    /// Electrons collected.
    pub collected: f64,
    /// Electrons that were not read: outside of the image.
    pub lost: f64,
    /// Depth from the gates, µm.
    pub depth: f64,
    /// Its pixels: row, column (image frame, from 0), electrons.
    pub pixels: Vec<(usize, usize, f64)>,
}

/// The truth of one extension of an image.
#[derive(Debug)]
pub struct ImageTruth {
    files: ImageFiles,
    ext: usize,
    summary: Value,
}

impl ImageTruth {
    /// Reads the summary (`_truth.json`); the rest is read when asked for.
    pub fn read(files: &ImageFiles, ext: usize) -> Result<Self, String> {
        let path = files.beside("_truth.json");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let summary = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { files: files.clone(), ext, summary })
    }

    /// A value of an amplifier of this extension, by its name in the truth files (`L`, `U`, `CCD_A`, …).
    fn amplifier(&self, name: &str, key: &str) -> Result<&Value, String> {
        let all = self.summary["amplifiers"].as_array().map_or(&[][..], Vec::as_slice);
        let mine = |a: &&Value| a["ext"].as_u64() == Some(self.ext as u64);
        let named = all.iter().filter(mine).find(|a| a["amplifier"].as_str() == Some(name));
        // images of one amplifier call it by its extension
        let amplifier = named.or_else(|| all.iter().find(mine)).ok_or("the truth has no amplifier")?;
        amplifier.get(key).ok_or_else(|| format!("the truth has no `{key}`"))
    }

    /// A number of an amplifier.
    pub fn number(&self, amplifier: &str, key: &str) -> Result<f64, String> {
        self.amplifier(amplifier, key)?.as_f64().ok_or_else(|| format!("`{key}` of the truth is not a number"))
    }

    /// A list of numbers of an amplifier.
    pub fn list(&self, amplifier: &str, key: &str) -> Result<Vec<f64>, String> {
        let list = self.amplifier(amplifier, key)?.as_array();
        let numbers = list.and_then(|l| l.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>());
        numbers.ok_or_else(|| format!("`{key}` of the truth is not a list of numbers"))
    }

    /// An image of `_truth.fits`, `[row, col]`: CHARGE, SIGNAL_E, MCT_ID, PEDESTAL, SATURATED, …
    pub fn image(&self, name: &str) -> Result<Array2<f64>, String> {
        let input = FitsInput::open(self.files.beside("_truth.fits")).map_err(|e| e.to_string())?;
        let named: Vec<usize> =
            input.hdus().iter().filter(|h| h.extname.as_deref() == Some(name)).map(|h| h.index).collect();
        let hdu = *named.get(self.ext).ok_or_else(|| format!("_truth.fits has no image {name}"))?;
        input.read_image(hdu).map_err(|e| e.to_string())
    }

    /// The particles with their pixels.
    pub fn particles(&self) -> Result<Vec<TrueParticle>, String> {
        let ext = self.ext.to_string();
        let mut particles: BTreeMap<u32, TrueParticle> = BTreeMap::new();
        let list = Csv::read(&self.files, "_truth.csv")?;
        for row in list.rows.iter().filter(|r| list.text(r, "ext") == ext) {
            let number = |name: &str| list.number(row, name);
            let id = number("id") as u32;
            particles.insert(
                id,
                TrueParticle {
                    id,
                    energy: number("E_keV"),
                    created: number("n_created"),
                    collected: number("n_collected"),
                    lost: number("lost"),
                    depth: 1e3 * number("z_mm"),
                    pixels: Vec::new(),
                },
            );
        }
        let pixels = Csv::read(&self.files, "_truth_pixels.csv")?;
        for row in pixels.rows.iter().filter(|r| pixels.text(r, "ext") == ext) {
            let number = |name: &str| pixels.number(row, name);
            if let Some(particle) = particles.get_mut(&(number("id") as u32)) {
                particle.pixels.push((number("row") as usize, number("col") as usize, number("n_e")));
            }
        }
        Ok(particles.into_values().collect())
    }
}

/// A table of comma-separated values without quotes.
struct Csv {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Csv {
    fn read(files: &ImageFiles, ending: &str) -> Result<Self, String> {
        let path = files.beside(ending);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        Ok(Self { columns: lines.next().unwrap_or_default(), rows: lines.collect() })
    }

    fn text<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let position = self.columns.iter().position(|c| c == column);
        position.and_then(|p| row.get(p)).map_or("", String::as_str)
    }

    fn number(&self, row: &[String], column: &str) -> f64 {
        self.text(row, column).parse().unwrap_or(f64::NAN)
    }
}
