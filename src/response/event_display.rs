//! A picture of a collection, for debugging (`--debug`): the map of signal and noise, the electrons as small crosses, the
//! deposits by particle with markers that grow with the depth, and a closer look at each large cluster.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::error::{ResponseRunError, Result};
use crate::plot::{Colour, Figure, Format, ImagePlot, Marker, Panel, Points, Shape};
use crate::process::digitize::{Ccd, Extent, Hit, HitCollection, Pixel};

/// Pixels shown around the signal.
const MARGIN: u32 = 5;
/// Largest map, pixels: larger signals are shown without the map.
const LARGEST_MAP: usize = 4_000_000;
/// Panels with clusters in a figure.
const CLUSTERS: usize = 8;
/// Electrons drawn at most.
const ELECTRONS: usize = 20_000;

/// Names of the quantities that can be shown.
pub const QUANTITIES: [&str; 5] = ["Edep", "z", "time", "sigma_xy", "N_carried_charges"];

/// What is drawn of which events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDisplay {
    /// Events; none: all.
    pub events: Vec<i64>,
    /// Clusters of at least so many pixels get a panel.
    pub smallest_cluster: usize,
    /// Quantity shown by the map, one of [`QUANTITIES`].
    pub quantity: String,
}

impl EventDisplay {
    /// Whether this event is to be drawn.
    pub fn wants(&self, event: i64) -> bool {
        self.events.is_empty() || self.events.contains(&event)
    }

    /// Draws the collections of an event into PDF files beside the output; returns their paths.
    ///
    /// # Errors
    /// If a figure cannot be drawn or written.
    pub fn draw(&self, collections: &[HitCollection], ccd: &Ccd, output: &Path) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for collection in collections.iter().filter(|c| !c.killed && self.wants(c.event)) {
            let stem = output.file_stem().unwrap_or_default().to_string_lossy();
            let window = if collection.window_number > 0 { format!("_w{}", collection.window) } else { String::new() };
            let name = format!("{stem}_event{}_ccd{}{window}.pdf", collection.event, collection.ccd);
            let path = output.with_file_name(name);
            let failed = |reason: String| ResponseRunError::Write { path: path.clone(), reason };
            let bytes =
                crate::plot::render(&self.figure(collection, ccd), Format::Pdf).map_err(|e| failed(e.to_string()))?;
            crate::atomic_file::write(&path, &bytes).map_err(|e| failed(e.to_string()))?;
            files.push(path);
        }
        Ok(files)
    }

    /// The figure of a collection.
    pub fn figure(&self, hits: &HitCollection, ccd: &Ccd) -> Figure {
        let clusters: Vec<Extent> = self.clusters(hits);
        let rows = 1 + clusters.len().div_ceil(4);
        let mut figure = Figure::new(format!("event{}_ccd{}", hits.event, hits.ccd))
            .title(format!("event {}, CCD {}, time window {}", hits.event, hits.ccd, hits.window))
            .grid(rows, 4);
        if let Some(extent) = hits.extent() {
            let whole = self.panel(hits, ccd, widened(extent, ccd)).title("signal and noise");
            figure = figure.panel(whole.spanning(0, 0, 1, 4));
        }
        for (i, extent) in clusters.into_iter().enumerate() {
            let panel = self.panel(hits, ccd, widened(extent, ccd));
            figure = figure.panel(panel.title(format!("cluster {}", i + 1)).at(1 + i / 4, i % 4));
        }
        figure
    }

    /// Extents of the clusters that get a panel, largest energy first.
    fn clusters(&self, hits: &HitCollection) -> Vec<Extent> {
        let Some(table) = &hits.clusters else { return Vec::new() };
        let mut chosen: Vec<usize> =
            (0..table.len()).filter(|&i| table.pixels(i).len() >= self.smallest_cluster).collect();
        chosen.sort_by(|&a, &b| table.clusters[b].energy.total_cmp(&table.clusters[a].energy));
        chosen.truncate(CLUSTERS);
        chosen
            .into_iter()
            .map(|i| {
                let (x, y) = (&table.clusters[i].x, &table.clusters[i].y);
                Extent { rows: (y.min - 1, y.max - 1), cols: (x.min - 1, x.max - 1) }
            })
            .collect()
    }

    fn panel(&self, hits: &HitCollection, ccd: &Ccd, extent: Extent) -> Panel {
        let (rows, cols) = (extent.rows.1 - extent.rows.0 + 1, extent.cols.1 - extent.cols.0 + 1);
        let mut panel = Panel::new().x("column").y("row").equal_aspect();
        if rows as usize * cols as usize <= LARGEST_MAP {
            let mut map = Array2::from_elem((rows as usize, cols as usize), f64::NAN);
            for p in &hits.pixels {
                let place = (p.row.wrapping_sub(extent.rows.0) as usize, p.col.wrapping_sub(extent.cols.0) as usize);
                if let Some(value) = map.get_mut(place) {
                    *value = self.value(p);
                }
            }
            let edge = |x: u32| f64::from(x) - 0.5;
            let image = ImagePlot::new(map)
                .origin_bottom()
                .extent(edge(extent.cols.0), edge(extent.cols.1 + 1), edge(extent.rows.0), edge(extent.rows.1 + 1))
                .colour_label(self.label());
            panel = panel.image(image);
        }
        let shown = |hit: &&Hit| {
            let (x, y) = in_pixels(hit, ccd);
            x >= f64::from(extent.cols.0) - 0.5
                && x <= f64::from(extent.cols.1) + 0.5
                && y >= f64::from(extent.rows.0) - 0.5
                && y <= f64::from(extent.rows.1) + 0.5
        };
        let electrons: Vec<(f64, f64)> = hits
            .hits
            .iter()
            .filter(|h| h.charge > 0)
            .filter(shown)
            .take(ELECTRONS)
            .map(|h| in_pixels(h, ccd))
            .collect();
        panel = panel.points(
            Points::new(
                electrons.iter().map(|p| p.0).collect::<Vec<_>>(),
                electrons.iter().map(|p| p.1).collect::<Vec<_>>(),
            )
            .marker(Marker::open(Shape::Cross, Colour::GREY).size(1.5)),
        );
        deposits(panel, hits.deposits.iter().filter(shown), ccd)
    }

    fn value(&self, p: &Pixel) -> f64 {
        match self.quantity.as_str() {
            "z" => p.z,
            "time" => p.time,
            "sigma_xy" => p.sigma,
            "N_carried_charges" => f64::from(p.charge),
            _ => p.energy / 1e3,
        }
    }

    fn label(&self) -> &'static str {
        match self.quantity.as_str() {
            "z" => "depth [mm]",
            "time" => "time [s]",
            "sigma_xy" => "width of the diffusion [mm]",
            "N_carried_charges" => "electrons",
            _ => "energy [keV]",
        }
    }
}

/// Position in pixels, whole numbers at the centres.
fn in_pixels(hit: &Hit, ccd: &Ccd) -> (f64, f64) {
    (hit.x / ccd.pixel_x - 0.5, hit.y / ccd.pixel_y - 0.5)
}

fn widened(extent: Extent, ccd: &Ccd) -> Extent {
    let last = |length: usize| length.saturating_sub(1).min(u32::MAX as usize) as u32;
    Extent {
        rows: (extent.rows.0.saturating_sub(MARGIN), (extent.rows.1 + MARGIN).min(last(ccd.rows))),
        cols: (extent.cols.0.saturating_sub(MARGIN), (extent.cols.1 + MARGIN).min(last(ccd.cols))),
    }
}

/// The deposits, a colour for each particle and four sizes for quarters of the depth.
fn deposits<'h>(mut panel: Panel, hits: impl Iterator<Item = &'h Hit>, ccd: &Ccd) -> Panel {
    let mut groups: std::collections::BTreeMap<(i32, usize), Vec<(f64, f64)>> = std::collections::BTreeMap::new();
    for hit in hits {
        let quarter = ((4.0 * hit.z / ccd.thickness) as usize).min(3);
        groups.entry((hit.pdg, quarter)).or_default().push(in_pixels(hit, ccd));
    }
    let mut codes: Vec<i32> = groups.keys().map(|k| k.0).collect();
    codes.dedup();
    let mut labelled = None;
    for ((pdg, quarter), points) in groups {
        let colour = Colour::series(codes.iter().position(|c| *c == pdg).unwrap_or(0));
        let marker = Marker::open(Shape::Circle, colour).size(2.0 + 1.2 * quarter as f64);
        let mut series =
            Points::new(points.iter().map(|p| p.0).collect::<Vec<_>>(), points.iter().map(|p| p.1).collect::<Vec<_>>())
                .marker(marker);
        if labelled != Some(pdg) {
            series = series.label(format!("PDG {pdg}"));
            labelled = Some(pdg);
        }
        panel = panel.points(series);
    }
    panel
}
