//! What TwoDGaussProcess says about its fit: numbers, cards, table and figure.

use super::fit::PairFit;
use super::histogram::PairHistogram;
use super::model::{CAL, DC, Lattice, N, NAMES, Peaks, SIG, THETA};
use crate::image::RawData;
use crate::image::report::{InfoValue, Table};
use crate::plot::{Contours, Figure, ImagePlot, Note, Panel, value_with_error};
use crate::process::analysis::units::shown;
use crate::process::{Context, Measurement};
use ndarray::Array2;

/// Measurements, cards, `info` branches, table and log lines.
pub(super) fn report(raw: &mut RawData, fit: &PairFit, histogram: &PairHistogram, unit: &str) {
    let gain_unit = format!("{unit}/e-");
    let rows = [
        (THETA, "correlation_angle", "rad", "TDGTHETA", "correlation angle [rad]"),
        (DC, "dark_current_L", "e-", "TDGDCL", "lambda of L [e-/bin/img]"),
        (DC + 1, "dark_current_U", "e-", "TDGDCU", "lambda of U [e-/bin/img]"),
        (SIG, "noise_L", unit, "TDGSIGL", "noise of L"),
        (SIG + 1, "noise_U", unit, "TDGSIGU", "noise of U"),
        (CAL, "gain_L", &gain_unit, "TDGCALL", "gain of L"),
        (CAL + 1, "gain_U", &gain_unit, "TDGCALU", "gain of U"),
    ];
    for (k, name, unit, keyword, comment) in rows {
        raw.report.measure(
            Measurement::new(name, fit.values[k], unit)
                .error(fit.errors[k])
                .card(keyword, format!("2D Gauss: {comment}"))
                .error_card(format!("{keyword}E"), format!("2D Gauss: error of {comment}"))
                .info_branch(format!("tdg_{name}")),
        );
    }
    raw.report
        .measure(Measurement::integer("pairs", histogram.entries as i64).card("TDGNPIX", "2D Gauss: pairs of pixels"));
    let (chi2, ndf) = fit.merged_chi2;
    let chi2_per_ndf = if ndf > 0 { chi2 / ndf as f64 } else { -999.0 };
    raw.report.measure(Measurement::new("chi2_ndf", chi2_per_ndf, ""));
    raw.report.measure(Measurement::new("p_value", fit.p_value, ""));
    raw.report.measure(fit.verdict.measurement("two_d_gauss_status", "TDGSTAT"));
    raw.report.info_branch("tdg_status", InfoValue::Int(i32::from(fit.verdict.word())));

    raw.report.table(Table {
        name: "TwoDGaussProcess_BestFit".into(),
        columns: ["value", "error", "error_down", "error_up"]
            .into_iter()
            .map(str::to_owned)
            .chain(NAMES.iter().map(|name| format!("correlation_{name}")))
            .collect(),
        rows: (0..N)
            .map(|k| {
                let (down, up) = fit.profile_errors.map_or((f64::NAN, f64::NAN), |ends| ends[k]);
                let mut row = vec![fit.values[k], fit.errors[k], down, up];
                row.extend((0..N).map(|j| fit.correlation(k, j)));
                row
            })
            .collect(),
    });
    let number = |k: usize| value_with_error(fit.values[k], fit.errors[k]);
    raw.report.result(format!(
        "L against U, {} of {} pairs: θ = {} rad, noise L {} U {} {unit}, gain L {} U {} {unit}/e-, dark current L {} U {} \
         e-/bin/img, χ²/NDF {chi2_per_ndf:.3}{}",
        histogram.inside,
        histogram.entries,
        number(THETA),
        number(SIG),
        number(SIG + 1),
        number(CAL),
        number(CAL + 1),
        number(DC),
        number(DC + 1),
        fit.verdict.remark()
    ));
    if !fit.verdict.is_good() {
        let limits =
            if fit.at_limit.is_empty() { String::new() } else { format!(" (on a limit: {})", fit.at_limit.join(", ")) };
        fit.verdict.warn(raw, &format!("the two-dimensional fit{limits}"));
    }
}

/// Histogram in logarithmic colours with contours of the model.
pub(super) fn draw(
    raw: &mut RawData,
    context: &Context<'_>,
    fit: &PairFit,
    histogram: &PairHistogram,
    peaks: Peaks,
    unit: &str,
) {
    let lattice = Lattice::new(&fit.values, peaks);
    let n = histogram.n_bins;
    let centres: Vec<f64> = (0..n).map(|k| histogram.centre(k)).collect();
    let model = Array2::from_shape_fn((n, n), |(row, col)| lattice.value(centres[col], centres[row]));
    let max = histogram.max();
    let (from, to) = ((max / 1e8).log10(), (10.0 * max).log10());
    let levels: Vec<f64> =
        (0..).map(|k| from + 0.8 * f64::from(k)).take_while(|k| *k <= to).map(|k| 10f64.powf(k)).collect();
    let hi = histogram.lo + n as f64 * histogram.width;
    // empty bins stay white
    let counts = histogram.as_image().mapv(|h| if h > 0.0 { h } else { f64::NAN });
    let plot = ImagePlot::new(counts)
        .origin_bottom()
        .extent(histogram.lo, hi, histogram.lo, hi)
        .full_range()
        .log()
        .colour_label("pairs");
    let mut note = Note::fit_results();
    if fit.merged_chi2.1 > 0 {
        note = note.chi2(fit.merged_chi2.0, fit.merged_chi2.1 as usize);
    }
    let degrees = |rad: f64| rad.to_degrees();
    note = note.value("θ [deg]", degrees(fit.values[THETA]), degrees(fit.errors[THETA]));
    for (k, name) in [
        (DC, "λ_{L} [e⁻]".to_owned()),
        (DC + 1, "λ_{U} [e⁻]".to_owned()),
        (SIG, format!("σ_{{L}} [{}]", shown(unit))),
        (SIG + 1, format!("σ_{{U}} [{}]", shown(unit))),
        (CAL, format!("k_{{L}} [{}/e⁻]", shown(unit))),
        (CAL + 1, format!("k_{{U}} [{}/e⁻]", shown(unit))),
    ] {
        note = note.value(name, fit.values[k], fit.errors[k]);
    }
    let mut panel = Panel::image_of(plot)
        .x(format!("L side [{}]", shown(unit)))
        .y(format!("U side [{}]", shown(unit)))
        .equal_aspect()
        .contours(Contours::new(&centres, &centres, model, &levels))
        .note(note);
    if let Some(note) = fit.verdict.note() {
        panel = panel.note(note);
    }
    let mut chain = raw.chain.clone();
    chain.push(context.entry.tag.to_owned());
    let figure = Figure::new("TwoDGaussProcess_BestFit")
        .titles("Amplifiers L and U, read at the same time", &raw.source.label, &chain)
        .size(8.0, 7.0)
        .panel(panel)
        .caption("Charge of the pixels read at the same time by L and U, and contours of the fitted distribution.");
    raw.report.figure(figure);
}
