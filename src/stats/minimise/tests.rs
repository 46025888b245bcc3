//! General fits against closed forms, Minuit, and the toy of the two-amplifier fit.

use super::*;
use crate::stats::test_data::SplitMix64;

#[test]
fn straight_line_equals_the_closed_form() {
    let x: Vec<f64> = (0..10).map(f64::from).collect();
    let mut random = SplitMix64(3);
    let y: Vec<f64> = x.iter().map(|x| 2.0 + 0.5 * x + 0.1 * random.gaussian()).collect();
    let fit = Fit::new([Parameter::new("a", 0.0, 0.1), Parameter::new("b", 0.0, 0.1)])
        .with_minos(true)
        .least_squares(&x, &y, &[0.1; 10], |x, p| p[0] + p[1] * x)
        .unwrap();
    // normal equations: Sxx = 285, Sx = 45, n = 10
    let (sy, sxy) = (y.iter().sum::<f64>(), x.iter().zip(&y).map(|(x, y)| x * y).sum::<f64>());
    let determinant = 10.0 * 285.0 - 45.0 * 45.0;
    let slope = (10.0 * sxy - 45.0 * sy) / determinant;
    assert!((fit.value("b").unwrap() - slope).abs() < 1e-6);
    let slope_error = 0.1 * (10.0 / determinant).sqrt();
    assert!((fit.error("b").unwrap() / slope_error - 1.0).abs() < 1e-3);
    assert!((fit.covariance[0][1] / (-45.0 * 0.01 / determinant) - 1.0).abs() < 1e-3);
    assert_eq!(fit.ndf, Some(8));
    assert!(fit.status.is_good());
    // a parabola: MINOS is the parabolic error, to Minuit's tolerance of the crossing
    let (down, up) = fit.parameters[1].minos.unwrap();
    assert!((down / slope_error + 1.0).abs() < 0.02 && (up / slope_error - 1.0).abs() < 0.02);
}

#[test]
fn limits_and_fixed_parameters() {
    let bowl = |p: &[f64]| (p[0] - 3.0).powi(2) + (p[1] - 1.0).powi(2) + p[2] * p[2];
    let fit = Fit::new([
        Parameter::new("x", 0.0, 0.1).limited(-1.0, 2.0),
        Parameter::new("y", 0.0, 0.1).limited(0.0, f64::INFINITY),
        Parameter::new("z", 0.5, 0.1).fixed(),
    ])
    .minimise(bowl)
    .unwrap();
    assert!((fit.value("x").unwrap() - 2.0).abs() < 1e-4 && fit.parameters[0].at_limit);
    assert!((fit.value("y").unwrap() - 1.0).abs() < 1e-3);
    assert_eq!((fit.value("z"), fit.error("z")), (Some(0.5), Some(0.0)));
    assert!(fit.status.has(Status::AT_LIMIT));
    let nothing_free = Fit::new([Parameter::new("x", 3.0, 0.1).fixed()]).minimise(|p| p[0]).unwrap();
    assert_eq!(nothing_free.minimum, 3.0);
}

#[test]
fn unweighted_exponential_of_the_column_transient() {
    // spec 02 §9: A = 1.990806, μ = 0.297759, residual sum 7.782667e-4
    let y = [1.47, 1.11, 0.81, 0.62, 0.44, 0.33, 0.25, 0.17, 0.14];
    let x: Vec<f64> = (1..10).map(f64::from).collect();
    let parameters =
        [Parameter::new("A", 0.013, 0.1).limited(0.0, 50.0), Parameter::new("mu", 0.12, 0.1).limited(0.0, 50.0)];
    let fit = Fit::new(parameters).least_squares(&x, &y, &[1.0; 9], |x, p| p[0] * (-p[1] * x).exp()).unwrap();
    println!("{:?} {} {:?}", fit.values(), fit.minimum, fit.status);
    assert!((fit.value("A").unwrap() - 1.990806).abs() < 1e-4);
    assert!((fit.value("mu").unwrap() - 0.297759).abs() < 1e-5);
    assert!((fit.minimum - 7.782667e-4).abs() < 1e-9);
    let scaled = fit.clone().scaled_to_residuals();
    assert!((scaled.error("A").unwrap() / fit.error("A").unwrap() - (fit.minimum / 7.0).sqrt()).abs() < 1e-12);
}

#[test]
fn hostile_functions_give_a_status_not_a_panic() {
    let parameters = || [Parameter::new("x", 1.0, 0.1), Parameter::new("y", 1.0, 0.1).limited(-1.0, 5.0)];
    for function in [|_: &[f64]| f64::NAN, |_: &[f64]| 1.0, |p: &[f64]| -p[0], |p: &[f64]| p[0].ln() + p[1].sqrt()] {
        let fit = Fit::new(parameters()).with_minos(true).minimise(function).unwrap();
        assert!(!fit.status.is_good(), "{fit:?}");
    }
    assert!(Fit::new([Parameter::new("x", f64::NAN, 0.1)]).minimise(|p| p[0]).is_err());
    assert!(Fit::new([Parameter::new("x", 0.0, 0.1).limited(1.0, -1.0)]).minimise(|p| p[0]).is_err());
    let empty = Fit::new([Parameter::new("x", 0.0, 0.0)]).least_squares(&[], &[], &[], |_, p| p[0]).unwrap();
    assert!(!empty.status.is_good());
}

/// Minuit (the crate, as an independent witness) on the same function: values and HESSE errors.
fn minuit(parameters: &[(f64, f64)], function: impl Fn(&[f64]) -> f64) -> (Vec<f64>, Vec<f64>, f64) {
    let mut search = minuit2::MnMigrad::new().tolerance(1e-3);
    for (k, (start, step)) in parameters.iter().enumerate() {
        search = search.add(format!("p{k}"), *start, *step);
    }
    let minimum = search.minimize(&function);
    let minimum = minuit2::MnHesse::new().calculate(&function, &minimum);
    (minimum.params(), minimum.user_state().errors(), minimum.fval())
}

#[test]
fn agrees_with_minuit() {
    let valley = |p: &[f64]| (1.0 - p[0]).powi(2) + 100.0 * (p[1] - p[0] * p[0]).powi(2);
    // Poisson counts of an exponential decay on a flat background, −2 ln L
    let mut random = SplitMix64(11);
    let counts: Vec<f64> = (0..40)
        .map(|i| {
            crate::stats::distributions::poisson_quantile(random.uniform(), 50.0 * (-0.2 * f64::from(i)).exp() + 5.0)
                as f64
        })
        .collect();
    let likelihood = |p: &[f64]| {
        let term = |(i, h): (usize, &f64)| {
            let f = p[0] * (-p[1] * i as f64).exp() + p[2];
            2.0 * (f - h * f.max(1e-300).ln())
        };
        counts.iter().enumerate().map(term).sum::<f64>()
    };
    type Case<'a> = (&'a [(f64, f64)], &'a dyn Fn(&[f64]) -> f64);
    let cases: [Case; 2] =
        [(&[(-1.2, 0.1), (1.0, 0.1)], &valley), (&[(30.0, 3.0), (0.1, 0.05), (2.0, 1.0)], &likelihood)];
    for (start, function) in cases {
        let (values, errors, minimum) = minuit(start, function);
        let parameters =
            start.iter().enumerate().map(|(k, (start, step))| Parameter::new(format!("p{k}"), *start, *step));
        let fit = Fit::new(parameters).minimise(function).unwrap();
        println!("{:?}\n{values:?} {errors:?}", fit.parameters);
        assert!(fit.status.is_good(), "{:?}", fit.status);
        // not worse than Minuit; values within 0.003 of the error, errors within 1 %
        assert!(fit.minimum <= minimum + 1e-6);
        for ((p, value), error) in fit.parameters.iter().zip(values).zip(errors) {
            assert!((p.value - value).abs() < 0.003 * error, "{}: {} {value}", p.name, p.value);
            assert!((p.error / error - 1.0).abs() < 0.01, "{}: {} {error}", p.name, p.error);
        }
    }
    // the same likelihood with the model's own derivatives: the same answer
    let start = [Parameter::new("A", 30.0, 3.0), Parameter::new("b", 0.1, 0.05), Parameter::new("c", 2.0, 1.0)];
    let by_function = Fit::new(start.clone()).with_minos(true).minimise(likelihood).unwrap();
    let by_vector = Fit::new(start)
        .with_minos(true)
        .poisson(&counts, |p, f| {
            for (i, f) in f.iter_mut().enumerate() {
                *f = p[0] * (-p[1] * i as f64).exp() + p[2];
            }
        })
        .unwrap();
    for (a, b) in by_function.parameters.iter().zip(&by_vector.parameters) {
        assert!((a.value - b.value).abs() < 1e-3 * b.error && (a.error / b.error - 1.0).abs() < 1e-2);
        let ((a_down, a_up), (b_down, b_up)) = (a.minos.unwrap(), b.minos.unwrap());
        assert!((a_down / b_down - 1.0).abs() < 1e-2 && (a_up / b_up - 1.0).abs() < 1e-2);
        // counting statistics: the upper side of a rate is the longer one, both within 20 % of the parabola
        assert!((b_up / b.error - 1.0).abs() < 0.2 && (-b_down / b.error - 1.0).abs() < 0.2);
    }
}

/// Model of spec 03 §4 on a grid: A, θ, λL, λU, sL, sU, kL, kU, x0, y0.
fn two_amplifiers(p: &[f64], x: f64, y: f64) -> f64 {
    let (a, theta, sl, su) = (p[0], p[1], p[4], p[5]);
    let (sin, cos) = theta.sin_cos();
    let (l, u) = (1.0 / (2.0 * sl * sl), 1.0 / (2.0 * su * su));
    let (qa, qb, qc) = (cos * cos * l + sin * sin * u, sin * cos * (u - l), sin * sin * l + cos * cos * u);
    let mut sum = 0.0;
    let mut pi = (-p[2]).exp();
    for i in 0..=2 {
        if i > 0 {
            pi *= p[2] / f64::from(i);
        }
        let mut pj = (-p[3]).exp();
        for j in 0..=2 {
            if j > 0 {
                pj *= p[3] / f64::from(j);
            }
            let (dx, dy) = (x - p[8] - f64::from(i) * p[6], y - p[9] - f64::from(j) * p[7]);
            sum += pi * pj * (-(qa * dx * dx + 2.0 * qb * dx * dy + qc * dy * dy)).exp();
        }
    }
    a * sum
}

#[test]
fn two_amplifier_toy() {
    // spec 03 §4: ten parameters, 10 000 bins, Poisson likelihood
    let theta = 30f64.to_radians();
    let check = [1000.0, theta, 0.05, 0.1, 1.0, 2.0, 7.0, 8.0, 0.1, -0.2];
    for (x, y, value) in
        [(0., 0., 844.24928), (1., 1., 641.90072), (7., 0., 42.212469), (0., 8., 84.425188), (-1., 2., 83.489369)]
    {
        assert!((two_amplifiers(&check, x, y) / value - 1.0).abs() < 1e-7);
    }
    let mut random = SplitMix64(77);
    let mut counts = vec![0.0; 10_000];
    let mut sums = (0.0, 0.0);
    for _ in 0..20_000 {
        let [u1, u2, u3, u4] = [(); 4].map(|()| random.uniform());
        let r = (-2.0 * (1.0 - u1).ln()).sqrt();
        let turn = 2.0 * std::f64::consts::PI * u2;
        let (alpha, beta) = (r * turn.cos(), 2.0 * r * turn.sin());
        let i = crate::stats::distributions::poisson_quantile(u3, 0.05) as f64;
        let j = crate::stats::distributions::poisson_quantile(u4, 0.1) as f64;
        let x = 0.1 + 7.0 * i + alpha * theta.cos() + beta * theta.sin();
        let y = -0.2 + 8.0 * j - alpha * theta.sin() + beta * theta.cos();
        sums = (sums.0 + x, sums.1 + y);
        let bin = |q: f64| crate::stats::histogram::corrected_bin(q, -10.0, 30.0, 100);
        if let (Some(bx), Some(by)) = (bin(x), bin(y)) {
            counts[by * 100 + bx] += 1.0;
        }
    }
    assert!((sums.0 - 9288.0327).abs() < 1e-3 && (sums.1 - 12085.6605).abs() < 1e-3);
    assert_eq!(counts.iter().copied().fold(0.0, f64::max), 239.0);
    assert_eq!(counts.iter().filter(|&&h| h > 0.0).count(), 1149);
    let p = |name: &str, start: f64, lo: f64, hi: f64| {
        Parameter::new(name, start, 0.1 * start.abs().max(0.1)).limited(lo, hi)
    };
    let fit = Fit::new([
        Parameter::new("A", 239.0, 10.0).limited(0.0, f64::INFINITY),
        p("theta", 45f64.to_radians(), -1.0, 1.0),
        p("lambda_L", 0.03, 0.003, 0.3),
        p("lambda_U", 0.03, 0.003, 0.3),
        p("s_L", 1.5, 0.01, 4.5),
        p("s_U", 1.5, 0.01, 4.5),
        p("k_L", 7.0, 4.0, 10.0),
        p("k_U", 7.0, 4.0, 10.0),
        p("x0", 0.0, -1.0, 1.0),
        p("y0", 0.0, -1.0, 1.0),
    ])
    .poisson(&counts, |p, f| {
        for (bin, f) in f.iter_mut().enumerate() {
            let centre = |k: usize| -10.0 + 0.4 * (k as f64 + 0.5);
            *f = two_amplifiers(p, centre(bin % 100), centre(bin / 100));
        }
    })
    .unwrap();
    println!(
        "{:?} {} {:?}",
        fit.status,
        fit.minimum,
        fit.parameters.iter().map(|p| (p.value, p.error)).collect::<Vec<_>>()
    );
    assert!(fit.status.is_good());
    assert_eq!(fit.ndf, Some(9990));
    assert!((fit.minimum - 2131.144).abs() < 2e-3);
    for (name, value, error) in [
        ("A", 249.363, 2.51),
        ("theta", 29.990f64.to_radians(), 0.277f64.to_radians()),
        ("lambda_L", 0.050498, 0.00160),
        ("lambda_U", 0.100592, 0.00229),
        ("s_L", 1.01318, 0.00519),
        ("s_U", 2.01619, 0.0103),
        ("k_L", 6.9644, 0.0366),
        ("k_U", 8.06619, 0.0365),
    ] {
        // three digits of the errors are given
        assert!((fit.value(name).unwrap() - value).abs() < 0.01 * error, "{name}: {:?}", fit.value(name));
        assert!((fit.error(name).unwrap() / error - 1.0).abs() < 6e-3, "{name}: {:?}", fit.error(name));
    }
    assert!((fit.value("x0").unwrap() - 0.11214).abs() < 1e-4 && (fit.value("y0").unwrap() + 0.20568).abs() < 1e-4);
}
