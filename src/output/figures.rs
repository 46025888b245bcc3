//! Figures and tables of an item on their way to files (spec 01 §6.5).

use std::path::PathBuf;

use rayon::prelude::*;

use super::ItemNames;
use crate::atomic_file;
use crate::image::Report;
use crate::image::report::{Table, TableHead};
use crate::plot::{self, Figure, Format};
use crate::process::ProcessManager;
use crate::process::common::FigureFormat;

/// What was written for one figure or table.
#[derive(Debug)]
pub struct Written {
    /// Name of the figure; `None` for tables and ROOT objects.
    pub figure: Option<String>,
    /// Files, in the order of the formats.
    pub paths: Vec<PathBuf>,
    /// What went wrong: a figure that cannot be drawn or written is a warning, not a failure.
    pub problems: Vec<String>,
}

/// Writes the figures and tables of every step with `save_plots`. Results in the order of the report.
pub fn write_all(report: &Report, manager: &ProcessManager, names: &ItemNames) -> Vec<Written> {
    let figures = report.figures.par_iter().filter(|f| manager.common(f.step).save_plots).map(|record| {
        let formats = drawn_formats(&manager.common(record.step).format_figures);
        write_figure(&record.figure, &formats, names)
    });
    let mut written: Vec<Written> = figures.collect();
    for (_, table) in report.tables.iter().filter(|(step, _)| manager.common(*step).save_plots) {
        let path = names.figure(&table.name, "csv");
        written.push(
            match atomic_file::write(&path, csv_with(table, report.table_heads.get(&table.name)).as_bytes()) {
                Ok(()) => Written { figure: None, paths: vec![path], problems: Vec::new() },
                Err(error) => {
                    Written { figure: None, paths: Vec::new(), problems: vec![format!("{}: {error}", path.display())] }
                }
            },
        );
    }
    written
}

/// The drawing formats among those asked for; pdf if there is none but something was asked for.
fn drawn_formats(formats: &[FigureFormat]) -> Vec<Format> {
    let mut drawn: Vec<Format> = Vec::new();
    for format in formats.iter().filter_map(|f| f.drawn()) {
        if !drawn.contains(&format) {
            drawn.push(format);
        }
    }
    drawn
}

fn write_figure(figure: &Figure, formats: &[Format], names: &ItemNames) -> Written {
    let mut written = Written { figure: Some(figure.name.clone()), paths: Vec::new(), problems: Vec::new() };
    // Only a PDF holds several pages.
    let formats = if figure.more_pages.is_empty() { formats } else { &[Format::Pdf] };
    for (format, bytes) in formats.iter().zip(plot::render_all(figure, formats)) {
        let path = names.figure(&figure.name, format.extension());
        let result =
            bytes.map_err(|e| e.to_string()).and_then(|b| atomic_file::write(&path, &b).map_err(|e| e.to_string()));
        match result {
            Ok(()) => written.paths.push(path),
            Err(error) => written.problems.push(format!("{}: {error}", path.display())),
        }
    }
    written
}

/// A table as CSV: a line with the column names, then the rows. NaN is an empty field.
pub fn csv(table: &Table) -> String {
    csv_with(table, None)
}

/// A table as CSV, with lines `# key=value` before it and a column of labels if it has them.
pub fn csv_with(table: &Table, head: Option<&TableHead>) -> String {
    let quoted = |name: &str| {
        if name.contains([',', '"', '\n']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
    };
    let mut text: String =
        head.iter().flat_map(|h| &h.scalars).map(|(key, value)| format!("# {key}={value}\n")).collect();
    let labels = head.and_then(|h| h.row_labels.as_ref());
    let names = labels.iter().map(|(name, _)| name).chain(&table.columns);
    text.push_str(&names.map(|name| quoted(name)).collect::<Vec<_>>().join(","));
    text.push('\n');
    for (number, row) in table.rows.iter().enumerate() {
        let label = labels.map(|(_, texts)| texts.get(number).map(|t| quoted(t)).unwrap_or_default());
        let numbers = row.iter().map(|x| if x.is_nan() { String::new() } else { x.to_string() });
        text.push_str(&label.into_iter().chain(numbers).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_and_labels_stand_before_the_numbers() {
        let table = Table { name: "x".into(), columns: vec!["skip".into()], rows: vec![vec![0.0], vec![1.0]] };
        let labels = Some(("amp".to_owned(), vec!["U".to_owned(), "a,b".to_owned()]));
        let head = TableHead { row_labels: labels, ..TableHead::default() }.scalar("baseline", 63);
        assert_eq!(csv_with(&table, Some(&head)), "# baseline=63\namp,skip\nU,0\n\"a,b\",1\n");
    }

    #[test]
    fn a_table_is_written_with_full_precision_and_empty_fields_for_missing_numbers() {
        let table = Table {
            name: "x".into(),
            columns: vec!["row".into(), "λ [e-/pix, img]".into()],
            rows: vec![vec![0.0, 0.1], vec![1.0, f64::NAN]],
        };
        assert_eq!(csv(&table), "row,\"λ [e-/pix, img]\"\n0,0.1\n1,\n");
    }
}
