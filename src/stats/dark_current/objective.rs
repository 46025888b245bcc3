//! Objectives of the binned dark-current fit with their derivatives (spec 03 §1.6 and §1.11).

use super::model::{GAIN, LAMBDA, ModelGrid, N_PARAMETERS, NORM, Parameters};
use super::options::ObjectiveKind;
use crate::stats::bounded_search::{Expansion, Objective};

/// Below this the logarithm of the model continues as a straight line. The value is ROOT's: it fixes the objective
/// when counts lie outside the modelled peaks.
pub const LOG_FLOOR: f64 = 2.0 * f64::MIN_POSITIVE;

/// Smallest denominator of the Pearson χ².
const PEARSON_FLOOR: f64 = 1e-6;

/// ln f, continued linearly below [`LOG_FLOOR`].
#[inline]
pub fn floored_ln(f: f64) -> f64 {
    if f > LOG_FLOOR { f.ln() } else { f / LOG_FLOOR + LOG_FLOOR.ln() - 1.0 }
}

/// Baker–Cousins likelihood ratio 2 Σ [f − h + h·(ln h − ln f)] over all bins.
pub fn baker_cousins(counts: &[f64], expected: &[f64]) -> f64 {
    let terms =
        counts.iter().zip(expected).map(|(&h, &f)| if h > 0.0 { f - h + h * (h.ln() - floored_ln(f)) } else { f });
    2.0 * terms.sum::<f64>()
}

/// What the parameters of the fit mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parametrisation {
    /// norm, μ0, σ, λ (ADU), g: the compatible fit.
    #[default]
    Adu,
    /// N_tot (pixels), μ0, σ, L (e⁻ per binned pixel), g: the improved fit. norm = N_tot·w/g, λ = L·g.
    Electrons,
}

/// Binned objective on a window.
#[derive(Debug, Clone)]
pub struct BinnedObjective {
    grid: ModelGrid,
    counts: Vec<f64>,
    /// h·ln h − h for every bin.
    entropy: Vec<f64>,
    kind: ObjectiveKind,
    parametrisation: Parametrisation,
    width: f64,
    free: [bool; N_PARAMETERS],
    slope: Vec<f64>,
    weight: Vec<f64>,
    weighted: Vec<f64>,
}

impl BinnedObjective {
    /// Objective for counts on the bins of `grid` (equal lengths; the shorter one counts). Derivatives are made for
    /// `free` parameters only.
    pub fn new(
        grid: ModelGrid,
        width: f64,
        counts: Vec<f64>,
        kind: ObjectiveKind,
        parametrisation: Parametrisation,
        free: [bool; N_PARAMETERS],
    ) -> Self {
        let n = counts.len();
        let entropy = counts.iter().map(|&h| if h > 0.0 { h * h.ln() - h } else { 0.0 }).collect();
        Self {
            grid,
            counts,
            entropy,
            kind,
            parametrisation,
            width,
            free,
            slope: vec![0.0; n],
            weight: vec![0.0; n],
            weighted: vec![0.0; n],
        }
    }

    /// The parameters of the model in ADU for parameters `p` of the fit.
    pub fn model_parameters(&self, p: &Parameters) -> Parameters {
        let mut model = *p;
        if self.parametrisation == Parametrisation::Electrons {
            model[NORM] = p[NORM] * self.width / p[GAIN];
            model[LAMBDA] = p[LAMBDA] * p[GAIN];
        }
        model
    }

    /// Expected counts per bin at parameters `p` of the fit.
    pub fn expected(&mut self, p: &Parameters) -> &[f64] {
        let model = self.model_parameters(p);
        self.grid.evaluate(&model);
        &self.grid.values
    }

    /// What is minimised.
    pub fn kind(&self) -> ObjectiveKind {
        self.kind
    }

    /// The model.
    pub fn grid(&self) -> &ModelGrid {
        &self.grid
    }

    fn in_domain(p: &Parameters) -> bool {
        p.iter().all(|x| x.is_finite()) && p[super::model::SIGMA] > 0.0 && p[GAIN] > 0.0
    }

    /// Evaluates the model and turns its derivatives into those with respect to the parameters of the fit.
    #[inline(always)]
    fn evaluate(&mut self, p: &Parameters) {
        let model = self.model_parameters(p);
        self.grid.evaluate(&model);
        if self.parametrisation == Parametrisation::Electrons {
            let gain = p[GAIN];
            let (norm_per_total, norm_per_gain, electrons) = (self.width / gain, model[NORM] / gain, p[LAMBDA]);
            let [d_norm, _, _, d_lambda, d_gain, ..] = &mut self.grid.derivatives;
            for ((d_norm, d_lambda), d_gain) in d_norm.iter_mut().zip(d_lambda).zip(d_gain) {
                *d_gain += *d_lambda * electrons - *d_norm * norm_per_gain;
                *d_norm *= norm_per_total;
                *d_lambda *= gain;
            }
        }
    }

    /// Value of the objective; fills ∂F/∂f and ∂²F/∂f² per bin. For the likelihood the derivatives of the model are
    /// divided by f first (∂ ln f), so that bins with a vanishing expectation stay finite.
    #[inline(always)]
    fn weigh(&mut self) -> f64 {
        let f = &self.grid.values;
        let h = &self.counts;
        let n = f.len().min(h.len());
        let (slope, weight) = (&mut self.slope[..n], &mut self.weight[..n]);
        let mut sum = [0.0; 4];
        match self.kind {
            ObjectiveKind::Neyman | ObjectiveKind::UnitWeights | ObjectiveKind::UnitWeightsAll => {
                for i in 0..n {
                    let w = match self.kind {
                        ObjectiveKind::Neyman if h[i] > 0.0 => 1.0 / h[i],
                        ObjectiveKind::UnitWeights if h[i] > 0.0 => 1.0,
                        ObjectiveKind::UnitWeightsAll => 1.0,
                        _ => 0.0,
                    };
                    let residual = h[i] - f[i];
                    sum[i % 4] += residual * residual * w;
                    slope[i] = -2.0 * residual * w;
                    weight[i] = 2.0 * w;
                }
            }
            ObjectiveKind::Pearson => {
                for i in 0..n {
                    let residual = h[i] - f[i];
                    if f[i] > PEARSON_FLOOR {
                        let inverse = 1.0 / f[i];
                        sum[i % 4] += residual * residual * inverse;
                        let ratio = h[i] * inverse;
                        slope[i] = 1.0 - ratio * ratio;
                        weight[i] = 2.0 * ratio * ratio * inverse;
                    } else {
                        sum[i % 4] += residual * residual / PEARSON_FLOOR;
                        slope[i] = -2.0 * residual / PEARSON_FLOOR;
                        weight[i] = 2.0 / PEARSON_FLOOR;
                    }
                }
            }
            ObjectiveKind::Likelihood => {
                for i in 0..n {
                    // 2[f − h + h ln h − h LOG(f)]; slope and weight are with respect to ln f where h > 0
                    let term = if h[i] > 0.0 { f[i] + self.entropy[i] - h[i] * floored_ln(f[i]) } else { f[i] };
                    sum[i % 4] += 2.0 * term;
                    slope[i] = 2.0 * (f[i].max(LOG_FLOOR) - h[i]);
                    weight[i] = 2.0 * h[i];
                }
                let inverse: &mut [f64] = &mut self.weighted[..n];
                for (inverse, f) in inverse.iter_mut().zip(f) {
                    *inverse = 1.0 / f.max(LOG_FLOOR);
                }
                for (column, _) in self.grid.derivatives.iter_mut().zip(self.free).filter(|(_, free)| *free) {
                    for (d, inverse) in column.iter_mut().zip(&*inverse) {
                        *d *= inverse;
                    }
                }
            }
        }
        (sum[0] + sum[1]) + (sum[2] + sum[3])
    }
}

/// Σ a·b with eight partial sums.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (b_blocks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for k in 0..8 {
            lanes[k] += a[k] * b[k];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])) + rest
}

impl Objective<N_PARAMETERS> for BinnedObjective {
    fn expand(&mut self, p: &Parameters) -> Expansion<N_PARAMETERS> {
        let mut e = Expansion { value: f64::INFINITY, ..Expansion::ZERO };
        if !Self::in_domain(p) {
            return e;
        }
        pulp::Arch::new().dispatch(Expand { objective: self, at: p, into: &mut e });
        e
    }

    fn gradient(&mut self, p: &Parameters) -> Parameters {
        let mut gradient = [f64::NAN; N_PARAMETERS];
        if Self::in_domain(p) {
            pulp::Arch::new().dispatch(Gradient { objective: self, at: p, into: &mut gradient });
        }
        gradient
    }
}

/// Work that `pulp` compiles for the widest instructions of the machine. (A closure would not be: it is not inlined.)
struct Expand<'a> {
    objective: &'a mut BinnedObjective,
    at: &'a Parameters,
    into: &'a mut Expansion<N_PARAMETERS>,
}

impl pulp::NullaryFnOnce for Expand<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.objective.expand_into(self.at, self.into);
    }
}

/// As [`Expand`].
struct Gradient<'a> {
    objective: &'a mut BinnedObjective,
    at: &'a Parameters,
    into: &'a mut Parameters,
}

impl pulp::NullaryFnOnce for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.objective.gradient_into(self.at, self.into);
    }
}

impl BinnedObjective {
    #[inline(always)]
    fn expand_into(&mut self, p: &Parameters, e: &mut Expansion<N_PARAMETERS>) {
        self.evaluate(p);
        e.value = self.weigh();
        for row in (0..N_PARAMETERS).filter(|&k| self.free[k]) {
            let column = &self.grid.derivatives[row];
            e.gradient[row] = dot(&self.slope, column);
            for ((target, weight), d) in self.weighted.iter_mut().zip(&self.weight).zip(column) {
                *target = weight * d;
            }
            for col in (0..=row).filter(|&k| self.free[k]) {
                let element = dot(&self.weighted, &self.grid.derivatives[col]);
                e.curvature[row][col] = element;
                e.curvature[col][row] = element;
            }
        }
    }

    #[inline(always)]
    fn gradient_into(&mut self, p: &Parameters, gradient: &mut Parameters) {
        self.evaluate(p);
        self.weigh();
        for (g, column) in gradient.iter_mut().zip(&self.grid.derivatives) {
            *g = dot(&self.slope[..column.len()], column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::dark_current::model::BinValue;

    #[test]
    fn logarithm_is_continued_smoothly() {
        assert!((floored_ln(LOG_FLOOR) - LOG_FLOOR.ln()).abs() < 1e-12);
        assert!((floored_ln(0.0) + 708.703).abs() < 1e-3);
    }

    #[test]
    fn gradients_equal_differences() {
        let counts: Vec<f64> =
            [4, 7, 26, 67, 91, 109, 145, 137, 77, 34, 11, 2, 1, 6, 8, 22, 32, 45, 42, 34, 37, 13, 7, 0]
                .map(f64::from)
                .to_vec();
        let kinds = [
            ObjectiveKind::Neyman,
            ObjectiveKind::Likelihood,
            ObjectiveKind::Pearson,
            ObjectiveKind::UnitWeights,
            ObjectiveKind::UnitWeightsAll,
        ];
        for kind in kinds {
            for (parametrisation, p) in [
                (Parametrisation::Adu, [80.0, 0.03, 0.21, 0.4, 1.18, 0.01, 0.02]),
                (Parametrisation::Electrons, [1000.0, 0.03, 0.21, 0.35, 1.18, 0.01, 0.02]),
            ] {
                for bin_value in [BinValue::Centre, BinValue::Mean] {
                    let grid = ModelGrid::new(-0.6, 0.1, 24, 3, bin_value, true);
                    let mut objective =
                        BinnedObjective::new(grid, 0.1, counts.clone(), kind, parametrisation, [true; 7]);
                    let here = objective.expand(&p);
                    for k in 0..7 {
                        let step = 1e-6 * p[k].abs();
                        let (mut up, mut down) = (p, p);
                        up[k] += step;
                        down[k] -= step;
                        let difference = (objective.expand(&up).value - objective.expand(&down).value) / (2.0 * step);
                        let rounding = 1e-15 * here.value / step;
                        let error = (here.gradient[k] - difference).abs();
                        assert!(
                            error < 1e-6 * difference.abs() + 100.0 * rounding,
                            "{kind:?} {parametrisation:?} {bin_value:?} {k}: {} {difference}",
                            here.gradient[k]
                        );
                    }
                }
            }
        }
    }
}
