//! CompressSkipperProcess: the skips of each pixel become one value (mean, standard deviation, …).
//!
//! The samples are streamed in blocks of rows and reduced in one pass by [`crate::image::reduce`]; the cube is never in
//! memory. Spec 02 §2.

use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::raw_data::Mask;
use crate::image::reduce::{Reduction, reduce};
use crate::image::user_region::resolve_range;
use crate::image::{RawData, Side};
use crate::plot::{Figure, ImagePlot, Palette, Panel};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use crate::stats::robust::{self, Ddof};

/// Parameters of CompressSkipperProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CompressSkipperProcess {
    /// Image to reduce.
    pub image: String,
    /// Functions: mean, average, std, var, median, min, max, sum, prod, ptp and their nan… forms.
    pub func_to_compress: FunctionNames,
    /// Search for cross-talk between two amplifiers in the standard deviations.
    pub xtalk: bool,
    /// Mark saturated pixels: those with the largest mean and no spread.
    pub saturation: bool,
    /// Threshold of the cross-talk search, standard deviations.
    pub n_sig_xtalk: f64,
    /// Accepted, without effect.
    pub histequ: bool,
    /// Write the pixels to a ROOT tree.
    pub create_ttree: bool,
}

/// Names of functions: a list, or one text separated by `;` or `,`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FunctionNames {
    /// A list.
    List(Vec<String>),
    /// One text.
    Text(String),
}

impl FunctionNames {
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let parts: Vec<&str> = match self {
            Self::List(list) => list.iter().flat_map(|s| s.split([';', ','])).collect(),
            Self::Text(text) => text.split([';', ',']).collect(),
        };
        for name in parts.into_iter().map(str::trim).filter(|s| !s.is_empty()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Default for CompressSkipperProcess {
    fn default() -> Self {
        Self {
            image: "raw".into(),
            func_to_compress: FunctionNames::List(vec!["mean".into(), "std".into()]),
            xtalk: false,
            saturation: true,
            n_sig_xtalk: 5.0,
            histequ: false,
            create_ttree: false,
        }
    }
}

impl SKImageProcess for CompressSkipperProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let mut functions = Vec::new();
        for name in self.func_to_compress.names() {
            functions
                .push((name.to_owned(), Reduction::from_name(name).map_err(|e| ProcessError::Failed(e.to_string()))?));
        }
        let region = context.common.region(&raw.user_region);
        if raw.cube.is_none() {
            self.alias_averaged(raw, &functions, region.rows, region.cols)?;
            super::pixel_tree::request(raw, context, self.create_ttree);
            return Ok(());
        }
        let range = |name, (start, end), length| {
            resolve_range(name, start, end, length).map_err(|e| ProcessError::Failed(e.to_string()))
        };
        let skips = range("id_skip", region.skips, raw.nskips)?;
        let rows = range("id_row", region.rows, raw.rows)?;
        let cols = range("id_col", region.cols, raw.cols)?;

        // The cross-talk search needs the spread even if nobody asked for it as an image.
        let std_asked = functions.iter().any(|(_, f)| *f == Reduction::Std);
        let mut wanted: Vec<Reduction> = functions.iter().map(|(_, f)| *f).collect();
        if self.xtalk && !std_asked {
            wanted.push(Reduction::Std);
        }
        let cube = raw.cube.as_ref().ok_or_else(|| ProcessError::Failed("there is no cube of skips".into()))?;
        let reduced = reduce(cube, skips.clone(), &wanted).map_err(|e| ProcessError::Input(e.to_string()))?;
        let saturation = reduced.saturation;
        let counts = saturation.samples.iter().zip(&saturation.undefined);
        for (amplifier, (&samples, &undefined)) in raw.amplifiers.iter().zip(counts) {
            if samples > 0 && samples == undefined {
                let name = &amplifier.name;
                return Err(ProcessError::Input(format!("amplifier {name} has no finite sample ({samples} read)")));
            }
        }
        let mut images = reduced.images;
        if rows.len() < raw.rows || cols.len() < raw.cols {
            for image in &mut images {
                for ((r, c), x) in image.indexed_iter_mut() {
                    if !rows.contains(&r) || !cols.contains(&c) {
                        *x = f64::NAN;
                    }
                }
            }
        }
        for line in saturation.warnings(&raw.amplifiers) {
            raw.report.warn(line);
        }
        let spread = wanted.iter().position(|f| *f == Reduction::Std).map(|i| images[i].clone());
        if self.saturation
            && let (Some(mean), Some(std)) =
                (wanted.iter().position(|f| *f == Reduction::Mean).map(|i| &images[i]), &spread)
        {
            let mask = saturated_pixels(mean, std);
            let count = mask.iter().filter(|s| **s).count();
            raw.masks.insert("saturated_pixels".into(), Mask { pixels: mask, extname: Some("PIXSATURATION".into()) });
            raw.report.measure(Measurement::integer("saturated_pixels", count as i64));
        }
        for ((name, _), image) in functions.iter().zip(images) {
            raw.images.insert(format!("{name}_compressed"), image);
        }
        if self.xtalk
            && let Some(spread) = &spread
        {
            self.find_cross_talk(raw, spread);
        }
        self.report(raw, skips, rows, cols);
        if context.wants_figures() {
            self.draw(raw, context, &functions);
        }
        super::pixel_tree::request(raw, context, self.create_ttree);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems: Vec<String> = self
            .func_to_compress
            .names()
            .iter()
            .filter_map(|name| Reduction::from_name(name).err().map(|e| format!("`func_to_compress`: {e}")))
            .collect();
        if self.func_to_compress.names().is_empty() {
            problems.push("`func_to_compress` names no function; at least one is needed, e.g. \"mean\"".into());
        }
        problems
    }
}

impl CompressSkipperProcess {
    /// An averaged image, or one with a single skip: nothing is reduced, `mean_compressed` is the image.
    fn alias_averaged(
        &self,
        raw: &mut RawData,
        functions: &[(String, Reduction)],
        rows: (i64, i64),
        cols: (i64, i64),
    ) -> Result<(), ProcessError> {
        let already = raw.images.contains_key("mean_compressed");
        let image = raw.image(if already { "mean_compressed" } else { &self.image })?.clone();
        let text = if raw.ndcm > 1 {
            format!("the image is an average of {} skips already: nothing to compress", raw.ndcm)
        } else {
            "the image has one skip per pixel: nothing to compress".to_owned()
        };
        raw.report.inform(text);
        if rows != (0, -1) || cols != (0, -1) {
            raw.report.warn("row and column ranges (`id_row_…`, `id_col_…`) have no effect on an averaged image");
        }
        if raw.ndcm <= 1 {
            for (name, function) in functions {
                let pixels = match function {
                    Reduction::Std | Reduction::Var | Reduction::Ptp | Reduction::NanStd | Reduction::NanVar => {
                        Array2::zeros(image.dim())
                    }
                    _ => image.clone(),
                };
                raw.images.entry(format!("{name}_compressed")).or_insert(pixels);
            }
        }
        raw.images.entry("mean_compressed".into()).or_insert(image);
        Ok(())
    }

    /// Marks pixels whose spread is unusual in both halves at the same readout position (spec 02 §2).
    fn find_cross_talk(&self, raw: &mut RawData, spread: &Array2<f64>) {
        let sides: Vec<_> = [Side::L, Side::U]
            .iter()
            .filter_map(|side| raw.amplifiers.iter().find(|a| a.side == *side).cloned())
            .collect();
        let [l, u] = sides.as_slice() else {
            raw.report.warn(
                "`xtalk` needs an image read by two amplifiers (for extensions read together, see CrossTalkProcess)",
            );
            return;
        };
        let flags = |region: &crate::image::Region| {
            let values: Vec<f64> = region.view(spread).iter().copied().filter(|x| x.is_finite()).collect();
            let [p5, p95] = robust::percentiles(&values, [5.0, 95.0]);
            let central: Vec<f64> = values.into_iter().filter(|x| (p5..=p95).contains(x)).collect();
            let (mean, std) = robust::mean_and_std(&central, Ddof::Sample);
            region.view(spread).mapv(|x| (x - mean).abs() > self.n_sig_xtalk * std)
        };
        let (in_l, in_u) = (flags(&l.full), flags(&u.full));
        let width = l.full.cols.len();
        let mut pixels = Array2::from_elem((raw.rows, raw.cols), false);
        let columns = l.prescan.cols.len()..width.saturating_sub(l.overscan.cols.len());
        for row in 0..raw.rows {
            for col in columns.clone() {
                // Column `col` of L and its mirror image in U are read at the same time.
                if in_l[[row, col]] && in_u[[row, width - 1 - col]] {
                    pixels[[row, l.full.cols.start + col]] = true;
                    pixels[[row, u.full.cols.end - 1 - col]] = true;
                }
            }
        }
        let count = pixels.iter().filter(|x| **x).count() / 2;
        raw.report.result(format!("cross-talk: {count} pixels with unusual spread in both amplifiers"));
        raw.report.measure(Measurement::integer("cross_talk_pixels", count as i64));
        raw.masks.insert("xtalk".into(), Mask { pixels, extname: Some("CROSSTALK".into()) });
    }

    fn report(
        &self,
        raw: &mut RawData,
        skips: std::ops::Range<usize>,
        rows: std::ops::Range<usize>,
        cols: std::ops::Range<usize>,
    ) {
        use crate::image::report::ConfigResult::Int;
        let report = &mut raw.report;
        report.card(raw.skip_keyword.clone(), 1, "skips per pixel in this image");
        report.card("NSKIPS", raw.nskips, "DQM: NDCMS from raw image");
        report.card("NSTART", skips.start + 1, "DQM: First NDCMS used for image averaging");
        report.card("NEND", skips.end, "DQM: Last NDCMS used for image averaging");
        report.card("NUSED", skips.len(), "DQM: Total NDCMS used for image averaging");
        for (axis, range) in [("row", &rows), ("col", &cols), ("skip", &skips)] {
            report.config_result(&format!("id_{axis}_start"), Int(range.start as i64));
            report.config_result(&format!("id_{axis}_end"), Int(range.end as i64));
        }
        report.result(format!(
            "skips {}…{} of {} reduced to {}",
            skips.start,
            skips.end - 1,
            raw.nskips,
            self.func_to_compress.names().join(", ")
        ));
    }

    fn draw(&self, raw: &mut RawData, context: &Context<'_>, functions: &[(String, Reduction)]) {
        let mut chain = raw.chain.clone();
        chain.push(context.entry.tag.to_owned());
        let count = functions.len();
        let mut figure = Figure::new("CompressSkipsProcess_images")
            .titles("Compressed Images", &raw.source.label, &chain)
            .grid(1, count)
            .size(5.6 * count as f64, 4.8);
        for (name, _) in functions {
            let Some(image) = raw.images.get(&format!("{name}_compressed")) else { continue };
            let plot = ImagePlot::new(image.clone()).palette(Palette::Bird).colour_label("ADU");
            figure = figure.panel(Panel::image_of(plot).title(name.as_str()).x("columns").y("rows"));
        }
        raw.report.figure(figure);
    }
}

/// Pixels with the largest mean of the image and no spread.
fn saturated_pixels(mean: &Array2<f64>, std: &Array2<f64>) -> Array2<bool> {
    let largest = mean.iter().copied().filter(|x| x.is_finite()).fold(f64::NEG_INFINITY, f64::max);
    let mut mask = Array2::from_elem(mean.dim(), false);
    for (m, (x, s)) in mask.iter_mut().zip(mean.iter().zip(std)) {
        *m = *x == largest && *s == 0.0;
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn function_names_come_as_a_list_or_as_one_text() {
        let read = |json: &str| serde_json::from_str::<CompressSkipperProcess>(json).unwrap();
        let names = |json: &str| read(json).func_to_compress.names().join(" ");
        assert_eq!(names(r#"{"func_to_compress": ["mean", "std", "mean"]}"#), "mean std");
        assert_eq!(names(r#"{"func_to_compress": "median; std"}"#), "median std");
        let problems = read(r#"{"func_to_compress": ["moan"]}"#).check();
        assert!(problems[0].contains("moan"), "{problems:?}");
        assert_eq!(read(r#"{"func_to_compress": ""}"#).check().len(), 1);
    }

    #[test]
    fn saturated_pixels_are_the_largest_ones_without_spread() {
        let mean = Array2::from_shape_vec((1, 4), vec![5.0, 9.0, 9.0, f64::NAN]).unwrap();
        let std = Array2::from_shape_vec((1, 4), vec![0.0, 0.0, 0.1, 0.0]).unwrap();
        assert_eq!(saturated_pixels(&mean, &std).into_raw_vec_and_offset().0, [false, true, false, false]);
    }
}
