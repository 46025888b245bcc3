//! Running the binary on the products of the chain for the example image.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

fn finish(mut command: Command) -> Run {
    let output = command.env("NO_COLOR", "1").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the program.
pub fn run(arguments: &[&str]) -> Run {
    let mut command = Command::cargo_bin("panaSKImg").unwrap();
    command.args(arguments);
    finish(command)
}

/// Runs the program in a folder.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::cargo_bin("panaSKImg").unwrap();
    command.args(arguments).current_dir(folder);
    finish(command)
}

/// Runs the program through a link of this name.
#[cfg(unix)]
pub fn runs_as(name: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join(name);
    let binary = Command::cargo_bin("panaSKImg").unwrap().get_program().to_owned();
    std::os::unix::fs::symlink(binary, &link).unwrap();
    let mut command = Command::new(link);
    command.args(arguments);
    finish(command)
}

/// A folder with the example image, processed.
pub struct Products {
    folder: tempfile::TempDir,
}

impl Products {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let [image, config] = ["example.fits.gz", "example.json"].map(|n| examples.join(n).display().to_string());
        let run = run_in(folder.path(), &[&image, "--json", &config, "-o", "."]);
        assert_eq!(run.code, 0, "{} {}", run.out, run.err);
        Self { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The calibrated image.
    pub fn waders(&self) -> String {
        self.path("example_EXT0_waders.fits")
    }

    /// The raw image.
    pub fn raw(&self) -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/example.fits.gz").display().to_string()
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        assert!(path.is_file(), "{}", path.display());
        path.display().to_string()
    }
}

/// Lines `# key=value` and the rows of a CSV file; empty fields are NaN.
pub fn csv(path: &Path) -> (Vec<(String, String)>, Vec<Vec<f64>>) {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let scalar = |l: &str| l.strip_prefix("# ")?.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    let scalars = text.lines().filter_map(scalar).collect();
    let rows = text.lines().filter(|l| !l.starts_with('#')).skip(1);
    let rows = rows.map(|l| l.split(',').map(|x| x.parse().unwrap_or(f64::NAN)).collect()).collect();
    (scalars, rows)
}

/// A scalar of a CSV file.
pub fn number(scalars: &[(String, String)], key: &str) -> f64 {
    scalars.iter().find(|(k, _)| k == key).unwrap_or_else(|| panic!("no {key} in {scalars:?}")).1.parse().unwrap()
}
