//! Options of the data-quality monitor (spec 06 §§2, 12–16).

use std::path::PathBuf;

use clap::Args;

/// As typed. The help shows them only if this version has the monitor.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "*** Options for DQM ************************** ")]
pub struct DqmArguments {
    /// Data-quality monitor: processes the images of a run and makes monitor elements, summaries and reports.
    ///
    /// Output goes to OUTPUT/runNNN: avgimg (averaged images), recon (ROOT files), me (monitor elements), logs, others.
    #[arg(long)]
    pub dqm: bool,

    /// Directory with the images of the run; INFILE is a pattern inside it [environment: DQM_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub dqm_data_dir: Option<PathBuf>,

    /// Part of the name of the image with the best single-electron resolution (the most skips).
    #[arg(long = "image-HR", value_name = "STR")]
    pub image_hr: Option<String>,

    /// Summary (.pkl or .json) of the reference run.
    #[arg(long, value_name = "FILE")]
    pub me_ref: Option<PathBuf>,

    /// Make all monitor elements on all images, those of the dark current too.
    #[arg(long)]
    pub all_me: bool,

    /// Configuration of the monitor elements.
    #[arg(long, value_name = "FILE")]
    pub me_json: Option<PathBuf>,

    /// Image number (of the first image if there are several).
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub image: Option<i64>,

    /// Tag of the data-taking campaign.
    #[arg(long, value_name = "TEXT")]
    pub tag: Option<String>,

    /// Write the PDF report (default)
    #[arg(long, overrides_with_all = ["no_pdf", "nopdf"])]
    pub pdf: bool,

    /// Do not write the PDF report.
    #[arg(long, overrides_with_all = ["pdf", "nopdf"])]
    pub no_pdf: bool,

    /// 1: no PDF report, 0: PDF report (older form of --no-pdf).
    #[arg(long, value_name = "0|1", overrides_with_all = ["pdf", "no_pdf"], value_parser = clap::value_parser!(u8).range(0..=1))]
    pub nopdf: Option<u8>,

    /// Database file, or none [default: OUTPUT/dqm.sqlite]
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// MongoDB server [environment: DQM_MONGO_URI]
    #[arg(long, value_name = "URI")]
    pub mongo_uri: Option<String>,

    /// MongoDB database [default: dqm]
    #[arg(long, value_name = "NAME")]
    pub mongo_db: Option<String>,

    /// MongoDB collection [default: runs]
    #[arg(long, value_name = "NAME")]
    pub mongo_collection: Option<String>,

    /// Write the documents for MongoDB to this file, one per line.
    #[arg(long, value_name = "FILE")]
    pub mongo_json: Option<PathBuf>,

    /// File names of the seed document, of version 7, or both [default: seed]
    #[arg(long, value_name = "SET", value_parser = ["seed", "v7", "both"])]
    pub dqm_names: Option<String>,

    /// After the existing images, wait for new ones.
    #[arg(long)]
    pub watch: bool,

    /// Polling period, s [default: 3]
    #[arg(long, value_name = "S")]
    pub watch_poll: Option<f64>,

    /// Time for which a file must not have changed, s [default: 10]
    #[arg(long, value_name = "S")]
    pub watch_settle: Option<f64>,

    /// Process what is there, then stop.
    #[arg(long)]
    pub watch_once: bool,

    /// Attempts per file [default: 3]
    #[arg(long, value_name = "N")]
    pub watch_retries: Option<u32>,

    /// Close the run after this idle time, min [default: 60]
    #[arg(long, value_name = "MIN")]
    pub watch_idle_close: Option<f64>,

    /// Print the state of the watcher of this output directory and stop.
    #[arg(long)]
    pub watch_status: bool,

    /// Run numbers from image numbers, e.g. per=100,image0=6834,run0=6; replaces --run.
    #[arg(long, value_name = "MAP")]
    pub run_map: Option<String>,

    /// Copy the results there after each image.
    #[arg(long, value_name = "DIR")]
    pub publish: Option<PathBuf>,

    /// Put parts of a run together, from the summaries (.json or .pkl) of the parts: the same result as one run.
    #[arg(long, value_name = "SUMMARY", num_args = 1.., value_delimiter = ',')]
    pub dqm_merge: Option<Vec<PathBuf>>,

    /// Trends over runs, from these summaries or from the database.
    #[arg(long, value_name = "SUMMARY", num_args = 0.., value_delimiter = ',')]
    pub dqm_trend: Option<Vec<String>>,

    /// Runs of the trends, e.g. 50-59,61.
    #[arg(long, value_name = "RUNS")]
    pub trend_runs: Option<String>,

    /// Monitor elements of the trends.
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub trend_me: Vec<String>,

    /// Limits of the y axes of the trends.
    #[arg(long, value_name = "RANGE")]
    pub trend_range: Option<String>,

    /// Runs to be shaded in the trends: JSON list of [first, last, label].
    #[arg(long, value_name = "FILE")]
    pub trend_spans: Option<PathBuf>,

    /// Gain, dark current and resolution from image to image, from the headers of these processed images.
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub dqm_evolution: Vec<String>,
}

impl DqmArguments {
    /// The first option that means something only in DQM mode, if one is given.
    pub(crate) fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--dqm-data-dir", self.dqm_data_dir.is_some()),
            ("--image-HR", self.image_hr.is_some()),
            ("--me-ref", self.me_ref.is_some()),
            ("--all-me", self.all_me),
            ("--me-json", self.me_json.is_some()),
            ("--image", self.image.is_some()),
            ("--tag", self.tag.is_some()),
            ("--pdf", self.pdf),
            ("--no-pdf", self.no_pdf),
            ("--nopdf", self.nopdf.is_some()),
            ("--db", self.db.is_some()),
            ("--mongo-uri", self.mongo_uri.is_some()),
            ("--mongo-db", self.mongo_db.is_some()),
            ("--mongo-collection", self.mongo_collection.is_some()),
            ("--mongo-json", self.mongo_json.is_some()),
            ("--dqm-names", self.dqm_names.is_some()),
            ("--watch", self.watch),
            ("--watch-poll", self.watch_poll.is_some()),
            ("--watch-settle", self.watch_settle.is_some()),
            ("--watch-once", self.watch_once),
            ("--watch-retries", self.watch_retries.is_some()),
            ("--watch-idle-close", self.watch_idle_close.is_some()),
            ("--watch-status", self.watch_status),
            ("--run-map", self.run_map.is_some()),
            ("--publish", self.publish.is_some()),
            ("--dqm-merge", self.dqm_merge.is_some()),
            ("--dqm-trend", self.dqm_trend.is_some()),
            ("--trend-runs", self.trend_runs.is_some()),
            ("--trend-me", !self.trend_me.is_empty()),
            ("--trend-range", self.trend_range.is_some()),
            ("--trend-spans", self.trend_spans.is_some()),
            ("--dqm-evolution", !self.dqm_evolution.is_empty()),
        ];
        given.into_iter().find(|(_, is)| *is).map(|(option, _)| option)
    }
}
