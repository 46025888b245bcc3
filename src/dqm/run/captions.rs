//! Captions: what a plot shows, from which image and region, with which cuts and gain.

use std::collections::BTreeMap;

use crate::dqm::elements::config::ElementConfig;
use crate::dqm::model::RunRecord;
use crate::dqm::quality::short;

/// The caption of a monitor element; `used`: the gain that made the electrons, by amplifier.
pub(super) fn caption(config: &ElementConfig, run: &RunRecord, used: &BTreeMap<String, f64>) -> String {
    let image = &config.image;
    let p = |key: &str| config.describe(key);
    let gain = if run.gains.is_empty() && used.is_empty() {
        "with the gain that the chain used for each image".to_owned()
    } else if run.gains.is_empty() {
        let gains: Vec<String> = used.iter().map(|(a, g)| format!("{a} {}", short(*g))).collect();
        format!("with the gain that the chain used (median of the images: {} ADU/e⁻)", gains.join(", "))
    } else {
        let gains: Vec<String> = run.gains.iter().map(|(a, g)| format!("{a} {}", short(g.value))).collect();
        format!("with the gain of the high-resolution image ({} ADU/e⁻)", gains.join(", "))
    };
    let electrons = if image.ends_with("_e") { gain.clone() } else { format!("divided by the gain ({gain})") };
    let fit = || {
        format!(
            "dark-current fit with {}, window {}…{} ADU, gain {}…{} ADU/e⁻",
            if config.is_given("n_peaks") {
                format!("{} peaks", p("n_peaks"))
            } else {
                "all peaks of the window".into()
            },
            p("x_min"),
            p("x_max"),
            p("gain_min"),
            p("gain_max")
        )
    };
    let masked = || if config.truth("mask_clusters") { ", without the clusters that the chain masked" } else { "" };
    match config.description.id {
        0 => format!(
            "Mean over the active pixels of the difference between skip {} and each {}th skip, divided by the median of \
             the amplifier's {image}.",
            p("skip_reference"),
            p("skip_step")
        ),
        1 => format!(
            "Mean charge per row of {image}, {electrons}; active pixels below median + {}·MAD of their row. Error bars: \
             standard deviation of these pixels.",
            p("n_mad")
        ),
        2 => format!(
            "Active pixels per column of {image} above mean + {} standard deviations; columns are counted from the \
             amplifier, so that cross-talk partners coincide.",
            p("n_std")
        ),
        3 => format!(
            "1.4826·MAD of the overscan pixels averaged over N skips, the first {} skips left out; dashed: 1/√N through \
             the last point. What the rows differ in their pedestal is part of it.",
            p("id_skip_start")
        ),
        5 => format!(
            "Standard deviation of the pixels below median + {}·MAD of their row, {image}, active region, {electrons}.",
            p("n_mad")
        ),
        6 | 7 => format!(
            "{} of the straight line through the mean charge per row ({image}, active pixels below median + {}·MAD, \
             {electrons}).",
            if config.description.id == 6 { "Slope" } else { "Value at row 0" },
            p("n_mad")
        ),
        8 | 9 => format!(
            "{} of all active pixels of each row of {image}, {electrons}.",
            if config.description.id == 8 { "Median" } else { "Median absolute deviation (unscaled)" }
        ),
        10 | 11 => format!(
            "{} over the active rows of each column of {image}, {electrons}.",
            if config.description.id == 10 { "Median" } else { "Median absolute deviation (unscaled)" }
        ),
        12 => format!(
            "Rows of each column of {image} whose charge, rounded, exceeds {} e⁻; all columns, {gain}{}.",
            p("ne"),
            if config.truth("mask_clusters") { "; boxes behind bright pixels left out" } else { "" }
        ),
        20 | 21 => format!(
            "{} of the overscan pixels of each row of {image}, {electrons}.",
            if config.description.id == 20 {
                "Median (error bars: MAD)"
            } else {
                "Median absolute deviation (unscaled)"
            }
        ),
        30 => "Pedestal of each row as estimated by the chain.".into(),
        31 => "Width of the pedestal of each row as estimated by the chain.".into(),
        32 => "Mean over the rows of the pedestal, against the start of the exposure.".into(),
        33 => "Mean over the rows of the width of the pedestal, against the start of the exposure.".into(),
        40 => format!("Overscan pixels of {image}, {electrons}: the raw baseline; bins of 0.02 e⁻."),
        41 => format!(
            "Active pixels of {image} less than {} e⁻ above the lowest one, {electrons}; bins of 0.02 e⁻.",
            p("threshold")
        ),
        42 => format!("Overscan pixels of {image} with a Gaussian fit (χ², all bins)."),
        43 => format!("Active pixels of {image}{}, {electrons}; bins of 0.02 e⁻; dotted: whole electrons.", masked()),
        50..=53 => format!(
            "Blocks of {} rows of the active region of {image}{}: {}. Errors do not contain the covariance with the gain.",
            p("row_step"),
            masked(),
            fit()
        ),
        54..=57 => format!(
            "Blocks of {} columns of {image}, prescan and overscan too{}: {}. Errors do not contain the covariance with \
             the gain.",
            p("col_step"),
            masked(),
            fit()
        ),
        60 => format!("Active pixels of {image}{} in bins of {} ADU, and the {}.", masked(), p("binning_size"), fit()),
        61..=64 => format!("From the {} of the active pixels of {image}{}.", fit(), masked()),
        70 => format!("log₁₀(q − min + 1) of {image}, whole frame; dashed: limits of the active columns."),
        71 | 72 => format!("{image}, whole frame, colours from the 1st to the 99th percentile."),
        73 => format!("{image}, whole frame, {gain}."),
        80 => format!(
            "Charge-loss coefficient divided by its error: pixels whose difference to skip {} lies more than {} σ above \
             or below the mean; active pixels outside of clusters.",
            p("id_skip_reference"),
            p("kcl_threshold")
        ),
        100 => format!(
            "Left: fraction of the images in which an active pixel of {image} lies above median + {}·MAD of the overscan \
             (active pixels without overscan) of its row and not above {} ADU. Right: the mask: pixels above {}, rows \
             with more than {} and columns with more than {} hot pixels.",
            p("n_mad"),
            p("q_max_adu"),
            p("hot_pixel_fraction"),
            p("hot_rows_fraction"),
            p("hot_cols_fraction")
        ),
        110 => format!(
            "Median pedestal of {} groups of rows relative to that of all rows, in units of the median sigma.",
            p("partitions")
        ),
        111 => format!("1 if the mean pedestal sigma exceeds {} ADU.", p("cutoff_sigma")),
        112 => format!("Mean pedestal sigma: 0 below {}, 1 up to {}, 2 above (ADU).", p("min_sigma"), p("max_sigma")),
        113 => format!(
            "Rows with at least {} consecutive overscan pixels above {} sigma.",
            p("minimum_cluster_size"),
            p("allowed_sigma_deviation")
        ),
        114 => "1 if one of the elements 110–113 is set.".into(),
        115 => "Temperature from the header (input.scp, key T).".into(),
        116 => "Pressure from the header (input.scp, key P).".into(),
        _ => config.description.title.into(),
    }
}
