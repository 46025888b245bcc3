//! The monitor elements: ids, names, units, titles, places of their plots (spec 06 §6.1).
//!
//! This table is the only place where a monitor element is described. Ids are stable for ever; new elements take new ids.

use serde::{Deserialize, Serialize};

/// What a value of a monitor element belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// A row.
    R,
    /// A column.
    C,
    /// A skip, or a number of skips.
    K,
    /// A histogram bin.
    H,
    /// The image.
    S,
    /// A pixel: the element is a picture.
    I,
    /// The run: the mask.
    M,
}

/// Where the plots of a monitor element live, below `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// `me`.
    Top,
    /// `me/dcfit`: dark-current fit.
    DarkCurrentFit,
    /// `me/pcd`: zero-electron peak.
    Overscan,
    /// `me/sed`: single-electron spectrum.
    Spectrum,
    /// `me/img`: plots of single images.
    Images,
}

impl Room {
    /// The directory, relative to that of the run.
    pub fn directory(self) -> &'static str {
        match self {
            Self::Top => "me",
            Self::DarkCurrentFit => "me/dcfit",
            Self::Overscan => "me/pcd",
            Self::Spectrum => "me/sed",
            Self::Images => "me/img",
        }
    }
}

/// A monitor element.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    /// Stable id.
    pub id: u16,
    /// Name.
    pub name: &'static str,
    /// Name of version 7.2, if different.
    pub v7_name: Option<&'static str>,
    /// Number of version 7.2, if different.
    pub v7_id: Option<i32>,
    /// Names of still older versions.
    pub older: &'static [&'static str],
    /// What a value belongs to.
    pub scope: Scope,
    /// Unit; empty for pure numbers.
    pub unit: &'static str,
    /// Title.
    pub title: &'static str,
    /// Place of its plots.
    pub room: Room,
    /// Active without `--me-json`.
    pub on: bool,
}

impl Description {
    const fn new(id: u16, name: &'static str, scope: Scope, unit: &'static str, title: &'static str) -> Self {
        Self { id, name, v7_name: None, v7_id: None, older: &[], scope, unit, title, room: Room::Top, on: true }
    }

    const fn v7(mut self, name: &'static str) -> Self {
        self.v7_name = Some(name);
        self
    }

    const fn v7_number(mut self, id: i32) -> Self {
        self.v7_id = Some(id);
        self
    }

    const fn older(mut self, names: &'static [&'static str]) -> Self {
        self.older = names;
        self
    }

    const fn room(mut self, room: Room) -> Self {
        self.room = room;
        self
    }

    const fn off(mut self) -> Self {
        self.on = false;
        self
    }

    /// Other names that are accepted: those of version 7.2 and older.
    pub fn aliases(&self) -> impl Iterator<Item = &'static str> {
        self.v7_name.into_iter().chain(self.older.iter().copied())
    }

    /// `{id:03}_{NAME}`: file name of its run plot, without ending.
    pub fn file_stem(&self) -> String {
        format!("{:03}_{}", self.id, self.name)
    }

    /// The same with number and name of version 7.2.
    pub fn v7_file_stem(&self) -> String {
        let number = self.v7_id.unwrap_or(i32::from(self.id));
        format!("{number:03}_{}", self.v7_name.unwrap_or(self.name))
    }

    /// Whether the element needs the dark-current fit (ids 50–64): with a high-resolution image, only on that.
    pub fn needs_dark_current_fit(&self) -> bool {
        (50..=64).contains(&self.id)
    }

    /// Label of the x axis.
    pub fn x_label(&self) -> &'static str {
        match (self.id, self.scope) {
            (2, _) => "distance to the amplifier [columns]",
            (3, _) => "Samples per pixel",
            (32 | 33, _) => "days since 2022-01-01",
            (42 | 60, _) => "pixel charge [ADU]",
            (_, Scope::R) => "row number",
            (_, Scope::C) => "column number",
            (_, Scope::K) => "NDCM ordinal",
            (_, Scope::S) => "image number",
            (_, Scope::H) => "pixel charge [e⁻]",
            (_, Scope::I | Scope::M) => "column",
        }
    }

    /// Label of the y axis: title and unit.
    pub fn y_label(&self) -> String {
        match (self.id, self.scope) {
            (0, _) => "mean(q_{ref} − q)/median(q)".into(),
            (3, _) => "Readout noise (ADU)".into(),
            (12, _) => "N pixels with round(q) > ne".into(),
            (_, Scope::I) => "row".into(),
            (_, Scope::H) => self.unit.into(),
            _ if self.unit.is_empty() => self.title.into(),
            _ => format!("{} [{}]", self.title, self.unit),
        }
    }
}

use Room::{DarkCurrentFit, Images, Overscan, Spectrum};
use Scope::{C, H, I, K, M, R, S};

/// All monitor elements, ascending ids.
pub static CATALOGUE: [Description; 48] = [
    Description::new(0, "MEQmeanDiffSingleSkips", K, "", "Mean charge difference to the reference skip").v7_number(-1),
    Description::new(1, "MEMeanDCperRow", R, "e⁻/pix", "Mean pixel charge per row")
        .v7("MEMeanPixelChargePerRow")
        .v7_number(4),
    Description::new(2, "MESTDSkipsPerCol", C, "count", "Pixels with outlying skip std per column"),
    Description::new(3, "MEReadoutnoiseNDCM", K, "ADU", "Readout noise versus samples per pixel"),
    Description::new(5, "MESTDPixelChargePerRow", R, "e⁻/pix", "Std of pixel charge per row"),
    Description::new(6, "MESlopeFromMeanPCPerRow", S, "e⁻/pix/row", "Slope of mean charge versus row")
        .older(&["MEDCslope"]),
    Description::new(7, "MEInterceptFromMeanPCPerRow", S, "e⁻/pix", "Intercept of mean charge versus row")
        .older(&["MEDCintercept"]),
    Description::new(8, "MEMedianPixelChargePerRow", R, "e⁻/pix", "Median pixel charge per row")
        .older(&["MESensorMedianperRow"]),
    Description::new(9, "MEMADPixelChargePerRow", R, "e⁻/pix", "MAD of pixel charge per row")
        .older(&["MESensorMADperRow"]),
    Description::new(10, "MEMedianPixelChargePerCol", C, "e⁻/pix", "Median pixel charge per column")
        .older(&["MEImageMedianperCol"]),
    Description::new(11, "MEMADPixelChargePerCol", C, "e⁻/pix", "MAD of pixel charge per column")
        .older(&["MEImageMADperCol"]),
    Description::new(12, "MENpixQ1ePerCol", C, "count", "Pixels above ne electrons per column"),
    Description::new(20, "MEOVSMedianPixelChargePerRow", R, "e⁻/pix", "Overscan median charge per row")
        .older(&["MEOverscanMedianperRow"]),
    Description::new(21, "MEOVSMADPixelChargePerRow", R, "e⁻/pix", "Overscan MAD per row")
        .older(&["MEOverscanMADperRow"]),
    Description::new(30, "MEOVSPedestalMuPerRow", R, "ADU", "Pedestal per row").older(&["MEPedestalMu"]),
    Description::new(31, "MEOVSPedestalSigmaPerRow", R, "ADU", "Pedestal sigma per row")
        .older(&["MEPedestalSigma", "MEPedestalSigmaPerRow"]),
    Description::new(32, "MEOVSPedestalMu", S, "ADU", "Mean pedestal").older(&["MEOVSPCDMu"]),
    Description::new(33, "MEOVSPedestalSigma", S, "ADU", "Mean pedestal sigma")
        .older(&["MEMeanPedestalSigma", "MEOVSPCDSigma"]),
    Description::new(40, "MEOVSPCD", H, "counts", "Pixel charge distribution, overscan"),
    Description::new(41, "MEPCD", H, "counts", "Pixel charge distribution, active"),
    Description::new(42, "MEFitDC_PCD_ovs", H, "ADU", "Zero-electron peak, overscan").room(Overscan),
    Description::new(43, "MESinglePED", H, "counts", "Single-electron spectrum").room(Spectrum),
    Description::new(50, "MEFitDCPerRow", R, "e⁻/pix/img", "Dark current per row block").room(DarkCurrentFit),
    Description::new(51, "MEFitDCMu0PerRow", R, "e⁻", "Zero-electron peak position per row block")
        .v7("MEFitMu0PerRow")
        .v7_number(53)
        .room(DarkCurrentFit),
    Description::new(52, "MEFitCalibrationPerRow", R, "ADU/e⁻", "Calibration per row block").room(DarkCurrentFit),
    Description::new(53, "MEFitSigmaPerRow", R, "e⁻", "Single-electron resolution per row block")
        .v7_number(51)
        .room(DarkCurrentFit),
    Description::new(54, "MEFitDCPerCol", C, "e⁻/pix/img", "Dark current per column block").room(DarkCurrentFit),
    Description::new(55, "MEFitSigmaPerCol", C, "e⁻", "Single-electron resolution per column block")
        .room(DarkCurrentFit),
    Description::new(56, "MEFitCalibrationPerCol", C, "ADU/e⁻", "Calibration per column block").room(DarkCurrentFit),
    Description::new(57, "MEFitMu0PerCol", C, "e⁻", "Zero-electron peak position per column block")
        .room(DarkCurrentFit),
    Description::new(60, "MEFitDC", H, "counts", "Dark-current and calibration fit").room(DarkCurrentFit),
    Description::new(61, "MEFitDCMu0", S, "e⁻", "Zero-electron peak position"),
    Description::new(62, "MEFitDCSigma", S, "e⁻", "Single-electron resolution"),
    Description::new(63, "MEFitDCLambda", S, "e⁻/pix/img", "Dark current"),
    Description::new(64, "MEFitDCCalibration", S, "ADU/e⁻", "Calibration"),
    Description::new(70, "MECCDEqualizedImage", I, "", "Equalised image").room(Images),
    Description::new(71, "MECCDMeanImage", I, "ADU", "Averaged image, pedestal subtracted").room(Images),
    Description::new(72, "MECCDStdImage", I, "ADU", "Std of skips image").room(Images),
    Description::new(73, "MECCDCalImage", I, "e⁻", "Calibrated image").room(Images),
    Description::new(80, "MESkewnessCoeff", K, "k_{CL}/σ", "Charge-loss coefficient").off(),
    Description::new(100, "MEMaskedPixels", M, "pixels", "Masked pixels").v7("MEDefectsMask"),
    Description::new(110, "MEBaselineShift", R, "σ", "Baseline shift").off(),
    Description::new(111, "MESigmaCutoffNoise", S, "0/1", "Sigma above cutoff").off(),
    Description::new(112, "MENoisyImages", S, "0/1/2", "Noisy image").off(),
    Description::new(113, "MEHorizontalClusters", S, "count", "Horizontal clusters in overscan").off(),
    Description::new(114, "MEPoorQualityData", S, "0/1", "Poor quality").off(),
    Description::new(115, "METempShift", S, "K", "Temperature").off(),
    Description::new(116, "MEPresShift", S, "mbar", "Pressure").off(),
];

/// A monitor element by any of its names.
pub fn find(name: &str) -> Option<&'static Description> {
    CATALOGUE.iter().find(|d| d.name == name).or_else(|| CATALOGUE.iter().find(|d| d.aliases().any(|a| a == name)))
}

/// A monitor element by its id.
pub fn by_id(id: u16) -> Option<&'static Description> {
    CATALOGUE.iter().find(|d| d.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_names_are_unambiguous() {
        assert!(CATALOGUE.windows(2).all(|w| w[0].id < w[1].id));
        let mut names: Vec<&str> = CATALOGUE.iter().flat_map(|d| std::iter::once(d.name).chain(d.aliases())).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn names_and_numbers_of_the_seed_document() {
        for (name, stem) in [
            ("MEMeanDCperRow", "001_MEMeanDCperRow"),
            ("MEFitDCMu0PerRow", "051_MEFitDCMu0PerRow"),
            ("MESinglePED", "043_MESinglePED"),
        ] {
            assert_eq!(find(name).unwrap().file_stem(), stem);
        }
        assert_eq!(find("MEMaskedPixels").unwrap().id, 100);
        assert_eq!(find("MEFitMu0PerRow").unwrap().id, 51);
        assert_eq!(by_id(51).unwrap().v7_file_stem(), "053_MEFitMu0PerRow");
        assert_eq!(by_id(0).unwrap().v7_file_stem(), "-01_MEQmeanDiffSingleSkips");
        assert_eq!(find("MEDCslope").unwrap().id, 6);
    }
}
