//! Files seen from outside: they are valid, look alike, and nothing that is put into a figure breaks them.

use std::process::Command;

use ndarray::Array2;

use super::drawing::{Drawing, Mark};
use super::geometry::Rect;
use super::layout::{Density, compose};
use super::*;
use crate::plot::*;

mod properties;

/// A figure with everything in it.
fn rich() -> Figure {
    let x: Vec<f64> = (0..200).map(f64::from).collect();
    let counts: Vec<f64> = x.iter().map(|x| (500.0 * (-0.5 * ((x - 80.0) / 20.0).powi(2)).exp()).round()).collect();
    let image = Array2::from_shape_fn((20, 30), |(r, c)| ((r * 7 + c * 3) % 11) as f64);
    let mask = Array2::from_shape_fn((20, 30), |(r, c)| r == c);
    Figure::new("Process_what_EXT1")
        .titles("Dark Current Fit & <more>", "skip_598.fits", &["CompressSkips", "PedestalSubtractionProcess"])
        .grid(2, 2)
        .panel(
            Panel::new()
                .x("Pixel Charge [ADU]")
                .y("Counts")
                .log_y()
                .histogram(Histogram::uniform(0.0, 200.0, &counts).poisson_errors().label("data"))
                .line(Line::new(&x, &counts).label("fit"))
                .note(Note::fit_results().chi2(12.3, 11).value("λ [e⁻]", 0.123, 0.004)),
        )
        .panel(
            Panel::image_of(ImagePlot::new(image).mask(mask).mask_hatched().colour_label("ADU"))
                .polygon(Polygon::rectangle(3.0, 3.0, 8.0, 9.0)),
        )
        .panel(
            Panel::new()
                .x("row")
                .y("μ [ADU]")
                .top(SecondAxis::scaled("column", 2.0))
                .right(SecondAxis::scaled("μ [e⁻]", 0.1))
                .points(Points::new(&x[..40], &counts[..40]).y_errors(vec![3.0; 40]).label("EXT1"))
                .strip(Strip::vertical(10.0, 20.0))
                .band(Band::new([0.0, 40.0], [1.0, 5.0], [20.0, 50.0]).label("band"))
                .guide(Guide::horizontal(12.0).note("limit"))
                .legend_at(Anchor::TopLeft),
        )
        .panel(
            Panel::new()
                .contours(Contours::new(
                    [0.0, 1.0, 2.0],
                    [0.0, 1.0, 2.0],
                    ndarray::arr2(&[[0.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 0.0]]),
                    [0.5, 1.5],
                ))
                .text(DataText::new([(1.0, 1.0, "here")]).halo())
                .with(Arrows::new([((0.2, 0.2), (1.0, 0.8))])),
        )
}

fn decoded(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut decoder = ::png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(::png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    pixels.truncate(info.buffer_size());
    (info.width, info.height, pixels)
}

/// Ghostscript's name when it is installed; says aloud when it is not.
fn ghostscript() -> Option<&'static str> {
    let found = Command::new("gs").arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("skipped: ghostscript (gs) is not installed");
    }
    found.then_some("gs")
}

/// The page as ghostscript sees it, at 100 pixels per inch; any complaint fails the test.
fn rasterised(bytes: &[u8], extension: &str) -> Option<(u32, u32, Vec<u8>)> {
    let gs = ghostscript()?;
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join(format!("figure.{extension}")), folder.path().join("figure.png"));
    std::fs::write(&input, bytes).unwrap();
    let result = Command::new(gs)
        .args(["-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-dEPSCrop", "-sDEVICE=png16m", "-r100"])
        .args(["-dTextAlphaBits=4", "-dGraphicsAlphaBits=4"])
        .arg(format!("-sOutputFile={}", output.display()))
        .arg(&input)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&result.stdout) + String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success() && said.trim().is_empty(), "ghostscript on {extension}: {said}");
    Some(decoded(&std::fs::read(output).unwrap()))
}

#[test]
fn png_files_have_the_size_asked_for() {
    let (w, h, pixels) = decoded(&render(&rich().pixels(2000, 1000, 200.0), Format::Png).unwrap());
    assert_eq!((w, h), (2000, 1000));
    assert_eq!(pixels.len(), 3 * 2000 * 1000);
    assert_eq!(pixels[..3], [255, 255, 255], "white paper");
    let huge = Figure::new("f").size(100.0, 100.0);
    let huge = Figure { dpi: Some(2400.0), ..huge };
    assert!(matches!(render(&huge, Format::Png), Err(RenderError::TooLarge { .. })));
}

#[test]
fn pdf_files_have_a_sound_cross_reference_table() {
    let bytes = render(&rich(), Format::Pdf).unwrap();
    assert!(bytes.starts_with(b"%PDF-1.") && bytes.trim_ascii_end().ends_with(b"%%EOF"));
    let find = |what: &[u8]| bytes.windows(what.len()).rposition(|w| w == what).unwrap();
    let number = |from: usize| -> usize {
        let digits: String = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).map(|b| *b as char).collect();
        digits.parse().unwrap()
    };
    let table = number(find(b"startxref\n") + 10);
    assert!(bytes[table..].starts_with(b"xref\n0 "));
    let count = number(table + 7);
    let first = table + bytes[table..].iter().enumerate().filter(|(_, b)| **b == b'\n').nth(1).unwrap().0 + 1;
    for i in 1..count {
        let object = number(first + 20 * i);
        assert!(bytes[object..].starts_with(format!("{i} 0 obj").as_bytes()), "object {i}");
    }
    for name in ["/Type /Catalog", "/FontFile2", "/ToUnicode", "/Subtype /Image"] {
        assert!(bytes.windows(name.len()).any(|w| w == name.as_bytes()), "{name}");
    }
}

#[test]
fn several_pages_go_into_one_pdf_only() {
    let book = rich().page(rich()).page(Figure::new("last"));
    let bytes = render(&book, Format::Pdf).unwrap();
    let pages = bytes.windows(11).filter(|w| *w == b"/Type /Page").count();
    // The page tree is of type "Pages".
    assert_eq!(pages, 3 + 1);
    for format in [Format::Eps, Format::Png, Format::Svg] {
        let error = render(&book, format).unwrap_err();
        assert!(error.to_string().contains("3 pages"), "{error}");
    }
    assert_eq!(render_pages(&[book]).unwrap(), bytes);
}

#[test]
fn eps_files_follow_the_structuring_conventions() {
    let bytes = render(&rich().size(5.0, 4.0), Format::Eps).unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(text.is_ascii() && text.starts_with("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 360 288\n"));
    assert!(text.lines().all(|l| l.len() <= 255), "lines of at most 255 characters");
    for comment in ["%%EndComments", "%%BeginProlog", "%%EndProlog", "%%Page: 1 1", "%%Trailer", "%%EOF"] {
        assert_eq!(text.lines().filter(|l| *l == comment).count(), 1, "{comment}");
    }
    assert!(text.contains("\n%%Title: Dark Current Fit & <more>\n"));
    let names = ["CreationDate", "showpage"];
    assert_eq!(names.map(|n| text.contains(n)), [false, true]);
}

#[test]
fn more_glyphs_than_a_postscript_font_encodes_are_drawn() {
    let characters: Vec<char> = ('!'..='ſ').chain('Α'..='ω').chain('←'..='⋿').collect();
    let mut figure = Figure::new("f").panel(Panel::new());
    for line in characters.chunks(60) {
        figure = figure.title(line.iter().collect::<String>());
    }
    let dark = |pixels: &[u8]| pixels.iter().filter(|v| **v < 128).count();
    let ours = decoded(&render(&Figure { dpi: Some(100.0), ..figure.clone() }, Format::Png).unwrap());
    for format in [Format::Eps, Format::Pdf] {
        let Some((_, _, theirs)) = rasterised(&render(&figure, format).unwrap(), format.extension()) else {
            return;
        };
        let ratio = dark(&theirs) as f64 / dark(&ours.2) as f64;
        // Ghostscript paints every pixel that an outline touches, so small text comes out bolder.
        assert!((0.7..1.8).contains(&ratio), "{format}: ink {ratio}");
    }
}

#[test]
fn all_formats_look_alike() {
    let figure = Figure { dpi: Some(100.0), ..rich() };
    let (w, h, ours) = decoded(&render(&figure, Format::Png).unwrap());
    for format in [Format::Pdf, Format::Eps] {
        let Some((gw, gh, theirs)) = rasterised(&render(&figure, format).unwrap(), format.extension()) else {
            return;
        };
        assert!(gw.abs_diff(w) <= 1 && gh.abs_diff(h) <= 1, "{format}: {gw}×{gh} instead of {w}×{h}");
        // Blocks of 8 × 8 pixels are compared: edges are smoothed differently, but ink must be in the same places.
        let block = |p: &[u8], width: u32, bx: u32, by: u32| -> f64 {
            let pixels = (0..8).flat_map(|y| (0..8).map(move |x| ((by * 8 + y) * width + bx * 8 + x) as usize * 3));
            pixels.flat_map(|i| &p[i..i + 3]).map(|v| f64::from(*v)).sum::<f64>() / 192.0
        };
        let (mut worst, mut sum, mut n) = (0.0f64, 0.0, 0.0);
        for by in 0..h.min(gh) / 8 {
            for bx in 0..w.min(gw) / 8 {
                let d = (block(&ours, w, bx, by) - block(&theirs, gw, bx, by)).abs();
                (worst, sum, n) = (worst.max(d), sum + d, n + 1.0);
            }
        }
        // A missing letter or marker changes its block by more than 60 of 255.
        assert!(worst < 60.0 && sum / n < 3.0, "{format}: mean {:.2}, worst {worst:.1}", sum / n);
    }
}

#[test]
fn the_same_figure_gives_the_same_bytes() {
    for format in Format::ALL {
        assert_eq!(render(&rich(), format).unwrap(), render(&rich(), format).unwrap(), "{format}");
    }
    let all: Vec<Vec<u8>> = render_all(&rich(), &Format::ALL).into_iter().map(|r| r.unwrap()).collect();
    for (bytes, format) in all.iter().zip(Format::ALL) {
        assert_eq!(*bytes, render(&rich(), format).unwrap(), "alone or together: {format}");
    }
}

#[test]
fn formats_are_known_by_their_names() {
    assert_eq!("PDF".parse::<Format>().unwrap(), Format::Pdf);
    assert_eq!(".eps".parse::<Format>().unwrap(), Format::Eps);
    for format in Format::ALL {
        assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
    }
    let error = "gif".parse::<Format>().unwrap_err().to_string();
    assert!(error.contains("gif") && error.contains("svg"), "{error}");
}

/// Fails unless `text` is well-formed as far as this program writes XML: tags nest, attributes are quoted, no stray `<`
/// or `&`.
fn assert_well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    while let Some(at) = rest.find(['<', '&']) {
        rest = &rest[at..];
        if rest.starts_with('&') {
            let end = rest.find(';').unwrap_or(rest.len());
            assert!(["&amp", "&lt", "&gt", "&quot"].contains(&&rest[..end]), "stray & at {:.40}", rest);
            rest = &rest[end..];
            continue;
        }
        let mut quoted = false;
        let end = rest[1..]
            .find(|c| {
                quoted ^= c == '"';
                !quoted && c == '>'
            })
            .unwrap_or_else(|| panic!("tag without end: {rest:.60}"));
        let tag = &rest[1..=end];
        assert!(!tag.contains('<'), "stray < in {tag:.60}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        rest = &rest[end + 2..];
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}

#[test]
fn svg_files_are_well_formed_and_ids_do_not_clash() {
    let file = String::from_utf8(render(&rich(), Format::Svg).unwrap()).unwrap();
    assert_well_formed(&file);
    assert!(file.contains("<title>Dark Current Fit &amp; &lt;more&gt;</title>"));
    assert!(file.contains("aria-label=\"Pixel Charge [ADU]\""), "words can be searched");
    let ids = |svg: &str| -> Vec<String> {
        svg.split(" id=\"").skip(1).map(|s| s[..s.find('"').unwrap()].to_string()).collect()
    };
    let (a, b) = (render_html(&rich(), "a").unwrap(), render_html(&rich(), "b").unwrap());
    assert_well_formed(&a);
    assert!(a.starts_with("<svg ") && !a.contains("<?xml"));
    let mut all = ids(&a);
    all.extend(ids(&b));
    let n = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), n);
    for id in ids(&a) {
        assert!(a.contains(&format!("#{id}\"")) || a.contains(&format!("#{id})")), "{id} is used");
    }
}

fn stamped(drawing: &Drawing) -> usize {
    let count = |m: &Mark| {
        if let Mark::Stamps { at, .. } = m { at.len() } else { 0 }
    };
    drawing.marks.iter().map(count).sum()
}

#[test]
fn missing_values_and_values_outside_are_not_drawn() {
    let points = Points::new([0.0, 1.0, 2.0, 3.0, f64::NAN], [1.0, f64::NAN, 1e9, 2.0, 1.0]);
    let figure = Figure::new("f").panel(Panel::new().y_range(0.0, 5.0).points(points.clone()));
    assert_eq!(stamped(&compose(&figure, Density::VECTOR)), 2);
    let logarithmic = Figure::new("f").panel(Panel::new().log_y().points(Points::indexed([-1.0, 0.0, 10.0, 100.0])));
    assert_eq!(stamped(&compose(&logarithmic, Density::VECTOR)), 2);
}

#[test]
fn many_markers_in_one_place_are_drawn_once() {
    let figure = Figure::new("f").panel(Panel::new().points(Points::new(vec![1.0; 5000], vec![2.0; 5000])));
    assert_eq!(stamped(&compose(&figure, Density::VECTOR)), 1);
}

/// Boxes of the lines of text, capitals only (descents may touch the next line).
fn text_boxes(drawing: &Drawing) -> Vec<(String, Rect)> {
    let boxed = |m: &Mark| {
        let Mark::Text { glyphs, at, upwards, .. } = m else {
            return None;
        };
        let words: String = glyphs.iter().map(|g| g.character).collect();
        let last = glyphs.last()?;
        let (w, h) = (last.x + font::advance(last.id) * last.size, glyphs[0].size * font::CAP_HEIGHT);
        let rect = if *upwards {
            Rect::new(at.x - h, at.y - w, at.x, at.y)
        } else {
            Rect::new(at.x, at.y - h, at.x + w, at.y)
        };
        Some((words, rect))
    };
    drawing.marks.iter().filter_map(boxed).collect()
}

#[test]
fn a_hidden_peak_gets_headroom() {
    // Without headroom the legend in the upper right corner would cover the last points.
    let panel = |label: Option<&str>| {
        let mut points = Points::indexed((0..50).map(|i| f64::from(i % 25) / 25.0 + 1.0));
        points.label = label.map(String::from);
        Panel::new().points(points).legend_at(Anchor::TopRight)
    };
    let highest = |panel: Panel| {
        let drawing = compose(&Figure::new("f").panel(panel), Density::VECTOR);
        let stamps = drawing.marks.iter().find_map(|m| match m {
            Mark::Stamps { at, .. } if at.len() > 10 => Some(at.clone()),
            _ => None,
        });
        let legend = text_boxes(&drawing).into_iter().find(|(w, _)| w.starts_with("a long")).map(|(_, r)| r);
        (stamps.unwrap(), legend)
    };
    let (with, legend) = highest(panel(Some("a long label that covers half of the frame")));
    let legend = legend.unwrap();
    assert!(with.iter().all(|p| !legend.contains(*p)));
    let (without, _) = highest(panel(None));
    let top = |s: &[super::geometry::Point]| s.iter().map(|p| p.y).fold(f64::MAX, f64::min);
    assert!(top(&with) > top(&without) + 5.0);
}
