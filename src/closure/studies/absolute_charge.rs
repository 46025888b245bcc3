//! AbsoluteChargeProcess: is the number of electrons right as often as its probability says?

use serde_json::{Value, json};

use super::super::case::{Analysed, Case, Findings, Quantity, chain};
use super::super::{Extent, Study};
use super::MEDIAN_VARIANCE;

const ALL: &str = "right of all pixels";
const DOUBTFUL: &str = "right where P < 0.9";
const LIKELY: &str = "right where 0.9 ≤ P < 0.99";
const SURE: &str = "right where P ≥ 0.99";
const CHARGED: &str = "right where n ≥ 1";

const LAW: &str = "pixels with the true number of electrons against the sum of their probabilities; √ΣP(1−P)";

pub(super) const STUDY: Study = Study {
    name: "absolute_charge",
    title: "AbsoluteChargeProcess: numbers of electrons and their probabilities",
    quantities: &[
        Quantity::with_own_error(ALL, "pixels", LAW),
        Quantity::with_own_error(DOUBTFUL, "pixels", LAW),
        Quantity::with_own_error(LIKELY, "pixels", LAW),
        Quantity::with_own_error(SURE, "pixels", LAW),
        Quantity::with_own_error(CHARGED, "pixels", LAW),
    ],
    cases,
};

/// Gain of the simulation, ADU/e⁻.
const GAIN: f64 = 10.0;
/// Overscan columns: so many that the pixels of a row hardly share an error of its pedestal.
const OVERSCAN: usize = 400;

fn cases(extent: Extent) -> Vec<Case> {
    let size = if extent == Extent::Fast { (40, 60) } else { (100, 100) };
    let mut cases = vec![case(0.5, 0.22, false, size), case(0.5, 0.22, true, size)];
    if extent == Extent::Full {
        cases.extend([
            case(0.1, 0.3, false, size),
            case(2.0, 0.25, false, size),
            case(2.0, 0.17, true, size),
            case(0.1, 0.25, true, size),
        ]);
    }
    cases
}

fn case(lambda: f64, noise: f64, fitted: bool, (rows, cols): (usize, usize)) -> Case {
    let simulate = json!({"rows": rows, "active_cols": cols, "prescan_cols": 4, "overscan_cols": OVERSCAN, "skips": 400, "averaged": true,
        "gain": GAIN, "noise": {"sigma1": 20.0 * noise}, "lambda_image": lambda});
    let mut steps = vec![
        ("CompressSkipperProcess", json!({})),
        ("PedestalSubtractionProcess", json!({"method": "median", "use_mad": false})),
    ];
    if fitted {
        let peaks = (lambda + 5.0 * f64::sqrt(lambda)).ceil() + 3.0;
        steps.push((
            "FitDarkCurrentProcess",
            json!({"method": "unbinned", "calibration": GAIN, "n_peaks": peaks as usize, "x_min": -10.0,
                "x_max": GAIN * (peaks - 0.5), "dc_max": 100.0, "mu_min": -2.0, "mu_max": 2.0}),
        ));
    }
    let block: Value = match fitted {
        true => json!({"particle_share": 0.0}),
        false => {
            let sigma = GAIN * noise * (1.0 + MEDIAN_VARIANCE / OVERSCAN as f64).sqrt();
            json!({"particle_share": 0.0, "gain": GAIN, "noise": sigma, "dark_current": lambda})
        }
    };
    steps.push(("AbsoluteChargeProcess", block));
    let from = if fitted { "fitted" } else { "known" };
    Case::new(format!("λ {lambda}, σ {noise} e⁻, response {from}"), simulate, chain(&steps), compare)
}

fn compare(image: &Analysed, findings: &mut Findings) -> Result<(), String> {
    let of = |name: &str| image.raw.image(&format!("mean_compressed_pedestal_subtracted_{name}"));
    let (Ok(numbers), Ok(probabilities)) = (of("n"), of("n_probability")) else {
        return Err("there are no numbers of electrons".into());
    };
    let truth = image.truth.image("CHARGE")?;
    let active = &image.amplifier().active;
    // (what is taken, right, expected, variance)
    type Chosen = fn(f64, f64) -> bool;
    let groups: [(&str, Chosen); 5] = [
        (ALL, |_, _| true),
        (DOUBTFUL, |_, p| p < 0.9),
        (LIKELY, |_, p| (0.9..0.99).contains(&p)),
        (SURE, |_, p| p >= 0.99),
        (CHARGED, |n, _| n >= 1.0),
    ];
    for (name, chosen) in groups {
        let (mut right, mut expected, mut variance) = (0.0, 0.0, 0.0);
        for ((n, p), q) in active.view(numbers).iter().zip(active.view(probabilities)).zip(active.view(&truth)) {
            if n.is_finite() && chosen(*n, *p) {
                right += f64::from(u8::from(n == q));
                expected += p;
                variance += p * (1.0 - p);
            }
        }
        findings.compare(name, right, expected, variance.sqrt());
    }
    Ok(())
}
