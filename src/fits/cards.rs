//! Header cards: from 80 characters to [`Card`] and back.
//!
//! Standard: FITS 4.0, section 4, with the conventions in use: `HIERARCH` for names longer than eight characters and
//! `CONTINUE` for strings that do not fit a card. Reading is lenient (real headers are), writing is strict.

use super::header::{Card, CardValue, Header};

/// Length of a card in bytes.
pub(super) const CARD: usize = 80;

/// Text of a commentary card, at most.
const COMMENTARY: usize = 72;

/// Parses the cards of a header up to `END`.
pub(super) fn parse_header(bytes: &[u8]) -> Header {
    let mut header = Header::new();
    let mut continued: Option<Card> = None;
    for card in bytes.chunks_exact(CARD) {
        let text = printable(card);
        if text.trim_end() == "END" {
            break;
        }
        if text.starts_with("CONTINUE")
            && let Some(open) = &mut continued
            && let Some((value, comment)) = split_string(text[8..].trim_start())
        {
            append(open, value, &comment);
            if !ends_open(open) {
                header.push(continued.take().unwrap_or_else(|| Card::history("")));
            }
            continue;
        }
        header_push(&mut header, continued.take());
        let parsed = parse_card(&text);
        if ends_open(&parsed) {
            continued = Some(parsed);
        } else {
            header.push(parsed);
        }
    }
    header_push(&mut header, continued);
    header
}

fn header_push(header: &mut Header, card: Option<Card>) {
    if let Some(card) = card {
        header.push(card);
    }
}

/// Whether the value is a string that ends with `&`: the next card may continue it.
fn ends_open(card: &Card) -> bool {
    matches!(&card.value, CardValue::Text(s) if s.ends_with('&'))
}

/// Appends the text of a `CONTINUE` card.
fn append(open: &mut Card, value: String, comment: &str) {
    if let CardValue::Text(text) = &mut open.value {
        text.pop();
        text.push_str(&value);
    }
    if !comment.is_empty() {
        if !open.comment.is_empty() {
            open.comment.push(' ');
        }
        open.comment.push_str(comment);
    }
}

/// One character per byte; what is not printable ASCII becomes `?`, so that indices count columns of the card.
fn printable(card: &[u8]) -> String {
    card.iter().map(|&b| if (0x20..0x7f).contains(&b) { b as char } else { '?' }).collect()
}

/// Parses a single card (80 ASCII characters).
fn parse_card(text: &str) -> Card {
    let keyword = text[..8].trim_end();
    if keyword == "HIERARCH"
        && let Some((name, rest)) = text[8..].split_once('=')
    {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        return with_value(&name, rest);
    }
    let commentary = matches!(keyword, "COMMENT" | "HISTORY" | "" | "HIERARCH" | "CONTINUE");
    if !commentary && text.as_bytes()[8] == b'=' {
        return with_value(keyword, &text[9..]);
    }
    let kept_as = if matches!(keyword, "HIERARCH" | "CONTINUE") { "COMMENT" } else { keyword };
    let kept_text = if kept_as == keyword { &text[8..] } else { text };
    Card {
        keyword: kept_as.to_ascii_uppercase(),
        value: CardValue::Undefined,
        comment: kept_text.trim_end().to_owned(),
    }
}

/// A card from its name and the text behind the equals sign.
fn with_value(keyword: &str, rest: &str) -> Card {
    let rest = rest.trim_start();
    let (value, comment) = match split_string(rest) {
        Some((text, comment)) => (CardValue::Text(text), comment),
        None => {
            let (value, comment) = rest.split_once('/').unwrap_or((rest, ""));
            (parse_value(value.trim()), comment.trim().to_owned())
        }
    };
    Card { keyword: keyword.to_ascii_uppercase(), value, comment }
}

/// Splits `'text' / comment`; `None` if it does not begin with a quote. A missing closing quote ends the string at
/// the end of the card.
fn split_string(rest: &str) -> Option<(String, String)> {
    let inner = rest.strip_prefix('\'')?;
    let mut text = String::new();
    let mut characters = inner.char_indices().peekable();
    let mut end = inner.len();
    while let Some((i, c)) = characters.next() {
        if c != '\'' {
            text.push(c);
        } else if characters.next_if(|&(_, next)| next == '\'').is_some() {
            text.push('\'');
        } else {
            end = i + 1;
            break;
        }
    }
    text.truncate(text.trim_end().len());
    let comment = inner[end..].split_once('/').map_or("", |(_, comment)| comment.trim());
    Some((text, comment.to_owned()))
}

/// A value that is not a string.
fn parse_value(token: &str) -> CardValue {
    match token {
        "" => CardValue::Undefined,
        "T" => CardValue::Logical(true),
        "F" => CardValue::Logical(false),
        _ => {
            if let Ok(integer) = token.parse::<i64>() {
                return CardValue::Integer(integer);
            }
            let number_like = token.bytes().all(|b| b.is_ascii_digit() || b"+-.eEdD".contains(&b));
            match token.replace(['d', 'D'], "E").parse::<f64>() {
                Ok(real) if number_like => CardValue::Real(real),
                _ => CardValue::Text(token.to_owned()),
            }
        }
    }
}

/// Formats a card as one or more cards of 80 bytes: long strings are continued, long commentary is split, names that
/// are no standard keywords are written with `HIERARCH`, comments are cut where the card ends.
pub(crate) fn format_card(card: &Card, out: &mut Vec<u8>) {
    if card.is_commentary() {
        return format_commentary(&card.keyword, &card.comment, out);
    }
    let comment = ascii(&card.comment);
    let keyword = ascii(&card.keyword).to_ascii_uppercase();
    let standard = keyword.len() <= 8
        && keyword.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_".contains(&b));
    let head = if standard { format!("{keyword:<8}= ") } else { format!("HIERARCH {keyword} = ") };
    // an equals sign inside a HIERARCH name would end the name; a name that leaves no room for a value cannot be read
    let unwritable = !standard && (keyword.contains('=') || keyword.is_empty() || head.len() > CARD - 12);
    if unwritable {
        return format_commentary("COMMENT", &format!("{keyword} = {} / {comment}", card.value.to_text()), out);
    }
    match &card.value {
        CardValue::Text(text) => format_text(&head, standard, &ascii(text), &comment, out),
        other => {
            let value = match other {
                CardValue::Logical(b) => if *b { "T" } else { "F" }.to_owned(),
                CardValue::Integer(i) => i.to_string(),
                CardValue::Real(x) if x.is_finite() => real_text(*x),
                _ => String::new(),
            };
            let value = if standard { format!("{value:>20}") } else { value };
            if head.len() + value.len() > CARD {
                return format_commentary("COMMENT", &format!("{keyword} = {value} / {comment}"), out);
            }
            push_card(&with_comment(format!("{head}{value}"), &comment), out);
        }
    }
}

/// A real number that reads back to the same double and is never taken for an integer.
fn real_text(x: f64) -> String {
    let plain = format!("{x:?}");
    if plain.contains('e') || plain.len() > 20 {
        let scientific = format!("{x:E}");
        if scientific.contains('.') { scientific } else { scientific.replace('E', ".0E") }
    } else {
        plain
    }
}

/// A string, continued over several cards when it does not fit.
fn format_text(head: &str, standard: bool, text: &str, comment: &str, out: &mut Vec<u8>) {
    let quoted = text.replace('\'', "''");
    let padded = if standard { format!("{quoted:<8}") } else { quoted };
    if head.len() + padded.len() + 2 <= CARD {
        let body = format!("{head}'{padded}'");
        let body = if standard { format!("{body:<30}") } else { body };
        return push_card(&with_comment(body, comment), out);
    }
    let mut rest: Vec<char> = text.chars().collect();
    let mut line_head = head.to_owned();
    loop {
        let room = CARD - line_head.len() - 3;
        let mut used = 0;
        let mut take = 0;
        for c in &rest {
            let width = if *c == '\'' { 2 } else { 1 };
            if used + width > room {
                break;
            }
            used += width;
            take += 1;
        }
        let piece: String = rest.drain(..take).collect::<String>().replace('\'', "''");
        if rest.is_empty() {
            return push_card(&with_comment(format!("{line_head}'{piece}'"), comment), out);
        }
        push_card(&format!("{line_head}'{piece}&'"), out);
        line_head = "CONTINUE  ".into();
    }
}

/// Adds the comment, as much of it as fits.
fn with_comment(body: String, comment: &str) -> String {
    if comment.is_empty() || body.len() + 4 > CARD { body } else { format!("{body} / {comment}") }
}

/// `COMMENT`, `HISTORY` or blank cards, 72 characters each.
fn format_commentary(keyword: &str, text: &str, out: &mut Vec<u8>) {
    let text = ascii(text);
    let mut rest = text.as_str();
    loop {
        let (piece, tail) = rest.split_at(rest.len().min(COMMENTARY));
        push_card(&format!("{keyword:<8}{piece}"), out);
        rest = tail;
        if rest.is_empty() {
            return;
        }
    }
}

/// Appends one card, padded (or cut) to 80 bytes.
fn push_card(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let n = bytes.len().min(CARD);
    out.extend_from_slice(&bytes[..n]);
    out.resize(out.len() + CARD - n, b' ');
}

/// Headers hold printable ASCII only: the usual symbols of the field are spelt out, anything else becomes `?`.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            '\t' | '\n' | '\r' => out.push(' '),
            '⁻' | '−' | '–' | '—' => out.push('-'),
            '⁺' => out.push('+'),
            'µ' | 'μ' => out.push('u'),
            '×' | '·' => out.push('x'),
            '±' => out.push_str("+-"),
            '²' => out.push('2'),
            'σ' => out.push_str("sigma"),
            'λ' => out.push_str("lambda"),
            'χ' => out.push_str("chi"),
            _ => out.push('?'),
        }
    }
    out
}
