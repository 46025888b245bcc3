//! Every layout is read back by the analysis, with the configuration that comes with the image: each pixel's mean over
//! the skips is pedestal + gain · charge of the truth, and the regions hold what they should.

use std::path::Path;

use ndarray::Array2;

use super::support::*;

/// Reads an image with its own configuration; the mean image of each extension.
fn compressed(folder: &Path, stem: &str) -> Vec<Array2<f64>> {
    let (image, config) = (format!("{stem}.fits"), format!("{stem}_panaSKImg.json"));
    let run = run(folder, &[&image, "-j", &config, "-s", "CompressSkipperProcess", "--save-img", "-o", "out"]);
    assert_eq!(run.code, 0, "{run:?}");
    let mut made: Vec<String> =
        files(&folder.join("out")).into_iter().filter(|f| f.starts_with(stem) && f.ends_with("_waders.fits")).collect();
    made.sort();
    made.iter().map(|name| named_or_first(&folder.join("out").join(name))).collect()
}

fn named_or_first(path: &Path) -> Array2<f64> {
    let input = panaskimg::fits::FitsInput::open(path).unwrap();
    let hdu = (0..input.hdus().len()).find(|&h| input.hdus()[h].is_plane()).unwrap();
    input.read_image(hdu).unwrap()
}

/// Noiseless images: the reading must be exact up to the rounding of the samples (half a unit) and of the float truth.
fn check(name: &str, settings: &[&str], polarity: f64, gains: &[f64]) {
    let dir = tempfile::tempdir().unwrap();
    let mut all = vec!["rows=12", "skips=5", "noise.sigma1=0", "lambda_image=1.5", "spurious=0.05", "t_exp=10"];
    all.extend(["pedestal.row_rms=20", "pedestal.col_rms=5", "pedestal.skip_transient=[40, 10]"]);
    all.push(r#"sources=[{"type": "fe55", "n": 4}, {"type": "point", "n": 3, "energy_keV": 2}]"#);
    all.extend(settings);
    simulate(dir.path(), &all, &["-o", "a.fits"]);
    let truth = dir.path().join("a_truth.fits");
    let images = compressed(dir.path(), "a");
    assert_eq!(images.len(), if gains.len() == 4 { 4 } else { 1 }, "{name}");
    for (ext, mean) in images.iter().enumerate() {
        let (charge, pedestal) = (named_image(&truth, "CHARGE", ext), named_image(&truth, "PEDESTAL", ext));
        assert_eq!(mean.dim(), charge.dim(), "{name}");
        let cols = mean.ncols();
        // polarity correction turns x into max − x: compare up to that constant
        let expected = Array2::from_shape_fn(mean.dim(), |(r, c)| {
            let gain = match gains.len() {
                2 => gains[usize::from(c >= cols / 2)],
                4 => gains[ext],
                _ => gains[0],
            };
            polarity * (pedestal[[r, c]] + polarity * gain * charge[[r, c]])
        });
        let shift = mean[[0, 0]] - expected[[0, 0]];
        if polarity > 0.0 {
            assert!(shift.abs() < 0.5, "{name}: shift {shift}");
        }
        for (position, value) in mean.indexed_iter() {
            assert!((value - expected[position] - shift).abs() < 1.0, "{name} ext {ext} {position:?}: {value}");
        }
    }
}

#[test]
fn one_amplifier() {
    check("single", &[], 1.0, &[10.0]);
    check("18 bits", &["adc_bits=18", "pedestal.base=100000"], 1.0, &[10.0]);
    check("32 bits", &["adc_bits=32", "pedestal.base=3000"], 1.0, &[10.0]);
    check("binned", &["npbin=3", "nsbin=4", "prescan_rows=1"], 1.0, &[10.0]);
    check("row overscan", &["phys_rows=8", "overscan_rows=2"], 1.0, &[10.0]);
}

#[test]
fn two_amplifiers() {
    check("dual", &["layout=dual", "gain=[10, 14]"], 1.0, &[10.0, 14.0]);
    check("dual binned", &["layout=dual", "gain=[10, 14]", "nsbin=2", "prescan_cols=3"], 1.0, &[10.0, 14.0]);
}

#[test]
fn inverted_polarity() {
    check("inverted", &["polarity=-1", "pedestal.base=60000"], -1.0, &[10.0]);
}

#[test]
fn four_extensions() {
    check("acm", &["layout=acm", "gain=[10, 11, 12, 13]"], 1.0, &[10.0, 11.0, 12.0, 13.0]);
    check(
        "acm averaged",
        &["layout=acm", "gain=[1, 2, 3, 4]", "averaged=true", "pedestal.base=-40"],
        1.0,
        &[1.0, 2.0, 3.0, 4.0],
    );
}

/// Samples at the end of the ADC range are those that the truth calls saturated, and the times of the header are those of
/// the configuration.
#[test]
fn saturation_and_times_are_in_truth_and_header() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        "rows=10",
        "skips=4",
        "adc_bits=12",
        "lambda_image=0",
        "t_exp=2.5",
        "start_time=2025-03-01T12:00:00",
        r#"sources=[{"type": "pixels", "list": [[3, 50, 5000], [4, 60, 309]]}]"#,
    ];
    simulate(dir.path(), &settings, &["-o", "a.fits"]);
    let saturated = named_image(&dir.path().join("a_truth.fits"), "SATURATED", 0);
    let input = panaskimg::fits::FitsInput::open(dir.path().join("a.fits")).unwrap();
    let samples = input.read_image(0).unwrap();
    for ((row, col), flag) in saturated.indexed_iter() {
        let all = (0..4).all(|k| samples[[row, 4 * col + k]] == 4095.0);
        assert_eq!(*flag == 1.0, all, "{row} {col}");
    }
    assert_eq!(saturated[[3, 50]], 1.0);
    let truth = json(&dir.path().join("a_truth.json"));
    assert_eq!(truth["amplifiers"][0]["n_saturated"].as_f64(), Some(saturated.sum()));
    let header = input.header(0).unwrap();
    assert_eq!(header.text("RDSTRT").unwrap(), "2025-03-01T12:00:02.500000");
    assert_eq!(header.number("MEXP"), Some(2500.0));
    // 250 pixels × 4 skips × 40 µs × 10 rows
    assert!((header.number("MREAD").unwrap() - 400.0).abs() < 1e-9);
    assert_eq!(header.text("RDEND").unwrap(), "2025-03-01T12:00:02.900000");
}

/// The next image is exposed when the one before it has been read: 2.5 s of exposure and 0.4 s of readout later. The first
/// image is that of a series of one.
#[test]
fn images_of_a_series_follow_each_other() {
    let settings = ["rows=10", "skips=4", "t_exp=2.5", "start_time=2025-03-01T12:00:00"];
    let layouts = [("single", ["EXPSTART", "RDSTRT", "RDEND"]), ("acm", ["DATEINI", "DATEINI", "DATEEND"])];
    for (layout, keys) in layouts {
        let dir = tempfile::tempdir().unwrap();
        let layout = format!("layout={layout}");
        let all: Vec<&str> = settings.iter().copied().chain([layout.as_str()]).collect();
        simulate(dir.path(), &all, &["-o", "s.fits", "--n-images", "3"]);
        simulate(dir.path(), &all, &["-o", "one.fits"]);
        let [one, first] = ["one.fits", "s_1.fits"].map(|name| std::fs::read(dir.path().join(name)).unwrap());
        assert_eq!(one, first, "{layout}");
        let times: Vec<[String; 3]> = (1..=3)
            .map(|n| {
                let input = panaskimg::fits::FitsInput::open(dir.path().join(format!("s_{n}.fits"))).unwrap();
                let header = input.header(0).unwrap();
                keys.map(|key| header.text(key).unwrap())
            })
            .collect();
        let seconds = |text: &str| text.rsplit(':').next().unwrap().parse::<f64>().unwrap();
        for (before, after) in times.iter().zip(&times[1..]) {
            assert!((seconds(&after[0]) - seconds(&before[2])).abs() < 2e-6, "{layout} {times:?}");
        }
        let step = seconds(&times[1][0]) - seconds(&times[0][0]);
        assert!((step - (seconds(&times[0][2]) - seconds(&times[0][0]))).abs() < 2e-6, "{layout} {times:?}");
    }
}

/// The truth of an image adds up: mean charge, histogram, particles and pixels agree with the images.
#[test]
fn the_truth_files_agree_with_each_other() {
    let dir = tempfile::tempdir().unwrap();
    simulate(
        dir.path(),
        &[
            "layout=dual",
            "rows=40",
            "lambda_image=0.5",
            r#"sources=[{"type": "fe55", "n": 12}, {"type": "muon", "n": 3}]"#,
        ],
        &["-o", "a.fits", "--embed-truth"],
    );
    let truth = dir.path().join("a_truth.fits");
    let (charge, signal, id) =
        (named_image(&truth, "CHARGE", 0), named_image(&truth, "SIGNAL_E", 0), named_image(&truth, "MCT_ID", 0));
    let mut sums = Array2::<f64>::zeros(charge.dim());
    let mut largest = Array2::<(f64, f64)>::default(charge.dim());
    for line in std::fs::read_to_string(dir.path().join("a_truth_pixels.csv")).unwrap().lines().skip(1) {
        let f: Vec<f64> = line.split(',').map(|x| x.parse().unwrap()).collect();
        let place = [f[3] as usize, f[4] as usize];
        sums[place] += f[5];
        if f[5] > largest[place].0 {
            largest[place] = (f[5], f[2]);
        }
    }
    assert_eq!(sums, signal);
    assert_eq!(largest.map(|l| l.1), id);
    let json = json(&dir.path().join("a_truth.json"));
    for (amplifier, cols) in [(0, 8..108), (1, 192..292)] {
        let amplifier = &json["amplifiers"][amplifier];
        let mut sum = 0.0;
        let mut histogram = vec![0_u64; amplifier["charge_histogram"].as_array().unwrap().len()];
        for row in 0..40 {
            for col in cols.clone() {
                sum += charge[[row, col]];
                if signal[[row, col]] == 0.0 {
                    histogram[charge[[row, col]] as usize] += 1;
                }
            }
        }
        assert_eq!(amplifier["mean_charge_active"].as_f64(), Some(sum / 4000.0));
        assert_eq!(amplifier["charge_histogram"], serde_json::json!(histogram));
    }
    let image = dir.path().join("a.fits");
    let energy = named_image(&image, "MONTECARLOTRUTH", 0);
    assert_eq!(named_image(&image, "MCT_ID", 0), id);
    assert!(energy.iter().zip(&signal).all(|(e, s)| (e - s * 3.74).abs() <= 1e-6 * e));
}
