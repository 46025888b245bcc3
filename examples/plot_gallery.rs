//! Draws one figure of each kind that the program makes, from made-up data, in every format:
//!
//! ```text
//! cargo run --release --example plot_gallery -- out/gallery
//! ```

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array2;
use panaskimg::plot::{
    Anchor, Arrows, Axis, Band, Colour, Contours, DataText, Figure, Format, Guide, Histogram, ImagePlot, Legend,
    LegendKey, Line, Marker, Note, Palette, Panel, Points, Polygon, ReportSection, SecondAxis, Shape, Strip, Stroke,
    TextColours, render_all, render_html, render_pages, render_report, render_text,
};

/// Reproducible numbers: splitmix64 with a normal distribution by Box and Muller.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let r = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        r * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.uniform(), 0.0);
        while product > limit {
            product *= self.uniform();
            n += 1.0;
        }
        n
    }
}

const FILE: &str = "image: skip_2000_202508_run059_img12.fits";
const CHAIN: &str = "process chain: CompressSkips, PedestalSubtractionProcess, FitDarkCurrentProcess";

fn gauss(x: f64, mu: f64, sigma: f64) -> f64 {
    (-0.5 * ((x - mu) / sigma).powi(2)).exp() / (sigma * std::f64::consts::TAU.sqrt())
}

/// Rate density of Poisson ⊗ Gauss with gain 1.35 ADU/e⁻.
fn peaks(x: f64, lambda: f64, sigma: f64, gain: f64) -> f64 {
    let mut weight = (-lambda).exp();
    let mut sum = 0.0;
    for k in 0..30 {
        sum += weight * gauss(x, gain * f64::from(k), sigma);
        weight *= lambda / f64::from(k + 1);
    }
    sum
}

/// A CCD image with tracks, an overscan at the right and a hot column.
fn ccd(rows: usize, cols: usize, noise: &mut Noise) -> Array2<f64> {
    let overscan = cols - cols / 12;
    let mut image = Array2::from_shape_fn((rows, cols), |(_, c)| {
        2300.0 + 6.0 * noise.normal() + if c < overscan { 8.0 * noise.poisson(0.6) } else { 0.0 }
    });
    for _ in 0..rows * cols / 6000 + 3 {
        let (mut r, mut c) = (noise.uniform() * rows as f64, noise.uniform() * overscan as f64);
        let (mut angle, energy) = (noise.uniform() * 6.3, 60.0 + 400.0 * noise.uniform());
        for _ in 0..(15.0 + 60.0 * noise.uniform()) as usize {
            let (i, j) = (r as usize, c as usize);
            if i < rows && j < overscan {
                image[[i, j]] += energy * (0.5 + noise.uniform());
            }
            angle += 0.35 * noise.normal();
            r += angle.sin();
            c += angle.cos();
            if r < 0.0 || c < 0.0 {
                break;
            }
        }
    }
    image.column_mut(cols / 3).iter_mut().for_each(|v| *v += 40.0);
    image
}

fn baseline(noise: &mut Noise) -> Figure {
    let y: Vec<f64> = (0..320)
        .map(|r| {
            let v = 4812.5 - 5.0 * (-f64::from(r) / 8.0).exp() + 0.8 * noise.normal();
            if r % 57 == 11 { f64::NAN } else { v }
        })
        .collect();
    Figure::new("PedestalSubtractionProcess_Baseline_EXT1")
        .title("amplifier EXT1")
        .panel(Panel::new().x("row").y("Baseline (ADUs)").points(Points::indexed(y)))
}

fn mu_per_row(noise: &mut Noise) -> Figure {
    let y: Vec<f64> = (0..100).map(|_| 1100.95 + 0.4 * noise.normal()).collect();
    Figure::new("PedestalSubtractionProcess_mu_EXT1").title("μ as a function of row").title(FILE).title(CHAIN).panel(
        Panel::new()
            .x("row")
            .y("μ [ADUs]")
            .points(Points::indexed(y).y_errors(vec![0.25; 100]))
            .guide(Guide::horizontal(1100.9808).dotted().colour(Colour::BLACK).label("mean 1100.9808 ADU"))
            .guide(Guide::horizontal(1100.9028).colour(Colour::RED).label("median 1100.9028 ADU")),
    )
}

fn dark_current(noise: &mut Noise) -> Figure {
    let (low, high, bins) = (-2.0, 7.5, 190);
    let width = (high - low) / f64::from(bins);
    let model = |x: f64| 45_000.0 * width * peaks(x, 0.4, 0.19, 1.35);
    let counts: Vec<f64> = (0..bins).map(|i| noise.poisson(model(low + (f64::from(i) + 0.5) * width))).collect();
    let raw: Vec<f64> = counts.iter().enumerate().map(|(i, n)| n + noise.poisson(6.0 + 0.04 * i as f64)).collect();
    let centres: Vec<f64> = (0..bins).map(|i| low + (f64::from(i) + 0.5) * width).collect();
    let (mut x, mut ratio, mut error) = (vec![], vec![], vec![]);
    for (&c, &n) in centres.iter().zip(&counts) {
        if n > 0.0 {
            x.push(c);
            ratio.push(100.0 * (n - model(c)) / n);
            error.push(100.0 * model(c) / n / n.sqrt());
        }
    }
    let main = Panel::new()
        .y("Counts")
        .log_y()
        .histogram(Histogram::uniform(low, high, raw).reference().label("clusters not masked"))
        .histogram(Histogram::uniform(low, high, counts).label("data"))
        .line(Line::function(low, high, 800, model).width(1.8).label("Poisson ⊗ Gauss"))
        .note(
            Note::fit_results()
                .chi2(182.3, 185)
                .value("Norm", 45012.0, 213.0)
                .value("μ_{0} [ADU]", 0.001274, 0.000293)
                .value("σ [ADU]", 0.1839, 0.0012)
                .value("λ [ADU/bin/img]", 0.5361, 0.0047)
                .value("gain [ADU/e⁻]", 1.3538, 0.0012),
        )
        .note(
            Note::new(
                Anchor::TopRight,
                ["t_{read} = 4320.0 s", "t_{exp} = 86400.0 s", "bin: 1×10×500", "frame: 320×640×500", "CCD-EXT1"],
            )
            .grey(),
        )
        .legend_at(Anchor::TopLeft);
    let residuals = Panel::new()
        .x("Pixel Charge [ADU]")
        .y("(Data−Model)/Data [×100]")
        .points(Points::new(x, ratio).y_errors(error).filled(Colour::BLACK).size(2.5))
        .guide(Guide::horizontal(0.0).solid().colour(Colour::RED))
        .y_range(-60.0, 60.0);
    Figure::new("FitDarkCurrentProcess_DCfit_ratio_EXT1")
        .title("Dark Current Fit [amplifier EXT1]")
        .with_residuals(main, residuals)
}

fn compressed(noise: &mut Noise) -> Figure {
    let mean = ccd(320, 640, noise);
    let std = mean.mapv(|v| 240.0 + 0.05 * (v - 2300.0)) + Array2::from_shape_fn((320, 640), |_| 12.0 * noise.normal());
    let median = mean.mapv(|v| v + 2.0);
    let panel =
        |title: &str, image: Array2<f64>| Panel::image_of(ImagePlot::new(image).colour_label("ADU")).title(title);
    Figure::new("CompressSkipsProcess_images")
        .title("Compressed Images")
        .title(FILE)
        .title("process chain: CompressSkips")
        .panel(panel("mean", mean))
        .panel(panel("std", std))
        .panel(panel("median", median))
}

fn pedestal_image(noise: &mut Noise) -> Figure {
    let raw = ccd(100, 300, noise);
    let rows: Vec<f64> = (0..100).map(|r| 2300.0 + f64::from(r) * 0.05 + noise.normal()).collect();
    let subtracted = raw.mapv(|v| v - 2300.0);
    Figure::new("PedestalSubtractionProcess_image_EXT1")
        .title("Pedestal Substracted Image")
        .title(FILE)
        .title(CHAIN)
        .panel(Panel::image_of(ImagePlot::new(raw).colour_label("ADU")).title("raw data"))
        .panel(Panel::image_of(ImagePlot::new(subtracted).colour_label("ADU")).title("after pedestal subtraction"))
        .panel(
            Panel::new()
                .x("row")
                .y("pedestal [ADUs]")
                .points(Points::indexed(&rows))
                .guide(Guide::horizontal(2302.5).dotted().label("median")),
        )
}

fn mask(noise: &mut Noise) -> Figure {
    let image = ccd(200, 400, noise);
    let mask = image.mapv(|v| v > 2360.0);
    Figure::new("PedestalSubtractionProcess_mask_EXT1")
        .title("Image Used to Estimate the pedestal")
        .title("masked pixels (1,284): (q_{ij} − ⟨q_{ij}⟩) > 3 × MAD")
        .panel(
            Panel::image_of(ImagePlot::new(image).mask(mask).mask_hatched().colour_label("pixel charge [ADU]"))
                .polygon(Polygon::rectangle(367.5, -0.5, 399.5, 199.5).stroke(Stroke::new(Colour::RED).width(1.2)))
                .polygon(
                    Polygon::new([40.0, 80.0, 90.0, 60.0], [30.0, 25.0, 60.0, 80.0])
                        .stroke(Stroke::new(Colour::WHITE).width(1.2))
                        .label("cluster 7"),
                )
                .points(
                    Points::new([150.0, 220.0], [60.0, 120.0])
                        .marker(Marker::open(Shape::Cross, Colour::YELLOW).size(8.0))
                        .label("seeds"),
                )
                .legend_at(Anchor::TopLeft),
        )
}

fn row_fits(noise: &mut Noise) -> Figure {
    let mut panel = Panel::new().x("ADUs").y("density").log_y().y_range(2e-4, 0.6);
    for i in 0..40 {
        let (mu, sigma) = (4812.0 + noise.normal(), 2.1 + 0.15 * noise.normal());
        let colour = Colour::series(i);
        let x: Vec<f64> = (0..20).map(|k| mu + (f64::from(k) - 9.5) * 0.8).collect();
        let y: Vec<f64> = x.iter().map(|x| gauss(*x, mu, sigma) * (1.0 + 0.15 * noise.normal())).collect();
        panel = panel
            .points(Points::new(&x, y).filled(colour).size(2.2))
            .line(Line::function(x[0], x[19], 80, |x| gauss(x, mu, sigma)).colour(colour).width(0.7).dashed());
    }
    Figure::new("PedestalSubtractionProcess_gauss_EXT1")
        .title("Gaussian fit to the zero-charge pixel distribution")
        .title("(over row)")
        .intermediate()
        .panel(panel)
}

fn noise_versus_skips(noise: &mut Noise) -> Figure {
    let n: Vec<f64> = [1, 2, 3, 5, 9, 16, 28, 50, 89, 158, 281, 500, 889, 1580].map(f64::from).to_vec();
    let y: Vec<f64> = n.iter().map(|n| (120.0f64.powi(2) / n + 1.3).sqrt() * (1.0 + 0.01 * noise.normal())).collect();
    let ratio: Vec<f64> = n.iter().zip(&y).map(|(n, y)| y / (120.0 / n.sqrt())).collect();
    Figure::new("NoiseVSSkipPlot_EXT1").title("Amplifier EXT1").with_residuals(
        Panel::new()
            .log_x()
            .log_y()
            .y("Pixel readout noise (ADU)")
            .right(SecondAxis::scaled("Pixel readout noise (e⁻)", 1.0 / 43.3))
            .points(Points::new(&n, &y).filled(Colour::BLACK).y_errors(y.iter().map(|y| 0.01 * y)).label("Data"))
            .line(Line::function(1.0, 1580.0, 200, |n| 120.0 / n.sqrt()).label("1/√N_{skip}"))
            .line(
                Line::function(1.0, 1580.0, 200, |n| 119.6 * n.powf(-0.497))
                    .dashed()
                    .label("σ_{1}·N^{−α}, σ_{1} = 119.6 ± 0.4 ADU, α = 0.4970 ± 0.0012"),
            ),
        Panel::new()
            .log_x()
            .x("N_{skips}")
            .y("noise / expected")
            .y_range(0.8, 1.3)
            .points(Points::new(&n, ratio).filled(Colour::BLACK))
            .guide(Guide::horizontal(1.0).colour(Colour::RED).solid()),
    )
}

fn spectra(noise: &mut Noise) -> Figure {
    let f: Vec<f64> = (1..8000).map(|i| f64::from(i) * 21_000.0 / 8000.0).collect();
    let line = |f: f64, at: f64, height: f64| height * (-((f - at) / 25.0).powi(2)).exp();
    let y: Vec<f64> = f
        .iter()
        .map(|f| {
            (3.5e3 + 300.0 * gauss(*f, 4700.0, 900.0) * 2000.0 + line(*f, 17_000.0, 4e3) + line(*f, 13_100.0, 1.2e3))
                * (1.0 + 0.03 * noise.normal())
        })
        .collect();
    let fr: Vec<f64> = (1..400).map(|i| f64::from(i) * 0.065).collect();
    let yr: Vec<f64> = fr.iter().map(|f| 8e3 / (1.0 + f * f).sqrt() * (1.0 + 0.1 * noise.normal())).collect();
    let axis = |label: &str| Axis::new(label);
    Figure::new("FFTNoisePlot_EXT1")
        .title("Study of Noise Spectrum by FFT")
        .title(FILE)
        .title(CHAIN)
        .panel(
            Panel::new()
                .title("skips [amplifier EXT1]")
                .x_axis(axis("Frequency (Hz)"))
                .y("FFT magnitude (of the skips)")
                .log_y()
                .line(Line::new(&f, &y).colour(Colour::BLACK).width(0.5).label("spectrum"))
                .guide(Guide::horizontal(3.5e3).colour(Colour::RED).label("white noise 3.50·10^{3}"))
                .text(
                    DataText::new([(17_000.0, 7.4e3, "17.00 kHz"), (13_100.0, 4.7e3, "13.10 kHz")])
                        .shift(0.0, 8.0)
                        .size(8.0),
                ),
        )
        .panel(
            Panel::new()
                .title("rows [amplifier EXT1]")
                .x("Frequency (Hz)")
                .y("FFT magnitude (of the rows)")
                .log_y()
                .points(Points::new(fr, yr).joined(Stroke::new(Colour::GREY).width(0.6)).size(3.0)),
        )
}

fn calibration_guess(noise: &mut Noise) -> Figure {
    let x: Vec<f64> = (0..223).map(|i| -20.0 + f64::from(i)).collect();
    let y: Vec<f64> = x.iter().map(|x| noise.poisson(3e5 * peaks(*x, 1.1, 8.0, 43.0))).collect();
    Figure::new("FitCalibrationConstant_calibration_guess_EXT1")
        .title("Starting point for the calibration constant fit")
        .title("distance between the two first peaks: 43.2 ADU")
        .title("change the calibration constant if the fit fails")
        .panel(
            Panel::new()
                .x("pixel charge [ADU]")
                .y("counts")
                .log_y()
                .points(Points::new(x, y).marker(Marker::open(Shape::Cross, Colour::RED).size(3.5)))
                .guide(Guide::vertical(-18.6).solid().colour(Colour::BLACK).label("ignoring pixels below"))
                .guide(Guide::vertical(0.0).label("first found peak"))
                .guide(Guide::vertical(43.0).dotted().label("second found peak"))
                .guide(Guide::vertical(86.0).stroke(Stroke::new(Colour::GREY).width(0.7)).note("prominence 2.1")),
        )
}

fn linearity(noise: &mut Noise) -> Figure {
    let n: Vec<f64> = (0..30).map(f64::from).collect();
    let residual: Vec<f64> = n.iter().map(|n| 0.00012 * (n - 15.0).powi(2) - 0.012 + 0.003 * noise.normal()).collect();
    let charge: Vec<f64> = n.iter().zip(&residual).map(|(n, r)| n + r).collect();
    let relative: Vec<f64> = n.iter().zip(&residual).skip(1).map(|(n, r)| r / n).collect();
    let sigma: Vec<f64> = n.iter().map(|_| 0.18 + 0.002 * noise.normal()).collect();
    Figure::new("FitCalibrationConstant_lineality_from_single_electron_peaks_EXT1")
        .title("Linearity from single electron peaks")
        .title(FILE)
        .title(CHAIN)
        .size(12.0, 7.0)
        .grid(2, 2)
        .share_x()
        .panel(
            Panel::new()
                .y("reconstructed charge [e⁻]")
                .with_grid()
                .points(Points::new(&n, charge))
                .line(
                    Line::new([0.0, 29.0], [0.0, 29.0])
                        .colour(Colour::BLACK)
                        .dashed()
                        .label("calibration: 43.29 ± 0.02 ADU/e⁻"),
                )
                .note(
                    Note::new(Anchor::BottomRight, [""; 0])
                        .value("b [ADU]", 0.31, 0.12)
                        .chi2(31.2, 28)
                        .boxed()
                        .at(Anchor::BottomRight),
                ),
        )
        .panel(
            Panel::new()
                .y("relative difference from fit")
                .points(Points::new(&n[1..], relative))
                .guide(Guide::horizontal(0.0)),
        )
        .panel(
            Panel::new()
                .x("True Charge [e⁻]")
                .y("residual [e⁻]")
                .integer_x()
                .points(Points::new(&n, residual).y_errors(vec![0.003; 30]))
                .guide(Guide::horizontal(0.0)),
        )
        .panel(
            Panel::new()
                .x("True Charge [e⁻]")
                .y("sigma [e⁻]")
                .points(Points::new(&n, sigma).y_errors(vec![0.002; 30]))
                .guide(Guide::horizontal(0.18).colour(Colour::RED).label("σ = 0.1800 ± 0.0004 e⁻")),
        )
}

fn peak_fits(noise: &mut Noise) -> Figure {
    let (low, high, bins) = (-0.8, 9.2, 400);
    let width = (high - low) / f64::from(bins);
    let model = |x: f64| 4e4 * width * peaks(x, 1.4, 0.18, 1.0);
    let x: Vec<f64> = (0..bins).map(|i| low + (f64::from(i) + 0.5) * width).collect();
    let counts: Vec<f64> = x.iter().map(|x| noise.poisson(model(*x))).collect();
    let pulls: Vec<f64> = x.iter().zip(&counts).map(|(x, n)| (n - model(*x)) / model(*x).max(1e-9).sqrt()).collect();
    let mut main = Panel::new()
        .y("counts")
        .log_y()
        .top(SecondAxis::scaled("pixel charge [ADU]", 43.29))
        .points(Points::new(&x, &counts).size(3.0).label("data"));
    let mut weight = 4e4 * width * (-1.4f64).exp();
    for k in 0..10 {
        let w = weight;
        main = main.line(
            Line::function(low, high, 500, |x| w * gauss(x, f64::from(k), 0.18))
                .colour(Colour::series(k as usize))
                .width(0.8)
                .dashed(),
        );
        weight *= 1.4 / f64::from(k + 1);
    }
    main = main.line(Line::function(low, high, 800, model).label("mixture: k = 43.29 ± 0.02 ADU/e⁻, σ = 0.180 e⁻"));
    Figure::new("FitCalibrationConstant_fit_peaks_EXT1")
        .title("Fit of the single-electron peaks")
        .with_residuals(
            main,
            Panel::new()
                .x("pixel charge [e⁻]")
                .y("pull")
                .integer_x()
                .y_range(-5.0, 5.0)
                .points(Points::new(x, pulls).filled(Colour::BLACK).size(1.8))
                .guide(Guide::horizontal(0.0).solid().colour(Colour::RED)),
        )
        .intermediate()
}

fn spectrum_panes(noise: &mut Noise) -> Figure {
    let hist = |low: f64, high: f64, scale: f64, noise: &mut Noise| {
        let bins = ((high - low) * 20.0) as usize;
        let counts: Vec<f64> = (0..bins)
            .map(|i| {
                let x = low + (i as f64 + 0.5) / 20.0;
                noise.poisson(
                    scale * peaks(x, 4.0, 0.18, 1.0)
                        + 30.0 * (-x / 60.0).exp() * (1.0 + 0.8 * (std::f64::consts::TAU * x).cos()),
                )
            })
            .collect();
        Histogram::uniform(low, high, counts)
    };
    let panel = |h: Histogram| Panel::new().x("pixel charge [e⁻]").y("counts").log_y().histogram(h);
    let mut left = panel(hist(-2.0, 30.0, 3e4, noise));
    for k in 0..30 {
        left = left.guide(Guide::vertical(f64::from(k)).stroke(Stroke::new(Colour::PALE_GREY).width(0.5)));
    }
    left.series.rotate_left(1);
    Figure::new("FitCalibrationConstant_PCD_low_and_high_EnergyRange_AMPLIFIER_EXT1")
        .title("Pixel charge distribution [amplifier EXT1]")
        .size(14.0, 5.0)
        .panel(left)
        .panel(panel(hist(30.0, 200.0, 3e4, noise)))
}

fn two_d_gauss(noise: &mut Noise) -> Figure {
    let n = 120;
    let at = |i: usize| -20.0 + (i as f64 + 0.5);
    let model = |x: f64, y: f64| {
        let mut sum = 0.0;
        for (i, wi) in [0.9, 0.09, 0.01].into_iter().enumerate() {
            for (j, wj) in [0.85, 0.13, 0.02].into_iter().enumerate() {
                let (dx, dy) = (x - 30.0 * i as f64, y - 34.0 * j as f64);
                let (u, v) = (0.866 * dx - 0.5 * dy, 0.5 * dx + 0.866 * dy);
                sum += 800.0 * wi * wj * (-0.5 * ((u / 3.0).powi(2) + (v / 5.0).powi(2))).exp();
            }
        }
        sum
    };
    let z = Array2::from_shape_fn((n, n), |(r, c)| model(at(c), at(r)));
    let counts = z.mapv(|m| match noise.poisson(m) {
        0.0 => f64::NAN,
        n => n,
    });
    let axis: Vec<f64> = (0..n).map(at).collect();
    let levels: Vec<f64> = (0..9).map(|k| 10f64.powf(-2.0 + 0.6 * f64::from(k))).collect();
    Figure::new("TwoDGaussProcess_BestFit").title("Joint fit of both amplifiers").size(6.6, 5.6).panel(
        Panel::new()
            .x("L side [ADU]")
            .y("U side [ADU]")
            .image(
                ImagePlot::new(counts)
                    .origin_bottom()
                    .extent(-20.0, 100.0, -20.0, 100.0)
                    .log()
                    .full_range()
                    .colour_label("pixels"),
            )
            .contours(Contours::new(&axis, &axis, z, levels).label("model"))
            .note(Note::fit_results().value("θ [°]", 29.99, 0.28).value("λ_{L} [e⁻]", 0.050498, 0.0016).value(
                "λ_{U} [e⁻]",
                0.100592,
                0.00229,
            ))
            .legend_at(Anchor::BottomRight)
            .equal_aspect(),
    )
}

fn charge_loss(noise: &mut Noise) -> Figure {
    let mut figure = Figure::new("ChargeLossPlot")
        .title("Charge non-conservation between skips")
        .title(FILE)
        .title(CHAIN)
        .size(16.0, 12.0)
        .grid(3, 4);
    for k in 0..4 {
        let image = ccd(150, 275, noise);
        figure = figure.panel(
            Panel::image_of(ImagePlot::new(image).palette(Palette::Gray).equalised()).title(format!("skip {k}")),
        );
    }
    for k in 0..4 {
        let image = Array2::from_shape_fn((150, 275), |_| -1900.0 * (-f64::from(k)).exp() + 30.0 * noise.normal());
        figure = figure.panel(
            Panel::image_of(ImagePlot::new(image).difference(5.0).colour_label("ADU"))
                .title(format!("q^{{skip={k}}} − q^{{baseline=50}}")),
        );
    }
    let skip: Vec<f64> = (0..64).map(f64::from).collect();
    let curve = |from: f64, to: f64, noise: &mut Noise| -> Vec<f64> {
        skip.iter().map(|k| to + (from - to) * (-k / 1.5).exp() + 0.3 * noise.normal()).collect()
    };
    let baseline = || Guide::vertical(50.0);
    figure
        .panel(
            Panel::new()
                .x("skip number")
                .y("mean(q_{ij}^{skip})")
                .points(Points::new(&skip, curve(440.0, 2350.0, noise)).colour(Colour::GREEN))
                .guide(baseline()),
        )
        .panel(
            Panel::new()
                .x("skip number")
                .y("std(q_{ij}^{skip})")
                .points(Points::new(&skip, curve(32.3, 25.3, noise)).colour(Colour::ORANGE))
                .guide(baseline()),
        )
        .panel(
            Panel::new()
                .x("skip number")
                .y("mean(q^{skip=k} − q^{baseline})")
                .points(Points::new(&skip, curve(-1900.0, 0.0, noise)).colour(Colour::SKY))
                .guide(baseline())
                .guide(Guide::horizontal(0.0).dotted()),
        )
        .panel(
            Panel::new().x("pixel charge [ADU]").y("counts").log_y().histogram(Histogram::uniform(
                -50.0,
                450.0,
                (0..250)
                    .map(|i| noise.poisson(4e4 * peaks(-50.0 + 2.0 * f64::from(i), 0.8, 9.0, 43.0)))
                    .collect::<Vec<_>>(),
            )),
        )
}

fn dqm_scatter(noise: &mut Noise) -> Figure {
    let rows: Vec<f64> = (1..=500).map(f64::from).collect();
    let amp = |offset: f64, noise: &mut Noise| -> Vec<f64> {
        rows.iter().map(|r| offset + 0.0004 * r + 0.02 * noise.normal() + if *r == 77.0 { 9.0 } else { 0.0 }).collect()
    };
    let (l, u, reference) = (amp(0.1, noise), amp(0.14, noise), amp(0.05, noise));
    let marker = |shape: Shape, face: u32, edge: u32| Marker {
        shape,
        size: 5.0,
        face: Some(Colour::hex(face).with_alpha(0.6)),
        edge: Colour::hex(edge).with_alpha(0.6),
    };
    let points = |p: Panel| {
        p.points(
            Points::new(&rows, &reference)
                .marker(marker(Shape::Square, 0xe61239, 0xe61239).size(3.0))
                .label("ref run 30"),
        )
        .points(Points::new(&rows, &l).marker(marker(Shape::TriangleUp, 0xd1bbb6, 0x4a4544)).label("L"))
        .points(Points::new(&rows, &u).marker(marker(Shape::Circle, 0x92b9f0, 0x0d3b7a)).label("U"))
    };
    let inset = points(Panel::new().y_range(0.0, 0.42)).legend(Legend::hidden());
    Figure::new("001_MEMeanDCperRow")
        .title("Mean pixel charge per row")
        .title("[class MEMeanDCperRow]")
        .pixels(2000, 1000, 200.0)
        .panel(
            points(Panel::new().x("row number").y("Mean pixel charge per row [e⁻/pix]"))
                .inset(0.12, 0.5, 0.65, 0.35, inset),
        )
}

fn dqm_median(noise: &mut Noise) -> Figure {
    let rows: Vec<f64> = (1..=200).map(f64::from).collect();
    let median: Vec<f64> = rows.iter().map(|r| 0.1 + 0.0004 * r + 0.004 * noise.normal()).collect();
    let low: Vec<f64> = median.iter().map(|m| m - 0.02).collect();
    let high: Vec<f64> = median.iter().map(|m| m + 0.02).collect();
    Figure::new("001_MEMeanDCperRow_median")
        .title("Mean pixel charge per row")
        .title("[class MEMeanDCperRow]")
        .pixels(2000, 1000, 200.0)
        .panel(
            Panel::new()
                .x("row number")
                .y("Mean pixel charge per row [e⁻/pix]")
                .band(Band::new(&rows, low, high).label("25–75 %"))
                .line(Line::new(&rows, &median).colour(Colour::hex(0x0d3b7a)).width(1.0).label("median of the run"))
                .line(
                    Line::new([1.0, 200.0], [0.1004, 0.18])
                        .stroke(Stroke::new(Colour::hex(0x020fc9)).width(2.2))
                        .label("0.1000 ± 0.0004 + (4.00 ± 0.03)·10^{−4} x"),
                )
                .line(
                    Line::new([1.0, 200.0], [0.07, 0.13])
                        .stroke(Stroke::new(Colour::REFERENCE).width(1.6).dashed())
                        .label("reference run 30"),
                ),
        )
}

fn dqm_trend(noise: &mut Noise) -> Figure {
    let start = 1_754_586_133.0;
    let t: Vec<f64> = (0..60).map(|i| start + 5400.0 * f64::from(i)).collect();
    let y: Vec<f64> = t.iter().map(|_| 0.324 + 0.012 * noise.normal()).collect();
    let failed: Vec<usize> = (0..60).filter(|i| (y[*i] - 0.324).abs() > 0.022).collect();
    Figure::new("063_MEFitDCLambda")
        .title("Dark current")
        .title("[class MEFitDCLambda]")
        .pixels(2000, 1000, 200.0)
        .panel(
            Panel::new()
                .x_axis(Axis::new("time").time())
                .y("Dark current [e⁻/pix/img]")
                .strip(Strip::vertical(start + 120_000.0, start + 180_000.0).label("source in place"))
                .points(
                    Points::new(&t, &y)
                        .y_errors(vec![0.0097; 60])
                        .shape(Shape::Square)
                        .filled(Colour::hex(0x0d3b7a))
                        .label("L"),
                )
                .points(
                    Points::new(failed.iter().map(|i| t[*i]), failed.iter().map(|i| y[*i]))
                        .marker(Marker {
                            face: Some(Colour::RED.with_alpha(0.0)),
                            ..Marker::open(Shape::Circle, Colour::RED).size(10.0)
                        })
                        .label("failed"),
                )
                .guide(Guide::horizontal(0.324).label("run median"))
                .guide(Guide::horizontal(0.302).colour(Colour::RED).note("allowed range"))
                .guide(Guide::horizontal(0.346).colour(Colour::RED))
                .with(Arrows::new([((t[20], 0.30), (t[20], 0.345))]).stroke(Stroke::new(Colour::ORANGE))),
        )
}

fn stacked() -> Figure {
    let l: Vec<f64> = (0..60).map(|c| 20.0 * (-f64::from(c) / 12.0).exp() + f64::from(c % 3)).collect();
    let u: Vec<f64> = (0..60).map(|c| 14.0 * (-f64::from(c) / 20.0).exp() + f64::from(c % 4)).collect();
    Figure::new("002_MESTDSkipsPerCol")
        .title("Pixels with outlying skip std per column")
        .title("[class MESTDSkipsPerCol]")
        .pixels(2000, 1000, 200.0)
        .panel(
            Panel::new()
                .x("distance to the amplifier [columns]")
                .y("count")
                .histogram(Histogram::uniform(0.5, 60.5, &l).filled(Colour::series(0)).label("L"))
                .histogram(Histogram::uniform(0.5, 60.5, u).stacked_on(l).filled(Colour::series(1)).label("U"))
                .legend(Legend::default().title("amplifier")),
        )
}

fn compared(noise: &mut Noise) -> Figure {
    let set = |scale: f64, lambda: f64, noise: &mut Noise| -> Vec<f64> {
        (0..240).map(|i| noise.poisson(scale * peaks(-2.0 + 0.05 * (f64::from(i) + 0.5), lambda, 0.2, 1.0))).collect()
    };
    let (a, b) = (set(4e4, 0.3, noise), set(3.6e4, 0.4, noise));
    let x: Vec<f64> = (0..240).map(|i| -2.0 + 0.05 * (f64::from(i) + 0.5)).collect();
    let ratio: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b / a).collect();
    let error: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b / a * (1.0 / a + 1.0 / b).sqrt()).collect();
    Figure::new("pcd").with_residuals(
        Panel::new()
            .y("counts")
            .log_y()
            .histogram(
                Histogram::uniform(-2.0, 10.0, a)
                    .colour(Colour::series(0))
                    .poisson_errors()
                    .label("run058/*_waders.fits"),
            )
            .histogram(
                Histogram::uniform(-2.0, 10.0, b)
                    .colour(Colour::series(1))
                    .poisson_errors()
                    .label("run059/*_waders.fits"),
            )
            .more_legend(
                Legend::at(Anchor::BottomLeft)
                    .title("mask")
                    .entry(LegendKey::Nothing, "FULLMASK")
                    .entry(LegendKey::Patch { fill: Some(Colour::PALE_GREY), stroke: None }, "hot columns"),
            ),
        Panel::new()
            .x("pixel charge [e⁻]")
            .y("ratio")
            .with_grid()
            .y_range(0.0, 3.0)
            .points(Points::new(x, ratio).y_errors(error).colour(Colour::series(1)).size(2.5)),
    )
}

fn matrix() -> Figure {
    let labels = ["A-CH0", "B-CH1", "D-CH2", "C-CH3"];
    let values =
        Array2::from_shape_fn((4, 4), |(r, c)| if r == c { f64::NAN } else { 1.2 - 0.7 * r as f64 + 0.4 * c as f64 });
    let cells: Vec<(f64, f64, String)> = values
        .indexed_iter()
        .filter(|(_, v)| v.is_finite())
        .map(|((r, c), v)| (c as f64, r as f64, format!("{v:.2} ± 0.11").replace('-', "−")))
        .collect();
    let ticks = || labels.iter().enumerate().map(|(i, l)| (i as f64, *l));
    let mut panel = Panel::image_of(
        ImagePlot::new(values).palette(Palette::Diverging).range(-2.0, 2.0).colour_label("α [10^{−4}]"),
    )
    .text(DataText::new(cells).size(9.0).on_image())
    .equal_aspect();
    panel.x = Axis::new("source").ticks(ticks());
    panel.y = Axis::new("destination").ticks(ticks()).reversed();
    Figure::new("crosstalk_ACM-104_lag_00_global_alpha").title("Cross-talk of module 104").size(6.2, 5.2).panel(panel)
}

fn topology(noise: &mut Noise) -> Figure {
    let charge = Array2::from_shape_fn((9, 11), |(r, c)| {
        let d = ((r as f64 - 4.0).powi(2) + (c as f64 - 5.0).powi(2)) / 4.0;
        (800.0 * (-d).exp() + 3.0 * noise.normal()).max(0.0).round()
    });
    let cells: Vec<(f64, f64, String)> = charge
        .indexed_iter()
        .filter(|(_, v)| **v > 4.0)
        .map(|((r, c), v)| (2100.0 + c as f64, 300.0 + r as f64, format!("{v:.0}")))
        .collect();
    Figure::new("recon_evt0_cls17").title("E = 12.31 keV, σ_{xy} = 1.42, σ_{x} = 1.40, σ_{y} = 1.44").panel(
        Panel::new()
            .x("x [pixel]")
            .y("y [pixel]")
            .image(
                ImagePlot::new(charge)
                    .origin_bottom()
                    .extent(2099.5, 2110.5, 299.5, 308.5)
                    .palette(Palette::YellowOrangeRedReversed)
                    .full_range()
                    .colour_label("charge [e⁻]"),
            )
            .text(DataText::new(cells).on_image().size(9.0))
            .equal_aspect(),
    )
}

fn electrons(noise: &mut Noise) -> Figure {
    let image = Array2::from_shape_fn((120, 200), |_| noise.poisson(0.5) + 0.15 * noise.normal());
    Figure::new("view").title("electron-resolved image").panel(Panel::image_of(
        ImagePlot::new(image).origin_bottom().palette(Palette::Jet).steps(8).range(-0.5, 7.5).colour_label("electrons"),
    ))
}

fn large_image(noise: &mut Noise) -> Figure {
    let image = ccd(4000, 6000, noise);
    Figure::new("large_image")
        .title("24 million pixels")
        .title(FILE)
        .panel(Panel::image_of(ImagePlot::new(image).palette(Palette::Viridis).colour_label("pixel charge [ADU]")))
}

fn awkward() -> Figure {
    Figure::new("awkward")
        .title("Markup <b>&amp;</b> \"quoted\" skip_598_a.fits — a title that is much too long for one line of this figure and therefore shrinks and breaks")
        .title(format!("process chain: {}", ["PedestalSubtractionProcess"; 8].join(", ")))
        .panel(Panel::new().x("").y("nothing here").points(Points::new([f64::NAN], [1.0])))
        .panel(Panel::new().x("constant").y("a very long label of a vertical axis that does not fit beside its frame [ADU/e⁻/pix/day]").points(Points::indexed([5.0, 5.0, 5.0])))
        .panel(Panel::new().x("tiny").y("huge").points(Points::new([1e-7, 2e-7], [1e12, 3e12])))
        .panel(Panel::new().x("symlog").y("counts").x_axis(Axis::new("symlog").symlog(1.0)).points(Points::new([-100.0, -1.0, 0.0, 5.0, 300.0], [1.0, 2.0, 3.0, 2.0, 1.0])))
        .panel(Panel::image_of(ImagePlot::new(Array2::from_elem((1, 1), 3.0))).title("one pixel"))
        .panel(Panel::image_of(ImagePlot::new(Array2::from_elem((0, 5), 0.0))).title("no pixel"))
        .grid(2, 3)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: plot_gallery FOLDER")?);
    std::fs::create_dir_all(&folder)?;
    let noise = &mut Noise(59);
    let figures = [
        baseline(noise),
        mu_per_row(noise),
        dark_current(noise),
        compressed(noise),
        pedestal_image(noise),
        mask(noise),
        row_fits(noise),
        noise_versus_skips(noise),
        spectra(noise),
        calibration_guess(noise),
        linearity(noise),
        peak_fits(noise),
        spectrum_panes(noise),
        two_d_gauss(noise),
        charge_loss(noise),
        dqm_scatter(noise),
        dqm_median(noise),
        dqm_trend(noise),
        stacked(),
        compared(noise),
        matrix(),
        topology(noise),
        electrons(noise),
        large_image(noise),
        awkward(),
    ];
    let mut page = String::from("<!doctype html><meta charset=\"utf-8\"><title>Figures</title>\n");
    for figure in &figures {
        let mut line = format!("{:<75}", figure.name);
        for format in Format::ALL {
            let start = Instant::now();
            let bytes = render_all(figure, &[format]).remove(0)?;
            line += &format!(" {format} {:6.1} ms {:5} kB", start.elapsed().as_secs_f64() * 1e3, bytes.len() / 1024);
            std::fs::write(folder.join(format!("{}.{format}", figure.name)), bytes)?;
        }
        println!("{line}");
        std::fs::write(folder.join(format!("{}.txt", figure.name)), render_text(figure, 100, TextColours::None))?;
        if figure.name != "large_image" {
            page += &format!("<div style=\"width:700px\">{}</div>\n", render_html(figure, &figure.name)?);
        }
    }
    let sections: Vec<ReportSection> = figures
        .iter()
        .take(4)
        .map(|figure| ReportSection {
            heading: figure.title[0].clone(),
            figure: Some(figure.clone()),
            paragraphs: vec![
                "What the figure shows, from which region and with which cuts, in one or two sentences. "
                    .repeat(4)
                    .into(),
                "• EXT1: passed, slope 0.0004 ± 0.0001 e⁻/pix/row".into(),
                "• EXT2: failed, slope 0.0104 ± 0.0001 e⁻/pix/row".into(),
            ],
            ..ReportSection::default()
        })
        .collect();
    std::fs::write(folder.join("report.pdf"), render_report("DQM Report for run number 59", &sections)?)?;
    std::fs::write(folder.join("gallery.html"), page)?;
    std::fs::write(folder.join("all_pages.pdf"), render_pages(&figures[..4])?)?;
    Ok(())
}
