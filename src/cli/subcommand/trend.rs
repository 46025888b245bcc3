//! `panaSKImg trend` ([`crate::workbench::trend`]).

use std::ffi::OsString;

use clap::{ArgMatches, Args as _, Command};

use super::super::{Surroundings, UsageError};
use super::{Subcommand, bench};
use crate::workbench::trend::{TrendArgs, run};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "trend",
    old_names: &["plot_fitsval", "plot_parinheader", "dc_analysis"],
    summary: "Draw header values or dark currents of many images against time",
    hidden: false,
    command,
    work,
};

fn command() -> Command {
    TrendArgs::augment_args(Command::new("trend")).after_help("Example:\n  panaSKImg trend MESIG1,MEGAIN1 \"out/*_waders.fits\" --err EMESIG1,EMEGAIN1 --fit pol1\n  panaSKImg trend --dc \"out/*_waders.fits\" --amp 1,2")
}

/// The words of dc_analysis, which drew the single-electron rate against time, or with --continuous against exposure.
pub(super) fn words_of_dc_analysis(mut words: Vec<OsString>) -> Vec<OsString> {
    let given = |names: &[&str]| {
        words.iter().any(|w| w.to_str().is_some_and(|w| names.contains(&w.split('=').next().unwrap_or(w))))
    };
    let mut implied: Vec<OsString> = Vec::new();
    if !given(&["--dc", "--rate", "--std", "-p", "--par", "--ypar"]) {
        implied.push("--rate".into());
        if given(&["-c", "--continuous"]) && !given(&["--x", "--xpar", "--idimg"]) {
            implied.extend(["--x".into(), "exposure".into()]);
        }
    }
    implied.append(&mut words);
    implied
}

fn work(matches: &ArgMatches, surroundings: &Surroundings<'_>) -> Result<u8, UsageError> {
    bench::work(matches, surroundings, run)
}
