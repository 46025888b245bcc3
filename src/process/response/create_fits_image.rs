//! CreateFitsImage: the signal of many collections in one image with the noise of a whole CCD, or on a blank image
//! (spec 07 §4.8).

use std::path::PathBuf;

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fits::{Card, FitsInput, Header};
use crate::process::digitize::{
    Ccd, DigitizeProcess, GatheredImage, Gatherer, HitCollection, ImagePlace, Recorded, ResponseContext, ResponseError,
};

const NAME: &str = "CreateFitsImage";

/// Parameters of CreateFitsImage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CreateFitsImage {
    /// Collections that make an image.
    pub n_events: usize,
    /// FITS image on which the signal is put, instead of noise; null: noise in `full-image` mode.
    pub blank_image: Option<PathBuf>,
}

impl Default for CreateFitsImage {
    fn default() -> Self {
        Self { n_events: 100, blank_image: None }
    }
}

impl DigitizeProcess for CreateFitsImage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sequence_id(&self) -> u32 {
        200
    }

    fn check(&self, _: &Ccd) -> Vec<String> {
        if self.n_events == 0 { vec!["`n_events` = 0 must be at least 1".into()] } else { Vec::new() }
    }

    /// The signal is needed before the noise is added: it is kept for the image. The noise of the whole CCD comes once,
    /// with the image, and not with every collection.
    fn execute(&self, hits: &mut HitCollection, _: &ResponseContext<'_>) -> Result<(), ResponseError> {
        hits.keep_signal();
        Ok(())
    }

    fn gatherer(&self, ccd: &Ccd, _: u64) -> Result<Option<Box<dyn Gatherer>>, ResponseError> {
        let failed = |reason| ResponseError::Process { process: NAME, reason };
        let blank = match &self.blank_image {
            None => None,
            Some(path) => {
                let pixels = FitsInput::open(path)
                    .and_then(|input| {
                        let hdu = (0..input.hdus().len()).find(|&h| input.hdus()[h].is_plane()).unwrap_or(0);
                        input.read_image(hdu)
                    })
                    .map_err(|e| failed(format!("`blank_image` {}: {e}", path.display())))?;
                if pixels.dim() != ccd.full_shape() {
                    let (rows, cols) = ccd.full_shape();
                    return Err(failed(format!(
                        "`blank_image` {} has {} × {} pixels, but the CCD of `CF` has {rows} × {cols} with pre- and overscan",
                        path.display(),
                        pixels.nrows(),
                        pixels.ncols()
                    )));
                }
                Some(pixels)
            }
        };
        Ok(Some(Box::new(Accumulator {
            parameters: self.clone(),
            blank,
            signal: Array2::zeros(ccd.full_shape()),
            events: 0,
            images: 0,
        })))
    }

    fn recorded(&self) -> Vec<(&'static str, Recorded)> {
        vec![("n_events", self.n_events.into()), ("blank_image", Recorded::path(self.blank_image.as_ref()))]
    }
}

/// The image under construction.
#[derive(Debug)]
struct Accumulator {
    parameters: CreateFitsImage,
    blank: Option<Array2<f64>>,
    /// ADU, `[row, col]`.
    signal: Array2<f64>,
    events: usize,
    images: usize,
}

impl Accumulator {
    fn image(&mut self, context: &ResponseContext<'_>) -> GatheredImage {
        let ccd = context.ccd;
        let mut pixels = std::mem::replace(&mut self.signal, Array2::zeros(ccd.full_shape()));
        match (&self.blank, &context.full_noise.sum) {
            (Some(blank), _) => pixels += blank,
            (None, Some(noise)) => pixels.zip_mut_with(noise, |p, n| *p += f64::from(*n) / ccd.adc2ev),
            (None, None) => {}
        }
        if let Some(limit) = context.saturation_adu {
            pixels.mapv_inplace(|p| p.min(limit));
        }
        self.images += 1;
        let noise = context.noise_cards;
        let mut header = Header::new();
        header.push(Card::new("INFO", "simulated CCD image", "made by panaSKImg response"));
        header.push(Card::new("INFILE", context.input_name, "Geant4 file"));
        header.push(Card::new("SIMS", true, "simulated image"));
        header.push(Card::new("NDCMS", 1, "skips per pixel"));
        header.push(Card::new("DC", noise.dark_current, "dark current (electrons/pixel/s)"));
        header.push(Card::new("TEXP", noise.exposure, "exposure (s)"));
        header.push(Card::new("PED", noise.pedestal, "pedestal (electrons)"));
        header.push(Card::new("SIGMA", noise.sigma, "noise (electrons)"));
        header.push(Card::new("NEVTS", self.events, "collections in the image"));
        self.events = 0;
        let place = ImagePlace::BesideOutput(format!("_image_{}.fits", self.images));
        GatheredImage { place, hdus: vec![(header, pixels)] }
    }
}

impl Gatherer for Accumulator {
    fn gather(
        &mut self,
        hits: &mut HitCollection,
        context: &ResponseContext<'_>,
    ) -> Result<Vec<GatheredImage>, ResponseError> {
        let ccd = context.ccd;
        for &(row, col, energy) in &hits.signal {
            let place = (ccd.rows_prescan + row as usize, ccd.cols_prescan + col as usize);
            if let Some(pixel) = self.signal.get_mut(place) {
                *pixel += energy / ccd.adc2ev;
            }
        }
        self.events += 1;
        Ok(if self.events == self.parameters.n_events { vec![self.image(context)] } else { Vec::new() })
    }

    fn close(&mut self, context: &ResponseContext<'_>) -> Result<Vec<GatheredImage>, ResponseError> {
        Ok(if self.events > 0 { vec![self.image(context)] } else { Vec::new() })
    }
}
