//! Reductions against slow definitions, recorded images and hand-made cases.

use ndarray::Array3;
use proptest::prelude::*;

use super::*;
use crate::fits::FitsInput;
use crate::image::cube::CubeLayout;

const ALL: [Reduction; 18] = [
    Reduction::Mean,
    Reduction::Std,
    Reduction::Var,
    Reduction::Median,
    Reduction::Min,
    Reduction::Max,
    Reduction::Sum,
    Reduction::Prod,
    Reduction::Ptp,
    Reduction::NanMean,
    Reduction::NanStd,
    Reduction::NanVar,
    Reduction::NanMedian,
    Reduction::NanMin,
    Reduction::NanMax,
    Reduction::NanSum,
    Reduction::NanProd,
    Reduction::NanPtp,
];

/// The definition, written down as plainly as possible.
fn slow(samples: &[f64], function: Reduction) -> f64 {
    let (function, skips_nan) = function.split();
    let mut x: Vec<f64> = samples.iter().copied().filter(|x| !(skips_nan && x.is_nan())).collect();
    if x.iter().any(|x| x.is_nan()) {
        return f64::NAN;
    }
    if x.is_empty() {
        return match function {
            Function::Sum => 0.0,
            Function::Prod => 1.0,
            _ => f64::NAN,
        };
    }
    let n = x.len();
    x.sort_by(f64::total_cmp);
    let mean = x.iter().sum::<f64>() / n as f64;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
    match function {
        Function::Mean => mean,
        Function::Std => variance.sqrt(),
        Function::Var => variance,
        Function::Median => 0.5 * (x[(n - 1) / 2] + x[n / 2]),
        Function::Min => x[0],
        Function::Max => x[n - 1],
        Function::Sum => x.iter().sum(),
        Function::Prod => x.iter().product(),
        Function::Ptp => x[n - 1] - x[0],
    }
}

/// Equal within the rounding of sums of values up to `scale`.
fn close(a: f64, b: f64, scale: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * scale.max(a.abs())
}

fn check(samples: Samples<'_>) {
    let reals: Vec<f64> = samples.iter().collect();
    let scale = reals.iter().filter(|x| x.is_finite()).fold(1.0f64, |m, x| m.max(x.abs()));
    for function in ALL {
        let (fast, slow) = (reduce_pixel(samples, function), slow(&reals, function));
        // a variance has the rounding of squares; a small one of large values is lost in the slow sums
        let scale = match function.split().0 {
            Function::Var => scale * scale,
            Function::Std => scale * 10.0,
            Function::Sum => scale * reals.len() as f64,
            _ => scale,
        };
        assert!(close(fast, slow, scale), "{function:?} of {reals:?}: {fast} {slow}");
    }
}

proptest! {
    #[test]
    fn integers_follow_the_definitions(
        (base, spread) in (-100_000i32..100_000, prop::sample::select(vec![0, 1, 20, 300, 3000, 70_000, 20_000_000])),
        offsets in prop::collection::vec(0.0f64..1.0, 1..300),
    ) {
        let samples: Vec<i32> = offsets.iter().map(|u| base + (u * f64::from(spread)) as i32).collect();
        check(Samples::Int(&samples));
    }

    #[test]
    fn integers_at_the_ends_of_their_range_do_not_overflow(samples in prop::collection::vec(any::<i32>(), 1..100)) {
        check(Samples::Int(&samples));
    }

    #[test]
    fn reals_follow_the_definitions(
        mut samples in prop::collection::vec(-100.0f64..100.0, 1..300),
        holes in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        check(Samples::Real(&samples));
        for hole in holes {
            let i = hole.index(samples.len());
            samples[i] = f64::NAN;
        }
        check(Samples::Real(&samples));
    }
}

#[test]
fn extreme_integers_keep_exact_variances() {
    // mean 0.5 below zero, deviations ±(2³¹ − 0.5)
    let ends = [i32::MIN, i32::MAX];
    assert_eq!(reduce_pixel(Samples::Int(&ends), Reduction::Std), 2147483647.5);
    assert_eq!(reduce_pixel(Samples::Int(&ends), Reduction::Ptp), 4294967295.0);
    assert_eq!(reduce_pixel(Samples::Int(&ends), Reduction::Median), -0.5);
    let constant = [i32::MAX; 5000];
    assert_eq!(reduce_pixel(Samples::Int(&constant), Reduction::Std), 0.0);
    assert_eq!(reduce_pixel(Samples::Int(&constant), Reduction::Mean), f64::from(i32::MAX));
    // more samples than the counters of 8 bits, and than the runs of 32-bit sums
    let long: Vec<i32> = (0..20_000).map(|i| 1000 + i % 200).collect();
    assert_eq!(reduce_pixel(Samples::Int(&long), Reduction::Median), 1099.5);
    assert!((reduce_pixel(Samples::Int(&long), Reduction::Var) - (200.0 * 200.0 - 1.0) / 12.0).abs() < 1e-9);
}

#[test]
fn the_example_of_the_specification() {
    // spec 02 §2
    let values = |samples: &[i32], f| reduce_pixel(Samples::Int(samples), f);
    assert_eq!(values(&[10, 12, 11, 99], Reduction::Mean), 33.0);
    assert!((values(&[10, 12, 11, 99], Reduction::Std) - 38.111678).abs() < 5e-7);
    assert_eq!(values(&[10, 12, 11, 99], Reduction::Median), 11.5);
    assert!((values(&[7, 7, 8, 6], Reduction::Std) - 0.707107).abs() < 5e-7);
    assert!((values(&[12, 11, 99], Reduction::Mean) - 40.666667).abs() < 5e-7);
    assert!((values(&[12, 11, 99], Reduction::Std) - 41.249916).abs() < 5e-7);
    assert_eq!(values(&[12, 11, 99], Reduction::Median), 12.0);
}

#[test]
fn names_are_those_of_numpy() {
    for (name, function) in [
        ("mean", Reduction::Mean),
        ("average", Reduction::Mean),
        ("amin", Reduction::Min),
        ("amax", Reduction::Max),
        ("nanmedian", Reduction::NanMedian),
        ("nanstd", Reduction::NanStd),
        ("ptp", Reduction::Ptp),
    ] {
        assert_eq!(Reduction::from_name(name), Ok(function));
    }
    for name in ["mode", "nan", "", "nannanmean"] {
        assert!(Reduction::from_name(name).unwrap_err().to_string().contains("mean, average"));
    }
}

#[test]
fn a_pixel_with_an_undefined_skip_is_undefined_except_in_the_nan_forms() {
    let cube =
        SkipCube::from_reals(Array3::from_shape_vec((1, 2, 3), vec![1.0, f64::NAN, 4.0, 1.0, 2.0, 6.0]).unwrap());
    let reduced = reduce(&cube, 0..3, &[Reduction::Mean, Reduction::NanMean, Reduction::NanMedian]).unwrap();
    assert!(reduced.images[0][[0, 0]].is_nan());
    assert_eq!(reduced.images[0][[0, 1]], 3.0);
    assert_eq!(reduced.images[1][[0, 0]], 2.5);
    assert_eq!(reduced.images[2][[0, 0]], 2.5);
    assert_eq!((reduced.saturation.undefined[0], reduced.saturation.samples[0]), (1, 6));
    let later = reduce(&cube, 1..3, &[Reduction::Max, Reduction::NanSum]).unwrap();
    assert_eq!((later.images[0][[0, 1]], later.images[1][[0, 0]]), (6.0, 4.0));
}

#[test]
fn recorded_images_are_reproduced() {
    use crate::stats::test_data::{npy, npz, path};
    let Some(file) = path("golden/small/synth_small_1.fits") else { return };
    let (Some(recorded), Some(mean), Some(std)) = (
        npz("golden/small/variants/compress.npz"),
        npy("golden/small/main_asis/image_mean_compressed.npy"),
        npy("golden/small/main_asis/image_std_compressed.npy"),
    ) else {
        return;
    };
    let input = FitsInput::open(file).unwrap();
    let layout = CubeLayout::new(vec![input.plane(0).unwrap()], 50);
    let cube = SkipCube::from_file(layout, vec![crate::image::Region::new(0..50, 0..80)], None).unwrap();
    assert!(cube.is_integer());
    let compare = |image: &Array2<f64>, recorded: &[f64], tolerance: f64, name: &str| {
        assert_eq!(image.len(), recorded.len());
        for (a, b) in image.iter().zip(recorded) {
            assert!((a - b).abs() <= tolerance * b.abs(), "{name}: {a} {b}");
        }
    };
    for (range, prefix) in [(0..50, "all"), (5..40, "skip5_40")] {
        for name in ["mean", "std", "median", "var", "max", "min"] {
            let Some(expected) = recorded.get(&format!("{prefix}_{name}")) else { continue };
            let function = Reduction::from_name(name).unwrap();
            let image = reduce(&cube, range.clone(), &[function]).unwrap().images.remove(0);
            // means, medians and extremes bit for bit; squares to rounding
            let tolerance = if matches!(name, "std" | "var") { 1e-13 } else { 0.0 };
            compare(&image, expected, tolerance, name);
        }
    }
    let both = reduce(&cube, 0..50, &[Reduction::Mean, Reduction::Std]).unwrap();
    compare(&both.images[0], &mean, 0.0, "mean");
    compare(&both.images[1], &std, 1e-13, "std");
}
