//! Figures of the fits of groups (spec 03 §2.3).

use super::{Parameter, SliceAxis, SliceFit, SliceFits, Slicing, title};
use crate::image::{Amplifier, RawData};
use crate::plot::{Anchor, Axis, Colour, Figure, Histogram, Line, Note, Panel, Points, value_with_error};
use crate::process::analysis::gaussian_histogram::gaussian_panel;
use crate::process::analysis::units::shown;
use crate::stats::dark_current::DarkCurrentFit;
use crate::stats::gaussian_fit::{GaussianFitSettings, StartRule, fit_gaussian};
use crate::stats::histogram::BinRule;
use crate::stats::polynomial::PolynomialFit;

/// Fewest groups whose results are histogrammed.
const MIN_HISTOGRAM: usize = 4;

/// One figure per quantity along the axis, and its histogram over the groups.
pub(super) fn draw(name: &str, slicing: &Slicing, raw: &mut RawData, amplifier: &Amplifier, result: &SliceFits) {
    let axis = slicing.axis.name();
    let file = |kind: &str, par: &str| format!("{name}_{kind}_{par}vs{axis}_{}", amplifier.name);
    for (parameter, trend) in Parameter::ALL.into_iter().zip(&result.trends) {
        let panel = along_axis(slicing, result, parameter, trend.as_ref());
        let figure = Figure::new(file("plot", parameter.name())).title(title(amplifier)).panel(panel);
        raw.report.figure(figure);
        let values: Vec<f64> = result.trusted(parameter).into_iter().map(|(_, value, _)| value).collect();
        if values.len() >= MIN_HISTOGRAM {
            let settings = GaussianFitSettings { bins: BinRule::Sturges, start: StartRule::Standard };
            let fit = fit_gaussian(&values, settings);
            let panel = gaussian_panel(&values, &fit, parameter.unit()).x(parameter.label()).y("groups");
            raw.report.figure(Figure::new(file("hist", parameter.name())).title(title(amplifier)).panel(panel));
        }
    }
    let simple = |values: Vec<f64>, label: String| {
        let x = result.fits.iter().map(|f| f.x).collect::<Vec<_>>();
        Panel::new()
            .x(x_label(slicing))
            .y(label)
            .points(Points::new(x, values).x_errors(result.fits.iter().map(|f| f.half_width).collect::<Vec<_>>()))
    };
    if slicing.axis == SliceAxis::Cols {
        // without degrees of freedom there is no point
        let chi2 = result.fits.iter().map(|f| if f.chi2 > -999.0 { f.chi2 } else { f64::NAN }).collect();
        let figure = Figure::new(file("plot", "chi2")).title(title(amplifier)).panel(simple(chi2, "χ²_{red}".into()));
        raw.report.figure(figure);
    }
    if let Some(threshold) = slicing.threshold {
        let counts = result.fits.iter().map(|f| f.above_threshold.map_or(f64::NAN, |n| n as f64)).collect();
        let panel = simple(counts, format!("N(q) > {threshold}")).integer_y();
        raw.report.figure(Figure::new(file("plot", "has_highE_pix")).title(title(amplifier)).panel(panel));
    }
}

fn x_label(slicing: &Slicing) -> &'static str {
    match slicing.axis {
        SliceAxis::Rows => "sliced rows",
        SliceAxis::Cols => "sliced columns",
    }
}

/// A quantity along the axis: good groups, groups with high-energy pixels in red, groups that are not to be trusted as
/// grey crosses, and the polynomial.
fn along_axis(slicing: &Slicing, result: &SliceFits, parameter: Parameter, trend: Option<&PolynomialFit>) -> Panel {
    let points = |take: &dyn Fn(&SliceFit) -> bool| {
        let taken: Vec<&SliceFit> = result.fits.iter().filter(|f| take(f)).collect();
        let column = |f: &dyn Fn(&SliceFit) -> f64| taken.iter().map(|s| f(s)).collect::<Vec<f64>>();
        (
            Points::new(column(&|s| s.x), column(&|s| parameter.of(s).value))
                .x_errors(column(&|s| s.half_width))
                .y_errors(column(&|s| parameter.of(s).error)),
            taken.len(),
        )
    };
    let high = |s: &SliceFit| s.above_threshold.is_some_and(|n| n > 0);
    let trusted = |s: &SliceFit| s.trusts(&parameter.of(s));
    let (good, _) = points(&|s| trusted(s) && !high(s));
    let (flagged, n_flagged) = points(&|s| trusted(s) && high(s));
    let (failed, n_failed) = points(&|s| !trusted(s));
    let mut panel = Panel::new().x(x_label(slicing)).y(parameter.label()).integer_x().points(good);
    if n_flagged > 0 {
        let label = format!("with a pixel above {}", slicing.threshold.unwrap_or(f64::NAN));
        panel = panel.points(flagged.colour(Colour::RED).label(label));
    }
    if n_failed > 0 {
        let label = format!("fit failed or on a limit ({n_failed})");
        panel = panel.points(failed.colour(Colour::GREY).shape(crate::plot::Shape::Cross).label(label));
    }
    let (Some(trend), Some(first), Some(last)) = (trend, result.fits.first(), result.fits.last()) else {
        return panel;
    };
    let label = match trend.coefficients[..] {
        [intercept, slope] => {
            let mut slope = value_with_error(slope, trend.error(1));
            if !slope.starts_with('(') {
                slope = format!("({slope})");
            }
            format!("{} + {slope}·{}", value_with_error(intercept, trend.error(0)), slicing.axis.line())
        }
        _ => format!("polynomial of degree {}", slicing.degree),
    };
    let (from, to) = (first.x - first.half_width, last.x + last.half_width);
    panel
        .line(Line::function(from, to, 200, |x| trend.at(x)).dashed().label(label))
        .note(Note::new(Anchor::BottomRight, [format!("χ²/NDF {:.1}/{}", trend.chi2, trend.ndf)]))
}

/// One page per group whose fit is to be seen: its spectrum with the curve.
pub(super) fn draw_fits(
    name: &str,
    slicing: &Slicing,
    raw: &mut RawData,
    amplifier: &Amplifier,
    result: &SliceFits,
    details: &[Option<DarkCurrentFit>],
) {
    let pages = result.fits.iter().zip(details).filter_map(|(slice, fit)| {
        let fit = fit.as_ref()?;
        let (lo, hi) = (fit.histogram.lo(), fit.histogram.hi());
        let mut panel = Panel::new()
            .x("Pixel Charge [ADU]")
            .y_axis(Axis::new("Counts").log().from(0.5))
            .x_range(lo, hi)
            .histogram(Histogram::uniform(lo, hi, fit.histogram.contents()));
        if fit.was_made() {
            let samples = (8 * fit.histogram.n_bins()).clamp(400, 4000);
            let curve = |x: f64| Some(fit.curve(x)).filter(|y| *y > 0.05).unwrap_or(f64::NAN);
            let mut note = Note::fit_results().chi2(fit.objective, usize::try_from(fit.ndf).unwrap_or(0));
            for parameter in Parameter::ALL {
                let q = parameter.of(slice);
                note = note.value(format!("{} [{}]", parameter.name(), shown(parameter.unit())), q.value, q.error);
            }
            panel = panel.line(Line::function(lo, hi, samples, curve)).note(note);
        }
        if let Some(note) = slice.verdict.note() {
            panel = panel.note(note);
        }
        let lines = format!("{}s {}…{}", slicing.axis.line(), slice.lines.start, slice.lines.end - 1);
        Some(
            Figure::new(format!("{name}_fits_{}", amplifier.name))
                .title(format!("{}, {lines}", title(amplifier)))
                .panel(panel)
                .intermediate(),
        )
    });
    let figure = pages.reduce(Figure::page);
    if let Some(figure) = figure {
        raw.report.figure(figure);
    }
}
