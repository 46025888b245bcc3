//! Which keys of the configuration an option overrides: the one list of them (spec 01 §1.2).
//!
//! From it come the overrides, the key and default shown in the help, and the test of every option.

use clap::Command;
use serde_json::Value;

use super::arguments::Arguments;
use crate::config::{Block, InputConfig, Overrides, Target};
use crate::process::ProcessEntry;
use Target::{Amplifier, EveryProcess, Image, Item, Process, Sequence};

const CALIBRATION: &[Target] =
    &[Process("FitCalibrationConstant", "calibration"), Process("FitDarkCurrentProcess", "calibration")];

/// Option → keys. In the order in which they are applied: later ones win.
pub(crate) static MAPPING: &[(&str, &[Target])] = &[
    ("--ext", &[Image("extensions")]),
    ("--hext", &[Image("ext_header")]),
    ("--bz2", &[Image("bz2")]),
    ("--amp-name", &[Image("amp_name")]),
    ("--halo-radius", &[Item("EvalHaloProcess", "radius", 0)]),
    ("--halo-radius-min", &[Item("EvalHaloProcess", "radius", 1)]),
    ("--invert", &[Image("correct_polarity")]),
    ("--skip-start", &[Image("id_skip_start")]),
    ("--skip-end", &[Image("id_skip_end")]),
    ("--row-start", &[Image("id_row_start")]),
    ("--row-end", &[Image("id_row_end")]),
    ("--col-start", &[Image("id_col_start")]),
    ("--col-end", &[Image("id_col_end")]),
    ("--sequence", &[Sequence]),
    ("--save-img", &[EveryProcess("save_image")]),
    ("--save-plots", &[EveryProcess("save_plots")]),
    ("--display", &[EveryProcess("__display__")]),
    ("--verbose", &[EveryProcess("__verbose__")]),
    ("--debug", &[EveryProcess("__DEBUG__")]),
    ("--cal", CALIBRATION),
    ("--adu2e", &[Process("CalibrationProcess", "gain")]),
    ("--calL", &[Amplifier("CalibrationProcess", "gain", "L")]),
    ("--calU", &[Amplifier("CalibrationProcess", "gain", "U")]),
    ("--func-to-compress", &[Process("CompressSkipperProcess", "func_to_compress")]),
    ("--method", &[Process("PedestalSubtractionProcess", "method")]),
    ("--in-overscan", &[Process("PedestalSubtractionProcess", "in_overscan")]),
    ("--use-overscan", &[Process("PedestalSubtractionProcess", "in_overscan")]),
    ("--axis", &[Process("PedestalSubtractionProcess", "axis")]),
    (
        "--n-sigma-win-fit",
        &[
            Process("PedestalSubtractionProcess", "n_sigma_win_fit"),
            Process("FitCalibrationConstant", "n_sigma_win_fit"),
        ],
    ),
    ("--n-sigma-to-mask", &[Process("PedestalSubtractionProcess", "n_sigma_to_mask")]),
    ("--show-fit", &[Process("PedestalSubtractionProcess", "show_fit")]),
    ("--skip-id-list", &[Process("ChargeLossPlot", "skip_id_list")]),
    ("--skip-id-baseline", &[Process("ChargeLossPlot", "skip_id_baseline")]),
    ("--histequ", &[Process("ChargeLossPlot", "histequ")]),
    ("--gray-palette", &[Process("ChargeLossPlot", "gray_palette")]),
    ("--n-skips", &[Process("RNvsNskipsPlot", "n_skips_per_block")]),
    ("--is-blank", &[Process("RNvsNskipsPlot", "is_blank")]),
    ("--n-peaks", &[Process("FitCalibrationConstant", "n_peaks")]),
    ("--calibration", CALIBRATION),
    ("--dc-axis", &[Process("FitDarkCurrentProcess", "dc_axis")]),
    ("--n-elec", &[Process("FitDarkCurrentProcess", "n_peaks")]),
    ("--n-sigma-fit", &[Process("FitDarkCurrentProcess", "n_sigma_fit")]),
    ("--mu-gauss", &[Process("FitDarkCurrentProcess", "mu_gauss")]),
    ("--sigma-gauss", &[Process("FitDarkCurrentProcess", "sigma_gauss")]),
    ("--lambda-poisson", &[Process("FitDarkCurrentProcess", "lambda_poisson")]),
    ("--fit-options", &[Process("FitDarkCurrentProcess", "fit_options")]),
    ("--do-calibration", &[Process("FitDarkCurrentProcess", "do_calibration")]),
    ("--fix-gain", &[Process("FitDarkCurrentProcess", "do_calibration")]),
];

/// What the command line changes in the configuration.
pub(crate) fn overrides(a: &Arguments) -> Overrides {
    let mut all = Overrides { lenient: a.general.lenient, ..Overrides::default() };
    let list = |values: &[i64]| (!values.is_empty()).then(|| Value::from(values));
    let texts = |values: &[String]| (!values.is_empty()).then(|| Value::from(values));
    let on = |flag: bool| flag.then_some(Value::Bool(true));
    let off = |flag: bool| flag.then_some(Value::Bool(false));
    let int = |x: Option<i64>| x.map(Value::from);
    let float = |x: Option<f64>| x.map(Value::from);
    let text = |x: &Option<String>| x.clone().map(Value::from);
    for (option, targets) in MAPPING {
        let value = match *option {
            "--ext" => list(&a.general.ext),
            "--hext" => list(&a.general.hext),
            "--bz2" => on(a.general.bz2),
            "--amp-name" => text(&a.general.amp_name),
            "--halo-radius" => int(a.general.halo_radius),
            "--halo-radius-min" => int(a.general.halo_radius_min),
            "--calL" => float(a.general.cal_l),
            "--calU" => float(a.general.cal_u),
            "--invert" => on(a.image.invert),
            "--skip-start" => int(a.image.skip_start),
            "--skip-end" => int(a.image.skip_end),
            "--row-start" => int(a.image.row_start),
            "--row-end" => int(a.image.row_end),
            "--col-start" => int(a.image.col_start),
            "--col-end" => int(a.image.col_end),
            "--sequence" => text(&a.all_processes.sequence),
            "--save-img" => on(a.all_processes.save_img),
            "--save-plots" => on(a.all_processes.save_plots),
            "--display" => on(a.all_processes.display),
            "--verbose" => on(a.all_processes.verbose),
            "--debug" => on(a.all_processes.debug),
            "--cal" => float(a.all_processes.cal),
            "--adu2e" => float(a.calibration.adu2e),
            "--func-to-compress" => texts(&a.compress.func_to_compress),
            "--method" => text(&a.pedestal.method),
            "--in-overscan" => off(a.pedestal.in_overscan),
            "--use-overscan" => on(a.pedestal.use_overscan),
            "--axis" => text(&a.pedestal.axis),
            "--n-sigma-win-fit" => float(a.pedestal.n_sigma_win_fit),
            "--n-sigma-to-mask" => float(a.pedestal.n_sigma_to_mask),
            "--show-fit" => on(a.pedestal.show_fit),
            "--skip-id-list" => list(&a.charge_loss.skip_id_list),
            "--skip-id-baseline" => int(a.charge_loss.skip_id_baseline),
            "--histequ" => on(a.charge_loss.histequ),
            "--gray-palette" => on(a.charge_loss.gray_palette),
            "--n-skips" => int(a.noise.n_skips),
            "--is-blank" => on(a.noise.is_blank),
            "--n-peaks" => int(a.fit_calibration.n_peaks),
            "--calibration" => float(a.fit_calibration.calibration),
            "--dc-axis" => text(&a.dark_current.dc_axis),
            "--n-elec" => int(a.dark_current.n_elec),
            "--n-sigma-fit" => float(a.dark_current.n_sigma_fit),
            "--mu-gauss" => float(a.dark_current.mu_gauss),
            "--sigma-gauss" => float(a.dark_current.sigma_gauss),
            "--lambda-poisson" => float(a.dark_current.lambda_poisson),
            "--fit-options" => text(&a.dark_current.fit_options),
            "--do-calibration" => on(a.dark_current.do_calibration),
            "--fix-gain" => off(a.dark_current.fix_gain),
            _ => None,
        };
        if let Some(value) = value {
            all.set(option, targets, value);
        }
    }
    all
}

/// Appends to the help of each option the key it overrides and the default, and hides options for processes that this
/// version does not have.
pub(crate) fn describe_keys(mut command: Command, table: &'static [ProcessEntry]) -> Command {
    let input = serde_json::to_value(InputConfig::default()).unwrap_or_default();
    let blocks: Vec<Block> = table.iter().filter_map(Block::with_defaults).collect();
    let default = |process: &str, key: &str| {
        let block = blocks.iter().find(|b| b.entry.name == process)?;
        block.parameters.get(key).cloned()
    };
    // Keys with defaults, `None` if no process of the option exists.
    let keys = |targets: &[Target]| -> Option<String> {
        let several = targets.len() > 1;
        let one = |target: &Target| match *target {
            Image(key) => Some(format!("{key}: {}", show(&input["image"][key]))),
            Sequence => Some("sequence".to_owned()),
            EveryProcess(key) => Some(format!("{key}: false")),
            Process(process, key) => default(process, key).map(|value| match several {
                true => format!("{process}.{key}: {}", show(&value)),
                false => format!("{key}: {}", show(&value)),
            }),
            Item(process, key, i) => default(process, key).map(|v| format!("{process}.{key}[{i}]: {}", show(&v[i]))),
            Amplifier(process, key, amplifier) => default(process, key).map(|_| format!("{process}.{key}.{amplifier}")),
        };
        let keys: Vec<String> = targets.iter().filter_map(one).collect();
        (!keys.is_empty()).then(|| keys.join("; "))
    };
    command = command.mut_args(|arg| {
        let long = arg.get_long().map(|l| format!("--{l}")).unwrap_or_default();
        let Some((_, targets)) = MAPPING.iter().find(|(option, _)| *option == long) else { return arg };
        let Some(keys) = keys(targets) else { return arg.hide(true) };
        let short = arg.get_help().map(|text| format!("{text} [{keys}]"));
        let long = arg.get_long_help().map(|text| format!("{text} [{keys}]"));
        let arg = if let Some(text) = short { arg.help(text) } else { arg };
        if let Some(text) = long { arg.long_help(text) } else { arg }
    });
    command
}

/// A default value in the help: texts without quotes where that is clear, whole numbers without decimals.
fn show(value: &Value) -> String {
    match value {
        Value::String(s) if !s.is_empty() && !s.contains(' ') => s.clone(),
        Value::Number(n) if n.is_f64() => n.as_f64().map_or_else(|| n.to_string(), |x| x.to_string()),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
