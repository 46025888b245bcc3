//! What a bench tool leaves behind: lines of text, files, figures, warnings.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};

use super::error::{BenchError, BenchResult};
use crate::atomic_file;
use crate::image::report::Table;
use crate::output::figures;
use crate::plot::{Figure, Format, render_all};

/// Options about figures, the same for all tools.
#[derive(Debug, Clone, PartialEq, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct FigureArgs {
    /// Directory of the results
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub outdir: PathBuf,
    /// Formats of the figures: png, pdf, eps, svg [default: png]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub fmt: Vec<String>,
    /// Show the figures
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          hide_default_value = true, hide_possible_values = true, value_name = "BOOL")]
    pub display: bool,
}

/// Exit code: an item failed, the others were processed.
pub const FAILED: u8 = 1;

/// What a tool found and wrote.
#[derive(Debug, Default)]
pub struct Results {
    /// Results as lines of text.
    pub text: Vec<String>,
    /// Files written.
    pub written: Vec<PathBuf>,
    /// Figures, with the files that hold them.
    pub figures: Vec<(Figure, Vec<PathBuf>)>,
    /// What may spoil the result.
    pub warnings: Vec<String>,
    /// What was decided for the user, and is neither a result nor a mistake.
    pub notes: Vec<String>,
    /// Whether the figures are to be shown.
    pub display: bool,
    /// Exit code.
    pub code: u8,
    directory: PathBuf,
    formats: Vec<Format>,
    /// Whether the user named the formats.
    formats_named: bool,
}

impl Results {
    /// Nothing yet; makes the directory.
    ///
    /// # Errors
    /// An unknown format, or a directory that cannot be made.
    pub fn new(args: &FigureArgs, base: &Path) -> BenchResult<Self> {
        Self::with_formats(args, base, &[Format::Png])
    }

    /// As [`Results::new`], with these formats unless the user names others.
    ///
    /// # Errors
    /// As for [`Results::new`].
    pub fn with_formats(args: &FigureArgs, base: &Path, usual: &[Format]) -> BenchResult<Self> {
        let mut formats = Vec::new();
        for name in &args.fmt {
            let known = [Format::Png, Format::Pdf, Format::Eps, Format::Svg];
            let format = known.into_iter().find(|f| f.extension().eq_ignore_ascii_case(name.trim()));
            formats.push(
                format.ok_or_else(|| BenchError::option("--fmt", format!("`{name}` is none of png, pdf, eps, svg")))?,
            );
        }
        let formats_named = !formats.is_empty();
        if !formats_named {
            formats = usual.to_vec();
        }
        // `DIR/./file` would be right, but is ugly to read.
        let directory: PathBuf = base.join(&args.outdir).components().collect();
        std::fs::create_dir_all(&directory)
            .map_err(|e| BenchError::Unwritable { path: directory.clone(), reason: e.to_string() })?;
        Ok(Self { display: args.display, directory, formats, formats_named, ..Self::default() })
    }

    /// One more line of text.
    pub fn line(&mut self, text: impl Into<String>) {
        self.text.push(text.into());
    }

    /// One more warning.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }

    /// A file that is left out: a warning, and exit code 1 at the end.
    pub fn fail(&mut self, error: impl std::fmt::Display) {
        self.warn(format!("{error}; the file was left out"));
        self.code = FAILED;
    }

    /// What `read` makes of each file. A file that cannot be read or has no such image is left out (exit code 1) as long
    /// as there are others.
    ///
    /// # Errors
    /// Those of `read` that are not of one file alone; the first one if no file can be read.
    pub fn read_each<'a, T>(
        &mut self,
        files: impl IntoIterator<Item = &'a PathBuf>,
        mut read: impl FnMut(usize, &Path, &mut Self) -> BenchResult<T>,
    ) -> BenchResult<Vec<T>> {
        let mut all = Vec::new();
        let mut failed = Vec::new();
        for (number, path) in files.into_iter().enumerate() {
            match read(number, path, self) {
                Ok(one) => all.push(one),
                Err(error) if error.is_of_one_file() => failed.push(error),
                Err(error) => return Err(error),
            }
        }
        if all.is_empty() && !failed.is_empty() {
            return Err(failed.swap_remove(0));
        }
        failed.iter().for_each(|error| self.fail(error));
        Ok(all)
    }

    /// Path of an output file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Draws and writes a figure, named as it says. A figure that cannot be written is a warning.
    pub fn figure(&mut self, figure: Figure) {
        self.draw(figure, &self.formats.clone());
    }

    /// As [`Results::figure`], in these formats unless the user named others.
    pub fn figure_in(&mut self, figure: Figure, usual: &[Format]) {
        let formats = if self.formats_named { self.formats.clone() } else { usual.to_vec() };
        self.draw(figure, &formats);
    }

    fn draw(&mut self, figure: Figure, formats: &[Format]) {
        let mut paths = Vec::new();
        for (format, bytes) in formats.iter().zip(render_all(&figure, formats)) {
            let path = self.directory.join(format!("{}.{}", figure.name, format.extension()));
            let result =
                bytes.map_err(|e| e.to_string()).and_then(|b| atomic_file::write(&path, &b).map_err(|e| e.to_string()));
            match result {
                Ok(()) => paths.push(path),
                Err(reason) => self.warnings.push(format!("figure not written: {}: {reason}", path.display())),
            }
        }
        self.written.extend(paths.iter().cloned());
        self.figures.push((figure, paths));
    }

    /// Writes a table as CSV; `scalars` go before it as lines `# key=value`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn csv(&mut self, table: &Table, scalars: &[(&str, String)]) -> BenchResult<()> {
        let mut text: String = scalars.iter().map(|(key, value)| format!("# {key}={value}\n")).collect();
        text.push_str(&figures::csv(table));
        self.file(&format!("{}.csv", table.name), text.as_bytes())
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> BenchResult<()> {
        let path = self.path(name);
        atomic_file::write(&path, bytes)
            .map_err(|e| BenchError::Unwritable { path: path.clone(), reason: e.to_string() })?;
        self.written.push(path);
        Ok(())
    }
}

/// `value ± error` for the terminal, rounded to two digits of the error. An error below the precision of the value is
/// one of the arithmetic and is left out.
pub fn plus_minus(value: f64, error: f64) -> String {
    let error = if error.abs() < 1e-13 * value.abs() { f64::NAN } else { error };
    crate::plot::without_markup(&crate::plot::value_with_error(value, error)).replace('−', "-")
}
