//! A series of images of one set-up, and the plan of it that `--dry-run` shows.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::config::Layout;
use super::error::{Result, SimulateError};
use super::fits_file::Hdu;
use super::geant4_output::Geant4Output;
use super::header;
use super::image::{ImageFiles, simulate_image};
use super::setup::Setup;

/// Images to be made.
#[derive(Debug, Clone)]
pub struct Series {
    setup: Setup,
    files: Vec<ImageFiles>,
    embed_truth: bool,
    geant4: Option<PathBuf>,
}

impl Series {
    /// `images` images called `output`, or, several of them, `<stem>_<i>` with i from 1. Without a name they are called
    /// `Image_ccd<ccd>_Source_<run>_<image>.fits` in the current directory, with the numbers of the configuration.
    /// `embed_truth` appends energies and particle numbers to the image; `geant4` is a ROOT file for the particles.
    ///
    /// # Errors
    /// If the truth cannot be embedded in this layout.
    pub fn new(
        setup: Setup,
        output: Option<&Path>,
        images: u64,
        embed_truth: bool,
        geant4: Option<&Path>,
    ) -> Result<Self> {
        if embed_truth && setup.config.layout == Layout::Acm {
            return Err(SimulateError::Parameters(vec![
                "--embed-truth needs one image per file; with layout = acm use the file _truth.fits".into(),
            ]));
        }
        if let Some(path) = [output, geant4].into_iter().flatten().find(|path| path.is_dir()) {
            return Err(SimulateError::Parameters(vec![format!(
                "{} is a directory; a file was expected",
                path.display()
            )]));
        }
        let config = &setup.config;
        let files = match output {
            Some(output) if images == 1 => vec![ImageFiles::new(output)],
            Some(output) => (1..=images).map(|i| ImageFiles::new(output).numbered(i)).collect(),
            None => {
                let run =
                    ImageFiles::new(Path::new(&format!("Image_ccd{}_Source_{}.fits", config.ccd_id, config.run_id)));
                (0..images).map(|i| run.numbered(u64::from(config.image_id) + i)).collect()
            }
        };
        Ok(Self { setup, files, embed_truth, geant4: geant4.map(Path::to_owned) })
    }

    /// Makes the images with at most `threads` threads (0: all cores), calling `done` after each.
    ///
    /// # Errors
    /// If a file cannot be written; images made before it stay.
    pub fn make(&self, threads: usize, done: &mut (dyn FnMut(&ImageFiles) + Send)) -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| SimulateError::Threads { threads, reason: e.to_string() })?;
        pool.install(|| {
            for path in self.files.iter().take(1).map(|n| n.image.as_path()).chain(self.geant4.as_deref()) {
                create_parent(path)?;
            }
            let mut geant4 = self.geant4.as_deref().map(Geant4Output::create).transpose()?;
            for (index, files) in self.files.iter().enumerate() {
                simulate_image(&self.setup, index as u64, files, self.embed_truth, geant4.as_mut())?;
                done(files);
            }
            geant4.map_or(Ok(()), |output| output.finish(&self.setup))
        })
    }

    /// What would be made: the complete configuration, files and sizes, noise and dark current.
    pub fn plan(&self) -> String {
        let (setup, names) = (&self.setup, &self.files);
        let geometry = &setup.geometry;
        let mut text = String::new();
        let config = serde_json::json!({ "simulate": setup.config });
        let _ = writeln!(text, "{}\n", serde_json::to_string_pretty(&config).unwrap_or_default());
        let samples = geometry.rows() * geometry.cols() * geometry.skips * geometry.extensions();
        let _ = writeln!(
            text,
            "image: {} extension(s) of {} rows × {} columns × {} skips, {} samples",
            geometry.extensions(),
            geometry.rows(),
            geometry.cols(),
            geometry.skips,
            samples
        );
        let _ = writeln!(
            text,
            "line of an amplifier: {} prescan + {} active + {} overscan pixels; row {:.6} s, readout {:.3} s, exposure {} s",
            geometry.prescan, geometry.active, geometry.overscan, setup.t_row, setup.t_read, setup.config.t_exp
        );
        let image_bytes: u64 = header::image_hdus(setup, 0, self.embed_truth).iter().map(Hdu::bytes).sum();
        for name in names.iter().take(3) {
            let _ = writeln!(
                text,
                "  {} ({:.1} MB before compression, if any)",
                name.image.display(),
                image_bytes as f64 / 1e6
            );
            for other in &name.all()[1..] {
                let _ = writeln!(text, "  {}", other.display());
            }
        }
        if names.len() > 3 {
            let _ = writeln!(text, "  … {} images in all", names.len());
        }
        for amplifier in 0..geometry.amplifiers() {
            let sigma = setup.sigma_average(amplifier);
            let _ = writeln!(
                text,
                "amplifier {}: gain {} ADU/e-, noise of one sample {} e-, after averaging {:.4} e- = {:.4} ADU",
                geometry.amplifier_name(amplifier),
                setup.gain[amplifier],
                setup.config.noise.sigma1,
                sigma / setup.gain[amplifier],
                sigma
            );
        }
        let active: Vec<usize> = (0..geometry.rows()).filter(|r| geometry.is_active_row(*r)).collect();
        if let (Some(&first), Some(&last)) = (active.first(), active.last()) {
            let mean = active.iter().map(|r| setup.lambda(*r)).sum::<f64>() / active.len() as f64;
            let _ = writeln!(
                text,
                "dark current: {:.6} e-/pix in row {first}, {:.6} in row {last}, mean {mean:.6}",
                setup.lambda(first),
                setup.lambda(last)
            );
        }
        text
    }
}

fn create_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            std::fs::create_dir_all(parent).map_err(|source| SimulateError::Write { path: parent.to_owned(), source })
        }
        _ => Ok(()),
    }
}
