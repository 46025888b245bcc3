//! Names and places of everything a run leaves behind (spec 01 §6).

use std::path::{Path, PathBuf};

/// Endings that are removed from a file name to get its stem.
const ENDINGS: [&str; 5] = [".fz", ".gz", ".bz2", ".fits", ".fit"];

/// File name without its trailing `.fz`, `.gz`, `.bz2`, `.fits`, `.fit` suffixes. A name that consists of suffixes only
/// is kept.
pub fn stem(file_name: &str) -> &str {
    let mut name = file_name;
    while let Some(shorter) = ENDINGS.iter().find_map(|e| name.strip_suffix(e)) {
        if shorter.is_empty() {
            break;
        }
        name = shorter;
    }
    name
}

/// The names of the outputs of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemNames {
    directory: PathBuf,
    stem: String,
    hdus: Vec<usize>,
    /// Whether other items of the run come from the same file, so that names without the extension would clash.
    shares_file: bool,
}

impl ItemNames {
    /// Names for the item made of `hdus` of the file `input`, in the output directory.
    pub fn new(directory: &Path, input: &Path, hdus: &[usize], shares_file: bool) -> Self {
        let name = input.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Self { directory: directory.to_owned(), stem: stem(&name).to_owned(), hdus: hdus.to_vec(), shares_file }
    }

    /// The output directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// File name without its suffixes.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// `EXT1`, or `EXT1-EXT2` for stacked extensions.
    pub fn extensions(&self) -> String {
        self.hdus.iter().map(|n| format!("EXT{n}")).collect::<Vec<_>>().join("-")
    }

    fn with(&self, rest: &str) -> PathBuf {
        self.directory.join(format!("{}_{rest}", self.stem))
    }

    /// The FITS file with the final images.
    pub fn waders(&self, bzip2: bool) -> PathBuf {
        self.with(&format!("{}_waders.{}", self.extensions(), if bzip2 { "bz2" } else { "fits" }))
    }

    /// The summary.
    pub fn summary(&self) -> PathBuf {
        self.with(&format!("{}_summary.json", self.extensions()))
    }

    /// The ROOT file with the cluster trees.
    pub fn clusters(&self) -> PathBuf {
        let numbers: String = self.hdus.iter().map(usize::to_string).collect();
        self.directory.join(format!("panaSKImg_clustersRec_{}_ext{numbers}.root", self.stem))
    }

    /// A figure or table; `name` is its name part, e.g. `PedestalSubtractionProcess_Baseline_EXT1`. The extension is
    /// inserted where several items of the run would write the same name.
    pub fn figure(&self, name: &str, ending: &str) -> PathBuf {
        let extension = self.extensions();
        let says_extension = name.split(['_', '.']).any(|part| self.hdus.len() == 1 && part == extension);
        let insert = if self.shares_file && !says_extension { format!("{extension}_") } else { String::new() };
        self.with(&format!("{insert}{name}.{ending}"))
    }

    /// The images of one process (`save_image`): `what` is e.g. `compressed`.
    pub fn intermediate(&self, what: &str) -> PathBuf {
        let insert = if self.hdus == [0] { String::new() } else { format!("{}_", self.extensions()) };
        self.with(&format!("{insert}{what}.fits"))
    }

    /// A file that belongs to the item, with the extension inserted where names would clash.
    pub fn other(&self, rest: &str) -> PathBuf {
        let insert = if self.shares_file { format!("{}_", self.extensions()) } else { String::new() };
        self.with(&format!("{insert}{rest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_has_no_suffixes_but_keeps_inner_dots() {
        for (name, expected) in [
            ("Image_1.fits", "Image_1"),
            ("avg_Image_5.fits.fz", "avg_Image_5"),
            ("a.b.fit.gz", "a.b"),
            ("x.bz2", "x"),
            ("plain", "plain"),
            (".fits", ".fits"),
        ] {
            assert_eq!(stem(name), expected);
        }
    }

    #[test]
    fn names_of_one_extension() {
        let names = ItemNames::new(Path::new("out"), Path::new("/data/avg_5.fz"), &[1], true);
        assert_eq!(names.waders(false), Path::new("out/avg_5_EXT1_waders.fits"));
        assert_eq!(names.waders(true), Path::new("out/avg_5_EXT1_waders.bz2"));
        assert_eq!(names.summary(), Path::new("out/avg_5_EXT1_summary.json"));
        assert_eq!(names.clusters(), Path::new("out/panaSKImg_clustersRec_avg_5_ext1.root"));
        assert_eq!(names.intermediate("compressed"), Path::new("out/avg_5_EXT1_compressed.fits"));
        assert_eq!(
            names.figure("PedestalSubtractionProcess_Baseline_EXT1", "pdf"),
            Path::new("out/avg_5_PedestalSubtractionProcess_Baseline_EXT1.pdf")
        );
        assert_eq!(names.figure("NoiseVSSkipPlot_U", "pdf"), Path::new("out/avg_5_EXT1_NoiseVSSkipPlot_U.pdf"));
    }

    #[test]
    fn names_of_stacked_extensions_and_of_a_single_item() {
        let stacked = ItemNames::new(Path::new("."), Path::new("a.fits"), &[1, 2, 4], false);
        assert_eq!(stacked.waders(false), Path::new("./a_EXT1-EXT2-EXT4_waders.fits"));
        assert_eq!(stacked.clusters(), Path::new("./panaSKImg_clustersRec_a_ext124.root"));
        let single = ItemNames::new(Path::new("."), Path::new("a.fits"), &[0], false);
        assert_eq!(single.intermediate("compressed"), Path::new("./a_compressed.fits"));
        assert_eq!(
            single.figure("CompressSkipsProcess_images", "eps"),
            Path::new("./a_CompressSkipsProcess_images.eps")
        );
    }
}
