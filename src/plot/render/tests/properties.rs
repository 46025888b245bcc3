//! Absurd figures and arbitrary axes: nothing panics, files stay valid, labels stay apart.

use ndarray::Array2;
use proptest::prelude::*;

use super::*;

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -1e3..1e3f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e-300,
        ]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(any_number(), 0..12)
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,20}",
        any::<String>(),
        prop::sample::select(vec![
            "<b>&\"'</b>",
            "_{",
            "^{}",
            "}{",
            "10^{−3}",
            "\0\n\t\u{7}",
            "日本語",
            "\u{202e}x",
            "%\\()<>",
            "]]>",
        ])
        .prop_map(String::from),
        Just("very long ".repeat(400)),
    ]
}

fn any_scale() -> impl Strategy<Value = AxisScale> {
    prop_oneof![
        3 => Just(AxisScale::Linear),
        2 => Just(AxisScale::Log),
        1 => any_number().prop_map(AxisScale::SymLog),
        1 => Just(AxisScale::Time),
    ]
}

fn any_axis() -> impl Strategy<Value = Axis> {
    (
        any_text(),
        any_scale(),
        prop::option::of(any_number()),
        prop::option::of(any_number()),
        any::<(bool, bool, bool)>(),
        prop::option::weighted(0.2, prop::collection::vec((any_number(), any_text()), 0..4)),
    )
        .prop_map(|(label, scale, min, max, (integer, reversed, grid), ticks)| Axis {
            label,
            scale,
            min,
            max,
            integer,
            reversed,
            ticks,
            grid,
        })
}

fn any_image() -> impl Strategy<Value = ImagePlot> {
    (0..4usize, 0..4usize, prop::collection::vec(any_number(), 9), any::<[bool; 4]>(), any_number(), any_number())
        .prop_map(|(rows, cols, values, [mask, hatched, log, equalised], a, b)| {
            let mut image = ImagePlot::new(Array2::from_shape_fn((rows, cols), |(r, c)| values[(r * 3 + c) % 9]));
            if mask {
                image = image.mask(Array2::from_shape_fn((rows, cols), |(r, c)| (r + c) % 2 == 0));
            }
            if hatched {
                image = image.mask_hatched().steps(rows);
            }
            image = if log { image.log() } else { image.range(a, b) };
            if equalised { image.equalised().extent(a, b, b, a) } else { image }
        })
}

fn any_series() -> impl Strategy<Value = Series> {
    let stroke = || prop::sample::select(vec![Stroke::new(Colour::RED), Stroke::new(Colour::BLUE).dashed()]);
    prop_oneof![
        (numbers(), numbers(), numbers(), any_number(), any::<bool>()).prop_map(|(x, y, e, size, joined)| {
            let mut points = Points::new(x, y).y_errors(&e).x_errors(&e).size(size).label("points");
            points.joined = joined.then_some(Stroke::new(Colour::GREY).width(size));
            points.into()
        }),
        (numbers(), numbers(), stroke(), any::<bool>()).prop_map(|(x, y, stroke, step)| {
            Series::Line(Line { step, ..Line::new(x, y).stroke(stroke).label("line") })
        }),
        (numbers(), numbers(), numbers()).prop_map(|(x, l, h)| Band::new(x, l, h).label("band").into()),
        (numbers(), numbers(), numbers()).prop_map(|(e, n, b)| {
            Histogram::new(e, &n).stacked_on(b).errors(n).reference().label("histogram").into()
        }),
        any_image().prop_map(Series::Image),
        (numbers(), numbers(), numbers(), numbers()).prop_map(|(x, y, z, levels)| {
            let n = z.len().isqrt();
            let z = Array2::from_shape_vec((n, n), z[..n * n].to_vec()).unwrap();
            Contours::new(x, y, z, levels).into()
        }),
        (any_number(), any_text()).prop_map(|(at, note)| Guide::horizontal(at).note(note).into()),
        (any_number(), any_number()).prop_map(|(a, b)| Strip::vertical(a, b).label("strip").into()),
        (numbers(), numbers()).prop_map(|(x, y)| Polygon::new(x, y).fill(Colour::GREEN).into()),
        (any_number(), any_number(), any_text()).prop_map(|(x, y, t)| DataText::new([(x, y, t)]).halo().into()),
        prop::collection::vec(((any_number(), any_number()), (any_number(), any_number())), 0..3)
            .prop_map(|items| Arrows::new(items).into()),
    ]
}

fn any_panel() -> impl Strategy<Value = Panel> {
    (
        (any_axis(), any_axis(), any_text()),
        prop::collection::vec(any_series(), 0..4),
        prop::option::weighted(0.3, (any_number(), any_number())),
        prop::sample::select(vec![LegendPlace::Auto, LegendPlace::Outside, LegendPlace::At(Anchor::Bottom)]),
        prop::option::weighted(0.3, (0..5usize, 0..5usize, 0..4usize)),
        (any_text(), any_number(), any::<bool>()),
    )
        .prop_map(|((x, y, title), series, second, place, cell, (text, number, equal))| {
            let mut panel = Panel { x, y, title: Some(title), series, ..Panel::new() };
            panel.legend.place = place;
            panel.cell = cell.map(|(row, col, span)| Cell { row, col, row_span: span, col_span: span });
            if let Some((factor, offset)) = second {
                panel.right = Some(SecondAxis { label: "second".into(), factor, offset });
                panel.top = panel.right.clone();
            }
            if equal {
                panel = panel.equal_aspect().inset(number, 0.3, 0.5, number, Panel::new().x("inset"));
            }
            panel.note(Note::fit_results().value(text, number, number).line("line"))
        })
}

fn any_figure() -> impl Strategy<Value = Figure> {
    (
        prop::collection::vec(any_text(), 0..3),
        prop::collection::vec(any_panel(), 0..4),
        any::<bool>(),
        prop::option::weighted(0.3, (any_number(), any_number())),
        numbers(),
    )
        .prop_map(|(title, panels, share_x, size, heights)| {
            let mut figure = Figure { title, panels, ..Figure::new("any") };
            figure.grid.share_x = share_x;
            figure.grid.heights = heights;
            figure.size =
                size.map(|(width, height)| Size { width: width.clamp(-1.0, 9.0), height: height.clamp(-1.0, 9.0) });
            figure.dpi = Some(50.0);
            figure
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_a_figure(figure in any_figure()) {
        for (bytes, format) in render_all(&figure, &Format::ALL).into_iter().zip(Format::ALL) {
            let bytes = bytes.unwrap();
            match format {
                Format::Svg => {
                    let text = String::from_utf8(bytes).unwrap();
                    assert_well_formed(&text);
                    let attributes = text.split("aria-label").map(|s| s.split_once("fill").map_or("", |s| s.1));
                    prop_assert!(attributes.into_iter().all(|a| !a.contains("NaN") && !a.contains("inf")));
                }
                Format::Eps => prop_assert!(bytes.is_ascii()),
                Format::Png => prop_assert!(decoded(&bytes).0 > 0),
                Format::Pdf => prop_assert!(bytes.starts_with(b"%PDF")),
            }
        }
        let text = render_text(&figure, 80, TextColours::None);
        prop_assert!(text.lines().all(|l| l.chars().count() <= 80));
        serde_json::to_string(&figure).unwrap();
    }

    /// On a figure of ordinary size no two labels touch, whatever the ranges.
    #[test]
    fn labels_never_overlap(
        ends in (any_number(), any_number(), any_number(), any_number()),
        scales in (any_scale(), any_scale()),
        size in (3.0..12.0f64, 2.5..9.0f64),
        image in any::<bool>(),
        second in any::<bool>(),
    ) {
        let (a, b, c, d) = ends;
        let mut panel = Panel::new()
            .title("title of the panel")
            .x_axis(Axis { scale: scales.0, ..Axis::new("label of x [unit]").range(a, b) })
            .y_axis(Axis { scale: scales.1, ..Axis::new("label of y [unit]").range(c, d) });
        if image {
            panel = panel.image(ImagePlot::new(Array2::from_elem((3, 3), 1.0)).range(a, d).colour_label("colour"));
        }
        if second && !image {
            panel = panel.right(SecondAxis::scaled("second", 0.023)).top(SecondAxis::scaled("second", 1e3));
        }
        let figure = Figure::new("f").title("title").title("image: x.fits").size(size.0, size.1).panel(panel);
        let boxes = text_boxes(&compose(&figure, Density::VECTOR));
        for (i, (a, ra)) in boxes.iter().enumerate() {
            for (b, rb) in &boxes[i + 1..] {
                prop_assert!(!ra.overlaps(rb), "{a:?} at {ra:?} and {b:?} at {rb:?}");
            }
        }
    }
}
