//! Run, image and CCD numbers from the name of the file (spec 01 §5).
//!
//! Laboratories name their files in several ways; each rule reads one of them. What is not a number is 0 (CCD: 1).

use std::path::Path;

use super::raw_data::Numbers;

/// Endings of image files that do not belong to the stem.
const ENDINGS: [&str; 5] = [".fz", ".gz", ".bz2", ".fits", ".fit"];

/// Image numbers of source and background runs above this carry a date and are cut to five digits.
const LARGEST_IMAGE: i64 = 100_000;

/// The numbers that the absolute path of a file tells.
pub fn from_path(path: &Path) -> Numbers {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = strip_output_suffixes(strip_endings(&name));
    let (image, run) = image_and_run(&name, stem);
    Numbers { run, image, ccd: ccd(&path.to_string_lossy(), &name, stem) }
}

fn strip_endings(mut name: &str) -> &str {
    while let Some(shorter) = ENDINGS.iter().find_map(|e| name.strip_suffix(e)).filter(|s| !s.is_empty()) {
        name = shorter;
    }
    name
}

/// Removes `_EXT…_waders`, `_ext<d>_waders` and `_waders`, as often as they are there: outputs that are read again.
fn strip_output_suffixes(mut stem: &str) -> &str {
    while let Some(shorter) = stem.strip_suffix("_waders") {
        stem = match shorter.rsplit_once('_') {
            Some((before, extensions)) if is_extension_list(extensions) => before,
            _ => shorter,
        };
    }
    stem
}

/// `EXT1`, `EXT1-EXT2`, `ext1`.
fn is_extension_list(text: &str) -> bool {
    text.split('-').all(|part| {
        part.strip_prefix("EXT")
            .or_else(|| part.strip_prefix("ext"))
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// The `back`-th piece from the end (0: the last) of a name split at `_`, as a number.
fn number_from_end(text: &str, back: usize) -> i64 {
    text.rsplit('_').nth(back).and_then(integer).unwrap_or(0)
}

/// Digits only: a sign or blanks in a file name are not part of a number.
fn integer(text: &str) -> Option<i64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn image_and_run(name: &str, stem: &str) -> (i64, i64) {
    if name.starts_with("avg_skips") {
        (number_from_end(stem, 0), 0)
    } else if name.contains("Source") || name.contains("Bkg_") {
        source_or_background(name, stem)
    } else if name.contains("Image_comm_") {
        (number_from_end(stem, 0), number_from_end(stem, 1))
    } else if name.contains("clean_") {
        (number_from_end(stem, 0), 0)
    } else if name.contains("skip_") || name.contains("bkg_") {
        let image = number_from_end(&stem.replace("_pedestal_subtracted", "").replace("_compressed", ""), 0);
        (image, image / 100)
    } else if name.contains("proc_") && name.contains("_modS89") && name.contains("_img") {
        (stem.rsplit_once("_img").and_then(|(_, n)| integer(n)).unwrap_or(0), 0)
    } else if ["skp_", "_LTA_", "_lta_"].iter().any(|mark| name.contains(mark)) {
        (number_from_end(stem, 0), number_from_end(stem, 2))
    } else if name.starts_with("avg_") {
        (number_from_end(stem, 0), 0)
    } else {
        (0, 0)
    }
}

/// `…_Source_<run>_<image>` and `…_Bkg_<run>_<image>`, with variations.
fn source_or_background(name: &str, stem: &str) -> (i64, i64) {
    let separator = if name.contains("Source") { "_Source_" } else { "_Bkg_" };
    let numbers = stem.split_once(separator).map_or(stem, |(_, after)| after);
    let back = usize::from(name.contains("compressed"));
    let image = numbers
        .rsplit('_')
        .nth(back)
        .and_then(integer)
        .or_else(|| numbers.split('_').nth(1).and_then(integer))
        .unwrap_or(0);
    let run = numbers.split('_').next().and_then(integer).unwrap_or(0);
    (five_digits(image), run)
}

/// The first five digits of a number that is too large to count images.
fn five_digits(mut image: i64) -> i64 {
    if image > LARGEST_IMAGE {
        while image >= LARGEST_IMAGE {
            image /= 10;
        }
    }
    image
}

fn ccd(path: &str, name: &str, stem: &str) -> i64 {
    let after_mark =
        path.rsplit_once("_ccd").and_then(|(_, after)| after.split_once('_')).and_then(|(n, _)| integer(n));
    if let Some(ccd) = after_mark {
        return ccd;
    }
    let of_average = || name.starts_with("avg_").then(|| stem.rsplit('_').nth(3).and_then(integer)).flatten();
    of_average().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_laboratories_are_understood() {
        let table = [
            ("Image_Am241_Source_55_25.fits", 25, 55, 1),
            ("Image_Am241_Source_55_skip_1.fits", 1, 55, 1),
            ("Image_Am241_Source_27_205_compressed.fits", 205, 27, 1),
            ("Image_489.fits", 0, 0, 1),
            ("Image_Bkg_12_33.fits", 33, 12, 1),
            ("Image_comm_4_17.fits", 17, 4, 1),
            ("clean_30.fits", 30, 0, 1),
            ("skip_500_ccd6415_1234_ext1_waders.fits", 1234, 12, 6415),
            ("bkg_run_2071_compressed_pedestal_subtracted.fits", 2071, 20, 1),
            ("proc_skp_modS89_2_img57.fits", 57, 0, 1),
            ("skp_run_12_ccd1_88.fits", 88, 12, 1),
            ("avg_skips_contrun_0012.fz", 12, 0, 1),
            ("avg_Image_5_Low_Temp_109_20250807_170213_15.fz", 15, 0, 109),
            ("avg_Image_5_Low_Temp_109_20250807_170213_15_EXT1_waders.fits", 15, 0, 109),
            ("Am241_Source_7_20201115.fits", 20201, 7, 1),
        ];
        for (name, image, run, ccd) in table {
            let found = from_path(&Path::new("/data/my.dir").join(name));
            assert_eq!(found, Numbers { run, image, ccd }, "{name}");
        }
    }

    #[test]
    fn what_is_no_number_counts_as_zero() {
        assert_eq!(from_path(Path::new("/d/clean_x.fits")), Numbers { run: 0, image: 0, ccd: 1 });
        assert_eq!(from_path(Path::new("/d/avg_-3.fits")), Numbers { run: 0, image: 0, ccd: 1 });
        assert_eq!(from_path(Path::new("/d/avg_99999999999999999999.fits")).image, 0);
        assert_eq!(from_path(Path::new("")), Numbers { run: 0, image: 0, ccd: 1 });
    }

    #[test]
    fn stacked_outputs_are_recognised_when_read_again() {
        assert_eq!(from_path(Path::new("/d/avg_x_7_EXT1-EXT2_waders.fits")).image, 7);
        assert_eq!(from_path(Path::new("/d/avg_x_7_EXT1_waders_EXT0_waders.bz2")).image, 7);
    }
}
