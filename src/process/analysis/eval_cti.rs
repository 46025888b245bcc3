//! EvalCTIProcess: single electrons that trail the clusters, a sign of inefficient charge transfer.
//!
//! Charge left behind when a packet is moved appears in the pixels read after it: at higher rows for the parallel
//! (vertical) transfer, at later columns for the serial (horizontal) one. For every cluster the rate of single-electron
//! pixels behind each of its columns (rows) is averaged over the columns (rows), as a function of the distance. Spec 03
//! §7.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::single_electron_rates::{
    Counting, Distances, MeanRates, along_row, cluster_pixels, clusters, extremes, rates_figure, rates_panel,
};
use crate::image::RawData;
use crate::image::report::Table;
use crate::plot::value_with_error;
use crate::process::reconstruction::cluster_table::{Column, Lists};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};

/// Parameters of EvalCTIProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EvalCTIProcess {
    /// Image in which the electrons are counted.
    pub image: String,
    /// Distances behind the cluster along the columns: [maximum, step], pixels.
    #[serde(rename = "VCTI")]
    pub vertical: Distances,
    /// Distances behind the cluster along the rows: [maximum, step], pixels.
    #[serde(rename = "HCTI")]
    pub horizontal: Distances,
    /// Charge of a counted pixel, e-, both ends excluded.
    #[serde(rename = "Qrange_e")]
    pub charge: [f64; 2],
    /// Count from the cluster up to each distance (true), or between a distance and the one before.
    pub cumulative: bool,
}

impl Default for EvalCTIProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted_e".into(),
            vertical: Distances(155, 10),
            horizontal: Distances(155, 10),
            charge: [0.75, 1.5],
            cumulative: true,
        }
    }
}

impl SKImageProcess for EvalCTIProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let counting = Counting { range: self.charge, cumulative: self.cumulative };
        let (vertical, horizontal) = (self.vertical.values(), self.horizontal.values());
        let image = raw.image(&self.image)?;
        let table = clusters(raw)?;
        let rates: Vec<(Vec<f64>, Vec<f64>)> = (0..table.len())
            .into_par_iter()
            .map(|cluster| {
                let amplifier = &raw.amplifiers[table.clusters[cluster].amplifier];
                let mut v = vec![0.0; vertical.len()];
                let columns = extremes(table.coordinates(cluster).map(|(row, col)| (col, row)));
                for &(col, _, highest) in &columns {
                    let behind = (highest + 1..amplifier.full.rows.end).map(|row| image[[row, col]]);
                    counting.add_line(behind, &vertical, &mut v);
                }
                v.iter_mut().for_each(|sum| *sum /= columns.len() as f64);
                let mut h = vec![0.0; horizontal.len()];
                let rows = extremes(table.coordinates(cluster));
                for &(row, lowest, highest) in &rows {
                    let last = if amplifier.side == crate::image::Side::U { lowest } else { highest };
                    counting.add_line(along_row(image, amplifier, row, last, true), &horizontal, &mut h);
                }
                h.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
                (v, h)
            })
            .collect();
        let (v, h): (Vec<_>, Vec<_>) = rates.into_iter().unzip();
        self.report(raw, context, &counting, [(&vertical, &v), (&horizontal, &h)])?;

        let Some(table) = raw.products.get_mut::<crate::process::reconstruction::ClusterTable>() else { return Ok(()) };
        for (name, distances, rates) in [("vcti", &vertical, v), ("hcti", &horizontal, h)] {
            let n = rates.len();
            let pix: Lists<i32> = (0..n).map(|_| distances.iter().map(|d| *d as i32)).collect();
            let rate: Lists<f32> = rates.into_iter().map(|r| r.into_iter().map(|x| x as f32)).collect();
            for (branch, column) in
                [(format!("{name}_pix"), Column::IntList(pix)), (format!("{name}_rate"), Column::FloatList(rate))]
            {
                table.set_column(&branch, column).map_err(|e| ProcessError::Failed(e.to_string()))?;
            }
        }
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems: Vec<String> =
            [self.vertical.problem("VCTI"), self.horizontal.problem("HCTI")].into_iter().flatten().collect();
        if !(self.charge[0] < self.charge[1]) {
            problems.push(format!("`Qrange_e` is {:?}; two ascending charges are expected, e-", self.charge));
        }
        problems
    }
}

impl EvalCTIProcess {
    /// Means per amplifier: measurements, table, result line and figure.
    fn report(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        counting: &Counting,
        directions: [(&Vec<usize>, &Vec<Vec<f64>>); 2],
    ) -> Result<(), ProcessError> {
        let table = clusters(raw)?;
        let in_cluster = cluster_pixels(table, (raw.rows, raw.cols));
        let owners: Vec<usize> = table.clusters.iter().map(|c| c.amplifier).collect();
        for (index, amplifier) in raw.amplifiers.clone().iter().enumerate() {
            let chance = counting.background(raw.image(&self.image)?, amplifier, &in_cluster);
            let [v, h] = directions.map(|(distances, rates)| MeanRates::new(distances, rates, |i| owners[i] == index));
            let mut texts = Vec::new();
            for (name, text, rates) in [("vcti_rate", "behind columns", &v), ("hcti_rate", "behind rows", &h)] {
                if let Some((distance, mean, error)) = rates.first().filter(|_| rates.clusters > 0) {
                    raw.report.measure(
                        Measurement::new(format!("{name}_{distance}_pixels"), mean, "1/pixel")
                            .error(error)
                            .amplifier(&amplifier.name),
                    );
                    texts.push(format!("{text} {} up to {distance} pixels", value_with_error(mean, error)));
                }
            }
            raw.report.measure(Measurement::new("single_electron_rate", chance, "1/pixel").amplifier(&amplifier.name));
            raw.report.result(format!(
                "amplifier {}: {} clusters; rate of single electrons {}; outside of clusters {chance:.6}",
                amplifier.name,
                v.clusters,
                if texts.is_empty() { "not measured".into() } else { texts.join(", ") }
            ));
            raw.report.table(Table {
                name: format!("EvalCTIProcess_rates_{}", amplifier.name),
                columns: ["vertical", "distance_pixels", "rate", "rate_error", "clusters"].map(str::to_owned).to_vec(),
                rows: [(1.0, &v), (0.0, &h)]
                    .into_iter()
                    .flat_map(|(vertical, rates)| {
                        (0..rates.distances.len()).map(move |k| {
                            vec![
                                vertical,
                                rates.distances[k] as f64,
                                rates.means[k],
                                rates.errors[k],
                                rates.clusters as f64,
                            ]
                        })
                    })
                    .collect(),
            });
            if context.wants_figures() && v.clusters > 0 {
                let panel = rates_panel(&[("vertical", &v), ("horizontal", &h)], chance, self.charge);
                let figure = rates_figure(raw, context, &amplifier.name, "Single electrons behind clusters", panel);
                raw.report.figure(figure);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::single_electron_rates::tests::{example, table};
    use super::*;
    use crate::image::{Amplifier, Region, Side};
    use crate::process::reconstruction::ClusterTable;
    use crate::process::{CommonParameters, registry};
    use crate::stats::random::{Binomial, Poisson, Stream};
    use ndarray::Array2;

    fn run(process: &EvalCTIProcess, raw: &mut RawData) -> Result<(), ProcessError> {
        let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
        let entry = registry::find("EvalCTIProcess").unwrap();
        raw.report.enter(0, entry.tag, None);
        process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 321 })
    }

    fn floats(raw: &RawData, name: &str, cluster: usize) -> Vec<f32> {
        match raw.products.get::<ClusterTable>().unwrap().column(name) {
            Some(Column::FloatList(lists)) => lists.get(cluster).to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn small(cumulative: bool) -> EvalCTIProcess {
        EvalCTIProcess { vertical: Distances(7, 2), horizontal: Distances(7, 2), cumulative, ..Default::default() }
    }

    #[test]
    fn example_of_the_specification() {
        let mut raw = example();
        run(&small(true), &mut raw).unwrap();
        assert_eq!(floats(&raw, "vcti_rate", 0), [0.5, 0.5, 0.416_666_67]);
        assert_eq!(floats(&raw, "hcti_rate", 0), [0.5, 0.375, 0.333_333_34]);
        match raw.products.get::<ClusterTable>().unwrap().column("vcti_pix") {
            Some(Column::IntList(lists)) => assert_eq!(lists.get(0), [2, 4, 6]),
            other => panic!("{other:?}"),
        }
        run(&small(false), &mut raw).unwrap();
        assert_eq!(floats(&raw, "vcti_rate", 0), [0.5, 0.5, 0.25]);
        assert_eq!(floats(&raw, "hcti_rate", 0), [0.5, 0.25, 0.25]);
        assert_eq!(raw.report.figures[0].figure.name, "EvalCTIProcess_rates_EXT0");
    }

    #[test]
    fn amplifier_u_trails_towards_lower_columns_and_nothing_crosses_its_border() {
        // the mirror image of the example must give the same rates
        let original = example();
        let image = original.images[0].clone();
        let mirrored = Array2::from_shape_fn((12, 14), |(r, c)| image[[r, 13 - c]]);
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", mirrored);
        raw.amplifiers[0].side = Side::U;
        raw.products.set(table(&[&[(4, 8), (5, 7), (5, 8)]]));
        run(&small(true), &mut raw).unwrap();
        assert_eq!(floats(&raw, "vcti_rate", 0), [0.5, 0.5, 0.416_666_67]);
        assert_eq!(floats(&raw, "hcti_rate", 0), [0.5, 0.375, 0.333_333_34]);

        // two stacked extensions: electrons of the second one are not counted behind a cluster of the first
        let mut pixels = Array2::zeros((8, 3));
        pixels.slice_axis_mut(ndarray::Axis(0), (4..8).into()).fill(1.0);
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", pixels);
        let block = |n: usize| Amplifier {
            full: Region::new(4 * n..4 * n + 4, 0..3),
            active: Region::new(4 * n..4 * n + 4, 0..3),
            ..Amplifier::whole_image(&format!("EXT{n}"), n, 8, 3)
        };
        raw.amplifiers = vec![block(0), block(1)];
        raw.products.set(table(&[&[(2, 1)], &[(3, 2)]]));
        run(&small(true), &mut raw).unwrap();
        assert_eq!(floats(&raw, "vcti_rate", 0), [0.0; 3]);
        assert_eq!(floats(&raw, "vcti_rate", 1), [0.0; 3], "an empty range contributes 0");
    }

    #[test]
    fn deferred_charge_is_recovered_from_simulated_clusters() {
        // 400 packets of about 1000 e⁻, a fraction 2·10⁻⁴ deferred to the next row, 3·10⁻⁴ to the next column: the
        // number of deferred electrons is Poisson with mean Q·cti, so the rate of exactly one is m·exp(−m)
        let (cti_v, cti_h) = (2e-4, 3e-4);
        let mut stream = Stream::from_seed(7);
        let mut pixels = Array2::zeros((400, 400));
        let mut clusters: Vec<Vec<(usize, usize)>> = Vec::new();
        for k in 0..400 {
            let (row, col) = (10 + 19 * (k / 20), 10 + 19 * (k % 20));
            let q = Poisson::new(1000.0).draw(&mut stream);
            let (v, h) = (Binomial::new(cti_v).draw(q, &mut stream), Binomial::new(cti_h).draw(q, &mut stream));
            pixels[[row, col]] = (q - v - h) as f64;
            pixels[[row + 1, col]] = v as f64;
            pixels[[row, col + 1]] = h as f64;
            clusters.push(vec![(row, col)]);
        }
        let views: Vec<&[(usize, usize)]> = clusters.iter().map(Vec::as_slice).collect();
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", pixels);
        raw.products.set(table(&views));
        let process = EvalCTIProcess { vertical: Distances(2, 1), horizontal: Distances(2, 1), ..Default::default() };
        run(&process, &mut raw).unwrap();
        for (name, cti) in [("vcti_rate_1_pixels", cti_v), ("hcti_rate_1_pixels", cti_h)] {
            let m = 1000.0 * cti;
            let expected = m * f64::exp(-m);
            let found = raw.report.measurements.iter().find(|x| x.name == name).unwrap();
            let sigma = (expected * (1.0 - expected) / 400.0).sqrt();
            assert!((found.value - expected).abs() < 5.0 * sigma, "{name}: {} {expected}", found.value);
            assert!((found.error.unwrap() / sigma - 1.0).abs() < 0.2);
        }
    }

    #[test]
    fn clusters_are_needed_and_parameters_checked() {
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", Array2::zeros((2, 2)));
        assert!(matches!(run(&small(true), &mut raw), Err(ProcessError::NotRunBefore { needed: "ClusterFinder", .. })));
        let bad: EvalCTIProcess = serde_json::from_str(r#"{"VCTI": [5, 0], "Qrange_e": [2, 1]}"#).unwrap();
        assert_eq!(bad.check().len(), 2);
    }
}
