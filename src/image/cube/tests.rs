//! The streamed cube against a slow one made in memory from the definitions of spec 01 §§4.4–4.8.

use ndarray::{Array2, Array3, Axis, concatenate};
use proptest::prelude::*;

use super::*;
use crate::fits::FitsInput;
use crate::fits::test_files::{Stored, TestHdu, fits_bytes, write_file};

/// How the cube is stored and corrected.
#[derive(Debug, Clone)]
struct Setup {
    skips: usize,
    along_rows: bool,
    leach: Option<LeachFix>,
    invert: bool,
    row_factor: usize,
    flip_upper: bool,
}

/// Leach fix, element by element.
fn slow_leach(d: &Array2<f64>, fix: LeachFix) -> Array2<f64> {
    let (rows, cols) = d.dim();
    let half = if fix == LeachFix::Halves { cols / 2 } else { cols };
    Array2::from_shape_fn((rows, cols), |(r, c)| {
        let next = (r + 1) % rows;
        if c < half - 2 {
            d[[r, c + 2]]
        } else if c < half {
            d[[next, c - (half - 2)]]
        } else if c < half + 2 {
            d[[next, cols - 2 + (c - half)]]
        } else {
            d[[r, c - 2]]
        }
    })
}

/// The cube of one extension, step by step.
fn slow_cube(stored: &Array2<f64>, setup: &Setup) -> Array3<f64> {
    let mut d = stored.clone();
    if let Some(fix) = setup.leach {
        d = slow_leach(&d, fix);
    }
    if setup.invert {
        let maximum = d.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        d.mapv_inplace(|x| maximum - x);
    }
    let n = setup.skips;
    let (rows, cols) = if setup.along_rows { (d.nrows() / n, d.ncols()) } else { (d.nrows(), d.ncols() / n) };
    let cube =
        Array3::from_shape_fn(
            (rows, cols, n),
            |(r, c, k)| {
                if setup.along_rows { d[[r * n + k, c]] } else { d[[r, c * n + k]] }
            },
        );
    let b = setup.row_factor;
    let binned = Array3::from_shape_fn((rows / b, cols, n), |(r, c, k)| (0..b).map(|i| cube[[r * b + i, c, k]]).sum());
    Array3::from_shape_fn(binned.dim(), |(r, c, k)| {
        if setup.flip_upper && c >= cols / 2 { binned[[r, c, n - 1 - k]] } else { binned[[r, c, k]] }
    })
}

fn layout(planes: Vec<crate::fits::Plane>, setup: &Setup) -> CubeLayout {
    CubeLayout::new(planes, setup.skips)
        .along_rows(setup.along_rows)
        .leach(setup.leach)
        .invert(setup.invert)
        .bin_rows(setup.row_factor)
        .flip_upper(setup.flip_upper)
}

fn open(images: &[Array2<f64>], store: impl Fn(&Array2<f64>) -> TestHdu, setup: &Setup) -> SkipCube {
    let directory = tempfile::tempdir().unwrap();
    let hdus: Vec<_> = images.iter().map(store).collect();
    let input = FitsInput::open(write_file(directory.path(), "cube.fits", &fits_bytes(&hdus))).unwrap();
    let planes = (0..images.len()).map(|hdu| input.plane(hdu).unwrap()).collect();
    SkipCube::from_file(layout(planes, setup), Vec::new(), None).unwrap()
}

fn as_i32(image: &Array2<f64>) -> TestHdu {
    TestHdu::image(image.nrows(), image.ncols(), Stored::I32(image.iter().map(|x| *x as i32).collect()))
}

/// 16-bit integers with BZERO 32768.
fn as_u16(image: &Array2<f64>) -> TestHdu {
    let pixels = image.iter().map(|x| (*x - 32768.0) as i16).collect();
    TestHdu::image(image.nrows(), image.ncols(), Stored::I16(pixels)).card("BZERO", 32768).card("BSCALE", 1)
}

fn as_f64(image: &Array2<f64>) -> TestHdu {
    TestHdu::image(image.nrows(), image.ncols(), Stored::F64(image.iter().copied().collect()))
}

/// Everything that streams a cube must see the same samples.
fn check_reads(cube: &SkipCube, expected: &Array3<f64>) {
    assert_eq!(cube.shape(), expected.dim());
    let (rows, _, skips) = expected.dim();
    assert_eq!(cube.read(0..rows, 0..skips).unwrap(), expected);
    for rows_per_block in [1, 2, rows] {
        let parts = cube
            .for_each_block_of(0..rows, Some(rows_per_block), |block| {
                block.pixels().flat_map(|(_, _, s)| s.iter()).collect::<Vec<_>>()
            })
            .unwrap();
        assert_eq!(parts.concat(), expected.iter().copied().collect::<Vec<_>>());
    }
    cube.for_each_patch(|block| {
        for (r, c, samples) in block.pixels() {
            assert!(samples.iter().eq(expected.slice(ndarray_at(r, c)).iter().copied()));
        }
    })
    .unwrap();
}

/// All skips of a pixel (the macro `s!` uses code that this module forbids).
fn ndarray_at(r: usize, c: usize) -> ndarray::SliceInfo<[ndarray::SliceInfoElem; 3], ndarray::Ix3, ndarray::Ix1> {
    use ndarray::{SliceInfo, SliceInfoElem};
    let whole = SliceInfoElem::Slice { start: 0, end: None, step: 1 };
    SliceInfo::try_from([SliceInfoElem::Index(r as isize), SliceInfoElem::Index(c as isize), whole]).unwrap()
}

prop_compose! {
    /// A stored image that fits a set-up, with values that 16 bits hold.
    fn stored_and_setup()(
        skips in 1usize..5,
        along_rows in any::<bool>(),
        row_factor in 1usize..4,
        (rows, half_cols) in (1usize..5, 2usize..6),
        leach in prop::sample::select(vec![None, Some(LeachFix::Whole), Some(LeachFix::Halves)]),
        (invert, flip_upper) in any::<(bool, bool)>(),
        extensions in 1usize..3,
        seed in any::<u64>(),
    ) -> (Vec<Array2<f64>>, Setup) {
        let (r, c) = (rows * row_factor, half_cols * 2);
        let shape = if along_rows { (r * skips, c) } else { (r, c * skips) };
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 48) as f64
        };
        let images = (0..extensions).map(|_| Array2::from_shape_simple_fn(shape, &mut next)).collect();
        (images, Setup { skips, along_rows, leach, invert, row_factor, flip_upper })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_streamed_cube_equals_the_definitions((images, setup) in stored_and_setup()) {
        let cubes: Vec<_> = images.iter().map(|image| slow_cube(image, &setup)).collect();
        let views: Vec<_> = cubes.iter().map(|cube| cube.view()).collect();
        let expected = concatenate(Axis(0), &views).unwrap();
        for store in [as_i32, as_u16, as_f64] {
            check_reads(&open(&images, store, &setup), &expected);
        }
    }
}

fn plain(skips: usize) -> Setup {
    Setup { skips, along_rows: false, leach: None, invert: false, row_factor: 1, flip_upper: false }
}

#[test]
fn the_leach_examples_of_the_specification() {
    let stored = Array2::from_shape_fn((3, 10), |(r, c)| 10.0 * (r + 1) as f64 + c as f64);
    for (fix, expected) in [
        (
            LeachFix::Whole,
            [
                [12, 13, 14, 15, 16, 17, 18, 19, 20, 21],
                [22, 23, 24, 25, 26, 27, 28, 29, 30, 31],
                [32, 33, 34, 35, 36, 37, 38, 39, 10, 11],
            ],
        ),
        (
            LeachFix::Halves,
            [
                [12, 13, 14, 20, 21, 28, 29, 15, 16, 17],
                [22, 23, 24, 30, 31, 38, 39, 25, 26, 27],
                [32, 33, 34, 10, 11, 18, 19, 35, 36, 37],
            ],
        ),
    ] {
        let cube = open(std::slice::from_ref(&stored), as_i32, &Setup { leach: Some(fix), ..plain(1) });
        let found: Vec<f64> = cube.read(0..3, 0..1).unwrap().into_iter().collect();
        assert_eq!(found, expected.concat().into_iter().map(f64::from).collect::<Vec<_>>());
    }
}

#[test]
fn skips_along_the_rows_are_transposed() {
    // spec 01 §4.5
    let stored = ndarray::arr2(&[[0.0, 10.0, 20.0], [1.0, 11.0, 21.0], [100.0, 110.0, 120.0], [101.0, 111.0, 121.0]]);
    let cube = open(&[stored], as_i32, &Setup { along_rows: true, ..plain(2) });
    assert_eq!(cube.shape(), (2, 3, 2));
    let found = cube.read(1..2, 0..2).unwrap();
    assert_eq!((found[[0, 2, 0]], found[[0, 2, 1]]), (120.0, 121.0));
}

#[test]
fn skips_of_the_upper_amplifier_run_backwards() {
    // spec 01 §4.8: raw = 1000 r + 10 c + k
    let stored = Array2::from_shape_fn((2, 80), |(r, i)| (1000 * r + 10 * (i / 4) + i % 4) as f64);
    let cube = open(&[stored], as_u16, &Setup { flip_upper: true, ..plain(4) });
    let found = cube.read(1..2, 0..4).unwrap();
    let pixel = |c| (0..4).map(|k| found[[0, c, k]]).collect::<Vec<_>>();
    assert_eq!(pixel(9), [1090.0, 1091.0, 1092.0, 1093.0]);
    assert_eq!(pixel(10), [1103.0, 1102.0, 1101.0, 1100.0]);
    let images = cube.skip_images(&[3, 0, 9]).unwrap();
    assert_eq!((images[0][[1, 10]], images[1][[1, 10]]), (1100.0, 1103.0));
    assert!(images[2].iter().all(|x| x.is_nan()));
}

#[test]
fn integers_stay_integers_only_while_they_fit() {
    let wide = ndarray::arr2(&[[f64::from(i32::MIN), f64::from(i32::MAX)], [0.0, 1.0]]);
    let is_integer = |setup: &Setup| open(std::slice::from_ref(&wide), as_i32, setup).is_integer();
    assert!(is_integer(&plain(1)));
    assert!(!is_integer(&Setup { invert: true, ..plain(1) }));
    assert!(!is_integer(&Setup { row_factor: 2, ..plain(1) }));
    let inverted = open(std::slice::from_ref(&wide), as_i32, &Setup { invert: true, ..plain(1) });
    assert_eq!(inverted.read(0..1, 0..1).unwrap()[[0, 0, 0]], 4294967295.0);
    let narrow = Array2::from_elem((2, 2), 65535.0);
    let binned = open(&[narrow], as_u16, &Setup { row_factor: 2, ..plain(2) });
    assert!(binned.is_integer());
    assert_eq!(binned.read(0..1, 0..2).unwrap()[[0, 0, 1]], 131070.0);
}

#[test]
fn polarity_ignores_undefined_samples_and_keeps_them_undefined() {
    let stored = ndarray::arr2(&[[1.0, f64::NAN], [f64::INFINITY, 5.0]]);
    let cube = open(&[stored], as_f64, &Setup { invert: true, ..plain(1) });
    let found = cube.read(0..2, 0..1).unwrap();
    assert_eq!((found[[0, 0, 0]], found[[1, 1, 0]]), (4.0, 0.0));
    assert!(found[[0, 1, 0]].is_nan() && found[[1, 0, 0]].is_nan());
    let nothing = open(&[Array2::from_elem((2, 2), f64::NAN)], as_f64, &Setup { invert: true, ..plain(1) });
    assert!(nothing.read(0..2, 0..1).unwrap().iter().all(|x| x.is_nan()));
}

#[test]
fn saturation_is_counted_per_amplifier_before_the_polarity_is_inverted() {
    let directory = tempfile::tempdir().unwrap();
    // two halves of one pixel, two skips: three samples at 65535, one at 0
    let pixels = [65535, 65535, 7, 65535, 0, 9, 8, 7].map(|x: i32| (x - 32768) as i16);
    let hdu = TestHdu::image(2, 4, Stored::I16(pixels.to_vec())).card("BZERO", 32768);
    let input = FitsInput::open(write_file(directory.path(), "s.fits", &fits_bytes(&[hdu]))).unwrap();
    let halves = vec![Region::new(0..2, 1..2), Region::new(0..2, 0..1)];
    let count = |invert, limit| {
        let layout = CubeLayout::new(vec![input.plane(0).unwrap()], 2).invert(invert);
        let cube = SkipCube::from_file(layout, halves.clone(), Some(limit)).unwrap();
        assert!(cube.counts().is_none());
        cube.for_each_block(|_| ()).unwrap();
        cube.counts().unwrap().saturated.clone()
    };
    assert_eq!(count(false, SaturationLimit::AtLeast(65535.0)), [1, 2]);
    assert_eq!(count(true, SaturationLimit::AtMost(0.0)), [0, 1]);
    assert_eq!(count(false, SaturationLimit::AtLeast(8.5)), [1, 3]);
}

#[test]
fn several_consumers_share_one_pass_and_collect_in_the_order_of_rows() {
    struct FirstColumn(Vec<f64>);
    impl Consumer for FirstColumn {
        fn observe(&self, block: &Block<'_>) -> Box<dyn std::any::Any + Send> {
            Box::new(block.rows.clone().map(|r| block.pixel(r, 0).get(0)).collect::<Vec<_>>())
        }
        fn collect(&mut self, found: Box<dyn std::any::Any + Send>) {
            self.0.extend(*found.downcast::<Vec<f64>>().unwrap());
        }
    }
    // rows so long that every one is a block of its own
    let stored = Array2::from_shape_fn((9, 2 * BLOCK_SAMPLES + 2), |(r, _)| r as f64);
    let cube = open(&[stored], as_u16, &plain(2));
    let (mut a, mut b) = (FirstColumn(Vec::new()), FirstColumn(Vec::new()));
    cube.stream(&mut [&mut a, &mut b]).unwrap();
    assert_eq!(a.0, (0..9).map(f64::from).collect::<Vec<_>>());
    assert_eq!(a.0, b.0);
    assert_eq!(cube.patches().len(), 18, "long rows are divided for work on single pixels");
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    use crate::image::reduce::{Reduction, reduce};
    let stored = Array2::from_shape_fn((50, 4000), |(r, c)| (((r * 4000 + c) * 2654435761) % 65521) as f64 * 0.1);
    let cube = || open(std::slice::from_ref(&stored), as_f64, &plain(40));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| reduce(&cube(), 0..40, &[Reduction::Mean, Reduction::Std, Reduction::Median]).unwrap())
    };
    assert_eq!(with(1), with(2));
    assert_eq!(with(1), with(7));
}

#[test]
fn a_cube_in_memory_streams_like_one_in_a_file() {
    let samples = Array3::from_shape_fn((3, 4, 2), |(r, c, k)| (r * 100 + c * 10 + k) as i32);
    let cube = SkipCube::from_integers(samples.clone());
    assert!(cube.is_integer());
    check_reads(&cube, &samples.mapv(f64::from));
    check_reads(&SkipCube::from_reals(samples.mapv(f64::from)), &samples.mapv(f64::from));
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let hdu = TestHdu::image(40, 400, Stored::I32(vec![1; 16000]));
    let path = write_file(directory.path(), "s.fits", &fits_bytes(&[hdu]));
    let input = FitsInput::open(&path).unwrap();
    let cube = SkipCube::from_file(CubeLayout::new(vec![input.plane(0).unwrap()], 4), Vec::new(), None).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(10_000).unwrap();
    assert!(cube.for_each_block(|_| ()).is_err());
}

#[test]
fn the_data_are_summed_while_they_are_streamed() {
    let directory = tempfile::tempdir().unwrap();
    // 7 rows of 5 columns × 3 skips of 16 bits: rows begin in the middle of a word of the sum
    let pixels: Vec<i16> = (0..105i32).map(|i| (i * 7919 % 60_013 - 30_000) as i16).collect();
    let bytes = fits_bytes(&[TestHdu::image(7, 15, Stored::I16(pixels))]);
    let input = FitsInput::open(write_file(directory.path(), "a.fits", &bytes)).unwrap();
    let open = || {
        let layout = CubeLayout::new(vec![input.plane(0).unwrap()], 3);
        SkipCube::from_file(layout, Vec::new(), None).unwrap().summing_data()
    };
    let expected = vec![(0, input.plane(0).unwrap().data_sum().unwrap())];
    let cube = open();
    assert_eq!(cube.data_sums().unwrap(), expected);
    cube.for_each_block_of(0..7, Some(2), |_| ()).unwrap();
    assert_eq!(cube.data_sums.get(), Some(&vec![expected[0].1]));
    let patches: Vec<_> = (0..7).flat_map(|r| [(r..r + 1, 0..2), (r..r + 1, 2..5)]).collect();
    let cube = open();
    cube.run(&patches, true, |_| ()).unwrap();
    assert_eq!(cube.data_sums.get(), Some(&vec![expected[0].1]), "rows divided into patches");
}
