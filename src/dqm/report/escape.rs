//! Text from headers, file names and configurations, made safe for every place of a page it can stand in.

use std::fmt::Write;

/// Text as character data or as attribute value in double quotes. Control characters that HTML forbids are left out.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {}
            c => out.push(c),
        }
    }
    out
}

/// A label with `_{…}` and `^{…}`, as HTML.
pub fn markup(label: &str) -> String {
    let mut out = String::new();
    let mut rest = label;
    while let Some(at) = rest.find("_{").into_iter().chain(rest.find("^{")).min() {
        let (before, script) = rest.split_at(at);
        let Some((inside, after)) = script[2..].split_once('}') else { break };
        let tag = if script.starts_with('_') { "sub" } else { "sup" };
        let _ = write!(out, "{}<{tag}>{}</{tag}>", html(before), html(inside));
        rest = after;
    }
    out + &html(rest)
}

/// A label without its `_{…}` and `^{…}`.
pub fn plain(label: &str) -> String {
    label.replace("_{", "").replace("^{", "^").replace('}', "")
}

/// A relative path as URL: everything but letters, digits, `-._~` and `/` is percent-encoded, so that no name becomes a
/// scheme, a query or a fragment.
pub fn url(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for b in path.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(b)),
            b => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    // A path that begins with a slash would leave the directory of the page.
    if out.starts_with('/') { format!(".{out}") } else { out }
}

/// JSON text inside a `<script>` element: nothing in it can end the element or open a comment.
pub fn script_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 50);
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Four significant digits; an en dash for what is missing.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let size = value.abs();
    let text = if value == 0.0 || (value.fract() == 0.0 && size < 1e6) {
        format!("{value}")
    } else if (1e-3..1e5).contains(&size) {
        let before = size.log10().floor() as i32 + 1;
        format!("{value:.*}", (4 - before).clamp(0, 6) as usize)
    } else {
        format!("{value:.3e}")
    };
    text.replace('-', "−")
}

/// A number from a configuration: as short as it was written there.
pub fn setting(value: f64) -> String {
    let short = format!("{value}");
    if value.is_finite() && short.len() <= 9 { short.replace('-', "−") } else { number(value) }
}

/// Value and error, as far as they are known: two digits of the error, and the value to the same place.
pub fn with_error(value: f64, error: f64) -> String {
    if !value.is_finite() || !error.is_finite() {
        return number(value);
    }
    let size = value.abs().max(error.abs());
    if error == 0.0 || error.abs() < 1e-9 * size {
        return format!("{} ± {}", number(value), number(error));
    }
    // Outside of this range both share a power of ten.
    let (scale, suffix) = if (1e-2..1e5).contains(&size) {
        (1.0, String::new())
    } else {
        let exponent = size.log10().floor() as i32;
        (10f64.powi(-exponent), format!("e{exponent}"))
    };
    let (value, error) = (value * scale, error.abs() * scale);
    let decimals = (1 - error.log10().floor() as i32).clamp(0, 10) as usize;
    let text = format!("{value:.decimals$} ± {error:.decimals$}");
    let text = if suffix.is_empty() { text } else { format!("({text}){suffix}") };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_of_pages_in_text_stays_text() {
        assert_eq!(
            html(r#"<script>alert("a&b")</script>'"#),
            "&lt;script&gt;alert(&quot;a&amp;b&quot;)&lt;/script&gt;&#39;"
        );
        assert_eq!(html("a\u{0}b\u{202e}c\u{7}"), "abc");
        assert_eq!(url("me/img/a b#c?d<e>%\"'&.png"), "me/img/a%20b%23c%3Fd%3Ce%3E%25%22%27%26.png");
        assert_eq!(url("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(url("/etc/passwd"), "./etc/passwd");
        assert_eq!(url("μ.png"), "%CE%BC.png");
        let json = r#"{"a":"</script><!--&"}"#;
        let safe = script_json(json);
        assert!(!safe.contains(['<', '>', '&']));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["a"], "</script><!--&");
    }

    #[test]
    fn labels_become_subscripts() {
        assert_eq!(markup("k_{CL}/σ <x^{2}> a_{b"), "k<sub>CL</sub>/σ &lt;x<sup>2</sup>&gt; a_{b");
        assert_eq!(markup("a_b"), "a_b");
        assert_eq!(plain("mean(q_{ref} − q)"), "mean(qref − q)");
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.324868, "0.3249"),
            (-10.13826, "−10.14"),
            (1234.567, "1235"),
            (42.0, "42"),
            (1.4822e-5, "1.482e−5"),
            (f64::NAN, "–"),
            (123456.7, "1.235e5"),
            (0.0, "0"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!((setting(-0.01), setting(5.0), setting(f64::NAN)), ("−0.01".into(), "5".into(), "–".into()));
        for (value, error, text) in [
            (10.138268, 0.072446, "10.138 ± 0.072"),
            (0.323868, 0.009767, "0.3239 ± 0.0098"),
            (1.4822e-3, 4.105e-4, "(1.48 ± 0.41)e−3"),
            (-0.5, 12.0, "−0 ± 12"),
            (10.138, f64::NAN, "10.14"),
            (f64::NAN, 1.0, "–"),
            (3.0, 0.0, "3 ± 0"),
        ] {
            assert_eq!(with_error(value, error), text);
        }
    }
}
