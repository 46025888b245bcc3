//! Amplifiers and their regions: prescan, active pixels, overscan (spec 01 §4.8).
//!
//! ```text
//! one amplifier     0 ── prescan ── p ───── active ───── W−o ── overscan ── W
//! two (U mirrored)  0 ─ pre ─ p ── active L ── H−o ─ ovs ─ H ─ ovs ─ H+o ── active U ── W−p ─ pre ─ W
//! ```
//!
//! The overscan is what the image has beyond the columns of the CCD. For one amplifier `ccd_cols` counts prescan and
//! active columns, for two only the active ones: files of both kinds exist, and their numbers depend on it.

use super::amplifier::{Amplifier, Region, Side};
use super::error::ImageError;
use crate::config::input::ImageConfig;

/// What the regions depend on besides the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry<'a> {
    /// Rows of one extension.
    pub rows: usize,
    /// Columns (pixels).
    pub cols: usize,
    /// Row binning, on chip times software.
    pub row_binning: usize,
    /// Column binning on chip.
    pub col_binning: usize,
    /// Value of the AMPL keyword, empty if unknown.
    pub ampl: &'a str,
    /// HDU and EXTNAME of each extension; more than one: stacked along the rows.
    pub extensions: &'a [(usize, Option<String>)],
    /// Extensions are stacked (`--acm`), even if there is only one.
    pub stacked: bool,
}

/// Whether an AMPL value means that both amplifiers read the image.
pub fn is_two_amplifiers(ampl: &str) -> bool {
    matches!(ampl.trim().to_ascii_uppercase().as_str(), "UL" | "LU")
}

/// Number of amplifiers in an extension: `n_amp`, else from the header; always one in stacked images.
///
/// # Errors
/// If `n_amp` is neither 1 nor 2.
pub fn amplifier_count(config: &ImageConfig, ampl: &str, stacked: bool) -> Result<usize, ImageError> {
    match config.n_amp {
        Some(found) if !matches!(found, 1 | 2) => Err(ImageError::AmplifierCount { found }),
        _ if stacked => Ok(1),
        Some(n) => Ok(usize::from(n)),
        None => Ok(if is_two_amplifiers(ampl) { 2 } else { 1 }),
    }
}

/// The amplifiers of an image in the order in which processes visit them (`U` before `L`).
///
/// # Errors
/// If the configuration leaves no active pixels or does not fit the image.
pub fn amplifiers(config: &ImageConfig, geometry: &Geometry<'_>) -> Result<Vec<Amplifier>, ImageError> {
    let count = amplifier_count(config, geometry.ampl, geometry.stacked)?;
    let rows = Rows::new(config, geometry)?;
    if count == 2 {
        explicit_only_for_one(config)?;
        return two(config, geometry, &rows);
    }
    let cols = Columns::one(config, geometry)?;
    let block = geometry.rows;
    let amplifiers = geometry.extensions.iter().enumerate().map(|(position, (hdu, extname))| {
        let shift = position * block;
        let all_rows = shift..shift + block;
        let own = format!("EXT{hdu}");
        let name = match &config.amp_name {
            Some(name) if !geometry.stacked && !name.is_empty() => name.clone(),
            _ => own.clone(),
        };
        let w = geometry.cols;
        Amplifier {
            aliases: aliases(&name, &own, extname.as_deref(), geometry.ampl),
            name,
            hdu: *hdu,
            side: Side::Single,
            full: Region::new(all_rows.clone(), 0..w),
            prescan: Region::new(all_rows.clone(), 0..cols.prescan),
            overscan: Region::new(all_rows, w - cols.overscan..w),
            active: Region::new(shift + rows.first..shift + rows.end, cols.first..cols.end),
        }
    });
    Ok(amplifiers.collect())
}

/// Other names of the amplifier of a one-amplifier extension.
fn aliases(name: &str, own: &str, extname: Option<&str>, ampl: &str) -> Vec<String> {
    let ampl = ampl.trim().to_ascii_uppercase();
    let candidates = [
        Some(own),
        extname,
        extname.and_then(|e| e.strip_prefix("CCD_")),
        matches!(ampl.as_str(), "L" | "U").then_some(ampl.as_str()),
    ];
    let mut aliases: Vec<String> = Vec::new();
    for alias in candidates.into_iter().flatten() {
        if !alias.is_empty() && alias != name && !aliases.iter().any(|a| a == alias) {
            aliases.push(alias.to_owned());
        }
    }
    aliases
}

fn two(config: &ImageConfig, geometry: &Geometry<'_>, rows: &Rows) -> Result<Vec<Amplifier>, ImageError> {
    let cols = Columns::two(config, geometry)?;
    let (p, o) = (cols.prescan, cols.overscan);
    let (w, half) = (geometry.cols, geometry.cols / 2);
    let hdu = geometry.extensions.first().map_or(0, |(hdu, _)| *hdu);
    let all = 0..geometry.rows;
    let active_rows = rows.first..rows.end;
    let upper = Amplifier {
        name: "U".into(),
        aliases: vec![format!("EXT{hdu}_U")],
        hdu,
        side: Side::U,
        full: Region::new(all.clone(), half..w),
        prescan: Region::new(all.clone(), w - p..w),
        overscan: Region::new(all.clone(), half..half + o),
        active: Region::new(active_rows.clone(), half + o..w - p),
    };
    let lower = Amplifier {
        name: "L".into(),
        aliases: vec![format!("EXT{hdu}_L")],
        hdu,
        side: Side::L,
        full: Region::new(all.clone(), 0..half),
        prescan: Region::new(all.clone(), 0..p),
        overscan: Region::new(all, half - o..half),
        active: Region::new(active_rows, p..half - o),
    };
    Ok(vec![upper, lower])
}

/// Active rows of one extension.
struct Rows {
    first: usize,
    end: usize,
}

impl Rows {
    fn new(config: &ImageConfig, geometry: &Geometry<'_>) -> Result<Self, ImageError> {
        let length = geometry.rows;
        if let Some([first, last]) = config.active_region_rows {
            check_explicit("active_region_rows", first, last, length)?;
            return Ok(Self { first, end: last + 1 });
        }
        let before = if config.n_cols_overscan.is_some() {
            config.n_rows_prescan
        } else {
            binned(config.n_rows_prescan, geometry.row_binning)
        };
        let after = config.n_rows_overscan;
        if before.saturating_add(after) >= length {
            let keys = "n_rows_prescan, n_rows_overscan";
            return Err(ImageError::NoActivePixels { axis: "rows", before, after, length, keys });
        }
        Ok(Self { first: before, end: length - after })
    }
}

/// Prescan in image pixels: at least one as soon as there is one physical pixel of it.
fn binned(physical: usize, binning: usize) -> usize {
    if physical > 0 && binning > physical { 1 } else { physical / binning.max(1) }
}

/// Prescan and overscan columns of an amplifier, and the active columns of a one-amplifier image.
struct Columns {
    prescan: usize,
    overscan: usize,
    first: usize,
    end: usize,
}

impl Columns {
    fn one(config: &ImageConfig, geometry: &Geometry<'_>) -> Result<Self, ImageError> {
        let w = geometry.cols;
        let (prescan, overscan) = Self::borders(config, geometry, |_, ccd_cols| (w as f64 - ccd_cols).trunc())?;
        if let Some([first, last]) = config.active_region_cols {
            check_explicit("active_region_cols", first, last, w)?;
            // what is declared active cannot be prescan or overscan at the same time
            let (prescan, overscan) = (prescan.min(first), overscan.min(w - 1 - last));
            return Ok(Self { prescan, overscan, first, end: last + 1 });
        }
        Self::check(prescan, overscan, w)?;
        Ok(Self { prescan, overscan, first: prescan, end: w - overscan })
    }

    fn two(config: &ImageConfig, geometry: &Geometry<'_>) -> Result<Self, ImageError> {
        let w = geometry.cols as f64;
        let (prescan, overscan) =
            Self::borders(config, geometry, |prescan, ccd_cols| ((w - 2.0 * prescan as f64 - ccd_cols) / 2.0).ceil())?;
        let half = geometry.cols / 2;
        Self::check(prescan, overscan, half)?;
        Ok(Self { prescan, overscan, first: prescan, end: half - overscan })
    }

    /// Prescan and overscan; `derive` gives the overscan from the prescan and the columns of the CCD, both in image
    /// pixels.
    fn borders(
        config: &ImageConfig,
        geometry: &Geometry<'_>,
        derive: impl Fn(usize, f64) -> f64,
    ) -> Result<(usize, usize), ImageError> {
        if let Some(overscan) = config.n_cols_overscan {
            return Ok((config.n_cols_prescan, overscan));
        }
        let binning = geometry.col_binning.max(1);
        let physical = config.n_cols_prescan;
        let prescan = binned(physical, binning);
        let Some(ccd_cols) = config.ccd_cols else { return Ok((prescan, 0)) };
        // the bin that holds the whole prescan holds active columns too, which are lost
        let lost = if physical > 0 && binning > physical { binning - physical } else { 0 };
        let overscan = derive(prescan, (ccd_cols as f64 - lost as f64) / binning as f64);
        if overscan < 0.0 {
            let overscan = overscan as i64;
            return Err(ImageError::NegativeOverscan { overscan, ccd_cols, binning, cols: geometry.cols });
        }
        Ok((prescan, overscan as usize))
    }

    fn check(before: usize, after: usize, length: usize) -> Result<(), ImageError> {
        if before.saturating_add(after) < length {
            return Ok(());
        }
        let keys = "n_cols_prescan, n_cols_overscan, ccd_cols";
        Err(ImageError::NoActivePixels { axis: "columns", before, after, length, keys })
    }
}

fn check_explicit(key: &'static str, first: usize, last: usize, length: usize) -> Result<(), ImageError> {
    if first <= last && last < length {
        return Ok(());
    }
    let expected = format!("first ≤ last < {length} was expected");
    Err(ImageError::ActiveRegion { key, first, last, expected })
}

/// An explicit active region describes one amplifier.
fn explicit_only_for_one(config: &ImageConfig) -> Result<(), ImageError> {
    for (key, region) in
        [("active_region_rows", config.active_region_rows), ("active_region_cols", config.active_region_cols)]
    {
        if let Some([first, last]) = region {
            let expected =
                "an image read by two amplifiers has two active regions; use `ccd_cols` or `n_cols_overscan`";
            return Err(ImageError::ActiveRegion { key, first, last, expected: expected.into() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    fn of(config: &ImageConfig, rows: usize, cols: usize, binning: (usize, usize), ampl: &str) -> Vec<Amplifier> {
        let extensions = [(1, Some("CCD_A".to_owned()))];
        try_of(config, rows, cols, binning, ampl, &extensions, false).unwrap()
    }

    fn try_of(
        config: &ImageConfig,
        rows: usize,
        cols: usize,
        binning: (usize, usize),
        ampl: &str,
        extensions: &[(usize, Option<String>)],
        stacked: bool,
    ) -> Result<Vec<Amplifier>, ImageError> {
        let (row_binning, col_binning) = binning;
        amplifiers(config, &Geometry { rows, cols, row_binning, col_binning, ampl, extensions, stacked })
    }

    fn ccd(ccd_cols: usize, n_cols_prescan: usize) -> ImageConfig {
        ImageConfig { ccd_cols: Some(ccd_cols), n_cols_prescan, ..ImageConfig::default() }
    }

    fn columns(amplifier: &Amplifier) -> [Range<usize>; 3] {
        [&amplifier.prescan, &amplifier.active, &amplifier.overscan].map(|r| r.cols.clone())
    }

    #[test]
    fn columns_of_one_amplifier() {
        for (w, x, p, b, expected) in [
            (275, 1040, 8, 4, [0..2, 2..260, 260..275]),
            (640, 6144, 8, 10, [0..1, 1..615, 615..640]),
            (3500, 3344, 0, 1, [0..0, 0..3344, 3344..3500]),
            (640, 640, 0, 1, [0..0, 0..640, 640..640]),
        ] {
            let found = of(&ccd(x, p), 320, w, (1, b), "L");
            assert_eq!(found.len(), 1);
            assert_eq!(columns(&found[0]), expected, "{w} {x} {p} {b}");
            assert_eq!(found[0].active.rows, 0..320);
        }
        let error = try_of(&ccd(6144, 8), 10, 700, (1, 1), "", &[(0, None)], false).unwrap_err();
        assert!(matches!(error, ImageError::NegativeOverscan { overscan: -5444, .. }));
        assert!(error.to_string().contains("ccd_cols"));
    }

    #[test]
    fn columns_of_two_amplifiers() {
        for (w, x, p, b, lower, upper) in [
            (20, 12, 1, 1, [0..1, 1..7, 7..10], [19..20, 13..19, 10..13]),
            (6400, 6144, 8, 1, [0..8, 8..3080, 3080..3200], [6392..6400, 3320..6392, 3200..3320]),
            (640, 6144, 8, 10, [0..1, 1..308, 308..320], [639..640, 332..639, 320..332]),
        ] {
            let found = of(&ccd(x, p), 4, w, (1, b), "UL");
            assert_eq!(found.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["U", "L"]);
            assert_eq!(columns(&found[1]), lower);
            assert_eq!(columns(&found[0]), upper);
            assert_eq!(found[0].aliases, ["EXT1_U"]);
            assert_eq!((found[1].full.cols.clone(), found[0].full.cols.clone()), (0..w / 2, w / 2..w));
        }
    }

    #[test]
    fn without_the_size_of_the_ccd_there_is_no_overscan() {
        let config = ImageConfig { n_cols_prescan: 8, ..ImageConfig::default() };
        assert_eq!(columns(&of(&config, 3, 100, (1, 4), "")[0]), [0..2, 2..100, 100..100]);
    }

    #[test]
    fn an_explicit_overscan_counts_image_pixels_per_amplifier_and_so_does_the_prescan() {
        let config = ImageConfig {
            n_cols_overscan: Some(20),
            n_cols_prescan: 8,
            n_rows_prescan: 3,
            ccd_cols: Some(9999),
            ..ImageConfig::default()
        };
        let one = of(&config, 10, 100, (2, 4), "L");
        assert_eq!(columns(&one[0]), [0..8, 8..80, 80..100]);
        assert_eq!(one[0].active.rows, 3..10);
        let two = of(&config, 10, 100, (1, 1), "LU");
        assert_eq!(columns(&two[0]), [92..100, 70..92, 50..70]);
    }

    #[test]
    fn row_prescan_is_divided_by_the_binning_and_never_vanishes() {
        let rows = |physical, binning, overscan| {
            let config = ImageConfig { n_rows_prescan: physical, n_rows_overscan: overscan, ..ImageConfig::default() };
            of(&config, 100, 10, (binning, 1), "UL")[0].active.rows.clone()
        };
        assert_eq!(rows(8, 1, 0), 8..100);
        assert_eq!(rows(8, 4, 5), 2..95);
        assert_eq!(rows(8, 10, 0), 1..100);
        assert_eq!(rows(0, 10, 0), 0..100);
    }

    #[test]
    fn an_explicit_active_region_is_inclusive_and_for_one_amplifier_only() {
        let config = ImageConfig {
            active_region_rows: Some([2, 8]),
            active_region_cols: Some([5, 9]),
            ..ImageConfig::default()
        };
        assert_eq!(of(&config, 10, 20, (1, 1), "")[0].active, Region::new(2..9, 5..10));
        let two = try_of(&config, 10, 20, (1, 1), "UL", &[(0, None)], false);
        assert!(matches!(two, Err(ImageError::ActiveRegion { .. })));
        let outside = ImageConfig { active_region_cols: Some([5, 20]), ..ImageConfig::default() };
        assert!(try_of(&outside, 10, 20, (1, 1), "", &[(0, None)], false).is_err());
    }

    #[test]
    fn stacked_extensions_keep_their_order_and_own_their_rows() {
        let extensions = [(2, Some("CCD_B".to_owned())), (4, Some("CCD_C".to_owned()))];
        let config = ImageConfig { amp_name: Some("X".into()), n_rows_overscan: 1, ..ccd(8, 0) };
        let found = try_of(&config, 3, 10, (1, 1), "UL", &extensions, true).unwrap();
        assert_eq!(found.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["EXT2", "EXT4"]);
        assert_eq!(found[1].aliases, ["CCD_C", "C"]);
        assert_eq!(found[1].full, Region::new(3..6, 0..10));
        assert_eq!(found[1].active, Region::new(3..5, 0..8));
        assert_eq!(found[1].overscan, Region::new(3..6, 8..10));
    }

    #[test]
    fn names_and_aliases_of_one_amplifier() {
        let config = ImageConfig { amp_name: Some("CCD_A".into()), ..ImageConfig::default() };
        let found = of(&config, 2, 4, (1, 1), "l");
        assert_eq!(found[0].name, "CCD_A");
        assert_eq!(found[0].aliases, ["EXT1", "A", "L"]);
    }

    #[test]
    fn borders_that_leave_nothing_and_impossible_amplifiers_are_errors() {
        let wide = ImageConfig { n_cols_overscan: Some(10), ..ImageConfig::default() };
        assert!(try_of(&wide, 2, 10, (1, 1), "", &[(0, None)], false).is_err());
        assert!(try_of(&wide, 2, 20, (1, 1), "UL", &[(0, None)], false).is_err());
        let high = ImageConfig { n_rows_overscan: 2, ..ImageConfig::default() };
        assert!(try_of(&high, 2, 10, (1, 1), "", &[(0, None)], false).is_err());
        let four = ImageConfig { n_amp: Some(4), ..ImageConfig::default() };
        let error = try_of(&four, 2, 10, (1, 1), "", &[(0, None)], false).unwrap_err();
        assert!(error.to_string().contains("n_amp"));
        let huge = ImageConfig { n_cols_overscan: Some(usize::MAX), n_cols_prescan: 2, ..ImageConfig::default() };
        assert!(try_of(&huge, 2, 10, (1, 1), "", &[(0, None)], false).is_err());
    }
}
