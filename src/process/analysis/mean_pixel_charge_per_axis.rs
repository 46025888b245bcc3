//! MeanPixelChargePerAxis: a function of the pixels of every column (or row) of an amplifier.
//!
//! Shows hot columns, gradients and transients at a glance. Pixels above a limit can be left out. Spec 02 §8.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::{shown, unit_of_image};
use crate::config::named::named_values;
use crate::image::cube::Samples;
use crate::image::reduce::{Reduction, reduce_pixel};
use crate::image::report::Table;
use crate::image::{Amplifier, RawData, Region};
use crate::plot::{Figure, Panel, Points};
use crate::process::{Context, ProcessError, SKImageProcess};
use crate::stats::robust::{self, Ddof};

named_values! {
    /// What is reduced to one value.
    pub enum AlongAxis {
        /// Each column: one value over its rows.
        Col = "col" | "cols" | "column",
        /// Each row: one value over its columns.
        Row = "row" | "rows",
    }
}

named_values! {
    /// Which pixels of the amplifier are used.
    pub enum UsedRegion {
        /// All that it reads.
        Full = "full",
        /// The active ones.
        Active = "active",
        /// Those of the overscan.
        Overscan = "overscan",
    }
}

/// Parameters of MeanPixelChargePerAxis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MeanPixelChargePerAxis {
    /// Image to look at.
    pub image: String,
    /// Function: mean, average, std, var, median, min, max, sum, prod or ptp.
    pub function: String,
    /// One value per column (col) or per row (row).
    pub axis: AlongAxis,
    /// Leave out pixels above `charge`.
    pub mask: bool,
    /// That limit, image units.
    pub charge: f64,
    /// Pixels used: full, active or overscan.
    pub region: UsedRegion,
}

impl Default for MeanPixelChargePerAxis {
    fn default() -> Self {
        Self {
            image: "mean_compressed".into(),
            function: "mean".into(),
            axis: AlongAxis::Col,
            mask: false,
            charge: 100.0,
            region: UsedRegion::Full,
        }
    }
}

/// The values along an axis of one amplifier, left for later processes.
#[derive(Debug, Clone, PartialEq)]
pub struct ChargePerLine {
    /// Column or row of the stored image to which element 0 belongs.
    pub first: usize,
    /// Value per line, image units; NaN without pixels.
    pub values: Vec<f64>,
    /// Standard error of means and medians, image units; NaN for other functions.
    pub errors: Vec<f64>,
    /// Pixels used per line.
    pub pixels: Vec<usize>,
}

impl SKImageProcess for MeanPixelChargePerAxis {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let amplifier = raw.amplifiers[context.amplifier].clone();
        let region = match self.region {
            UsedRegion::Full => &amplifier.full,
            UsedRegion::Active => &amplifier.active,
            UsedRegion::Overscan => &amplifier.overscan,
        };
        if region.is_empty() {
            raw.report
                .warn(format!("amplifier {}: its {} region is empty; nothing is shown", amplifier.name, self.region));
            return Ok(());
        }
        let function = self.function().map_err(ProcessError::Failed)?;
        let lines = self.lines(raw, region, function)?;
        self.report(raw, context, &amplifier, &lines);
        raw.products.set_for(&amplifier.name, lines);
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        self.function().err().map(|e| format!("`function`: {e}")).into_iter().collect()
    }
}

impl MeanPixelChargePerAxis {
    /// The function, in the form that leaves missing pixels out.
    fn function(&self) -> Result<Reduction, String> {
        let plain = self.function.trim().to_ascii_lowercase();
        let base = plain.strip_prefix("nan").unwrap_or(&plain);
        Reduction::from_name(base).map_err(|e| e.to_string())?;
        Reduction::from_name(&format!("nan{base}")).map_err(|e| e.to_string())
    }

    fn lines(&self, raw: &RawData, region: &Region, function: Reduction) -> Result<ChargePerLine, ProcessError> {
        let image = raw.image(&self.image)?;
        let part = region.view(image);
        let (axis, first) = match self.axis {
            AlongAxis::Col => (ndarray::Axis(1), region.cols.start),
            AlongAxis::Row => (ndarray::Axis(0), region.rows.start),
        };
        let rows: Vec<(f64, f64, usize)> = (0..part.len_of(axis))
            .into_par_iter()
            .map(|line| {
                let used = |q: &f64| q.is_finite() && !(self.mask && *q > self.charge);
                let values: Vec<f64> = part.index_axis(axis, line).iter().copied().filter(used).collect();
                if values.is_empty() {
                    return (f64::NAN, f64::NAN, 0);
                }
                let value = reduce_pixel(Samples::Real(&values), function);
                let error = match function {
                    Reduction::NanMean => robust::std_deviation(&values, Ddof::Sample) / (values.len() as f64).sqrt(),
                    Reduction::NanMedian => robust::median_and_error(&values).1,
                    _ => f64::NAN,
                };
                (value, error, values.len())
            })
            .collect();
        Ok(ChargePerLine {
            first,
            values: rows.iter().map(|r| r.0).collect(),
            errors: rows.iter().map(|r| r.1).collect(),
            pixels: rows.iter().map(|r| r.2).collect(),
        })
    }

    fn report(&self, raw: &mut RawData, context: &Context<'_>, amplifier: &Amplifier, lines: &ChargePerLine) {
        let unit = unit_of_image(raw.resolve_image_name(&self.image));
        let axis = self.axis.name();
        let name = format!("MeanPixelChargePerAxis_{axis}_{}", amplifier.name);
        let index: Vec<f64> = (0..lines.values.len()).map(|k| (lines.first + k) as f64).collect();
        let mut finite: Vec<f64> = lines.values.iter().copied().filter(|x| x.is_finite()).collect();
        let highest = lines
            .values
            .iter()
            .enumerate()
            .filter(|(_, x)| x.is_finite())
            .max_by(|a, b| a.1.total_cmp(b.1))
            .map_or(String::new(), |(k, x)| format!(", highest {x:.6} at {axis} {}", lines.first + k));
        raw.report.result(format!(
            "amplifier {}: {} of {} {axis}s, median {:.6} {unit}{highest}",
            amplifier.name,
            self.function,
            lines.values.len(),
            robust::median_in_place(&mut finite)
        ));
        raw.report.table(Table {
            name: name.clone(),
            columns: vec!["index".into(), "value".into(), "error".into(), "pixels".into()],
            rows: (0..index.len())
                .map(|k| vec![index[k], lines.values[k], lines.errors[k], lines.pixels[k] as f64])
                .collect(),
        });
        if context.wants_figures() {
            let points = Points::new(&index, &lines.values).y_errors(&lines.errors);
            let panel =
                Panel::new().x(axis).y(format!("{}(pix) [{}]", self.function, shown(unit))).integer_x().points(points);
            let title = format!(" {} pixel charge amplifier: {}", self.function, amplifier.name);
            raw.report.figure(Figure::new(name).title(title).panel(panel));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{CommonParameters, registry};
    use ndarray::Array2;

    fn run(json: &str, raw: &mut RawData) {
        let process: MeanPixelChargePerAxis = serde_json::from_str(json).unwrap();
        let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
        let entry = registry::find("MeanPixelChargePerAxis").unwrap();
        for amplifier in 0..raw.amplifiers.len() {
            raw.report.enter(0, entry.tag, Some(&raw.amplifiers[amplifier].name.clone()));
            process.execute(raw, &Context { entry, common: &common, amplifier, seed: 321 }).unwrap();
        }
    }

    /// Two stacked extensions of 2 × 3 pixels.
    fn stacked() -> RawData {
        let pixels = vec![1.0, 2.0, 3.0, 5.0, 200.0, f64::NAN, 10.0, 20.0, 30.0, 50.0, 60.0, 70.0];
        let mut raw = RawData::from_image("mean_compressed", Array2::from_shape_vec((4, 3), pixels).unwrap());
        let block = |n: usize| Amplifier {
            full: Region::new(2 * n..2 * n + 2, 0..3),
            active: Region::new(2 * n..2 * n + 2, 0..2),
            overscan: Region::new(2 * n..2 * n + 2, 2..3),
            ..Amplifier::whole_image(&format!("EXT{}", n + 1), n + 1, 4, 3)
        };
        raw.amplifiers = vec![block(0), block(1)];
        raw
    }

    fn values(raw: &RawData, amplifier: &str) -> Vec<f64> {
        raw.products.get_for::<ChargePerLine>(amplifier).unwrap().values.clone()
    }

    #[test]
    fn columns_and_rows_of_each_amplifier() {
        let mut raw = stacked();
        run("{}", &mut raw);
        assert_eq!(values(&raw, "EXT1"), [3.0, 101.0, 3.0], "a missing pixel is left out");
        assert_eq!(values(&raw, "EXT2"), [30.0, 40.0, 50.0]);
        run(r#"{"axis": "rows", "function": "sum"}"#, &mut raw);
        assert_eq!(values(&raw, "EXT1"), [6.0, 205.0]);
        assert_eq!(values(&raw, "EXT2"), [60.0, 180.0]);
        assert_eq!(raw.products.get_for::<ChargePerLine>("EXT2").unwrap().first, 2);
        let names: Vec<_> = raw.report.figures.iter().map(|f| f.figure.name.as_str()).collect();
        assert_eq!(names[0], "MeanPixelChargePerAxis_col_EXT1");
        assert_eq!(raw.report.tables[3].1.name, "MeanPixelChargePerAxis_row_EXT2");
        assert_eq!(raw.report.tables[3].1.rows[1][..2], [3.0, 180.0]);
    }

    #[test]
    fn masked_pixels_are_left_out_of_every_function() {
        for function in ["median", "mean", "max"] {
            let mut raw = stacked();
            run(&format!(r#"{{"mask": true, "charge": 60, "function": "{function}", "axis": "row"}}"#), &mut raw);
            let expected = match function {
                "median" => ([2.0, 5.0], [20.0, 55.0]),
                "mean" => ([2.0, 5.0], [20.0, 55.0]),
                _ => ([3.0, 5.0], [30.0, 60.0]),
            };
            assert_eq!((values(&raw, "EXT1"), values(&raw, "EXT2")), (expected.0.to_vec(), expected.1.to_vec()));
        }
    }

    #[test]
    fn regions_and_lines_without_pixels() {
        let mut raw = stacked();
        run(r#"{"region": "overscan", "axis": "row"}"#, &mut raw);
        let first = raw.products.get_for::<ChargePerLine>("EXT1").unwrap();
        assert_eq!(first.pixels, [1, 0]);
        assert!(first.values[1].is_nan() && first.values[0] == 3.0);
        let bad: MeanPixelChargePerAxis = serde_json::from_str(r#"{"function": "moan"}"#).unwrap();
        assert!(bad.check()[0].contains("moan"));
    }

    #[test]
    fn errors_of_means() {
        let mut raw = stacked();
        run(r#"{"axis": "row"}"#, &mut raw);
        let lines = raw.products.get_for::<ChargePerLine>("EXT2").unwrap();
        // 10, 20, 30: standard deviation 10, of the mean 10/√3
        assert!((lines.errors[0] - 10.0 / 3f64.sqrt()).abs() < 1e-12);
    }
}
