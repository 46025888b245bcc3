//! A run as it comes out of the monitor, for tests of everything that reads summaries.

use super::*;
use crate::dqm::catalogue::{self, Scope};

/// A run of `images` images with amplifiers L and U, 40 rows, a reference run, and something of everything: vectors with
/// and without errors, scalars, histograms, pictures, the mask, elements that do not apply, an image that fails
/// (the second: pedestal shifted), a warning, and an image that could not be read (the last, when there are more than two).
///
/// Names and texts hold characters that reports must escape.
pub(crate) fn run(number: i64, images: usize) -> Summary {
    let mut random = Noise(number as u64);
    let mut summary = Summary {
        schema: SCHEMA.into(),
        version: VERSION,
        tool: crate::output::images::TOOL.into(),
        run: RunRecord {
            number,
            tag: "commissioning <2>".into(),
            start: Some("2022-05-10T00:00:00".into()),
            end: Some("2022-05-10T05:00:00".into()),
            data_dir: "/data/Run_59 & more".into(),
            output_dir: ".".into(),
            n_images: images,
            reference: Some(ReferenceRun { run: 30, path: "run030/me/me_summary_run030.pkl".into() }),
            config: "{}".into(),
            me_config: "{}".into(),
            n_masked: Some(84),
            mask: Some(format!("me/mask_run{number:03}.fits")),
            ..RunRecord::default()
        },
        dc: dark_current(),
        ..Summary::default()
    };
    for k in 0..images {
        let broken = images > 2 && k + 1 == images;
        summary.images.push(image(k, broken));
    }
    for description in catalogue::CATALOGUE.iter().filter(|d| d.on) {
        let me = element(description, &summary, &mut random);
        summary.mes.insert(description.name.into(), me);
    }
    for image in summary.images.iter_mut().filter(|i| i.error.is_none()) {
        let entries = summary.mes.values().flat_map(|me| &me.entries).filter(|e| e.file == image.file);
        image.status = Flag::worst(entries.map(|e| e.status));
    }
    summary.run.status = Flag::worst(summary.images.iter().map(|i| i.status)).min(Flag::Fail);
    summary
}

/// Repeatable noise.
struct Noise(u64);

impl Noise {
    fn gauss(&mut self) -> f64 {
        let uniform = |n: &mut u64| {
            *n = n.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((*n >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let (u, v) = (uniform(&mut self.0), uniform(&mut self.0));
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

fn dark_current() -> DarkCurrent {
    let one = || DarkCurrent {
        gain: Pair::new(10.138, 0.072),
        lambda: Pair::new(3.283, 0.096),
        sigma: Pair::new(0.151, 0.004),
        mu0: Pair::new(0.002, 0.001),
        per_amp: Default::default(),
    };
    DarkCurrent { per_amp: [("L".to_owned(), one()), ("U".to_owned(), one())].into(), ..one() }
}

fn image(k: usize, broken: bool) -> ImageRecord {
    ImageRecord {
        number: k as i64 + 1,
        file: format!("Image_<Am241>_{}.fits", k + 1),
        file_size: 1_152_000,
        file_mtime_ns: Some(1_652_140_800_000_000_000 + k as i64),
        ccd: 1,
        amplifiers: if broken { Vec::new() } else { vec!["L".into(), "U".into()] },
        nrows: 40,
        ncols: 100,
        nskips: 200,
        npbin: 1,
        nsbin: 1,
        texp: 600.0,
        tread: 1200.0,
        start: Some(format!("2022-05-10T{:02}:00:00.000", k % 24)),
        end: Some(format!("2022-05-10T{:02}:30:00.000", k % 24)),
        temperature: Pair::new(120.1, 0.1),
        gains: [("L".to_owned(), Pair::new(10.1, 0.07)), ("U".to_owned(), Pair::new(9.9, 0.07))].into(),
        status: if broken { Flag::Error } else { Flag::None },
        error: broken.then(|| "the data unit is cut off: 1000 of 1152000 bytes are there".into()),
        ..ImageRecord::default()
    }
}

fn element(d: &'static catalogue::Description, summary: &Summary, random: &mut Noise) -> MonitorElement {
    let stem = d.file_stem();
    let per_image = matches!(d.scope, Scope::I | Scope::K) || matches!(d.id, 42 | 60);
    let mut plots = if per_image { Vec::new() } else { vec![format!("{}/{stem}.png", d.room.directory())] };
    if matches!(d.scope, Scope::R | Scope::C) {
        plots.push(format!("{}/{stem}_median.png", d.room.directory()));
    }
    let mut me = MonitorElement {
        id: d.id,
        scope: d.scope,
        title: d.title.into(),
        caption: format!(
            "{}: image mean_compressed_pedestal_subtracted, active region, 5 MAD & gain of the run.",
            d.title
        ),
        xlabel: d.x_label().into(),
        ylabel: d.y_label(),
        unit: d.unit.into(),
        aliases: d.aliases().map(str::to_owned).collect(),
        plots,
        status: Flag::None,
        entries: Vec::new(),
        run: Vec::new(),
    };
    let amplifiers: &[&str] = if d.scope == Scope::I { &[""] } else { &["L", "U"] };
    for (k, image) in summary.images.iter().enumerate().filter(|(_, i)| i.error.is_none() && d.scope != Scope::M) {
        for amplifier in amplifiers {
            me.entries.push(entry(d, k, image, amplifier, random));
        }
    }
    me.run = amplifiers.iter().map(|a| run_entry(d, &me, a)).collect();
    me.status = Flag::worst(me.entries.iter().map(|e| e.status).chain(me.run.iter().map(|r| r.status)));
    me
}

fn entry(d: &catalogue::Description, k: usize, image: &ImageRecord, amplifier: &str, random: &mut Noise) -> Entry {
    let mut entry = Entry {
        image: image.number,
        file: image.file.clone(),
        ccd: 1,
        amplifier: amplifier.into(),
        ..Entry::default()
    };
    let level = if d.unit.starts_with("ADU") { 10.0 } else { 0.1 };
    match d.scope {
        Scope::R | Scope::C | Scope::K => {
            let y: Vec<f64> = (0..40).map(|_| level * (1.0 + 0.05 * random.gauss())).collect();
            entry.x = Values::Many((1..=40).map(f64::from).collect());
            entry.yerr = Values::Many(vec![0.05 * level; 40]);
            entry.yfit = Values::Many(vec![level; 40]);
            entry.y = Values::Many(y);
            entry.fit = Some(LineFit {
                slope: 1e-4,
                slope_err: 2e-4,
                intercept: level,
                intercept_err: 0.01 * level,
                chi2_ndf: 1.02,
            });
        }
        Scope::S => {
            entry.x = Values::One(image.number as f64);
            entry.y = Values::One(level * (1.0 + 0.05 * random.gauss()));
            entry.yerr = Values::One(0.05 * level);
        }
        Scope::H => {
            let counts = (0..200u32).map(|n| (1000.0 * (-0.5 * ((f64::from(n) - 60.0) / 15.0).powi(2)).exp()) as u32);
            entry.histogram = Some(HistogramCounts { first_edge: -2.0, width: 0.05, counts: counts.collect() });
            entry.extra.insert("mu".into(), Extra::Number(1.003));
        }
        Scope::I | Scope::M => {}
    }
    if matches!(d.scope, Scope::I | Scope::K) || matches!(d.id, 42 | 60) {
        entry.plot = Some(format!("me/img/file_Image_{}_run59_{}.png", image.number, d.file_stem()));
    }
    if d.id == 20 && amplifier == "U" {
        let Entry { image, file, ccd, amplifier, .. } = entry;
        let reason = Some("the amplifier has no overscan".to_owned());
        return Entry { image, file, ccd, amplifier, reason, ..Entry::default() };
    }
    if matches!(d.id, 1 | 30 | 32 | 61) {
        let flag = match (d.id, k) {
            (30 | 32, 1) => Flag::Fail,
            (61, 0) => Flag::Warn,
            _ => Flag::Pass,
        };
        let failing = flag != Flag::Pass && d.scope == Scope::R;
        entry.tests.push(QualityTest {
            name: if d.id == 61 { "QT:range" } else { "QTresiduals" }.into(),
            flag,
            result: flag == Flag::Pass,
            value: if flag == Flag::Pass { 0.0 } else { 12.5 },
            cut: 5.0,
            n_std: 3.0,
            mean_ref: level,
            std_ref: 0.05 * level,
            range: (d.id == 61).then(|| Pair::new(-0.01, 0.01)),
            run_ref: Some(30),
            x: if failing { vec![3.0, 7.0] } else { Vec::new() },
            y: if failing { vec![2.0 * level, 2.1 * level] } else { Vec::new() },
            reason: "5 of 40 rows lie more than 3 σ from the reference".into(),
        });
    }
    entry.update_status();
    entry
}

fn run_entry(d: &catalogue::Description, me: &MonitorElement, amplifier: &str) -> RunEntry {
    let mut run = RunEntry {
        ccd: 1,
        amplifier: amplifier.into(),
        n_images: me.of_amplifier(amplifier).count(),
        ..RunEntry::default()
    };
    match d.scope {
        Scope::R | Scope::C if run.n_images > 0 => {
            let first = me.of_amplifier(amplifier).next().expect("there is one");
            let y = first.y.as_slice();
            run.x = first.x.clone();
            run.median = first.y.clone();
            run.mean = first.y.clone();
            run.p25 = Values::Many(y.iter().map(|y| 0.97 * y).collect());
            run.p75 = Values::Many(y.iter().map(|y| 1.03 * y).collect());
            run.fit = first.fit;
            run.reference = Some(ReferenceProfile {
                run: 30,
                n_images: 20,
                x: first.x.clone(),
                median: first.y.clone(),
                fit: first.fit,
            });
        }
        Scope::S if run.n_images > 0 => {
            let y: Vec<f64> = me.of_amplifier(amplifier).flat_map(|e| e.y.as_slice().to_vec()).collect();
            run.median = Values::One(crate::stats::robust::median(&y));
            run.mean = Values::One(crate::stats::robust::mean(&y));
            run.fit = None;
        }
        Scope::M => {
            run.median = Values::One(42.0);
            run.extra.insert("hot_cols".into(), Extra::Numbers(vec![17.0]));
            run.extra.insert("hot_rows".into(), Extra::Numbers(Vec::new()));
        }
        _ => {}
    }
    run
}
