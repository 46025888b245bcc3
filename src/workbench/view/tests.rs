use clap::FromArgMatches as _;

use super::listing::substitute;
use super::*;
use crate::workbench::test_files::{extensions, image};

fn args(words: &[&str]) -> ViewArgs {
    let command = ViewArgs::augment_args(clap::Command::new("view"));
    ViewArgs::from_arg_matches(&command.get_matches_from(std::iter::once("view").chain(words.iter().copied()))).unwrap()
}

/// 6 rows × 10 columns; pixel (2, 3) has 5 electrons, pixel (4, 8) has 4.7, the others none.
fn file(folder: &Path, name: &str) {
    let data = image(6, 10, |r, c| match (r, c) {
        (2, 3) => 5.0,
        (4, 8) => 4.7,
        _ => 0.1,
    });
    let mask = image(6, 10, |r, c| f64::from(u8::from((r, c) == (2, 3))));
    extensions(folder, name, &[("CALIBRATED", &data, &[]), ("CLSMASK", &mask, &[])]);
}

#[test]
fn pixels_are_listed_with_their_place_in_the_image() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a.fits");
    let results = run(&args(&["a.fits", "--ne", "5", "--mext", "clsmask"]), folder.path()).unwrap();
    assert!(results.text.contains(&"  a.fits (col 3, row 2) q = 5, masked".to_owned()), "{:?}", results.text);
    assert!(results.text.contains(&"  a.fits (col 8, row 4) q = 5".to_owned()), "{:?}", results.text);
    let names: Vec<&str> = results.figures.iter().map(|(f, _)| f.name.as_str()).collect();
    assert_eq!(names, ["a_view", "a_view_ne", "a_view_pcd"]);
    let hot = run(&args(&["a.fits", "--ne", "4,6", "--hotcol", "8"]), folder.path()).unwrap();
    assert!(hot.text.contains(&"1 pixels of the wanted charge".to_owned()), "{:?}", hot.text);
}

#[test]
fn halves_are_turned_and_the_upper_one_mirrored() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a.fits");
    let lower = Tile::read(&args(&["x", "-T", "true", "--prescan", "1"]), &folder.path().join("a.fits")).unwrap();
    assert_eq!(lower.values.dim(), (4, 6));
    assert_eq!(lower.values[[2, 2]], 5.0, "column 3 is the third behind a prescan of 1");
    assert_eq!(lower.original(2, 2), (2, 3));
    let words = ["x", "-T", "1", "--amp", "U", "--overscan", "2"];
    let upper = Tile::read(&args(&words), &folder.path().join("a.fits")).unwrap();
    assert_eq!(upper.values.dim(), (3, 6));
    assert_eq!(upper.values[[1, 4]], 5.0, "column 8 is the second from the right");
    assert_eq!(upper.original(1, 4), (4, 8));
}

#[test]
fn a_zoom_keeps_the_numbers_of_rows_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a.fits");
    let tile =
        Tile::read(&args(&["x", "--zoom", "1", "4", "2", "-1", "--float"]), &folder.path().join("a.fits")).unwrap();
    assert_eq!(tile.values.dim(), (3, 8));
    assert_eq!((tile.start(), tile.original(1, 1)), ((1, 2), (2, 3)));
    assert_eq!(tile.values[[1, 1]], 5.0);
    assert_eq!(tile.values[[0, 0]], 0.1);
    assert!(Tile::read(&args(&["x", "--zoom", "4", "4", "0", "1"]), &folder.path().join("a.fits")).is_err());
}

#[test]
fn native_pictures_have_the_colour_of_each_pixel_and_row_0_at_the_bottom() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a.fits");
    let parameters = Parameters { palette: Palette::Gray, electrons: None, name: "x".into() };
    let args = args(&["a.fits", "--cmap", "gray"]);
    let tiles = [Tile::read(&args, &folder.path().join("a.fits")).unwrap()];
    let bytes = figures::native(&args, &parameters, &tiles, (-0.5, 5.5)).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    assert_eq!((info.width, info.height), (10, 6));
    let at = |row: usize, col: usize| rgb[3 * ((5 - row) * 10 + col)];
    assert_eq!((at(2, 3), at(4, 8), at(0, 0)), (255, 255, 0));
}

#[test]
fn other_ccds_are_found_by_name() {
    assert_eq!(substitute("run_A_1.fits", "A", "B").as_deref(), Some("run_B_1.fits"));
    assert_eq!(substitute("avg_CCDA.fits", "A", "D").as_deref(), Some("avg_CCDD.fits"));
    assert_eq!(substitute("AVG_1.fits", "A", "B"), None);
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "i_A.fits");
    let shifted = image(6, 10, |r, c| if (r, c) == (2, 3) { 0.5 } else { 0.0 });
    extensions(folder.path(), "i_B.fits", &[("CALIBRATED", &shifted, &[])]);
    let results = run(&args(&["i_A.fits", "--xtalk", "A,B,C", "--qseed", "5", "--float"]), folder.path()).unwrap();
    let csv = std::fs::read_to_string(folder.path().join("i_A_view_xtalk.csv")).unwrap();
    let line = csv.lines().nth(2).unwrap();
    assert!(line.starts_with("0,3,2,5,0.5,0.05,"), "{line}");
    // 0.5 e⁻ in a row whose mean is 0.05 e⁻: the excess is 0.45
    let text = results.text.last().unwrap();
    assert!(text.contains("CCD B (i_B.fits) shows 0.45"), "{text}");
    assert_eq!(results.warnings.len(), 1, "there is no file of CCD C: {:?}", results.warnings);
}

/// Seeds lie in hot rows of the other CCD: what counts is the charge above that of the row. Excess 0.2 ± 0.5/√40 e⁻.
#[test]
fn cross_talk_is_the_excess_over_the_row() {
    use crate::stats::random::Stream;
    let folder = tempfile::tempdir().unwrap();
    let seeds = image(40, 60, |r, c| if c == (7 * r) % 60 { 100.0 } else { 0.0 });
    extensions(folder.path(), "i_A.fits", &[("CALIBRATED", &seeds, &[])]);
    let mut stream = Stream::from_seed(5);
    let noise = image(40, 60, |_, _| 0.0).mapv(|_: f64| 0.5 * stream.normal());
    let other = image(40, 60, |r, c| noise[[r, c]] + r as f64 + if c == (7 * r) % 60 { 0.2 } else { 0.0 });
    extensions(folder.path(), "i_B.fits", &[("CALIBRATED", &other, &[])]);
    let results = run(&args(&["i_A.fits", "--xtalk", "A,B"]), folder.path()).unwrap();
    let text = results.text.last().unwrap();
    let mut numbers = text.split(" shows ").nth(1).unwrap().split(' ');
    let excess: f64 = numbers.next().unwrap().parse().unwrap();
    let error: f64 = numbers.nth(1).unwrap().parse().unwrap();
    // the error of 40 values is itself known to 1/√78; four of these
    assert!((error / (0.5 / 40f64.sqrt()) - 1.0).abs() < 0.45, "{text}");
    assert!((excess - 0.2).abs() < 4.0 * error, "{text}");
}

#[test]
fn what_is_drawn_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = image(6, 10, |_, _| -0.3);
    extensions(folder.path(), "a.fits", &[("CALIBRATED", &data, &[]), ("STD", &data, &[])]);
    extensions(folder.path(), "b.fits", &[("CALIBRATED", &data.mapv(|_| f64::NAN), &[])]);
    let results = run(&args(&["a.fits", "--ne", "0"]), folder.path()).unwrap();
    assert!(results.text[0].starts_with("a.fits (HDU 0 CALIBRATED): 6 rows"), "{:?}", results.text);
    assert!(results.text[2].ends_with(" q = 0"), "{:?}", results.text);
    let csv = std::fs::read_to_string(folder.path().join("a_view_pcd.csv")).unwrap();
    let counts: f64 = csv.lines().skip(2).map(|l| l.rsplit(',').next().unwrap().parse::<f64>().unwrap()).sum();
    assert_eq!(counts, 60.0);
    let std = run(&args(&["a.fits", "--ext", "std"]), folder.path()).unwrap();
    assert!(std.text[0].starts_with("a.fits: 6 rows"), "{:?}", std.text);
    assert_eq!(std.figures[1].0.panels[0].x.label, "standard deviation of the skips [ADU]");
    let empty = run(&args(&["b.fits"]), folder.path()).unwrap();
    assert_eq!(empty.text, ["b.fits: 6 rows × 10 columns, no pixel is defined"]);
    let half = run(&args(&["a.fits", "-T", "1", "--amp", "U"]), folder.path()).unwrap();
    assert_eq!(half.figures[0].0.title, ["a.fits (HDU 0 CALIBRATED), amplifier U"]);
    let wrong = run(&args(&["a.fits", "--ne", "2,1"]), folder.path()).unwrap_err().to_string();
    assert!(wrong.contains("n ≤ m"), "{wrong}");
}

#[test]
fn images_of_different_width_need_a_grid() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "a.fits");
    extensions(folder.path(), "b.fits", &[("CALIBRATED", &image(6, 11, |_, _| 0.0), &[])]);
    assert!(run(&args(&["?.fits"]), folder.path()).unwrap_err().to_string().contains("--grid"));
    assert_eq!(run(&args(&["?.fits", "--grid", "2"]), folder.path()).unwrap().figures[0].0.panels.len(), 2);
    assert!(run(&args(&["a.fits", "--cmap", "pink"]), folder.path()).is_err());
    assert!(run(&args(&["a.fits", "--ne", "x"]), folder.path()).is_err());
}
