//! What goes into the ROOT trees `clustersRec`, `info` and `process_config` (spec 05 §9), as data: names, types and
//! values of the branches of one entry, in file order. Writing them is the business of [`crate::root`].
//!
//! Names, types and order are what existing macros read. In `clustersRec` every branch but the first two is a vector with
//! one element per cluster; in the other two trees scalars and strings come first, then vectors; each group in byte order.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::fits::Header;
use crate::image::raw_data::Numbers;
use crate::image::report::{ConfigResult, InfoValue};
use crate::image::{Amplifier, RawData};
use crate::process::analysis::fit_dark_current::info_branch;
use crate::process::analysis::products::{Axis, DEFAULT_GAIN, Pedestal, PedestalAxis};
use crate::process::reconstruction::EV_PER_ELECTRON;
use crate::process::reconstruction::cluster_finder::conditional::PPCOL_SCALE;
use crate::process::reconstruction::cluster_table::{Cluster, ClusterTable, Column, Lists, Projected};
use crate::root::{BranchType, Cell, Nested};
use crate::stats::robust;

/// ADU per electron assumed by the older framework for `ADC2eV`.
const OLD_ADU_PER_ELECTRON: f64 = 14.5;
/// Exposure of simulated images, s.
const SIMULATED_EXPOSURE: f64 = 8.64e13;
/// Parameters that say how to run and not what to compute.
const NOT_RECORDED: [&str; 6] = ["__DEBUG__", "__display__", "__verbose__", "__silent__", "show_fit", "histequ"];

/// Value of a branch in one entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `int`.
    Int(i32),
    /// `double`.
    Double(f64),
    /// `string`.
    Text(String),
    /// `vector<int>`.
    Ints(Vec<i32>),
    /// `vector<float>`.
    Floats(Vec<f32>),
    /// `vector<vector<int>>`: list `i` is `values[offsets[i]..offsets[i + 1]]`.
    IntLists(Vec<i32>, Arc<[usize]>),
    /// `vector<vector<float>>`.
    FloatLists(Vec<f32>, Arc<[usize]>),
}

impl Value {
    /// Type of the branch.
    pub fn branch_type(&self) -> BranchType {
        match self {
            Self::Int(_) => BranchType::Int,
            Self::Double(_) => BranchType::Double,
            Self::Text(_) => BranchType::String,
            Self::Ints(_) => BranchType::VecInt,
            Self::Floats(_) => BranchType::VecFloat,
            Self::IntLists(..) => BranchType::VecVecInt,
            Self::FloatLists(..) => BranchType::VecVecFloat,
        }
    }

    /// The value as the writer takes it.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Int(x) => Cell::Int(*x),
            Self::Double(x) => Cell::Double(*x),
            Self::Text(text) => Cell::Str(text),
            Self::Ints(values) => Cell::VecInt(values),
            Self::Floats(values) => Cell::VecFloat(values),
            Self::IntLists(values, offsets) => Cell::VecVecInt(Nested::flat(values, offsets)),
            Self::FloatLists(values, offsets) => Cell::VecVecFloat(Nested::flat(values, offsets)),
        }
    }

    fn is_vector(&self) -> bool {
        !matches!(self, Self::Int(_) | Self::Double(_) | Self::Text(_))
    }

    /// The value of a branch that an entry does not have: −1 or NaN for each of `elements` clusters, no lists' elements.
    fn missing(kind: BranchType, elements: usize) -> Self {
        match kind {
            BranchType::Int => Self::Int(-1),
            BranchType::String => Self::Text(String::new()),
            BranchType::VecInt => Self::Ints(vec![-1; elements]),
            BranchType::VecFloat => Self::Floats(vec![f32::NAN; elements]),
            BranchType::VecVecInt => Self::IntLists(Vec::new(), vec![0; elements + 1].into()),
            BranchType::VecVecFloat => Self::FloatLists(Vec::new(), vec![0; elements + 1].into()),
            BranchType::Double | BranchType::Float | BranchType::VecDouble => Self::Double(f64::NAN),
        }
    }
}

/// One entry of a tree: its branches in file order.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    branches: Vec<(String, Value)>,
    /// Elements of the vectors of a cluster tree.
    elements: usize,
}

impl Entry {
    /// Names and types, in file order.
    pub fn schema(&self) -> Vec<(String, BranchType)> {
        self.branches.iter().map(|(name, value)| (name.clone(), value.branch_type())).collect()
    }

    /// Values, in file order.
    pub fn cells(&self) -> Vec<Cell<'_>> {
        self.branches.iter().map(|(_, value)| value.cell()).collect()
    }

    /// Names and values, in file order.
    pub fn branches(&self) -> &[(String, Value)] {
        &self.branches
    }

    /// Value of a branch.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.branches.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The entry in the form of an earlier one of the same tree, and the names of branches that had to be left out.
    ///
    /// All images of a run have the same branches, except those that depend on header cards (times, `PPCOL`): where such
    /// a card is missing, the branch is filled with NaN (integers: −1).
    pub fn conformed(self, schema: &[(String, BranchType)]) -> (Self, Vec<String>) {
        let elements = self.elements;
        let mut own: IndexMap<String, Value> = self.branches.into_iter().collect();
        let branches = schema
            .iter()
            .map(|(name, kind)| match own.swap_remove(name) {
                Some(value) if value.branch_type() == *kind => (name.clone(), value),
                _ => (name.clone(), Value::missing(*kind, elements)),
            })
            .collect();
        let mut left_out: Vec<String> = own.into_keys().collect();
        left_out.sort_unstable();
        (Self { branches, elements }, left_out)
    }

    /// Puts branches in file order: `first` as they are, then by `key` and name.
    fn ordered<K: Ord>(first: Vec<(String, Value)>, rest: IndexMap<String, Value>, key: fn(&Value) -> K) -> Self {
        let mut rest: Vec<(String, Value)> = rest.into_iter().collect();
        rest.sort_by(|a, b| key(&a.1).cmp(&key(&b.1)).then_with(|| a.0.cmp(&b.0)));
        let mut branches = first;
        branches.extend(rest);
        Self { branches, elements: 0 }
    }
}

/// Whether the entry of this image goes to the trees `…_tagged`: both keywords exist and one of them is true.
pub fn is_tagged(header: &Header) -> bool {
    let flag = |keyword: &str| header.value(keyword).map(|value| value.as_bool().unwrap_or(false));
    matches!((flag("MEBS"), flag("MESC")), (Some(a), Some(b)) if a || b)
}

/// A 32-bit integer; out-of-range numbers stop at its ends.
fn int(x: i64) -> i32 {
    x.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// The entry of `clustersRec` for an image; without ClusterFinder one without clusters.
pub fn clusters_rec(raw: &RawData, numbers: Numbers) -> Entry {
    let empty = ClusterTable::default();
    let table = raw.products.get::<ClusterTable>().unwrap_or(&empty);
    let n = table.len();
    let mut branches: IndexMap<String, Value> = IndexMap::new();
    let mut add = |name: &str, value: Value| {
        branches.insert(name.to_owned(), value);
    };

    type Real = fn(&Cluster) -> f64;
    let reals: [(&str, Real); 15] = [
        ("Energy", |c| c.energy),
        ("Energy_AVG", |c| c.energy_averaged),
        ("Energy_PS", |c| c.energy_subtracted),
        ("Qmax", |c| c.qmax),
        ("STD_XY", Cluster::std_xy),
        ("wSTD_XY", Cluster::weighted_std_xy),
        ("closest_cls_dist", |c| c.closest.map_or(-1.0, |other| other.distance)),
        ("closest_cls_dist_X", |c| c.closest.map_or(-1.0, |other| other.dx)),
        ("closest_cls_dist_Y", |c| c.closest.map_or(-1.0, |other| other.dy)),
        ("closest_cls_id", |c| c.closest.map_or(-1.0, |other| (other.index + 1) as f64)),
        ("qmin_cluster_seed", |c| c.seed_kev),
        ("seed_nsig_delta", |c| c.significance_max - c.significance_min),
        ("seed_nsig_max", |c| c.significance_max),
        ("seed_nsig_min", |c| c.significance_min),
        ("sigma_seed_eV", |c| c.sigma_ev),
    ];
    type Along = fn(&Projected) -> f64;
    let along: [(&str, Along); 8] = [
        ("D", |p| f64::from(p.extent())),
        ("min", |p| f64::from(p.min)),
        ("max", |p| f64::from(p.max)),
        ("mean", |p| p.mean),
        ("Pos", |p| p.position),
        ("RMS", |p| p.mean_square),
        ("STD_", |p| p.std),
        ("wSTD_", |p| p.weighted_std),
    ];
    let fitted: [(&str, Along); 2] = [("fPos", |p| p.fitted_position), ("fSTD_", |p| p.fitted_std)];
    let floats = |f: &dyn Fn(&Cluster) -> f64| Value::Floats(table.clusters.iter().map(|c| f(c) as f32).collect());
    for (name, f) in reals {
        add(name, floats(&f));
    }
    for (name, f) in along.into_iter().chain(fitted.into_iter().filter(|_| table.profiles.is_some())) {
        add(&format!("{name}X"), floats(&|c| f(&c.x)));
        add(&format!("{name}Y"), floats(&|c| f(&c.y)));
    }
    let ints = |f: &dyn Fn(usize) -> i32| Value::Ints((0..n).map(f).collect());
    let per_root_pixel = |i: usize, width: f64| (width / (table.pixels(i).len() as f64).sqrt()) as f32;
    add("dwSTD_X", Value::Floats((0..n).map(|i| per_root_pixel(i, table.clusters[i].x.weighted_std)).collect()));
    add("dwSTD_Y", Value::Floats((0..n).map(|i| per_root_pixel(i, table.clusters[i].y.weighted_std)).collect()));
    let brightest = |coordinates: &[u32]| {
        let at = |i: usize| coordinates[table.pixels(i).start + table.clusters[i].qmax_pixel];
        Value::Floats((0..n).map(|i| at(i) as f32 + 1.0).collect())
    };
    add("QmaxX", brightest(&table.cols));
    add("QmaxY", brightest(&table.rows));
    add("Npix", ints(&|i| table.pixels(i).len() as i32));
    add("cluster_id", ints(&|i| i as i32 + 1));
    add("has_seed", ints(&|i| i32::from(table.clusters[i].has_seed)));
    add("ccd", Value::Ints(vec![int(numbers.ccd); n]));
    add("nfile", Value::Ints(vec![int(numbers.image); n]));
    for (name, time) in [("readout_start", raw.times.readout_start), ("readout_end", raw.times.readout_end)] {
        if time.is_finite() {
            add(name, Value::Floats(vec![time as f32; n]));
        }
    }

    let offsets: Arc<[usize]> = table.offsets.as_slice().into();
    let narrow = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<f32>>();
    for (name, values) in [
        ("pixels_E", &table.energies),
        ("pixels_E_AVG", &table.averaged),
        ("pixels_E_PS", &table.subtracted),
        ("seed_nsig_pixels", &table.significances),
    ] {
        add(name, Value::FloatLists(narrow(values), offsets.clone()));
    }
    add("pixels_z", Value::FloatLists(vec![-1.0; table.pixel_count()], offsets.clone()));
    for (name, values) in [("pixels_x", &table.cols), ("pixels_y", &table.rows)] {
        add(name, Value::IntLists(values.iter().map(|&v| v as i32 + 1).collect(), offsets.clone()));
    }
    if let Some(profiles) = &table.profiles {
        type AxisOf = fn(&Cluster) -> &Projected;
        let axes: [(&str, &str, &Lists<f64>, AxisOf); 2] = [
            ("projectionX", "projectionX_cols", &profiles.x, |c| &c.x),
            ("projectionY", "projectionY_rows", &profiles.y, |c| &c.y),
        ];
        for (name, positions, lists, along) in axes {
            let bins: Arc<[usize]> = lists.offsets.as_slice().into();
            add(name, Value::FloatLists(narrow(&lists.values), bins.clone()));
            let first = |i: usize| along(&table.clusters[i]).min as f32 - 1.0;
            let centres = (0..n).flat_map(|i| (0..lists.get(i).len()).map(move |b| first(i) + b as f32)).collect();
            add(positions, Value::FloatLists(centres, bins));
        }
    }
    for (name, column) in table.columns() {
        add(
            name,
            match column {
                Column::Int(values) => Value::Ints(values.clone()),
                Column::Float(values) => Value::Floats(values.clone()),
                Column::PixelInt(values) => Value::IntLists(values.clone(), offsets.clone()),
                Column::PixelFloat(values) => Value::FloatLists(values.clone(), offsets.clone()),
                Column::IntList(lists) => Value::IntLists(lists.values.clone(), lists.offsets.as_slice().into()),
                Column::FloatList(lists) => Value::FloatLists(lists.values.clone(), lists.offsets.as_slice().into()),
            },
        );
    }
    let first =
        vec![("RUNID".to_owned(), Value::Int(int(numbers.run))), ("Nclusters".to_owned(), Value::Int(int(n as i64)))];
    Entry { elements: n, ..Entry::ordered(first, branches, |_| ()) }
}

/// The entry of `info` for an image.
pub fn info(raw: &RawData, numbers: Numbers) -> Entry {
    let mut branches: IndexMap<String, Value> = IndexMap::new();
    for (name, value) in &raw.report.info {
        let value = match value {
            InfoValue::Int(x) => Value::Int(*x),
            InfoValue::Double(x) => Value::Double(*x),
            InfoValue::Vector(values) => single_list(values.clone()),
        };
        branches.insert(name.clone(), value);
    }
    let mut add = |name: String, value: Value| branches.insert(name, value);
    add("idccd".into(), Value::Int(int(numbers.ccd)));
    add("nfile".into(), Value::Int(int(numbers.image)));
    add("total_exposure".into(), Value::Double(raw.times.total()));
    for (name, time) in [("readout_start", raw.times.readout_start), ("readout_end", raw.times.readout_end)] {
        if time.is_finite() {
            add(name.into(), Value::Double(time));
        }
    }
    if let Some(ppcol) = raw.header.number("PPCOL") {
        add("ppcol".into(), Value::Double(ppcol * PPCOL_SCALE));
    }
    for amplifier in &raw.amplifiers {
        for (name, value) in fit_branches(raw, amplifier) {
            add(name, Value::Double(value));
        }
        let Some(pedestal) = raw.products.get_for::<Pedestal>(&amplifier.name) else { continue };
        for along in &pedestal.axes {
            for (quantity, values) in [("mu", &along.mu), ("sigma", &along.sigma)] {
                let name = format!("{}_pedestal_{quantity}_{}", amplifier.name, along.axis.name());
                add(format!("{name}_mean_ADU"), Value::Double(robust::mean(values)));
                add(format!("{name}_ADU"), single_list(of_whole_image(raw, along, values)));
            }
            if let Some(times) = readout_times(raw, along.axis) {
                add(format!("readout_time_{}", along.axis.name()), single_list(times));
            }
        }
    }
    let first = vec![("RUNID".to_owned(), Value::Int(int(numbers.run)))];
    Entry::ordered(first, branches, Value::is_vector)
}

fn single_list(values: Vec<f32>) -> Value {
    let offsets = vec![0, values.len()].into();
    Value::FloatLists(values, offsets)
}

/// Gain, dark current, noise and offset of the dark-current fit with their errors: of the fit of this run (its own
/// branches), else of the input header if value and error are there, else 0.
fn fit_branches(raw: &RawData, amplifier: &Amplifier) -> Vec<(String, f64)> {
    let from_header = |quantity: &str| {
        let names = [amplifier.short_name(), &amplifier.name];
        let number = |prefix: &str, name: &str| raw.header.number(&format!("{prefix}{quantity}{name}"));
        names.into_iter().find_map(|name| Some((number("ME", name)?, number("EME", name)?)))
    };
    let mut branches = Vec::new();
    for quantity in ["GAIN", "DC", "SIG", "MU0"] {
        let name = info_branch(quantity, amplifier);
        if !raw.report.info.contains_key(&name) {
            let (value, error) = from_header(quantity).unwrap_or((0.0, 0.0));
            branches.push((format!("{name}_err"), error));
            branches.push((name, value));
        }
    }
    branches
}

/// Pedestals at the row (column) numbers of the whole image, so that an index is `pixels_y` − 1 (`pixels_x` − 1); NaN
/// outside the amplifier.
fn of_whole_image(raw: &RawData, along: &PedestalAxis, values: &[f64]) -> Vec<f32> {
    let length = match along.axis {
        Axis::Row => raw.rows,
        Axis::Col => raw.cols,
        Axis::Frame => return values.iter().map(|&v| v as f32).collect(),
    };
    let mut all = vec![f32::NAN; length];
    all.iter_mut().skip(along.first).zip(values).for_each(|(place, &value)| *place = value as f32);
    all
}

/// Time of each row (column) as a fraction of the readout. Stacked extensions are read at the same time.
fn readout_times(raw: &RawData, axis: Axis) -> Option<Vec<f32>> {
    let fractions = |n: usize| {
        let last = n.saturating_sub(1).max(1) as f64;
        (0..n).map(move |i| (i as f64 / last) as f32)
    };
    match axis {
        Axis::Row if raw.stacked => Some(raw.amplifiers.iter().flat_map(|a| fractions(a.full.rows.len())).collect()),
        Axis::Row => Some(fractions(raw.rows).collect()),
        Axis::Col => Some(fractions(raw.cols).collect()),
        Axis::Frame => None,
    }
}

/// Where the numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// Version of the program.
    pub version: String,
    /// Commit it was built from.
    pub commit: String,
    /// The merged configuration as compact JSON.
    pub config: String,
}

/// The entry of `process_config`: parameters of the processes, in the order of the sequence, as (tag, block), numbers in
/// the form in which they were typed; and the numbers that the processes found (of the last image).
pub fn process_config<'a>(
    sequence: impl IntoIterator<Item = (&'a str, &'a Map<String, Json>)>,
    results: &IndexMap<String, ConfigResult>,
    provenance: &Provenance,
) -> Entry {
    let mut branches: IndexMap<String, Value> = IndexMap::new();
    for (position, (tag, block)) in sequence.into_iter().enumerate() {
        branches.insert(format!("{tag}_sequence_id"), Value::Int(position as i32));
        for (key, value) in block.iter().filter(|(key, _)| !NOT_RECORDED.contains(&key.as_str())) {
            let name = format!("{tag}_{key}");
            match value {
                Json::Bool(flag) => _ = branches.insert(name, Value::Int(i32::from(*flag))),
                Json::Number(number) => _ = branches.insert(name, typed(number)),
                Json::Object(each) => {
                    for (amplifier, value) in each {
                        if let Json::Number(number) = value {
                            branches.insert(format!("{name}_{amplifier}"), typed(number));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    for (name, result) in results {
        let value = match *result {
            ConfigResult::Int(x) => Value::Int(int(x)),
            ConfigResult::Double(x) if x.is_nan() => continue,
            ConfigResult::Double(x) => Value::Double(x),
        };
        branches.insert(name.clone(), value);
    }
    for (name, value) in [
        ("e2eV", EV_PER_ELECTRON),
        ("ADC2e", DEFAULT_GAIN),
        ("ADC2eV", EV_PER_ELECTRON / OLD_ADU_PER_ELECTRON),
        ("img_exp_time", SIMULATED_EXPOSURE),
    ] {
        branches.insert(name.into(), Value::Double(value));
    }
    for (name, text) in [
        ("waders_commit", &provenance.commit),
        ("waders_version", &provenance.version),
        ("panaskimg_config", &provenance.config),
    ] {
        branches.insert(name.into(), Value::Text(text.clone()));
    }
    Entry::ordered(vec![("id".to_owned(), Value::Int(0))], branches, Value::is_vector)
}

/// An integer as `int`, if it fits, anything else as `double`.
fn typed(number: &serde_json::Number) -> Value {
    match number.as_i64().and_then(|x| i32::try_from(x).ok()) {
        Some(x) => Value::Int(x),
        None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
    }
}

#[cfg(test)]
mod tests;
