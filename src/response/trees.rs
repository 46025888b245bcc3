//! Content of the ROOT file of a detector-response run (spec 07 §5): names, types and values, as data.

use std::sync::Arc;

use super::config::ResponseConfig;
use super::geant4_input::RunInfo;
use crate::image::RawData;
use crate::image::raw_data::Numbers;
use crate::output::cluster_trees::{Value, clusters_rec};
use crate::process::digitize::{HitCollection, ParticleFlags, Pixel, Recorded};
use crate::process::reconstruction::ClusterTable;
use crate::root::{BranchType, Cell};

/// Branches of one entry, in the order of the file.
pub type Branches = Vec<(String, Value)>;

/// Names and types of the branches.
pub fn schema(branches: &Branches) -> Vec<(String, BranchType)> {
    branches.iter().map(|(name, value)| (name.clone(), value.branch_type())).collect()
}

/// Values as the writer takes them.
pub fn cells(branches: &Branches) -> Vec<Cell<'_>> {
    branches.iter().map(|(_, value)| value.cell()).collect()
}

/// What the branches of a run depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Whether hits became electrons.
    pub diffusion: bool,
    /// Whether clusters are pasted on blanks.
    pub pasted: bool,
    /// Whether a saturation acts on pixels without noise, so that the energies before it are known.
    pub unsaturated: bool,
    /// Columns of primaries.
    pub primaries: Arc<[&'static str]>,
}

type Flag = (&'static str, fn(&ParticleFlags) -> bool);

const FLAGS: [Flag; 6] = [
    ("neutron", |f| f.neutron),
    ("gamma", |f| f.gamma),
    ("silicon", |f| f.silicon),
    ("alpha", |f| f.alpha),
    ("ion", |f| f.ion),
    ("electron", |f| f.electron),
];

/// A vector of vectors that is cut by `offsets`.
fn floats(values: impl Iterator<Item = f64>, offsets: &Arc<[usize]>) -> Value {
    Value::FloatLists(values.map(|x| x as f32).collect(), offsets.clone())
}

fn ints(values: impl Iterator<Item = i64>, offsets: &Arc<[usize]>) -> Value {
    Value::IntLists(values.map(narrow).collect(), offsets.clone())
}

/// A 32-bit integer; out-of-range numbers stop at its ends.
fn narrow(x: i64) -> i32 {
    x.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

fn ordered(first: Branches, mut rest: Branches) -> Branches {
    rest.sort_by(|a, b| a.0.cmp(&b.0));
    first.into_iter().chain(rest).collect()
}

fn primaries(shape: &Shape, values: &[Vec<f64>]) -> Branches {
    let column = |i: usize| values.get(i).map(|v| v.iter().map(|x| *x as f32).collect()).unwrap_or_default();
    shape.primaries.iter().enumerate().map(|(i, name)| (format!("pp_{name}"), Value::Floats(column(i)))).collect()
}

/// The entry of `pixelizedEvent`: one element per collection; coordinates from 0.
pub fn pixelized_event(event: i64, collections: &[HitCollection], values: &[Vec<f64>], shape: &Shape) -> Branches {
    let mut offsets = vec![0];
    for c in collections {
        offsets.push(offsets[offsets.len() - 1] + c.pixels.len());
    }
    let offsets: Arc<[usize]> = offsets.into();
    let pixels = || collections.iter().flat_map(|c| &c.pixels);
    let float = |f: fn(&Pixel) -> f64| floats(pixels().map(f), &offsets);
    let mut rest: Branches = vec![
        ("ccd".into(), Value::Ints(collections.iter().map(|c| c.ccd).collect())),
        ("Npix".into(), Value::Ints(collections.iter().map(|c| narrow(c.pixels.len() as i64)).collect())),
        ("pixels_x".into(), ints(pixels().map(|p| i64::from(p.col)), &offsets)),
        ("pixels_y".into(), ints(pixels().map(|p| i64::from(p.row)), &offsets)),
        ("pixels_z".into(), float(|p| p.z)),
        ("pixels_Edep".into(), float(|p| p.energy / 1e3)),
        ("pixels_time".into(), float(|p| p.time)),
        ("pixels_pdg".into(), ints(pixels().map(|p| i64::from(p.pdg)), &offsets)),
    ];
    if shape.diffusion {
        rest.push(("pixels_N_carried_charges".into(), ints(pixels().map(|p| i64::from(p.charge)), &offsets)));
        rest.push(("pixels_sigma_xy".into(), float(|p| p.sigma)));
    }
    if shape.unsaturated {
        rest.push(("pixels_E_MCT".into(), float(|p| p.unsaturated / 1e3)));
    }
    for (name, flag) in FLAGS {
        rest.push((format!("pixels_{name}"), floats(pixels().map(|p| f64::from(u8::from(flag(&p.flags)))), &offsets)));
    }
    if shape.pasted {
        let pasted = || collections.iter().map(|c| c.pasted.clone().unwrap_or_default());
        let mut offsets = vec![0];
        pasted().for_each(|p| offsets.push(offsets[offsets.len() - 1] + p.rows.len()));
        let offsets: Arc<[usize]> = offsets.into();
        rest.push(("rnd_rows".into(), Value::IntLists(pasted().flat_map(|p| p.rows).collect(), offsets.clone())));
        rest.push(("rnd_cols".into(), Value::IntLists(pasted().flat_map(|p| p.cols).collect(), offsets.clone())));
        rest.push(("rnd_Edep".into(), Value::FloatLists(pasted().flat_map(|p| p.energies).collect(), offsets)));
    }
    rest.extend(primaries(shape, values));
    ordered(vec![("event".into(), Value::Int(narrow(event)))], rest)
}

/// Branches of images that simulated clusters do not have: noise, seeds, ADU, times of the readout.
fn is_of_images(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "RUNID",
        "nfile",
        "has_seed",
        "qmin_cluster_seed",
        "sigma_seed_eV",
        "Energy_AVG",
        "Energy_PS",
        "pixels_E_AVG",
        "pixels_E_PS",
        "pixels_z",
        "ccd",
        "Nclusters",
        "readout_start",
        "readout_end",
    ];
    NAMES.contains(&name) || name.starts_with("seed_nsig") || name.starts_with("closest_cls")
}

/// The entry of `clustersRec`: one element per cluster; coordinates from 1.
pub fn clusters(event: i64, collections: &[HitCollection], values: &[Vec<f64>], shape: &Shape) -> Branches {
    let mut table = ClusterTable::default();
    let mut pixels: Vec<&Pixel> = Vec::new();
    let mut ccds = Vec::new();
    for collection in collections {
        if let Some(clusters) = &collection.clusters {
            ccds.extend(std::iter::repeat_n(collection.ccd, clusters.len()));
            pixels.extend(collection.cluster_pixels.iter().map(|&i| &collection.pixels[i]));
            table.append(clusters.clone());
        }
    }
    let n = table.len();
    let ranges: Vec<std::ops::Range<usize>> = (0..n).map(|i| table.pixels(i)).collect();
    let offsets: Arc<[usize]> = table.offsets.as_slice().into();
    let brightest: Vec<usize> = (0..n).map(|i| ranges[i].start + table.clusters[i].qmax_pixel).collect();
    let mut raw = RawData::default();
    raw.products.set(table);
    let entry = clusters_rec(&raw, Numbers::default());
    let mut rest: Branches = entry.branches().iter().filter(|(name, _)| !is_of_images(name)).cloned().collect();
    rest.push(("ccd".into(), Value::Ints(ccds)));

    let all = || pixels.iter().copied();
    rest.push(("pixels_z".into(), floats(all().map(|p| p.z), &offsets)));
    rest.push(("pixels_time".into(), floats(all().map(|p| p.time), &offsets)));
    rest.push(("pixels_std_time".into(), floats(all().map(|p| p.std_time), &offsets)));
    rest.push(("pixels_img_time".into(), ints(all().map(|p| p.window), &offsets)));
    rest.push(("primary_part".into(), ints(all().map(|p| i64::from(p.pdg)), &offsets)));
    let of_cluster = |i: usize| pixels[ranges[i].clone()].iter().copied();
    let per_cluster = |f: &dyn Fn(usize) -> f64| Value::Floats((0..n).map(|i| f(i) as f32).collect());
    let per_cluster_int = |f: &dyn Fn(usize) -> i64| Value::Ints((0..n).map(|i| narrow(f(i))).collect());
    for (name, flag) in FLAGS {
        let of_pixels = ints(all().map(|p| i64::from(flag(&p.flags))), &offsets);
        rest.push((format!("{name}_in_pixel"), of_pixels));
        rest.push((format!("is{name}"), per_cluster_int(&|i| i64::from(of_cluster(i).any(|p| flag(&p.flags))))));
    }
    let mean = |i: usize, f: fn(&Pixel) -> f64| of_cluster(i).map(f).sum::<f64>() / ranges[i].len() as f64;
    let weighted = |i: usize, f: fn(&Pixel) -> f64| {
        of_cluster(i).map(|p| p.energy * f(p)).sum::<f64>() / of_cluster(i).map(|p| p.energy).sum::<f64>()
    };
    let least = |i: usize, f: fn(&Pixel) -> f64| of_cluster(i).map(f).fold(f64::INFINITY, f64::min);
    let most = |i: usize, f: fn(&Pixel) -> f64| of_cluster(i).map(f).fold(f64::NEG_INFINITY, f64::max);
    let time = |p: &Pixel| p.time;
    rest.push(("wTime".into(), per_cluster(&|i| weighted(i, time))));
    rest.push(("meanTime".into(), per_cluster(&|i| mean(i, time))));
    rest.push(("minTime".into(), per_cluster(&|i| least(i, time))));
    rest.push(("timeQmax".into(), per_cluster(&|i| pixels[brightest[i]].time)));
    rest.push(("img_time".into(), per_cluster(&|i| mean(i, |p| p.window as f64))));
    let z = |p: &Pixel| p.z;
    let std = |i: usize| {
        let centre = mean(i, z);
        (of_cluster(i).map(|p| (p.z - centre).powi(2)).sum::<f64>() / ranges[i].len() as f64).sqrt()
    };
    let weighted_std = |i: usize| {
        let centre = weighted(i, z);
        let sum: f64 = of_cluster(i).map(|p| p.energy * (p.z - centre).powi(2)).sum();
        (sum / of_cluster(i).map(|p| p.energy).sum::<f64>()).sqrt()
    };
    rest.push(("minZ".into(), per_cluster(&|i| least(i, z))));
    rest.push(("maxZ".into(), per_cluster(&|i| most(i, z))));
    rest.push(("DZ".into(), per_cluster(&|i| most(i, z) - least(i, z))));
    rest.push(("meanZ".into(), per_cluster(&|i| mean(i, z))));
    rest.push(("PosZ".into(), per_cluster(&|i| weighted(i, z))));
    rest.push(("RMSZ".into(), per_cluster(&|i| mean(i, |p| p.z * p.z))));
    rest.push(("STD_Z".into(), per_cluster(&std)));
    rest.push(("wSTD_Z".into(), per_cluster(&weighted_std)));
    rest.push(("dwSTD_Z".into(), per_cluster(&|i| weighted_std(i) / (ranges[i].len() as f64).sqrt())));
    rest.push(("QmaxZ".into(), per_cluster(&|i| pixels[brightest[i]].z)));
    if shape.unsaturated {
        let saturated = |p: &Pixel| i64::from(p.unsaturated > p.energy);
        rest.push(("pixels_E_MCT".into(), floats(all().map(|p| p.unsaturated / 1e3), &offsets)));
        rest.push(("pixels_saturated".into(), ints(all().map(saturated), &offsets)));
        rest.push(("Energy_MCT".into(), per_cluster(&|i| of_cluster(i).map(|p| p.unsaturated / 1e3).sum())));
        rest.push((
            "Npix_MCT".into(),
            per_cluster_int(&|i| of_cluster(i).filter(|p| p.unsaturated > 0.0).count() as i64),
        ));
        rest.push(("Npix_sat".into(), per_cluster_int(&|i| of_cluster(i).map(saturated).sum())));
    }
    rest.extend(primaries(shape, values));
    let first = vec![("event".into(), Value::Int(narrow(event))), ("Nclusters".into(), Value::Int(narrow(n as i64)))];
    ordered(first, rest)
}

/// Positions of the volumes called `name`: that name itself if it occurs once, else all of this name or this name with a
/// number (`name_3`).
pub fn find_volumes(names: &[String], name: &str) -> Vec<usize> {
    let exact: Vec<usize> = (0..names.len()).filter(|&i| names[i] == name).collect();
    if exact.len() == 1 {
        return exact;
    }
    let numbered = |candidate: &str| {
        candidate
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('_'))
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    (0..names.len()).filter(|&i| names[i] == name || numbered(&names[i])).collect()
}

/// The entry of `geant4_config` for an input file; `single` if every file of the run has its primaries in one volume.
pub fn geant4_config(number: usize, run: &RunInfo, clusters: u64, detector: &str, single: bool) -> Branches {
    let ccd = find_volumes(&run.volume_names, detector).first().copied();
    let of_ccd = |values: &[f64]| Value::Double(ccd.and_then(|i| values.get(i).copied()).unwrap_or(0.0));
    let volumes = find_volumes(&run.volume_names, &run.simulated_volume);
    let of_primaries = |values: &[f64]| {
        let chosen: Vec<f64> = volumes.iter().map(|&i| values.get(i).copied().unwrap_or(0.0)).collect();
        if single {
            Value::Double(chosen.first().copied().unwrap_or(0.0))
        } else {
            Value::FloatLists(chosen.iter().map(|x| *x as f32).collect(), [0, chosen.len()].into())
        }
    };
    let names: Vec<&str> = volumes.iter().map(|&i| run.volume_names[i].as_str()).collect();
    let rest = vec![
        ("Nfile".into(), Value::Int(narrow(number as i64))),
        ("Ncls".into(), Value::Int(narrow(clusters as i64))),
        ("NEvts".into(), Value::Int(narrow(run.events))),
        ("NCCDs".into(), Value::Int(narrow(run.ccds))),
        ("Seed".into(), Value::Int(narrow(run.seed))),
        ("pp_gps".into(), Value::Text(run.primary_particle.clone())),
        ("pp_ion".into(), Value::Text(run.primary_ion.clone())),
        ("ccd_mass".into(), of_ccd(&run.masses)),
        ("ccd_vol".into(), of_ccd(&run.volumes)),
        ("ccd_density".into(), of_ccd(&run.densities)),
        ("ccd_surface".into(), of_ccd(&run.surfaces)),
        ("pp_vol_n".into(), Value::Int(narrow(volumes.len() as i64))),
        ("pp_vol_pvnames".into(), Value::Text(names.join(";"))),
        ("pp_vol_density".into(), of_primaries(&run.densities)),
        ("pp_vol_mass".into(), of_primaries(&run.masses)),
        ("pp_vol_volume".into(), of_primaries(&run.volumes)),
        ("pp_vol_surface".into(), of_primaries(&run.surfaces)),
    ];
    ordered(vec![("id".into(), Value::Int(narrow(number as i64))), ("Nclusters".into(), Value::Int(1))], rest)
}

/// The entry of `process_config`.
pub fn process_config(config: &ResponseConfig, seed: u64) -> Branches {
    let mut rest: Branches = Vec::new();
    for step in &config.chain {
        rest.push((format!("{}_sequence_id", step.name()), Value::Int(step.sequence_id() as i32)));
        for (key, value) in step.recorded() {
            let value = match value {
                Recorded::Int(x) => Value::Int(narrow(x)),
                Recorded::Real(x) => Value::Double(x),
                Recorded::Text(text) => Value::Text(text),
            };
            rest.push((format!("{}_{key}", step.name()), value));
        }
    }
    let ccd = &config.ccd;
    for (name, value) in
        [("e2eV", ccd.e2ev), ("ADC2eV", ccd.adc2ev), ("ADC2e", ccd.e2ev / ccd.adc2ev), ("img_exp_time", ccd.image_time)]
    {
        rest.push((name.into(), Value::Double(value)));
    }
    rest.push(("waders_version".into(), Value::Text(env!("CARGO_PKG_VERSION").into())));
    rest.push(("seed".into(), Value::Text(seed.to_string())));
    ordered(vec![("id".into(), Value::Int(0))], rest)
}
