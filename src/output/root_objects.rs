//! ROOT files with the histograms and graphs of a process (`root` in `format_figures`, spec 01 §6.5).

use std::path::PathBuf;

use super::ItemNames;
use super::figures::Written;
use crate::image::Report;
use crate::image::root_objects::{RootGraph, RootHistogram, RootObject, RootObjects};
use crate::process::ProcessManager;
use crate::process::common::FigureFormat;
use crate::root::{Function, Graph, Histogram, Options, Parameter, RootError, RootFile};

/// Writes the objects of every step with `save_plots` and the format `root`.
pub fn write_all(report: &Report, manager: &ProcessManager, names: &ItemNames) -> Vec<Written> {
    let wanted = |step: usize| {
        let common = manager.common(step);
        common.save_plots && common.format_figures.contains(&FigureFormat::Root)
    };
    let files = report.root_objects.iter().filter(|(step, _)| wanted(*step));
    files
        .map(|(_, objects)| {
            let path = names.figure(&objects.name, "root");
            match write(objects, &path) {
                Ok(()) => Written { figure: None, paths: vec![path], problems: Vec::new() },
                Err(error) => {
                    Written { figure: None, paths: Vec::new(), problems: vec![format!("{}: {error}", path.display())] }
                }
            }
        })
        .collect()
}

fn write(objects: &RootObjects, path: &PathBuf) -> Result<(), RootError> {
    let mut file = RootFile::create(path, Options::default())?;
    for object in &objects.objects {
        match object {
            RootObject::Histogram(histogram) => write_histogram(&mut file, histogram)?,
            RootObject::Graph(graph) => write_graph(&mut file, graph)?,
        }
    }
    file.finish()
}

fn write_histogram<W: std::io::Write + std::io::Seek>(
    file: &mut RootFile<W>,
    histogram: &RootHistogram,
) -> Result<(), RootError> {
    let (low, high) = histogram.range;
    let attached = histogram.function.as_ref().filter(|f| f.values.iter().all(|v| v.is_finite()));
    let parameters: Vec<Parameter<'_>> = attached
        .iter()
        .flat_map(|f| &f.parameters)
        .map(|(name, value, error)| Parameter { name, value: *value, error: *error })
        .collect();
    let function = attached.map(|f| Function {
        name: &f.name,
        low,
        high,
        values: &f.values,
        parameters: &parameters,
        chi2: f.chi2,
        ndf: i32::try_from(f.ndf).unwrap_or(i32::MAX),
        fitted_points: i32::try_from(f.points).unwrap_or(i32::MAX),
    });
    file.histogram(&Histogram {
        name: &histogram.name,
        title: &histogram.title,
        x_title: &histogram.axes.0,
        y_title: &histogram.axes.1,
        low,
        high,
        contents: &histogram.contents,
        function: function.as_ref(),
        ..Histogram::default()
    })
}

fn write_graph<W: std::io::Write + std::io::Seek>(file: &mut RootFile<W>, graph: &RootGraph) -> Result<(), RootError> {
    let finite: Vec<usize> =
        (0..graph.x.len().min(graph.y.len())).filter(|i| graph.x[*i].is_finite() && graph.y[*i].is_finite()).collect();
    let column = |values: &[f64]| -> Vec<f64> {
        let at = |i: &usize| values.get(*i).copied().filter(|v| v.is_finite()).unwrap_or(0.0);
        finite.iter().map(at).collect()
    };
    file.graph(&Graph {
        name: &graph.name,
        title: &graph.title,
        x_title: &graph.axes.0,
        y_title: &graph.axes.1,
        x: &column(&graph.x),
        y: &column(&graph.y),
        x_errors: Some(&column(&graph.x_errors)),
        y_errors: Some(&column(&graph.y_errors)),
    })
}
