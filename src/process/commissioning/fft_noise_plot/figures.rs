//! Figures of FFTNoisePlot (spec 04 §4.4).

use super::{FFTNoisePlot, NoiseSpectra, NoiseSpectrum, Quantity, SpectralLine};
use crate::image::RawData;
use crate::plot::{Axis, Colour, DataText, Guide, Line, Note, Panel, Points, Shape, Stroke, value_with_error};
use crate::process::Context;
use crate::process::commissioning::{electrons, figure, known_gain};

/// Lines that get a label.
const LABELLED: usize = 6;
/// Distance of labels, share of the frequency axis.
const LABEL_DISTANCE: f64 = 0.07;

/// Both spectra in one figure, and each alone.
pub(super) fn draw(process: &FFTNoisePlot, raw: &mut RawData, context: &Context<'_>, spectra: &NoiseSpectra) {
    let amplifier = raw.amplifiers[context.amplifier].name.clone();
    let gain = known_gain(raw, context.amplifier);
    let skips = spectra.skips.as_ref().map(|s| panel(process, s, "skips", gain));
    let rows = spectra.rows.as_ref().map(|s| panel(process, s, "rows", gain));
    let title = format!("Noise spectrum [amplifier {amplifier}]");
    let name = |what: &str| format!("FFTNoisePlot_{what}{amplifier}");
    for (what, panel) in [("skips_", &skips), ("rows_", &rows)] {
        if let Some(panel) = panel {
            let single = figure(raw, context, name(what), &title).size(9.0, 5.4).panel(panel.clone());
            raw.report.figure(single);
        }
    }
    if let (Some(skips), Some(rows)) = (skips, rows) {
        let both = figure(raw, context, name(""), &title).grid(1, 2).size(16.0, 6.0).panel(skips).panel(rows);
        raw.report.figure(both.caption(
            "Average spectrum of the noise along the skips of the pixels (left) and along the rows of the mean image \
             (right); dashed: white noise, lines with their frequency and amplitude.",
        ));
    }
}

/// The lines that get a label, most significant first: of those so close that their labels would overlap, the first.
fn labelled<'a>(process: &FFTNoisePlot, found: &'a NoiseSpectrum) -> Vec<&'a SpectralLine> {
    let frequency = &found.spectrum.frequency;
    let place = |f: f64| if process.log_x { f.ln() } else { f };
    let ends = frequency.first().zip(frequency.last());
    let width = ends.map_or(0.0, |(first, last)| place(*last) - place(*first));
    let mut kept: Vec<&SpectralLine> = Vec::new();
    for line in &found.lines {
        let at = |l: &SpectralLine| place(frequency[l.bin]);
        if kept.len() < LABELLED && kept.iter().all(|k| (at(k) - at(line)).abs() > LABEL_DISTANCE * width) {
            kept.push(line);
        }
    }
    kept
}

fn panel(process: &FFTNoisePlot, found: &NoiseSpectrum, what: &str, gain: Option<f64>) -> Panel {
    let spectrum = &found.spectrum;
    let psd = process.quantity == Quantity::Psd;
    let y = if psd { &spectrum.psd } else { &spectrum.magnitude };
    let unit = if spectrum.timed { "Hz" } else { "cycles/sample" };
    let positive = y.iter().copied().filter(|v| *v > 0.0);
    let (low, high) = positive.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let labelled = labelled(process, found);
    // room for legend, box of lines and labels above, in shares of the pane
    let above = 0.12 + 0.045 * (labelled.len() + 1).max(4) as f64;
    // what all series have in common is in the curve, not in the level of the white noise: that may lie below
    let white = if psd { found.floor.as_ref().map(|f| f.white) } else { found.white_magnitude() };
    let bottom = 0.8 * white.filter(|level| *level > 0.0).map_or(low, |level| low.min(level));
    let top = high * (high / bottom).powf(above / (1.0 - above));
    let label = match (psd, spectrum.timed) {
        (true, true) => "PSD [ADU²/Hz]".to_owned(),
        (true, false) => "PSD [ADU² per cycle/sample]".to_owned(),
        (false, _) => format!("FFT magnitude of the {what} [ADU]"),
    };
    let mut panel = Panel::new()
        .title(format!("noise along the {what}"))
        .x(format!("frequency [{unit}]"))
        .y_axis(Axis::new(label).log().range(bottom, top))
        .points(
            Points::new(&spectrum.frequency, y)
                .filled(Colour::BLACK)
                .shape(Shape::Circle)
                .size(if y.len() > 300 { 1.2 } else { 2.6 })
                .joined(Stroke::new(Colour::hex(0x606060)).width(0.6))
                .label(format!("{} series of {} samples", spectrum.series, spectrum.length)),
        );
    if process.log_x {
        panel = panel.log_x();
    } else if let Some(last) = spectrum.frequency.last() {
        panel = panel.x_range(0.0, *last);
    }
    if let (Some(floor), Some(white)) = (&found.floor, white) {
        let (sigma, error) = floor.white_sigma(spectrum.step);
        let sigma = value_with_error(sigma, error);
        let label = match what {
            "skips" => format!("white noise: σ₁ = {sigma} ADU"),
            _ => format!("white noise: σ = {sigma} ADU per pixel"),
        };
        panel = panel.guide(Guide::horizontal(white).colour(Colour::BLUE).label(label));
        if floor.flicker > 3.0 * floor.flicker_error {
            let scale = |p: f64| if psd { p } else { white * (p / floor.white).sqrt() };
            let curve = spectrum.frequency.iter().map(|f| scale(floor.at(*f))).collect::<Vec<_>>();
            let lowest = spectrum.frequency.first().copied().unwrap_or(0.0);
            let corner = if floor.corner < lowest {
                format!("below {}", value_with_error(lowest, f64::NAN))
            } else {
                value_with_error(floor.corner, floor.corner_error)
            };
            let label = format!("white + 1/f{}: corner {corner} {unit}", super::exponent_text(floor.exponent));
            panel = panel.line(Line::new(&spectrum.frequency, curve).width(1.4).label(label));
        }
    }
    if !found.lines.is_empty() {
        panel = panel.points(
            Points::new(
                found.lines.iter().map(|l| spectrum.frequency[l.bin]),
                found.lines.iter().map(|l| y[l.bin]).collect::<Vec<_>>(),
            )
            .colour(Colour::RED)
            .size(6.0)
            .label(format!("lines above 5 standard deviations: {}", found.lines.len())),
        );
        let digits = if spectrum.resolution() > 10.0 {
            0
        } else if spectrum.resolution() > 0.1 {
            2
        } else {
            4
        };
        let text =
            |l: &&SpectralLine| (spectrum.frequency[l.bin], y[l.bin], format!("{:.digits$} {unit}", l.frequency));
        panel =
            panel.text(DataText::new(labelled.iter().map(text)).colour(Colour::RED).size(8.0).shift(0.0, 8.0).halo());
        let mut note = Note::new(crate::plot::Anchor::TopRight, Vec::<String>::new()).size(9.0).boxed();
        for line in &labelled {
            note = note.entry(
                format!("{} {unit}", value_with_error(line.frequency, line.frequency_error)),
                format!(
                    "A = {} ADU ({:.0} σ)",
                    value_with_error(line.amplitude, line.amplitude_error),
                    line.significance
                ),
            );
        }
        if found.lines.len() > labelled.len() {
            note = note.line(format!("and {} more", found.lines.len() - labelled.len()));
        }
        panel = panel.note(note);
    }
    if let Some(gain) = gain {
        panel = panel.right(match (psd, spectrum.timed) {
            (false, _) => electrons("FFT magnitude [e⁻]", gain),
            (true, true) => electrons("PSD [e⁻²/Hz]", gain * gain),
            (true, false) => electrons("PSD [e⁻² per cycle/sample]", gain * gain),
        });
    }
    panel.legend_at(crate::plot::Anchor::TopLeft)
}
