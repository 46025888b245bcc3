//! Partial charge collection: electrons made within 7.5 µm of the back face may recombine before they drift away
//! (spec 07 §4.1).

/// Collection probability at 0, 0.5, 1.0, … 7.5 µm from the back face.
const PROBABILITY: [f64; 16] = [
    0.00781727, 0.027572, 0.0789126, 0.157685, 0.247863, 0.34214, 0.437597, 0.533334, 0.629258, 0.725383, 0.821692,
    0.918136, 0.991682, 0.999804, 0.999997, 1.0,
];
/// Distance between the entries, µm.
const STEP_UM: f64 = 0.5;

/// Probability that an electron made at this distance (µm) from the back face is collected.
pub fn collection_probability(distance_um: f64) -> f64 {
    if distance_um.is_nan() || distance_um < 0.0 {
        return 0.0;
    }
    let place = distance_um / STEP_UM;
    let below = place.floor() as usize;
    match (PROBABILITY.get(below), PROBABILITY.get(below + 1)) {
        (Some(low), Some(high)) => low + (place - below as f64) * (high - low),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values worked out in spec 07 §4.1 (to the digits given there).
    #[test]
    fn probabilities_of_the_specification() {
        for (distance, expected) in [(0.25, 0.017_695), (2.2, 0.285_574), (0.0, 0.007_817_27), (6.0, 0.991_682)] {
            assert!((collection_probability(distance) - expected).abs() < 1e-6, "{distance}");
        }
        assert_eq!((100.0 * collection_probability(5.0)).round(), 82.0);
        assert_eq!(collection_probability(7.5), 1.0);
        assert_eq!(collection_probability(600.0), 1.0);
        assert_eq!(collection_probability(-0.1), 0.0);
    }
}
