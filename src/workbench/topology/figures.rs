//! Figures of `topology`.

use ndarray::Array2;

use super::{Cluster, TopologyArgs};
use crate::plot::{ColourRange, DataText, Figure, ImagePlot, Panel, value_with_error};

/// Cells with numbers in them at most; more would not be readable.
const MOST_NUMBERS: usize = 400;

/// Energy and spreads; a spread that was not fitted is left out.
fn title(cluster: &Cluster) -> String {
    let (both, x, y) = cluster.spread;
    let spreads = [("xy", both), ("x", x), ("y", y)].into_iter().filter(|(_, value)| value.is_finite());
    let spreads: Vec<String> = spreads.map(|(name, value)| format!("σ_{{{name}}} = {value:.2}")).collect();
    let unit = if spreads.is_empty() { "" } else { " pixels" };
    let energy = format!("E = {:.3} keV", cluster.energy);
    std::iter::once(energy).chain(spreads).collect::<Vec<_>>().join(", ") + unit
}

/// Map of a cluster; `others`: clusters whose pixels in the window are drawn too.
pub fn cluster(args: &TopologyArgs, stem: &str, cluster: &Cluster, others: &[&Cluster]) -> Figure {
    let span = |v: &[i64], pad: i64| {
        let (lo, hi) = v.iter().fold((i64::MAX, i64::MIN), |(lo, hi), x| (lo.min(*x), hi.max(*x)));
        (lo.saturating_sub(pad), hi.saturating_add(pad))
    };
    let ((x0, x1), (y0, y1)) = (span(&cluster.x, args.padx), span(&cluster.y, args.pady));
    let size = |lo: i64, hi: i64| usize::try_from(hi.saturating_sub(lo).saturating_add(1)).unwrap_or(1).min(20_000);
    let mut map = Array2::from_elem((size(y0, y1), size(x0, x1)), f64::NAN);
    for one in others.iter().copied().chain([cluster]) {
        for ((x, y), q) in one.x.iter().zip(&one.y).zip(&one.charge) {
            let place = usize::try_from(y - y0).ok().zip(usize::try_from(x - x0).ok());
            if let Some(cell) = place.and_then(|(r, c)| map.get_mut([r, c])) {
                *cell = *q;
            }
        }
    }
    let numbers: Vec<(f64, f64, String)> = map
        .indexed_iter()
        .filter(|(_, q)| q.is_finite())
        .map(|((r, c), q)| ((x0 + c as i64) as f64, (y0 + r as i64) as f64, number(*q)))
        .collect();
    let (rows, cols) = map.dim();
    let mut plot = ImagePlot::new(map)
        .origin_bottom()
        .extent(x0 as f64 - 0.5, x1 as f64 + 0.5, y0 as f64 - 0.5, y1 as f64 + 0.5)
        .colour_label("charge [e⁻]");
    plot.range = match args.erange.as_deref() {
        Some([lo, hi]) if lo < hi => ColourRange::Fixed { low: *lo, high: *hi },
        _ => ColourRange::Full,
    };
    if args.logz {
        plot = plot.log();
    }
    let mut panel = Panel::image_of(plot).equal_aspect();
    if numbers.len() <= MOST_NUMBERS {
        let size = (160.0 / cols.max(rows) as f64).clamp(3.5, 8.0);
        panel = panel.text(DataText::new(numbers).size(size).on_image());
    }
    let width = 6.5;
    let height = (width * rows as f64 / cols as f64).clamp(3.0, 10.0);
    Figure::new(format!("{stem}_evt{}_cls{}", cluster.entry, cluster.id))
        .title(title(cluster))
        .title(format!("entry {}, cluster {}", cluster.entry, cluster.id))
        .size(width + 1.4, height + 1.2)
        .panel(panel)
}

/// A charge in a cell: one decimal below 10.
fn number(q: f64) -> String {
    if q.abs() < 10.0 { format!("{q:.1}") } else { format!("{q:.0}") }
}

/// Mean of all clusters.
pub fn combined(name: &str, mean: &Array2<f64>, clusters: usize, widths: [(f64, f64); 2]) -> Figure {
    let [x, y] = widths.map(|(width, error)| value_with_error(width, error));
    let (rows, cols) = mean.dim();
    let (half_x, half_y) = ((cols / 2) as f64, (rows / 2) as f64);
    let drawn = mean.mapv(|q| if q > 0.0 { q } else { f64::NAN });
    let numbers = mean
        .indexed_iter()
        .filter(|(_, q)| **q >= 0.005)
        .map(|((r, c), q)| (c as f64 - half_x, r as f64 - half_y, format!("{q:.2}")));
    let mut plot = ImagePlot::new(drawn)
        .origin_bottom()
        .extent(-half_x - 0.5, half_x + 0.5, -half_y - 0.5, half_y + 0.5)
        .colour_label("mean of charge / largest charge");
    plot.range = ColourRange::Fixed { low: 1e-3, high: 1.0 };
    let panel = Panel::image_of(plot.log())
        .x("column − column of the brightest pixel")
        .y("row − row of the brightest pixel")
        .equal_aspect()
        .text(DataText::new(numbers).size(6.0).on_image());
    Figure::new(name)
        .title(format!("Mean of {clusters} clusters"))
        .title(format!("σ_{{x}} = {x}, σ_{{y}} = {y} pixels"))
        .size(7.5, 6.6)
        .panel(panel)
}
