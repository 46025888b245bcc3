//! Evolution of the dark-current results from image to image, from the header cards that the monitor leaves in the
//! processed images (spec 06 §16, `--dqm-evolution`): no summary and no database is needed.

use super::figures::fitted_points;
use super::history::days;
use crate::dqm::elements::label_order;
use crate::dqm::model::Pair;
use crate::image::report::{Table, TableHead};
use crate::plot::{Axis, Figure, Panel};
use crate::workbench::files::Cards;

/// Name of the figure and of the table.
const NAME: &str = "dqm_evolution";

/// Result of the dark-current fit of one image and amplifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Amplifier: `L`, `U`, or the number of the extension.
    pub amplifier: String,
    /// Run number, if the header has it.
    pub run: Option<i64>,
    /// Image number.
    pub image: i64,
    /// ADU/e⁻.
    pub gain: Pair,
    /// Single-electron resolution, e⁻.
    pub sigma: Pair,
    /// Dark current, e⁻/pix/day; unknown without times.
    pub lambda: Pair,
}

/// What the cards of a file say: one point per amplifier with `MEGAIN<a>` and `MEIMGID<a>`,
/// sorted by
/// amplifier. Labels of the older tool (`MEGAINEXT1`, in the first extension) are understood.
///
/// σ = MESIG/MEGAIN, λ = MEDC/MEGAIN/(NPBIN·NSBIN)/t, with t = exposure + readout/2 in days; errors are propagated as
/// those of independent numbers.
pub fn points(cards: &Cards) -> Vec<Point> {
    let (exposure, readout) = cards.times();
    let binning = ["NPBIN", "NSBIN"].into_iter().map(|key| cards.number(key).unwrap_or(1.0)).product::<f64>();
    let collected = binning * days(exposure, readout);
    let mut points = Vec::new();
    for suffix in cards.suffixes("MEGAIN") {
        let pair = |key: &str| {
            let number = |key: String| cards.number(&key).unwrap_or(f64::NAN);
            Pair::new(number(format!("{key}{suffix}")), number(format!("E{key}{suffix}")))
        };
        let gain = pair("MEGAIN");
        let number = |key: &str| cards.number(&format!("{key}{suffix}"));
        let Some(image) = number("MEIMGID") else { continue };
        if !(gain.value > 0.0) {
            continue;
        }
        let lambda = quotient(pair("MEDC"), gain);
        points.push(Point {
            amplifier: suffix.trim_start_matches("EXT").to_owned(),
            run: number("MERUNID").map(|run| run as i64),
            image: image as i64,
            gain,
            sigma: quotient(pair("MESIG"), gain),
            lambda: Pair::new(lambda.value / collected, lambda.error / collected),
        });
    }
    points.sort_by(|a, b| label_order(&a.amplifier, &b.amplifier));
    points
}

/// v/g, with the error of independent v and g.
fn quotient(v: Pair, g: Pair) -> Pair {
    Pair::new(v.value / g.value, (v.error / g.value).hypot(v.value * g.error / (g.value * g.value)))
}

/// Takes one result of a point.
type PickValue = fn(&Point) -> Pair;

/// Three panels against the image number: gain, dark current, resolution; one colour per amplifier.
///
/// `None` without points.
pub fn figure(points: &[Point]) -> Option<Figure> {
    let mut amplifiers: Vec<&str> = points.iter().map(|p| p.amplifier.as_str()).collect();
    amplifiers.sort_by(|a, b| label_order(a, b));
    amplifiers.dedup();
    if amplifiers.is_empty() {
        return None;
    }
    let mut runs: Vec<i64> = points.iter().filter_map(|p| p.run).collect();
    runs.sort_unstable();
    let title = match (runs.first(), runs.last()) {
        (Some(first), Some(last)) if first == last => format!("Dark-current fit, images of run {first}"),
        (Some(first), Some(last)) => format!("Dark-current fit, images of runs {first} to {last}"),
        _ => "Dark-current fit".to_owned(),
    };
    let mut figure = Figure::new(NAME).pixels(2000, 2100, 200.0).grid(3, 1).title(title);
    let panels: [(&str, PickValue); 3] = [
        ("gain [ADU/e⁻]", |p| p.gain),
        ("dark current λ [e⁻/pix/day]", |p| p.lambda),
        ("resolution σ [e⁻]", |p| p.sigma),
    ];
    for (label, pick) in panels {
        let mut panel = Panel::new().x_axis(Axis::new("image number").integer()).y(label).with_grid();
        for (k, amplifier) in amplifiers.iter().enumerate() {
            let of_amplifier = points.iter().filter(|p| p.amplifier == *amplifier);
            let values: Vec<(f64, Pair)> =
                of_amplifier.map(|p| (p.image as f64, pick(p))).filter(|(_, v)| v.value.is_finite()).collect();
            panel = fitted_points(panel, &values, amplifier, k);
        }
        figure = figure.panel(panel);
    }
    Some(figure)
}

/// The points as a table, one row per image and amplifier; unknown numbers are NaN.
pub fn table(points: &[Point]) -> (Table, TableHead) {
    let columns = [
        "run",
        "image",
        "gain [ADU/e-]",
        "gain error",
        "lambda [e-/pix/day]",
        "lambda error",
        "sigma [e-]",
        "sigma error",
    ];
    let row = |p: &Point| {
        let pairs = [p.gain, p.lambda, p.sigma].into_iter().flat_map(|pair| [pair.value, pair.error]);
        [p.run.map_or(f64::NAN, |run| run as f64), p.image as f64].into_iter().chain(pairs).collect()
    };
    let table = Table {
        name: NAME.to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: points.iter().map(row).collect(),
    };
    let amplifiers = points.iter().map(|p| p.amplifier.clone()).collect();
    (table, TableHead { row_labels: Some(("amplifier".to_owned(), amplifiers)), ..TableHead::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fits::{Card, Header};

    fn header(cards: &[(&str, f64)]) -> Header {
        let mut header = Header::new();
        cards.iter().for_each(|(key, value)| header.push(Card::new(*key, *value, "")));
        header
    }

    #[test]
    fn dark_current_per_day_and_its_error() {
        let primary = header(&[
            ("MEXP", 3_600_000.0),
            ("MREAD", 7_200_000.0),
            ("NPBIN", 2.0),
            ("NSBIN", 4.0),
            ("MEGAINU", 10.0),
            ("EMEGAINU", 0.1),
            ("MEDCU", 4.0),
            ("EMEDCU", 0.3),
            ("MESIGU", 2.0),
            ("EMESIGU", 0.05),
            ("MEIMGIDU", 7.0),
            ("MERUNIDU", 59.0),
            ("MEGAINL", 10.0),
            ("MEIMGIDL", 7.0),
            // a fit without a gain is no point
            ("MEGAIN9", 0.0),
            ("MEIMGID9", 7.0),
        ]);
        let found = points(&Cards::new(vec![primary]));
        assert_eq!(found.iter().map(|p| p.amplifier.as_str()).collect::<Vec<_>>(), ["L", "U"]);
        let u = &found[1];
        assert_eq!((u.run, u.image, u.gain), (Some(59), 7, Pair::new(10.0, 0.1)));
        // 0.4 e⁻ in bins of 8 pixels, collected for 1 h + 2 h / 2 = 1/12 day: 0.4 / 8 · 12 = 0.6; relative error
        // √(0.075² + 0.01²)
        let close = |x: f64, y: f64| (x - y).abs() < 1e-12;
        assert!(close(u.lambda.value, 0.6) && close(u.lambda.error, 0.6 * 0.075f64.hypot(0.01)), "{u:?}");
        assert!(close(u.sigma.value, 0.2) && close(u.sigma.error, 0.2 * 0.025f64.hypot(0.01)), "{u:?}");
        assert!(found[0].lambda.value.is_nan() && found[0].run.is_none());
    }

    #[test]
    fn labels_of_the_older_tool_and_a_table() {
        let extension = header(&[("MEGAINEXT1", 1.5), ("MEIMGIDEXT1", 3.0), ("MEDCEXT1", 0.3)]);
        let found = points(&Cards::new(vec![Header::new(), extension]));
        assert_eq!((found[0].amplifier.as_str(), found[0].image), ("1", 3));
        assert!(found[0].lambda.value.is_nan(), "no times");
        let (table, head) = table(&found);
        let text = crate::output::figures::csv_with(&table, Some(&head));
        assert!(text.ends_with("\n1,,3,1.5,,,,,\n"), "{text}");
        let figure = figure(&found).unwrap();
        assert_eq!(figure.panels.len(), 3);
        assert!(super::figure(&[]).is_none());
    }
}
