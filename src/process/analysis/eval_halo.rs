//! EvalHaloProcess: single electrons in the region read before each cluster.
//!
//! Light from a cluster, or charge that spreads during a long readout, shows as an excess of single electrons around it;
//! the region read before the cluster is free of charge that trails it. The rate at a distance d is A + B + C: A along the
//! columns towards lower rows, B along the rows towards earlier columns, C in the quadrant between them. Clusters without
//! seed get zeros. Spec 03 §8.

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::single_electron_rates::{
    Counting, Distances, MeanRates, along_row, cluster_pixels, clusters, extremes, rates_figure, rates_panel,
};
use crate::image::report::Table;
use crate::image::{Amplifier, RawData, Side};
use crate::plot::value_with_error;
use crate::process::reconstruction::cluster_table::{ClusterTable, Column, Lists};
use crate::process::{Context, Measurement, ProcessError, SKImageProcess};
use ndarray::Array2;

/// Parameters of EvalHaloProcess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EvalHaloProcess {
    /// Image in which the electrons are counted.
    pub image: String,
    /// Distances from the cluster: [maximum, step], pixels.
    pub radius: Distances,
    /// Charge of a counted pixel, e-, both ends excluded.
    #[serde(rename = "Qrange_e")]
    pub charge: [f64; 2],
    /// Count from the cluster up to each distance (true), or between a distance and the one before.
    pub cumulative: bool,
}

impl Default for EvalHaloProcess {
    fn default() -> Self {
        Self {
            image: "mean_compressed_pedestal_subtracted_e".into(),
            radius: Distances(155, 10),
            charge: [0.75, 1.5],
            cumulative: true,
        }
    }
}

impl SKImageProcess for EvalHaloProcess {
    fn execute(&self, raw: &mut RawData, context: &Context<'_>) -> Result<(), ProcessError> {
        let counting = Counting { range: self.charge, cumulative: self.cumulative };
        let distances = self.radius.values();
        let image = raw.image(&self.image)?;
        let table = clusters(raw)?;
        let rates: Vec<Vec<f64>> = (0..table.len())
            .into_par_iter()
            .map(|cluster| {
                let observables = &table.clusters[cluster];
                if observables.has_seed {
                    halo(image, &raw.amplifiers[observables.amplifier], table, cluster, &counting, &distances)
                } else {
                    vec![0.0; distances.len()]
                }
            })
            .collect();
        self.report(raw, context, &counting, &distances, &rates)?;

        let Some(table) = raw.products.get_mut::<ClusterTable>() else { return Ok(()) };
        let pix: Lists<i32> = rates.iter().map(|_| distances.iter().map(|d| *d as i32)).collect();
        let rate: Lists<f32> = rates.into_iter().map(|r| r.into_iter().map(|x| x as f32)).collect();
        for (branch, column) in [("halo_pix", Column::IntList(pix)), ("halo_rate", Column::FloatList(rate))] {
            table.set_column(branch, column).map_err(|e| ProcessError::Failed(e.to_string()))?;
        }
        Ok(())
    }

    fn check(&self) -> Vec<String> {
        let mut problems: Vec<String> = self.radius.problem("radius").into_iter().collect();
        if !(self.charge[0] < self.charge[1]) {
            problems.push(format!("`Qrange_e` is {:?}; two ascending charges are expected, e-", self.charge));
        }
        problems
    }
}

/// A + B + C of one cluster at each distance.
fn halo(
    image: &Array2<f64>,
    amplifier: &Amplifier,
    table: &ClusterTable,
    cluster: usize,
    counting: &Counting,
    distances: &[usize],
) -> Vec<f64> {
    let full = &amplifier.full;
    let columns = extremes(table.coordinates(cluster).map(|(row, col)| (col, row)));
    let rows = extremes(table.coordinates(cluster));
    let mirrored = amplifier.side == Side::U;
    let mut below = vec![0.0; distances.len()];
    for &(col, lowest, _) in &columns {
        let before = (full.rows.start..lowest).rev().map(|row| image[[row, col]]);
        counting.add_line(before, distances, &mut below);
    }
    let mut beside = vec![0.0; distances.len()];
    for &(row, lowest, highest) in &rows {
        let first = if mirrored { highest } else { lowest };
        counting.add_line(along_row(image, amplifier, row, first, false), distances, &mut beside);
    }
    // the corner: lowest row and earliest column of the cluster
    let r0 = rows.first().map_or(full.rows.start, |(row, _, _)| *row);
    let c0 = if mirrored { columns.last() } else { columns.first() }.map_or(full.cols.start, |(col, _, _)| *col);
    let mut quadrant = vec![0.0; distances.len()];
    counting.add_quadrant(
        |i, j| {
            let row = r0.checked_sub(i).filter(|row| *row >= full.rows.start)?;
            let col = if mirrored { Some(c0 + j) } else { c0.checked_sub(j) }?;
            full.cols.contains(&col).then(|| image[[row, col]])
        },
        distances,
        &mut quadrant,
    );
    (0..distances.len())
        .map(|k| below[k] / columns.len() as f64 + beside[k] / rows.len() as f64 + quadrant[k])
        .collect()
}

impl EvalHaloProcess {
    /// Means per amplifier over the clusters with a seed: measurements, table, result line and figure.
    fn report(
        &self,
        raw: &mut RawData,
        context: &Context<'_>,
        counting: &Counting,
        distances: &[usize],
        rates: &[Vec<f64>],
    ) -> Result<(), ProcessError> {
        let table = clusters(raw)?;
        let in_cluster = cluster_pixels(table, (raw.rows, raw.cols));
        let owners: Vec<Option<usize>> = table.clusters.iter().map(|c| c.has_seed.then_some(c.amplifier)).collect();
        for (index, amplifier) in raw.amplifiers.clone().iter().enumerate() {
            // three independent rates are added up
            let chance = 3.0 * counting.background(raw.image(&self.image)?, amplifier, &in_cluster);
            let mean = MeanRates::new(distances, rates, |i| owners[i] == Some(index));
            let text = match mean.first().filter(|_| mean.clusters > 0) {
                Some((distance, value, error)) => {
                    raw.report.measure(
                        Measurement::new(format!("halo_rate_{distance}_pixels"), value, "1/pixel")
                            .error(error)
                            .amplifier(&amplifier.name),
                    );
                    format!("{} up to {distance} pixels", value_with_error(value, error))
                }
                None => "not measured".into(),
            };
            raw.report.result(format!(
                "amplifier {}: {} clusters with seed; sum of the three rates of single electrons before them {text}; by chance \
                 {chance:.6}",
                amplifier.name, mean.clusters
            ));
            raw.report.table(Table {
                name: format!("EvalHaloProcess_rates_{}", amplifier.name),
                columns: ["distance_pixels", "rate", "rate_error", "clusters"].map(str::to_owned).to_vec(),
                rows: (0..distances.len())
                    .map(|k| vec![distances[k] as f64, mean.means[k], mean.errors[k], mean.clusters as f64])
                    .collect(),
            });
            if context.wants_figures() && mean.clusters > 0 {
                let panel = rates_panel(&[("halo", &mean)], chance, self.charge);
                let figure = rates_figure(raw, context, &amplifier.name, "Single electrons before clusters", panel);
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
    use crate::process::{CommonParameters, registry};

    fn run(process: &EvalHaloProcess, raw: &mut RawData) {
        let common = CommonParameters { save_plots: true, ..CommonParameters::default() };
        let entry = registry::find("EvalHaloProcess").unwrap();
        raw.report.enter(0, entry.tag, None);
        process.execute(raw, &Context { entry, common: &common, amplifier: 0, seed: 321 }).unwrap();
    }

    fn rates(raw: &RawData, cluster: usize) -> Vec<f32> {
        match raw.products.get::<ClusterTable>().unwrap().column("halo_rate") {
            Some(Column::FloatList(lists)) => lists.get(cluster).to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn small(cumulative: bool) -> EvalHaloProcess {
        EvalHaloProcess { radius: Distances(5, 2), cumulative, ..Default::default() }
    }

    #[test]
    fn example_of_the_specification() {
        let mut raw = example();
        run(&small(true), &mut raw);
        assert_eq!(rates(&raw, 0), [0.5, 0.5]);
        run(&small(false), &mut raw);
        assert_eq!(rates(&raw, 0), [0.5, 0.25 + 1.0 / 7.0]);
        assert_eq!(raw.report.figures[0].figure.name, "EvalHaloProcess_rates_EXT0");
    }

    #[test]
    fn amplifier_u_is_the_mirror_image() {
        let image = example().images[0].clone();
        let mirrored = Array2::from_shape_fn((12, 14), |(r, c)| image[[r, 13 - c]]);
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", mirrored);
        raw.amplifiers[0].side = Side::U;
        raw.products.set(table(&[&[(4, 8), (5, 7), (5, 8)]]));
        run(&small(false), &mut raw);
        assert_eq!(rates(&raw, 0), [0.5, 0.25 + 1.0 / 7.0]);
    }

    #[test]
    fn clusters_without_seed_get_zeros_and_corners_stay_inside() {
        let mut raw = RawData::from_image("mean_compressed_pedestal_subtracted_e", Array2::ones((6, 6)));
        let mut clusters = table(&[&[(0, 0)], &[(3, 3)], &[(3, 3)]]);
        clusters.clusters[2].has_seed = false;
        raw.products.set(clusters);
        run(&small(true), &mut raw);
        assert_eq!(rates(&raw, 0), [0.0, 0.0]);
        assert_eq!(rates(&raw, 1), [3.0, 3.0]);
        assert_eq!(rates(&raw, 2), [0.0, 0.0]);
    }

    #[test]
    fn the_quadrant_is_that_of_the_plain_definition() {
        // an independent count: all pixels above and to the left, distance from the corner
        let image = Array2::from_shape_fn((40, 50), |(r, c)| if (7 * r + 3 * c) % 5 == 0 { 1.0 } else { 0.0 });
        let distances = [3, 9, 20];
        for cumulative in [true, false] {
            let counting = Counting { range: [0.75, 1.5], cumulative };
            let mut sums = [0.0; 3];
            let pixel = |i: usize, j: usize| Some(image[[25_usize.checked_sub(i)?, 12_usize.checked_sub(j)?]]);
            counting.add_quadrant(pixel, &distances, &mut sums);
            for (k, d) in distances.iter().enumerate() {
                let inner = if cumulative || k == 0 { 0 } else { distances[k - 1].pow(2) };
                let (mut hits, mut all) = (0.0, 0.0);
                for r in 0..25_usize {
                    for c in 0..12_usize {
                        let squared = (25 - r).pow(2) + (12 - c).pow(2);
                        if squared <= d * d && squared > inner {
                            all += 1.0;
                            hits += image[[r, c]];
                        }
                    }
                }
                assert_eq!(sums[k], hits / all, "{cumulative} {d}");
            }
        }
    }
}
