//! Figures of `linearity`.

use super::{Linearity, Peak, track};
use crate::plot::{
    Anchor, Axis, Colour, Figure, Guide, Histogram, Line, Marker, Note, Panel, Points, SecondAxis, Shape, Stroke,
    value_with_error,
};
use crate::stats::distributions::gaussian;
use crate::stats::histogram;

/// Peaks in each panel of the spectrum.
const SHOWN: usize = 12;

/// Reconstructed charge, residuals, widths, spacings, pixels against the number of electrons.
pub fn linearity(name: &str, found: &Linearity) -> Figure {
    let unit = found.unit.replace("e-", "e⁻");
    let k = found.gain();
    let line = &found.line;
    let n: Vec<f64> = found.peaks.iter().map(|p| p.electrons as f64).collect();
    let (first, last) = (n[0], n[n.len() - 1]);
    let many = n.len() > 60;
    let marker = Marker::open(Shape::Circle, Colour::BLUE).size(if many { 2.0 } else { 4.0 });
    let marker = if many { Marker { edge: Colour::BLUE.with_alpha(0.55), ..marker } } else { marker };
    let column = |f: &dyn Fn(&Peak) -> f64| found.peaks.iter().map(f).collect::<Vec<f64>>();
    let x = || Axis::new("true charge [e⁻]");
    let zero = || Guide::horizontal(0.0).solid().colour(Colour::GREY);
    let errors = column(&|p| found.residual(p).1);
    let residuals = column(&|p| found.residual(p).0);

    let note = Note::new(Anchor::BottomRight, Vec::<String>::new())
        .value(format!("k [{unit}/e⁻]"), k, line.error(1))
        .value(format!("b [{unit}]"), line.coefficients[0], line.error(0))
        .chi2(line.chi2, usize::try_from(line.ndf).unwrap_or(0))
        .size(8.0);
    let charge = Panel::new()
        .x_axis(x())
        .y("reconstructed charge [e⁻]")
        .with_grid()
        .line(Line::new([first, last], [first, last]).stroke(Stroke::new(Colour::BLACK).dashed()).label("linear"))
        .points(
            Points::new(&n, column(&|p| p.electrons as f64 + found.residual(p).0))
                .y_errors(&errors)
                .marker(marker)
                .label("peaks"),
        )
        .note(note)
        .legend_at(Anchor::TopLeft);

    let over_n = |values: &[f64]| -> Vec<f64> {
        values.iter().zip(&n).map(|(v, n)| if *n > 0.0 { v / n } else { f64::NAN }).collect()
    };
    // The first peaks, divided by few electrons, would hide the others.
    let relative: Vec<(f64, f64)> = over_n(&residuals).into_iter().zip(over_n(&errors)).collect();
    let reach = relative.iter().skip(2).filter(|r| r.0.is_finite()).map(|r| r.0.abs() + r.1).fold(1e-4, f64::max);
    let difference = Panel::new()
        .x_axis(x())
        .y_axis(Axis::new("relative difference from fit").range(-1.1 * reach, 1.1 * reach))
        .guide(zero())
        .points(
            Points::new(&n, relative.iter().map(|r| r.0).collect::<Vec<_>>())
                .y_errors(relative.iter().map(|r| r.1).collect::<Vec<_>>())
                .marker(marker),
        );

    let mut residual = Panel::new()
        .x_axis(x())
        .y("residual [e⁻]")
        .guide(zero())
        .points(Points::new(&n, &residuals).y_errors(&errors).marker(marker).label("peaks"));
    let groups = found.grouped();
    if many {
        residual = residual.points(
            Points::new(groups.iter().map(|g| g.0).collect::<Vec<_>>(), groups.iter().map(|g| g.1).collect::<Vec<_>>())
                .y_errors(groups.iter().map(|g| g.2).collect::<Vec<_>>())
                .filled(Colour::BLACK)
                .size(3.0)
                .label("mean of 10 peaks"),
        );
    }
    if let (Some((q, error)), Some(parabola)) = (found.nonlinearity(), &found.parabola) {
        residual = residual.line(
            Line::function(first, last, 300, |n| (parabola.at(n) - line.at(n)) / k)
                .width(1.3)
                .label(format!("parabola, q = {} per e⁻", value_with_error(q, error))),
        );
    }
    let (noise, noise_error) = found.noise;
    let sigma = Panel::new()
        .x_axis(x())
        .y("sigma [e⁻]")
        .points(
            Points::new(&n, column(&|p| p.fit.sigma / k)).y_errors(column(&|p| p.fit.sigma_error / k)).marker(marker),
        )
        .guide(
            Guide::horizontal(noise / k)
                .solid()
                .colour(Colour::RED)
                .label(format!("mean {} e⁻", value_with_error(noise / k, noise_error / k))),
        );
    let steps = track::spacings(found);
    let step = |f: fn(&(f64, f64, f64)) -> f64| steps.iter().map(f).collect::<Vec<f64>>();
    let spacing = Panel::new()
        .x_axis(x())
        .y(format!("spacing of the peaks [{unit}]"))
        .points(Points::new(step(|s| s.0), step(|s| s.1)).y_errors(step(|s| s.2)).marker(marker))
        .guide(
            Guide::horizontal(k)
                .solid()
                .colour(Colour::RED)
                .label(format!("k = {} {unit}/e⁻", value_with_error(k, line.error(1)))),
        );
    let counts = Panel::new()
        .x_axis(x())
        .y_axis(Axis::new("pixels").log())
        .points(Points::new(&n, column(&|p| p.fit.counts)).y_errors(column(&|p| p.fit.counts.sqrt())).marker(marker));
    Figure::new(format!("{name}_linearity"))
        .title("Linearity from single electron peaks")
        .title(format!("{name}, {} peaks from {first} to {last} e⁻", n.len()))
        .grid(3, 2)
        .size(12.0, 11.0)
        .panel(charge)
        .panel(difference)
        .panel(residual.legend_at(Anchor::Free))
        .panel(sigma)
        .panel(spacing)
        .panel(counts)
}

/// The first and the last peaks with their Gaussians.
pub fn peaks(name: &str, values: &[f64], found: &Linearity, bin: f64) -> Figure {
    let unit = found.unit.replace("e-", "e⁻");
    let (k, b) = (found.gain(), found.line.coefficients[0]);
    let panel = |shown: &[Peak], title: &str| {
        let (first, last) = (shown[0].electrons as f64, shown[shown.len() - 1].electrons as f64);
        let (lo, hi) = (first - 1.0, last + 1.0);
        let bins = ((hi - lo) / bin).round().max(1.0) as usize;
        let charges: Vec<f64> = values.iter().map(|x| (x - b) / k).filter(|n| *n >= lo && *n < hi).collect();
        let width = (hi - lo) / bins as f64;
        let model = |n: f64| -> f64 {
            let near = found.peaks.iter().filter(|p| (p.electrons as f64 - n).abs() < 3.0);
            near.map(|p| p.fit.counts * width * k * gaussian(b + k * n, p.fit.mu, p.fit.sigma)).sum()
        };
        let mut panel = Panel::new()
            .title(title)
            .x("pixel charge [e⁻]")
            .y_axis(Axis::new(format!("pixels / {width:.3} e⁻")).log().from(0.5))
            .x_range(lo, hi);
        if unit == "ADU" {
            panel = panel.top(SecondAxis { label: "[ADU]".into(), factor: k, offset: b });
        }
        if let Ok(counts) = histogram::Histogram::window(&charges, lo, hi, bins) {
            panel = panel.histogram(Histogram::uniform(lo, hi, counts.contents()).poisson_errors().label("pixels"));
        }
        let visible = move |y: f64| if y > 0.4 { y } else { f64::NAN };
        panel.line(Line::function(lo, hi, 1500, |n| visible(model(n))).width(1.2).label("peaks"))
    };
    let n = found.peaks.len();
    let figure = Figure::new(format!("{name}_FittedGauss")).title("Single-electron peaks").title(name.to_owned());
    if n <= SHOWN {
        return figure.size(9.0, 5.2).panel(panel(&found.peaks, ""));
    }
    let low = panel(&found.peaks[..SHOWN], "first peaks");
    let high = panel(&found.peaks[n.saturating_sub(SHOWN).max(SHOWN)..], "last peaks");
    figure.grid(2, 1).size(10.0, 8.5).panel(low).panel(high)
}
