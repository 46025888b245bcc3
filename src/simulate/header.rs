//! HDUs and header cards of a simulated image, as the acquisition systems write them (spec 07 §8.5), and the analysis
//! configuration that reads the image.

use serde_json::{Value, json};

use super::config::Layout;
use super::fits_file::{Hdu, PixelType};
use super::geometry::ACM_EXTENSIONS;
use super::readout::Storage;
use super::setup::Setup;
use crate::fits::Card;

/// EXTNAME of the true energies.
pub const TRUTH_ENERGY: &str = "MONTECARLOTRUTH";
/// EXTNAME of the true particle numbers.
pub const TRUTH_ID: &str = "MCT_ID";

/// The HDUs of image number `index` of a series.
pub fn image_hdus(setup: &Setup, index: u64, embed_truth: bool) -> Vec<Hdu> {
    let geometry = &setup.geometry;
    let kind = match Storage::of(&setup.config) {
        Storage::U16 => PixelType::U16,
        Storage::I32 { offset: false } => PixelType::I32,
        Storage::I32 { offset: true } => PixelType::U32,
        Storage::F64 => PixelType::F64,
    };
    let values = if setup.config.averaged { 1 } else { geometry.skips };
    let image = Some((kind, geometry.cols() * values, geometry.rows()));
    let cards = cards(setup, index);
    if setup.config.layout == Layout::Acm {
        let mut hdus = vec![Hdu { image: None, name: None, cards }];
        hdus.extend(ACM_EXTENSIONS.iter().enumerate().map(|(ext, name)| {
            let gain = Card::new("SIMGAIN", setup.gain[ext], "ADU per electron");
            Hdu { image, name: Some(((*name).into(), 0)), cards: vec![gain] }
        }));
        return hdus;
    }
    let mut hdus = vec![Hdu { image, name: None, cards }];
    if embed_truth {
        let frame = |kind, name: &str, unit: &str| Hdu {
            image: Some((kind, geometry.cols(), geometry.rows())),
            name: Some((name.into(), 0)),
            cards: vec![Card::new("BUNIT", unit, "")],
        };
        hdus.push(frame(PixelType::F32, TRUTH_ENERGY, "eV"));
        hdus.push(frame(PixelType::I32, TRUTH_ID, ""));
    }
    hdus
}

/// Cards of the primary HDU.
fn cards(setup: &Setup, index: u64) -> Vec<Card> {
    let config = &setup.config;
    let geometry = &setup.geometry;
    let acm = config.layout == Layout::Acm;
    // One image after the other, without a pause.
    let before = index as f64 * (config.t_exp + setup.t_read);
    let time = |seconds: f64| {
        let seconds = before + seconds;
        let time = setup.start.saturating_add(jiff::SignedDuration::from_secs_f64(seconds));
        time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    };
    let (t_exp, t_read) = (config.t_exp, setup.t_read);
    let mut cards = Vec::new();
    if acm {
        cards.push(Card::new("NDCM", geometry.skips, "skips per pixel"));
        cards.push(Card::new("NROW", geometry.rows(), "rows of pixels"));
        cards.push(Card::new("NCOL", geometry.cols(), "columns of pixels"));
    } else {
        cards.push(Card::new("NDCMS", geometry.skips, "skips per pixel"));
    }
    cards.push(Card::new("NPBIN", geometry.npbin, "binning of rows"));
    cards.push(Card::new("NSBIN", geometry.nsbin, "binning of columns"));
    if !acm {
        let amplifiers = if config.layout == Layout::Dual { "UL" } else { "L" };
        cards.push(Card::new("AMPL", amplifiers, "amplifiers read"));
    }
    cards.push(Card::new("VCKDIRN", 1, "vertical clock direction"));
    cards.push(Card::new(if acm { "TINTEGR" } else { "ITGTIME" }, 10, "integration time"));
    if acm {
        cards.push(Card::new("DATEINI", time(0.0), "start of exposure"));
        cards.push(Card::new("DATEEND", time(t_exp + t_read), "end of readout"));
        cards.push(Card::new("EXPOSURE", t_exp, "exposure time (s)"));
        cards.push(Card::new("READOUT_SEC", t_read, "readout time (s)"));
    } else {
        cards.push(Card::new("EXPSTART", time(0.0), "start of exposure"));
        cards.push(Card::new("RDSTRT", time(t_exp), "start of readout"));
        cards.push(Card::new("RDEND", time(t_exp + t_read), "end of readout"));
        cards.push(Card::new("MEXP", 1e3 * t_exp, "exposure time (ms)"));
        cards.push(Card::new("MREAD", 1e3 * t_read, "readout time (ms)"));
    }
    if config.averaged {
        cards.push(Card::new("IMAGE", "averaged", "mean over the skips"));
    }
    cards.push(Card::new("SIMS", true, "simulated image"));
    cards.push(Card::new("SIMVER", env!("CARGO_PKG_VERSION"), "version of panaSKImg"));
    // Seeds above the range of signed integers do not fit an integer card.
    cards.push(match i64::try_from(config.seed) {
        Ok(seed) => Card::new("SIMSEED", seed, "seed"),
        Err(_) => Card::new("SIMSEED", config.seed.to_string(), "seed"),
    });
    cards.push(Card::new("SIMGAIN", setup.gain[0], "ADU per electron"));
    if config.layout == Layout::Dual {
        cards.push(Card::new("SIMGAINU", setup.gain[1], "ADU per electron, amplifier U"));
    }
    cards.push(Card::new("SIMSIG1", config.noise.sigma1, "noise of one sample (electrons)"));
    cards.push(Card::new("SIMDC", config.dark_current, "dark current (electrons/pixel/day)"));
    cards.push(Card::new("SIMPED", config.pedestal.base, "pedestal (ADU)"));
    cards.push(Card::new("SIMPOL", i32::from(config.polarity), "sign of the charge"));
    cards.push(Card::new("SIMIMG", i64::from(config.image_id) + index as i64, "image number"));
    cards.push(Card::new("SIMRUN", config.run_id, "run number"));
    cards.push(Card::new("SIMCCD", config.ccd_id, "CCD number"));
    cards
}

/// The section `input` of an analysis configuration that reads the image correctly.
pub fn analysis_input(setup: &Setup) -> Value {
    let config = &setup.config;
    let geometry = &setup.geometry;
    let acm = config.layout == Layout::Acm;
    // The reader counts prescan and active columns in physical pixels, and derives the overscan from the rest.
    let prescan = geometry.prescan * geometry.nsbin;
    let active = geometry.active * geometry.nsbin * geometry.amplifiers_per_extension();
    let ccd_cols = if config.layout == Layout::Dual { active } else { prescan + active };
    let extensions: Vec<usize> = if acm { (1..=ACM_EXTENSIONS.len()).collect() } else { vec![0] };
    json!({
        "image": {
            "extensions": extensions,
            "skip_image": !config.averaged,
            "correct_polarity": config.polarity < 0,
            "n_amp": geometry.amplifiers_per_extension(),
            "n_rows_prescan": geometry.prescan_rows * geometry.npbin,
            "n_rows_overscan": geometry.overscan_rows,
            "ccd_rows": geometry.phys_rows,
            "n_cols_prescan": prescan,
            "ccd_cols": ccd_cols,
        },
        "convention": {
            "Nskips": if acm { "NDCM" } else { "NDCMS" },
            "Ncols": if acm { "NCOL" } else { "NAXIS1" },
            "Nrows": if acm { "NROW" } else { "NAXIS2" },
            "Npbin": "NPBIN", "Nsbin": "NSBIN", "ampl": "AMPL",
            "itgtime": if acm { "TINTEGR" } else { "ITGTIME" },
            "ampdir": "VCKDIRN",
            "exposure_time": if acm { "EXPOSURE" } else { "MEXP" },
            "read_time": if acm { "READOUT_SEC" } else { "MREAD" },
        }
    })
}
