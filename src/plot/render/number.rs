//! Numbers in page descriptions: hundredths of a point, without needless digits.

/// Appends `v` with at most two decimals (a hundredth of a point is a third of a hair's tenth); values that are not
/// finite become 0, those beyond what PDF readers accept are cut.
pub(crate) fn push(out: &mut Vec<u8>, v: f64) {
    push_scaled(out, v, 2);
}

/// Appends `v` with at most `decimals` (≤ 4) decimals.
pub(crate) fn push_scaled(out: &mut Vec<u8>, v: f64, decimals: u32) {
    let scale = 10i64.pow(decimals.min(4));
    let v = if v.is_finite() { v.clamp(-30_000.0, 30_000.0) } else { 0.0 };
    let n = (v * scale as f64).round() as i64;
    if n < 0 {
        out.push(b'-');
    }
    let (whole, mut part) = (n.unsigned_abs() / scale as u64, n.unsigned_abs() % scale as u64);
    push_integer(out, whole);
    if part > 0 {
        out.push(b'.');
        let mut digit = scale as u64 / 10;
        while part > 0 {
            out.push(b'0' + (part / digit) as u8);
            part %= digit;
            digit /= 10;
        }
    }
}

fn push_integer(out: &mut Vec<u8>, n: u64) {
    if n >= 10 {
        push_integer(out, n / 10);
    }
    out.push(b'0' + (n % 10) as u8);
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_short_and_right() {
        let text = |v: f64| {
            let mut out = Vec::new();
            super::push(&mut out, v);
            String::from_utf8(out).unwrap()
        };
        for (v, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (12.5, "12.5"),
            (-3.456, "-3.46"),
            (0.05, "0.05"),
            (0.004, "0"),
            (-0.004, "0"),
            (99.999, "100"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
            (1e9, "30000"),
        ] {
            assert_eq!(text(v), expected, "{v}");
        }
    }
}
