//! Figures of FitCalibrationConstant (spec 04 §2.4).

use super::{CalibrationConstant, CalibrationMethod, FitCalibrationConstant};
use crate::image::RawData;
use crate::image::report::{Table, TableHead};
use crate::plot::{
    Anchor, Axis, Colour, DataText, Guide, Histogram, Legend, LegendKey, Line, Marker, Note, Panel, Points, SecondAxis,
    Shape, Stroke, value_with_error,
};
use crate::process::Context;
use crate::process::commissioning::figure;
use crate::stats::charge_comb::SeedPeak;
use crate::stats::robust;

/// Peaks of the figure of the fits.
const SHOWN_PEAKS: usize = 10;
/// Distance of the numbers beside the peaks of the search, share of the axis.
const LABEL_DISTANCE: f64 = 0.045;
/// Electrons up to which the peaks are told apart in the figure of the charge, e⁻.
const FEW: f64 = 30.0;
/// End of that figure, e⁻.
const MANY: f64 = 200.0;
/// Bins per electron of the figure of the fits.
const BINS_PER_ELECTRON: f64 = 40.0;

pub(super) fn draw(
    process: &FitCalibrationConstant,
    raw: &mut RawData,
    context: &Context<'_>,
    result: &CalibrationConstant,
    values: &[f64],
    image: &str,
) {
    let unit = if image.ends_with("_e") { "e⁻" } else { "ADU" };
    let amplifier = raw.amplifiers[context.amplifier].name.clone();
    let name = |what: &str| format!("FitCalibrationConstant_{what}_{amplifier}");
    let prominence = prominence_unit(process.method);
    let title = format!("starting point for the calibration constant fit [amplifier {amplifier}]");
    let seed = figure(raw, context, name("calibration_guess"), &title)
        .size(10.5, 5.4)
        .panel(seed_panel(result, unit, prominence));
    raw.report.figure(seed);
    seed_table(raw, name("calibration_guess"), result, unit, prominence);
    if process.show_fit {
        let (spectrum, pulls, rows) = fit_panels(result, values, unit);
        table(raw, name("fit_peaks"), &["charge_e", "counts", "model", "pull"], rows);
        let peaks = figure(raw, context, name("fit_peaks"), &format!("Single-electron peaks [amplifier {amplifier}]"))
            .size(10.0, 7.0)
            .with_residuals(spectrum, pulls);
        raw.report.figure(peaks);
    }
    let title = format!("Linearity from single electron peaks [amplifier {amplifier}]");
    let mut linearity =
        figure(raw, context, name("lineality_from_single_electron_peaks"), &title).grid(2, 2).size(12.0, 7.6);
    for panel in linearity_panels(result, unit) {
        linearity = linearity.panel(panel);
    }
    raw.report.figure(linearity);
    let (panels, rows): (Vec<Panel>, Vec<_>) = charge_panels(process, result, values).into_iter().unzip();
    table(raw, name("PCD_low_and_high_EnergyRange_AMPLIFIER"), &["from_e", "to_e", "counts"], rows.concat());
    let width = 7.0 * panels.len() as f64;
    let mut charge = figure(
        raw,
        context,
        name("PCD_low_and_high_EnergyRange_AMPLIFIER"),
        &format!("Calibrated pixel charge distribution [amplifier {amplifier}]"),
    )
    .grid(1, panels.len())
    .size(width, 5.0);
    for panel in panels {
        charge = charge.panel(panel);
    }
    raw.report.figure(charge);
}

/// A table beside the figure of the same name.
fn table(raw: &mut RawData, name: String, columns: &[&str], rows: Vec<Vec<f64>>) {
    raw.report.table(Table { name, columns: columns.iter().map(|c| (*c).to_owned()).collect(), rows });
}

/// What the prominence of the peaks of the search counts.
fn prominence_unit(method: CalibrationMethod) -> &'static str {
    match method {
        CalibrationMethod::Mixture => "σ",
        CalibrationMethod::Legacy => "counts",
    }
}

/// The histogram of the search, and the peaks that it found.
fn seed_table(raw: &mut RawData, name: String, result: &CalibrationConstant, unit: &str, prominence: &str) {
    let seed = &result.fit.seed;
    let mut head = TableHead::default()
        .scalar("bin_width", seed.width)
        .scalar("ignored_below", seed.low)
        .scalar("spacing", seed.spacing)
        .scalar("first_peak", seed.first)
        .scalar("start_value_used", seed.guided)
        .scalar("unit_of_prominence", if prominence == "σ" { "standard deviations" } else { prominence });
    for (i, peak) in seed.peaks.iter().enumerate() {
        head = head.scalar(format!("peak_{}", i + 1), format!("{} prominence {}", peak.at, peak.prominence));
    }
    let unit = if unit == "ADU" { "ADU" } else { "e" };
    let rows = seed.counts.iter().enumerate().map(|(i, n)| vec![seed.low + (i as f64 + 0.5) * seed.width, *n]);
    let columns = vec![format!("charge_{unit}"), "counts".to_owned()];
    raw.report.table_with(Table { name, columns, rows: rows.collect() }, head);
}

fn seed_panel(result: &CalibrationConstant, unit: &str, prominence: &str) -> Panel {
    let seed = &result.fit.seed;
    let high = seed.low + seed.width * seed.counts.len() as f64;
    let (left, right) = (seed.low - 0.02 * (high - seed.low), high);
    let centres = (0..seed.counts.len()).map(|i| seed.low + (i as f64 + 0.5) * seed.width).collect::<Vec<_>>();
    let most = seed.counts.iter().copied().fold(1.0, f64::max);
    // of peaks so close that their numbers would overlap, the most prominent one has its number
    let mut labelled: Vec<&SeedPeak> = Vec::new();
    let mut by_prominence: Vec<&SeedPeak> = seed.peaks.iter().collect();
    by_prominence.sort_by(|a, b| b.prominence.total_cmp(&a.prominence));
    for peak in by_prominence {
        if labelled.iter().all(|other| (other.at - peak.at).abs() > LABEL_DISTANCE * (right - left)) {
            labelled.push(peak);
        }
    }
    // beside the peak, on the side where its neighbour is lower
    let rises = |peak: &SeedPeak| {
        let right = seed.peaks.iter().filter(|other| other.at > peak.at);
        right.min_by(|a, b| a.at.total_cmp(&b.at)).is_some_and(|next| next.height > peak.height)
    };
    let (left_of, right_of): (Vec<&SeedPeak>, Vec<&SeedPeak>) = labelled.into_iter().partition(|p| rises(p));
    let numbers = |peaks: Vec<&SeedPeak>, shift: f64| {
        let items = peaks.into_iter().map(|p| (p.at, p.height.max(0.7), format!("{:.0}", p.prominence)));
        DataText::new(items).size(8.5).shift(shift, 7.0).halo()
    };
    Panel::new()
        .x(format!("pixel charge [{unit}]"))
        .y_axis(Axis::new("counts").log().range(0.5, 4.0 * most))
        .x_range(left, right)
        .guide(Guide::vertical(seed.low).solid().label("ignoring pixels below"))
        .guide(Guide::vertical(seed.first).label("first peak of the comb"))
        .guide(Guide::vertical(seed.first + seed.spacing).dotted().label("second peak of the comb"))
        .points(
            Points::new(centres, &seed.counts)
                .marker(Marker::open(Shape::Cross, Colour::RED).size(3.2))
                .label(format!("pixels, bins of {:.4} {unit}", seed.width)),
        )
        .points(
            Points::new(
                seed.peaks.iter().map(|p| p.at).collect::<Vec<_>>(),
                seed.peaks.iter().map(|p| p.height.max(0.7)).collect::<Vec<_>>(),
            )
            .marker(Marker::open(Shape::Circle, Colour::BLACK).size(7.0))
            .label(format!("found peaks (prominence in {prominence})")),
        )
        .text(numbers(left_of, -12.0))
        .text(numbers(right_of, 12.0))
        .legend(
            Legend::outside()
                .entry(LegendKey::Nothing, format!("distance of the peaks: {:.4} {unit}/e⁻", seed.spacing))
                .entry(LegendKey::Nothing, format!("start value used: {}", if seed.guided { "yes" } else { "no" }))
                .entry(LegendKey::Nothing, "if this is wrong, give `calibration`"),
        )
}

/// Spectrum and pulls; charge, counts, model and pull of every bin.
fn fit_panels(result: &CalibrationConstant, values: &[f64], unit: &str) -> (Panel, Panel, Vec<Vec<f64>>) {
    let fit = &result.fit;
    let shown = fit.peaks.len().min(SHOWN_PEAKS);
    let (first, last) = (result.electrons(0), result.electrons(shown - 1));
    let (low, high) = (first - 1.0, last + 1.0);
    let bins = ((high - low) * BINS_PER_ELECTRON).round() as usize;
    let width = (high - low) / bins as f64;
    let mut counts = vec![0.0; bins];
    for x in values {
        let t = (result.charge(*x) - low) / width;
        if t >= 0.0
            && let Some(count) = counts.get_mut(t as usize)
        {
            *count += 1.0;
        }
    }
    let (k, first_electron) = (fit.gain(), result.first_electron as f64);
    let value = |n: f64| fit.offset() + k * (n - first_electron);
    // pixels per bin of `width` electrons
    let model = |n: f64, peak: Option<usize>| fit.density(value(n), peak) * k * width;
    let centres: Vec<f64> = (0..bins).map(|i| low + (i as f64 + 0.5) * width).collect();
    let visible = |y: f64| if y > 0.3 { y } else { f64::NAN };
    let mut panel =
        Panel::new().y_axis(Axis::new(format!("pixels per {width:.3} e⁻")).log().from(0.5)).x_range(low, high).points(
            Points::new(&centres, &counts)
                .marker(Marker::open(Shape::Circle, Colour::BLUE).size(3.0))
                .label(format!("{} pixels", values.len())),
        );
    for i in 0..shown {
        let centre = result.charge(fit.peaks[i].mu);
        let half = 5.0 * fit.peaks[i].sigma / k;
        let curve = Line::function(centre - half, centre + half, 160, |n| visible(model(n, Some(i))));
        panel = panel.line(curve.stroke(Stroke::new(Colour::series(i)).width(1.0).dashed()));
    }
    let (noise, noise_error) = fit.noise;
    panel = panel
        .line(Line::function(low, high, 1200, |n| visible(model(n, None))).width(1.3).label("sum of the peaks"))
        .top(SecondAxis {
            label: format!("pixel charge [{unit}]"),
            factor: k,
            offset: fit.offset() - k * first_electron,
        })
        .note(
            Note::fit_results()
                .value(format!("k [{unit}/e⁻]"), k, fit.gain_error())
                .value(format!("σ [{unit}]"), noise, noise_error)
                .value("σ [e⁻]", noise / k, noise_error / k)
                .entry("peaks", fit.peaks.len().to_string()),
        )
        .legend_at(Anchor::TopLeft);
    // below the first peak and beyond the last one of the fit there is no model
    let modelled = if shown < fit.peaks.len() { high } else { last + 0.5 };
    let pulls: Vec<f64> = centres
        .iter()
        .zip(&counts)
        .map(|(n, y)| {
            let expected = model(*n, None);
            if expected >= 1.0 && (first - 0.5..=modelled).contains(n) {
                (y - expected) / expected.sqrt()
            } else {
                f64::NAN
            }
        })
        .collect();
    let far = pulls.iter().copied().filter(|p| p.is_finite()).fold(3.5, |m: f64, p| m.max(1.1 * p.abs()));
    let below = Panel::new()
        .x("pixel charge [e⁻]")
        .y("(data − model)/√model")
        .y_range(-far, far)
        .x_range(low, high)
        .guide(Guide::horizontal(0.0).solid().colour(Colour::GREY))
        .points(Points::new(&centres, &pulls).marker(Marker::filled(Shape::Circle, Colour::BLACK).size(2.0)));
    let rows = centres.iter().zip(&counts).zip(&pulls).map(|((n, y), pull)| vec![*n, *y, model(*n, None), *pull]);
    (panel, below, rows.collect())
}

fn linearity_panels(result: &CalibrationConstant, unit: &str) -> [Panel; 4] {
    let fit = &result.fit;
    let k = fit.gain();
    let n: Vec<f64> = (0..fit.peaks.len()).map(|i| result.electrons(i)).collect();
    let reconstructed: Vec<f64> = fit.peaks.iter().map(|p| result.charge(p.mu)).collect();
    let errors: Vec<f64> = fit.peaks.iter().map(|p| p.mu_error / k).collect();
    let residuals: Vec<f64> = reconstructed.iter().zip(&n).map(|(r, n)| r - n).collect();
    let marker = Marker::open(Shape::Circle, Colour::BLUE).size(if n.len() > 60 { 2.6 } else { 4.5 });
    let x = "True Charge [e⁻]";
    let (low, high) = (n[0], n[n.len() - 1]);
    // one axis for all panes, whatever they leave out
    let margin = (0.04 * (high - low)).max(0.15);
    let common = |panel: Panel| panel.x_range(low - margin, high + margin);
    let note = Note::new(Anchor::BottomRight, Vec::<String>::new())
        .value(format!("k [{unit}/e⁻]"), k, fit.gain_error())
        .value(format!("b [{unit}]"), fit.offset(), fit.offset_error())
        .chi2(fit.line.chi2, fit.line.ndf.max(0) as usize);
    let charge = Panel::new()
        .x(x)
        .y("reconstructed charge [e⁻]")
        .with_grid()
        .line(Line::new([low, high], [low, high]).stroke(Stroke::new(Colour::BLACK).dashed()))
        .points(
            Points::new(&n, &reconstructed)
                .y_errors(&errors)
                .marker(marker)
                .label(format!("calibration: {} {unit}/e⁻", value_with_error(k, fit.gain_error()))),
        )
        .note(note)
        .legend_at(Anchor::TopLeft);
    let relative = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&n).map(|(v, n)| if *n > 0.0 { v / n } else { f64::NAN }).collect()
    };
    let zero = || Guide::horizontal(0.0).solid().colour(Colour::GREY);
    let difference = Panel::new()
        .x(x)
        .y("relative difference from fit")
        .guide(zero())
        .points(Points::new(&n, relative(&residuals)).y_errors(relative(&errors)).marker(marker));
    let mut residual = Panel::new().x(x).y("residual [e⁻]").guide(zero());
    if let Some((q, error)) = fit.nonlinearity()
        && let Some(parabola) = &fit.parabola
    {
        let first = result.first_electron as f64;
        residual = residual
            .line(
                Line::function(low, high, 200, |n| result.charge(parabola.at(n - first)) - n)
                    .width(1.2)
                    .label(format!("parabola: {} per e⁻", value_with_error(q, error))),
            )
            .legend_at(Anchor::Free);
    }
    residual = residual.points(Points::new(&n, &residuals).y_errors(&errors).marker(marker));
    let (noise, noise_error) = fit.noise;
    let sigma = Panel::new()
        .x(x)
        .y("sigma [e⁻]")
        .guide(
            Guide::horizontal(noise / k)
                .solid()
                .colour(Colour::RED)
                .label(format!("mean: {} e⁻", value_with_error(noise / k, noise_error / k))),
        )
        .points(
            Points::new(&n, fit.peaks.iter().map(|p| p.sigma / k).collect::<Vec<_>>())
                .y_errors(fit.peaks.iter().map(|p| p.sigma_error / k).collect::<Vec<_>>())
                .marker(marker),
        );
    [charge, difference, residual, sigma].map(common)
}

/// Ranges of the calibrated spectrum, e⁻: few electrons, and up to 200 or to the end of the comb if there are data. The
/// first one begins below 0 e⁻, or where the data begin (`begin`), so that the 0 e⁻ peak of an overscan is seen.
fn charge_ranges(charges: &[f64], begin: f64, first: f64, last: f64, n_peaks: usize) -> Vec<(f64, f64)> {
    let largest = charges.iter().copied().fold(first, f64::max);
    let begin = (begin - 1.0).floor();
    let low = if begin < 0.0 { begin.min(-2.0) } else { begin };
    let top = if low < FEW { (first + n_peaks as f64).min(FEW) } else { low + FEW.min(n_peaks as f64) + 2.0 };
    let top = top.min(largest.ceil() + 1.0).max(low + 3.0);
    let mut ranges = vec![(low, top)];
    let from = top.max(FEW) - 0.5;
    let end = if last > MANY { last + 5.0 } else { MANY.max(from) };
    let above = charges.iter().copied().filter(|q| *q > from && *q < end);
    let (least, most) = above.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), q| (l.min(q), h.max(q)));
    if n_peaks > 2 && most > from {
        // whole electrons in the middle of their bins
        let low = from.max(least.floor() - 2.5);
        ranges.push((low, (most.ceil() + 1.5).min(end + 0.5).max(low + 4.0)));
    }
    ranges
}

/// The calibrated spectrum in [`charge_ranges`]; with ends and contents of the bins.
fn charge_panels(
    process: &FitCalibrationConstant,
    result: &CalibrationConstant,
    values: &[f64],
) -> Vec<(Panel, Vec<Vec<f64>>)> {
    let charges: Vec<f64> = values.iter().map(|x| result.charge(*x)).collect();
    let last = result.electrons(result.fit.peaks.len() - 1);
    // a few outliers or a dead column are not where the data begin
    let begin = robust::percentile_in_place(&mut charges.clone(), 0.1).max(result.charge(result.fit.seed.low));
    let ranges = charge_ranges(&charges, begin, result.electrons(0), last, process.n_peaks);
    let panel = |(number, (low, high)): (usize, (f64, f64))| {
        // far up there are a few pixels per peak: one bin each, unless the comb itself is there
        let width = match number {
            0 => process.pcd_bin_width,
            _ if last > low + 1.0 => process.pcd_bin_width.max(0.2),
            _ => process.pcd_bin_width.max(1.0),
        };
        let bins = ((high - low) / width).round().clamp(1.0, 40_000.0) as usize;
        let counts = crate::stats::Histogram::window(&charges, low, high, bins).ok()?;
        let mut panel = Panel::new()
            .x("pixel charge [e⁻]")
            .y_axis(Axis::new(format!("pixels per {:.3} e⁻", (high - low) / bins as f64)).log().from(0.5))
            .x_range(low, high);
        if number == 0 && high - low < 60.0 {
            let from = low.ceil() as i64;
            for n in from..=high.floor() as i64 {
                panel = panel.guide(Guide::vertical(n as f64).stroke(Stroke::new(Colour::PALE_GREY).width(0.6)));
            }
        }
        let at = |i: usize| low + (high - low) * i as f64 / bins as f64;
        let rows = counts.contents().iter().enumerate().map(|(i, n)| vec![at(i), at(i + 1), *n]).collect();
        Some((panel.histogram(Histogram::uniform(low, high, counts.contents()).colour(Colour::BLUE)), rows))
    };
    ranges.into_iter().enumerate().filter_map(panel).collect()
}

#[cfg(test)]
mod tests {
    use super::charge_ranges;

    #[test]
    fn both_panes_of_the_spectrum_hold_data() {
        let line =
            |from: f64, to: f64| (0..1000).map(|i| from + (to - from) * f64::from(i) / 999.0).collect::<Vec<_>>();
        // from 0 e- on: the ranges of the specification, cut where the data end
        assert_eq!(charge_ranges(&line(-0.6, 12.2), -0.5, 0.0, 11.0, 100), [(-2.0, 14.0)]);
        assert_eq!(charge_ranges(&line(-0.6, 12.2), -0.5, 0.0, 2.0, 3), [(-2.0, 3.0)]);
        assert_eq!(charge_ranges(&line(-0.6, 500.0), -0.5, 0.0, 11.0, 100), [(-2.0, 30.0), (29.5, 200.5)]);
        // an overscan at 0 e- beside a comb around 60 e-
        let bright: Vec<f64> = line(-0.5, 0.5).into_iter().chain(line(38.2, 84.6)).collect();
        assert_eq!(charge_ranges(&bright, -0.4, 42.0, 80.0, 100), [(-2.0, 30.0), (35.5, 86.5)]);
        // the same pedestal-subtracted by its own median: the comb counts from its first peak
        let shifted: Vec<f64> = bright.iter().map(|q| q - 42.0).collect();
        assert_eq!(charge_ranges(&shifted, -42.4, 0.0, 38.0, 100), [(-44.0, 30.0), (29.5, 44.5)]);
        // no overscan
        assert_eq!(charge_ranges(&line(38.2, 84.6), 38.4, 42.0, 80.0, 100), [(37.0, 69.0), (68.5, 86.5)]);
        // a comb beyond 200 e-
        assert_eq!(charge_ranges(&line(250.2, 290.4), 250.3, 252.0, 288.0, 100), [(249.0, 281.0), (280.5, 292.5)]);
    }
}
