//! `panaSKImg activity`: activities of isotopes ([`crate::response::activity`]).

use std::fmt::Write as _;

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};

use super::super::{ALL_DONE, Surroundings, UsageError, print};
use super::Subcommand;
use crate::response::activity::{COSMOGENIC, MATERIALS, PARENTS, Times, activity, parent};

pub(super) const TOOL: Subcommand = Subcommand {
    name: "activity",
    old_names: &[],
    summary: "Print the activity of an isotope in the materials of a detector",
    hidden: false,
    command,
    work,
};

/// Activities in decays/kg/day: cosmic activation (56Co 57Co 58Co 60Co 54Mn 59Fe 46Sc 3H), or the contamination of
/// materials with natural chains (for example 238U, 214Bi, 208Tl, 210Pb, 40K).
#[derive(Debug, Clone, Copy, clap::Args)]
struct ActivityTimes {
    /// Exposure to cosmic rays, days
    #[arg(long, value_name = "DAYS", default_value_t = 61.0)]
    texp: f64,
    /// Cooling underground, days
    #[arg(long, value_name = "DAYS", default_value_t = 180.0)]
    tcool: f64,
    /// Duration of the run over which is averaged, days (0: activity at its start)
    #[arg(long, value_name = "DAYS", default_value_t = 360.0)]
    trun: f64,
}

#[derive(Debug, Clone, clap::Args)]
struct ActivityArgs {
    /// Isotope, for example 60Co
    #[arg(value_name = "ISOTOPE")]
    isotope: String,
    #[command(flatten)]
    times: ActivityTimes,
}

fn command() -> Command {
    ActivityArgs::augment_args(Command::new("activity"))
        .after_help("Example:\n  panaSKImg activity 60Co --texp 90 --tcool 365 --trun 0")
}

fn work(matches: &ArgMatches, _: &Surroundings<'_>) -> Result<u8, UsageError> {
    let args = ActivityArgs::from_arg_matches(matches).map_err(|e| UsageError::Clap(Box::new(e)))?;
    let times = Times { exposure: args.times.texp, cooling: args.times.tcool, run: args.times.trun };
    for (option, value) in [("--texp", times.exposure), ("--tcool", times.cooling), ("--trun", times.run)] {
        if !(0.0..1e9).contains(&value) {
            return Err(UsageError::Other(format!("{option} {value} must be a number of days, not negative")));
        }
    }
    if let Some(isotope) = COSMOGENIC.iter().find(|i| i.name.eq_ignore_ascii_case(&args.isotope)) {
        print(&format!(
            "{}: {:.4} decays/kg/day (half life {} days)\n",
            isotope.name,
            activity(isotope, times),
            isotope.half_life
        ));
        return Ok(ALL_DONE);
    }
    let Some(parent) = parent(&args.isotope) else {
        let activated: Vec<&str> = COSMOGENIC.iter().map(|i| i.name).collect();
        return Err(UsageError::Other(format!(
            "isotope `{}` is not known (activation: {}; chains: {} and their daughters)",
            args.isotope,
            activated.join(", "),
            PARENTS.join(", ")
        )));
    };
    let column = PARENTS.iter().position(|p| *p == parent).unwrap_or(0);
    let mut text = format!("{}: contamination with {parent}, decays/kg/day\n", args.isotope);
    for material in &MATERIALS {
        let _ = writeln!(text, "  {:<22} {}", material.name, material.bulk[column]);
    }
    print(&text);
    Ok(ALL_DONE)
}
