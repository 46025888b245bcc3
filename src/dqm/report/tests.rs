//! The reports of a run with names that try to break out of the page.

use std::path::Path;

use super::*;
use crate::dqm::model::{Summary, example};
use crate::dqm::trend::RunTrend;
use crate::plot::{Figure, Format, Line, Panel, render};

const EVIL: &str = "</script><script>alert('x')</script>\"'&_{.fits";

/// A run whose header strings and file names hold markup, with a plot file for every path.
fn evil_run(images: usize, directory: &Path) -> Summary {
    let mut summary = example::run(59, images);
    let old = summary.images[0].file.clone();
    summary.images[0].file = EVIL.into();
    summary.images[0].warnings = vec![EVIL.into()];
    summary.run.tag = EVIL.into();
    summary.run.image_hr = Some(EVIL.into());
    summary.run.config = serde_json::json!({ "key": EVIL }).to_string();
    summary.run.warnings = vec![EVIL.into()];
    for me in summary.mes.values_mut() {
        for entry in &mut me.entries {
            if entry.file == old {
                entry.file = EVIL.into();
                entry.plot = entry.plot.take().map(|_| format!("me/img/{}_{:03}.png", "a <b> & \"c\" #?%", me.id));
            }
            for test in &mut entry.tests {
                test.reason = EVIL.into();
            }
        }
    }
    let figure = Figure::new("f").pixels(600, 300, 100.0).panel(Panel::new().x("row").y("y").line(Line::function(
        0.0,
        6.0,
        50,
        f64::sin,
    )));
    let png = render(&figure, Format::Png).unwrap();
    let paths =
        summary.mes.values().flat_map(|me| me.plots.iter().chain(me.entries.iter().filter_map(|e| e.plot.as_ref())));
    for path in paths {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &png).unwrap();
    }
    summary
}

/// All values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    page.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_page_holds_everything_and_nothing_breaks_out() {
    let dir = tempfile::tempdir().unwrap();
    let summary = evil_run(3, dir.path());
    write_run(&summary, dir.path(), true).unwrap();
    let page = std::fs::read_to_string(dir.path().join(PAGE)).unwrap();
    // Two script elements, both ours: the summary and the script.
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<script>alert"));
    // The embedded summary is the summary.
    let json = page.split("id=\"summary\" data-arrays=\"all\">").nth(1).unwrap().split("</script>").next().unwrap();
    let back: Summary = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), serde_json::to_value(&summary).unwrap());
    // Ids are unique, links inside lead to one, links outside stay below the output directory.
    let ids = attributes(&page, "id");
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), ids.len());
    for link in attributes(&page, "href") {
        match link.strip_prefix('#') {
            Some(id) => assert!(ids.contains(&id), "{link}"),
            None => assert!(["../index.html", "me/", "logs/", "data:,"].iter().any(|p| link.starts_with(p)), "{link}"),
        }
    }
    // No external resource at all.
    assert!(attributes(&page, "src").iter().all(|src| src.starts_with("data:image/png;base64,")));
    // Every plot is there, in the page and as file.
    let plots: usize = summary.mes.values().map(|me| me.plots.len()).sum();
    let of_images = summary.mes.values().flat_map(|me| &me.entries).filter_map(|e| e.plot.as_ref());
    let of_images: std::collections::BTreeSet<_> = of_images.collect();
    assert!(attributes(&page, "src").len() >= plots + of_images.len());
    // Flags are words.
    for word in [">fail<", ">warn<", ">pass<", ">error<", ">n/a<"] {
        assert!(page.contains(word), "{word}");
    }
    assert!(page.contains("the data unit is cut off: 1000 of 1152000 bytes are there"));
}

#[test]
fn the_same_summary_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let summary = evil_run(3, dir.path());
    let read = || {
        write_run(&summary, dir.path(), true).unwrap();
        [PAGE.to_owned(), pdf_path(59)].map(|p| std::fs::read(dir.path().join(p)).unwrap())
    };
    let (first, second) = (read(), read());
    assert!(first == second);
}

#[test]
fn large_runs_link_to_the_plots_of_images() {
    let dir = tempfile::tempdir().unwrap();
    let summary = evil_run(60, dir.path());
    write_run(&summary, dir.path(), true).unwrap();
    let page = std::fs::read_to_string(dir.path().join(PAGE)).unwrap();
    let plots: usize = summary.mes.values().map(|me| me.plots.len()).sum();
    assert_eq!(attributes(&page, "src").len(), plots);
    assert!(page.contains(">plot</a>"));
    let pdf = std::fs::read(dir.path().join(pdf_path(59))).unwrap();
    let images = pdf.windows(14).filter(|w| *w == b"/Subtype /Imag").count();
    assert_eq!(images, plots);
}

#[test]
fn missing_plots_are_sentences() {
    let dir = tempfile::tempdir().unwrap();
    let mut summary = example::run(59, 2);
    summary.mes["MEMeanDCperRow"].plots = vec!["../../../etc/hostname".into()];
    write_run(&summary, dir.path(), true).unwrap();
    let page = std::fs::read_to_string(dir.path().join(PAGE)).unwrap();
    assert!(page.contains("the plot lies outside of the directory of the run"));
    assert!(page.contains("the plot cannot be read"));
    assert!(attributes(&page, "src").is_empty());
}

#[test]
fn an_empty_run_has_reports_too() {
    let dir = tempfile::tempdir().unwrap();
    write_run(&Summary::default(), dir.path(), true).unwrap();
    assert!(std::fs::read_to_string(dir.path().join(PAGE)).unwrap().contains("No test was made"));
    index::write(&[], dir.path()).unwrap();
    assert!(std::fs::read_to_string(dir.path().join(PAGE)).unwrap().contains("There is no run yet"));
}

#[test]
fn the_index_links_to_the_runs_and_draws_their_trends() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("run060")).unwrap();
    std::fs::write(dir.path().join("run060").join(PAGE), "").unwrap();
    let mut runs: Vec<RunTrend> = (59..=62).map(|n| RunTrend::of_summary(&example::run(n, 4))).collect();
    runs[1].tag = EVIL.into();
    index::write(&runs, dir.path()).unwrap();
    let page = std::fs::read_to_string(dir.path().join(PAGE)).unwrap();
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("href=\"run060/index.html\"") && !page.contains("href=\"run059"));
    // the worst test of each run is named
    let worst = &runs[0].reasons[0];
    assert!(
        worst.flag >= crate::dqm::model::Flag::Warn && page.contains(&format!("{} {}: ", worst.element, worst.test))
    );
    assert_eq!(page.matches("<svg").count(), 5);
    assert!(attributes(&page, "src").is_empty());
}
