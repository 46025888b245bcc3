//! A FITS header as data: an ordered list of cards.
//!
//! Keywords are compared without regard to case. Structural cards are kept as read; [`crate::fits`] decides which of
//! them are written again.

use serde::Serialize;

/// The value of a header card.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CardValue {
    /// `T` or `F`.
    Logical(bool),
    /// An integer.
    Integer(i64),
    /// A real number. A value that is not finite is written as a card with undefined value.
    Real(f64),
    /// A character string, without the enclosing quotes and trailing blanks.
    Text(String),
    /// A card with a keyword but without a value.
    Undefined,
}

impl CardValue {
    /// The value as a number; logical values count as 0 and 1, strings are parsed.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Logical(b) => Some(f64::from(u8::from(*b))),
            Self::Integer(i) => Some(*i as f64),
            Self::Real(x) => Some(*x),
            Self::Text(s) => s.trim().parse().ok(),
            Self::Undefined => None,
        }
    }

    /// The value as an integer, if it is integral.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(i) => Some(*i),
            other => {
                let x = other.as_f64()?;
                (x.fract() == 0.0 && x.abs() < 9.0e15).then_some(x as i64)
            }
        }
    }

    /// Truth of a logical card; `T`/`F`, `true`/`false` strings and numbers are understood too.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Logical(b) => Some(*b),
            Self::Integer(i) => Some(*i != 0),
            Self::Real(x) => Some(*x != 0.0),
            Self::Text(s) => match s.trim().to_ascii_lowercase().as_str() {
                "t" | "true" => Some(true),
                "f" | "false" => Some(false),
                _ => None,
            },
            Self::Undefined => None,
        }
    }

    /// The value as text, as a person would read it in the header.
    pub fn to_text(&self) -> String {
        match self {
            Self::Logical(b) => if *b { "T" } else { "F" }.into(),
            Self::Integer(i) => i.to_string(),
            Self::Real(x) => x.to_string(),
            Self::Text(s) => s.clone(),
            Self::Undefined => String::new(),
        }
    }
}

macro_rules! from_value {
    ($($source:ty => |$x:ident| $make:expr),* $(,)?) => {$(
        impl From<$source> for CardValue {
            fn from($x: $source) -> Self { $make }
        }
    )*};
}
from_value! {
    bool => |x| Self::Logical(x),
    i64 => |x| Self::Integer(x),
    i32 => |x| Self::Integer(i64::from(x)),
    u32 => |x| Self::Integer(i64::from(x)),
    usize => |x| Self::Integer(x as i64),
    f64 => |x| Self::Real(x),
    &str => |x| Self::Text(x.to_owned()),
    String => |x| Self::Text(x),
}

/// One header card. `COMMENT` and `HISTORY` cards hold their text in `comment` and have the value
/// [`CardValue::Undefined`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Card {
    /// Keyword in capitals, without the word `HIERARCH`.
    pub keyword: String,
    /// Value.
    pub value: CardValue,
    /// Comment (text after the slash), or the text of a commentary card.
    pub comment: String,
}

impl Card {
    /// A card with a value and a comment.
    pub fn new(keyword: impl Into<String>, value: impl Into<CardValue>, comment: impl Into<String>) -> Self {
        Self { keyword: keyword.into().to_ascii_uppercase(), value: value.into(), comment: comment.into() }
    }

    /// A `HISTORY` card. Longer texts are split over several cards when written.
    pub fn history(text: impl Into<String>) -> Self {
        Self { keyword: "HISTORY".into(), value: CardValue::Undefined, comment: text.into() }
    }

    /// `COMMENT`, `HISTORY` and blank keywords carry only text.
    pub fn is_commentary(&self) -> bool {
        matches!(self.keyword.as_str(), "COMMENT" | "HISTORY" | "")
    }
}

/// An ordered list of cards.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Header {
    cards: Vec<Card>,
}

impl Header {
    /// An empty header.
    pub fn new() -> Self {
        Self::default()
    }

    /// All cards in order.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// First card with this keyword (any case), commentary cards excluded.
    pub fn card(&self, keyword: &str) -> Option<&Card> {
        self.cards.iter().find(|c| !c.is_commentary() && c.keyword.eq_ignore_ascii_case(keyword))
    }

    /// Value of the first card with this keyword.
    pub fn value(&self, keyword: &str) -> Option<&CardValue> {
        self.card(keyword).map(|c| &c.value)
    }

    /// Numerical value of a card.
    pub fn number(&self, keyword: &str) -> Option<f64> {
        self.value(keyword).and_then(CardValue::as_f64)
    }

    /// Integer value of a card.
    pub fn integer(&self, keyword: &str) -> Option<i64> {
        self.value(keyword).and_then(CardValue::as_i64)
    }

    /// Text of a card.
    pub fn text(&self, keyword: &str) -> Option<String> {
        self.value(keyword).map(CardValue::to_text)
    }

    /// Replaces the card with the same keyword, or appends it. Commentary cards are always appended.
    pub fn set(&mut self, card: Card) {
        if !card.is_commentary()
            && let Some(old) = self.cards.iter_mut().find(|c| c.keyword.eq_ignore_ascii_case(&card.keyword))
        {
            *old = card;
        } else {
            self.cards.push(card);
        }
    }

    /// Appends a card without looking for an older one.
    pub fn push(&mut self, card: Card) {
        self.cards.push(card);
    }

    /// Removes every card for which `drop` is true.
    pub fn remove_if(&mut self, drop: impl Fn(&Card) -> bool) {
        self.cards.retain(|c| !drop(c));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_found_in_any_case_and_replaced_in_place() {
        let mut header = Header::new();
        header.set(Card::new("NDCM", 500, "skips"));
        header.set(Card::new("AMPL", "UL", ""));
        header.set(Card::new("ndcm", 1, "skips"));
        assert_eq!(header.integer("Ndcm"), Some(1));
        assert_eq!(header.cards().len(), 2);
        assert_eq!(header.cards()[0].keyword, "NDCM");
    }

    #[test]
    fn integral_reals_count_as_integers_and_fractions_do_not() {
        assert_eq!(CardValue::Real(4.0).as_i64(), Some(4));
        assert_eq!(CardValue::Real(4.5).as_i64(), None);
        assert_eq!(CardValue::Text(" 12 ".into()).as_i64(), Some(12));
    }
}
