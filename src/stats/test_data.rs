//! Readers of the comparison data, for tests only: `.npy` and `.npz` arrays, pixels of the real image, branches of the
//! recorded ROOT file. Everything returns `None`, with a line on the terminal, when the data are not there.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

/// The real image, relative to the data directory.
pub const REAL_IMAGE: &str = "avg_Image_5_Low_Temp_109_20250807_170213_15.fz";
/// The recorded ROOT file of its extension 1.
pub const RECORDED_ROOT: &str = "panaSKImg_clustersRec_avg_Image_5_Low_Temp_109_20250807_170213_15_ext1.root";

/// A file of the comparison data: in `PANASKIMG_TEST_DATA`, else beside the source tree.
pub fn path(name: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = directory.join(name);
    if path.exists() {
        Some(path)
    } else {
        println!("skipped: no test data {}", path.display());
        None
    }
}

/// Values of a `.npy` file image (little-endian float64, float32, int64 or bool), flattened.
fn npy_values(bytes: &[u8]) -> Vec<f64> {
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let (start, length) = match bytes[6] {
        1 => (10, u16::from_le_bytes([bytes[8], bytes[9]]) as usize),
        _ => (12, u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize),
    };
    let header = std::str::from_utf8(&bytes[start..start + length]).unwrap();
    let data = &bytes[start + length..];
    if header.contains("'<f8'") {
        data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
    } else if header.contains("'<f4'") {
        data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
    } else if header.contains("'<i8'") {
        data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect()
    } else if header.contains("'|b1'") {
        data.iter().map(|b| f64::from(*b)).collect()
    } else {
        panic!("unsupported array: {header}")
    }
}

/// Values of a `.npy` file.
pub fn npy(name: &str) -> Option<Vec<f64>> {
    Some(npy_values(&std::fs::read(path(name)?).unwrap()))
}

/// Arrays of an `.npz` file by name: a ZIP archive, read through its central directory.
pub fn npz(name: &str) -> Option<BTreeMap<String, Vec<f64>>> {
    let bytes = std::fs::read(path(name)?).unwrap();
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]) as usize;
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let end = (0..bytes.len() - 4).rev().find(|&i| &bytes[i..i + 4] == b"PK\x05\x06").unwrap();
    let (entries, mut at) = (u16_at(end + 10), u32_at(end + 16));
    let mut arrays = BTreeMap::new();
    for _ in 0..entries {
        let (method, packed, name_length) = (u16_at(at + 10), u32_at(at + 20), u16_at(at + 28));
        let entry = std::str::from_utf8(&bytes[at + 46..at + 46 + name_length]).unwrap();
        let local = u32_at(at + 42);
        let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        let packed = &bytes[start..start + packed];
        let mut unpacked = Vec::new();
        match method {
            0 => unpacked.extend_from_slice(packed),
            _ => _ = flate2::read::DeflateDecoder::new(packed).read_to_end(&mut unpacked).unwrap(),
        }
        arrays.insert(entry.trim_end_matches(".npy").to_owned(), npy_values(&unpacked));
        at += 46 + name_length + u16_at(at + 30) + u16_at(at + 32);
    }
    Some(arrays)
}

/// A JSON file as Python writes it: NaN, which JSON does not know, becomes null.
pub fn json(name: &str) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(path(name)?).unwrap().replace(": NaN", ": null");
    Some(serde_json::from_str(&text).unwrap())
}

/// Pixels of one extension of the real image, row by row (320 × 640).
pub fn real_image(extension: usize) -> Option<Vec<f64>> {
    let mut file = fitsio::FitsFile::open(path(REAL_IMAGE)?).unwrap();
    let hdu = file.hdu(extension).unwrap();
    Some(hdu.read_image(&mut file).unwrap())
}

/// The rows of the real image without outliers: pixels farther than `n_mad` MAD from the median of all are removed
/// (spec 02 §4.3, §12.1).
pub fn kept_rows(pixels: &[f64], n_mad: f64) -> Vec<Vec<f64>> {
    let (centre, mad) = super::robust::median_and_mad(pixels);
    pixels
        .chunks_exact(640)
        .map(|row| row.iter().copied().filter(|x| (x - centre).abs() <= n_mad * mad).collect())
        .collect()
}

/// A `vector<vector<float>>` branch of the recorded ROOT file.
pub fn recorded_nested(tree: &str, branch: &str) -> Option<Vec<Vec<f64>>> {
    let mut file = oxyroot::RootFile::open(path(RECORDED_ROOT)?).unwrap();
    let tree = file.get_tree(tree).unwrap();
    let first = tree.branch(branch).unwrap().as_iter::<Vec<Vec<f32>>>().unwrap().next().unwrap();
    Some(first.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect())
}

/// A `vector<float>` branch of the recorded ROOT file.
pub fn recorded(tree: &str, branch: &str) -> Option<Vec<f64>> {
    let mut file = oxyroot::RootFile::open(path(RECORDED_ROOT)?).unwrap();
    let tree = file.get_tree(tree).unwrap();
    let first = tree.branch(branch).unwrap().as_iter::<Vec<f32>>().unwrap().next().unwrap();
    Some(first.into_iter().map(f64::from).collect())
}

/// The splitmix64 generator of spec 03 §1.10.
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// Next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Next uniform number in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * 2f64.powi(-53)
    }

    /// Next standard Gaussian, from two uniform numbers.
    pub fn gaussian(&mut self) -> f64 {
        let (u1, u2) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - u1).ln()).sqrt() * (2.0 * std::f64::consts::PI * u2).cos()
    }
}

/// `n` Gaussian values.
pub fn gaussian_sample(seed: u64, n: usize, mu: f64, sigma: f64) -> Vec<f64> {
    let mut random = SplitMix64(seed);
    (0..n).map(|_| mu + sigma * random.gaussian()).collect()
}
