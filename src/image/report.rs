//! Everything a chain has to say about an image: numbers, header cards, branches of the `info` tree, figures, tables
//! and messages. Processes write here; the `output` module brings it to files and to the terminal.

use indexmap::IndexMap;
use ndarray::Array2;

use super::root_objects::RootObjects;
use crate::fits::{Card, CardValue};
use crate::plot::Figure;
use crate::process::Measurement;

/// Importance of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details of fits, with `--debug`.
    Debug,
    /// More about what was read and done, with `--verbose`.
    Verbose,
    /// What a physicist wants to follow.
    Info,
    /// A result line: goes to stdout.
    Result,
    /// Something that may spoil the result.
    Warning,
    /// The reason why an item failed.
    Error,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Importance.
    pub level: Level,
    /// Process it comes from (tag), empty outside the chain.
    pub process: String,
    /// One sentence.
    pub text: String,
}

/// A branch of the ROOT tree `info` (besides those that come from measurements).
#[derive(Debug, Clone, PartialEq)]
pub enum InfoValue {
    /// `int`.
    Int(i32),
    /// `double`.
    Double(f64),
    /// `vector<vector<float>>` with one inner vector.
    Vector(Vec<f32>),
}

/// A number among the results of a process that goes to the ROOT tree `process_config`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ConfigResult {
    /// `int`.
    Int(i64),
    /// `double`.
    Double(f64),
}

/// A table of numbers that is written as CSV beside a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// File-name part, as for figures.
    pub name: String,
    /// Column names, with units.
    pub columns: Vec<String>,
    /// Rows; NaN becomes an empty field.
    pub rows: Vec<Vec<f64>>,
}

/// What stands in a CSV file besides the numbers of its [`Table`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableHead {
    /// Lines `# key=value` before the column names.
    pub scalars: Vec<(String, String)>,
    /// A first column of texts: its name and one text per row.
    pub row_labels: Option<(String, Vec<String>)>,
}

impl TableHead {
    /// With a line `# key=value`.
    pub fn scalar(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.scalars.push((key.into(), value.to_string()));
        self
    }
}

/// Images that a process makes for a file of their own (`save_image`), not for later processes.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageFile {
    /// File-name part, as for the images of single steps.
    pub name: String,
    /// The HDUs.
    pub hdus: Vec<FileImage>,
    /// Tags of the processes executed, the one that made the file included.
    pub chain: Vec<String>,
}

/// One HDU of an [`ImageFile`].
#[derive(Debug, Clone, PartialEq)]
pub struct FileImage {
    /// EXTNAME.
    pub extname: String,
    /// Further cards.
    pub cards: Vec<Card>,
    /// Pixels, ADU, `[row, col]`.
    pub pixels: Array2<f64>,
    /// Written in single precision.
    pub single_precision: bool,
}

/// Figures and tables with the process that made them.
#[derive(Debug, Clone)]
pub struct FigureRecord {
    /// Position of the process in the sequence.
    pub step: usize,
    /// The figure.
    pub figure: Figure,
}

/// What the processes report of one image.
#[derive(Debug, Default)]
pub struct Report {
    /// All measured numbers, in the order of execution.
    pub measurements: Vec<Measurement>,
    /// Header cards to be added to the output header, in the order of execution.
    pub cards: Vec<Card>,
    /// Branches of the `info` tree.
    pub info: IndexMap<String, InfoValue>,
    /// Numbers for the tree `process_config`, `<tag>_<name>`.
    pub config_results: IndexMap<String, ConfigResult>,
    /// Figures.
    pub figures: Vec<FigureRecord>,
    /// Tables, with the position of the process in the sequence.
    pub tables: Vec<(usize, Table)>,
    /// ROOT objects, with the position of the process in the sequence.
    pub root_objects: Vec<(usize, RootObjects)>,
    /// What the CSV files of some tables hold besides, by name of the table.
    pub table_heads: IndexMap<String, TableHead>,
    /// Files of images.
    pub image_files: Vec<ImageFile>,
    /// Messages.
    pub log: Vec<LogRecord>,
    step: usize,
    tag: String,
    amplifier: Option<String>,
}

impl Report {
    /// Tells the report which process (and amplifier) speaks from now on. Called by the manager only.
    pub fn enter(&mut self, step: usize, tag: &str, amplifier: Option<&str>) {
        self.step = step;
        self.tag = tag.to_owned();
        self.amplifier = amplifier.map(str::to_owned);
    }

    /// Records a measured number: it goes to the summary, and to the header and `info` tree where it has names for them.
    pub fn measure(&mut self, mut measurement: Measurement) {
        if measurement.process.is_empty() {
            measurement.process.clone_from(&self.tag);
        }
        if measurement.amplifier.is_none() {
            measurement.amplifier.clone_from(&self.amplifier);
        }
        let value = |x: f64| {
            if measurement.integral { CardValue::Integer(x as i64) } else { CardValue::Real(x) }
        };
        for name in &measurement.cards {
            self.cards.push(Card::new(&name.keyword, value(measurement.value), &name.comment));
        }
        for name in &measurement.error_cards {
            self.cards.push(Card::new(&name.keyword, measurement.error.unwrap_or(f64::NAN), &name.comment));
        }
        if let Some(branch) = &measurement.info_branch {
            self.info.insert(branch.clone(), InfoValue::Double(measurement.value));
            if let Some(error) = measurement.error {
                self.info.insert(format!("{branch}_err"), InfoValue::Double(error));
            }
        }
        self.measurements.push(measurement);
    }

    /// Adds a header card that is not a measurement.
    pub fn card(&mut self, keyword: impl Into<String>, value: impl Into<CardValue>, comment: impl Into<String>) {
        self.cards.push(Card::new(keyword, value, comment));
    }

    /// Adds a branch of the `info` tree.
    pub fn info_branch(&mut self, name: impl Into<String>, value: InfoValue) {
        self.info.insert(name.into(), value);
    }

    /// Records a number of this process for the tree `process_config` (`<tag>_<name>`).
    pub fn config_result(&mut self, name: &str, value: ConfigResult) {
        self.config_results.insert(format!("{}_{name}", self.tag), value);
    }

    /// Adds a figure.
    pub fn figure(&mut self, figure: Figure) {
        self.figures.push(FigureRecord { step: self.step, figure });
    }

    /// Adds a table, written as CSV.
    pub fn table(&mut self, table: Table) {
        self.tables.push((self.step, table));
    }

    /// Adds ROOT objects, written with `save_plots` if `format_figures` names `root`.
    pub fn root_objects(&mut self, objects: RootObjects) {
        self.root_objects.push((self.step, objects));
    }

    /// Adds a table with scalars or labels of its rows.
    pub fn table_with(&mut self, table: Table, head: TableHead) {
        self.table_heads.insert(table.name.clone(), head);
        self.table(table);
    }

    /// Adds a file of images.
    pub fn image_file(&mut self, file: ImageFile) {
        self.image_files.push(file);
    }

    /// Adds a message; powers of ten as figures write them (`10^{−5}`) get raised digits.
    pub fn log(&mut self, level: Level, text: impl Into<String>) {
        self.log.push(LogRecord { level, process: self.tag.clone(), text: crate::plot::without_markup(&text.into()) });
    }

    /// A warning: shown, counted and kept in the summary.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.log(Level::Warning, text);
    }

    /// An information at normal level.
    pub fn inform(&mut self, text: impl Into<String>) {
        self.log(Level::Info, text);
    }

    /// A result line (stdout).
    pub fn result(&mut self, text: impl Into<String>) {
        self.log(Level::Result, text);
    }

    /// Texts of all warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &LogRecord> {
        self.log.iter().filter(|r| r.level == Level::Warning)
    }
}
