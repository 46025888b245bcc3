//! Looking up header keywords: in the HDU of `ext_header`, then the data HDU, then HDU 0 (spec 01 §4.3).

use crate::config::OneOrMany;
use crate::fits::{Card, FitsError, FitsInput, Header};

/// Extension with the Monte-Carlo truth: it has no header of its own.
const TRUTH: &str = "MONTECARLOTRUTH";

/// Cards that describe how an HDU is stored; an output header is not completed with those of another HDU.
const STRUCTURAL: [&str; 16] = [
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BZERO", "BSCALE", "BLANK",
    "EXTNAME", "EXTVER", "INHERIT", "CHECKSUM", "DATASUM",
];

/// The headers in which keywords are searched, in order.
#[derive(Debug, Clone)]
pub struct Keywords {
    places: Vec<(usize, Header)>,
    data_hdu: usize,
    data: Header,
    /// Whether `ext_header` chose the first place.
    chosen: bool,
}

/// A card and where it was found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The card.
    pub card: &'a Card,
    /// HDU that holds it.
    pub hdu: usize,
}

impl Keywords {
    /// The headers for the data in `data_hdu`; `ext_header`: HDU to be searched first.
    ///
    /// # Errors
    /// If an HDU does not exist or is incomplete.
    pub fn new(input: &FitsInput, data_hdu: usize, ext_header: Option<usize>) -> Result<Self, FitsError> {
        let data = input.header(data_hdu)?;
        let mut order = vec![ext_header.unwrap_or(data_hdu), data_hdu, 0];
        let mut places: Vec<(usize, Header)> = Vec::new();
        for hdu in order.drain(..) {
            let header = input.header(hdu)?;
            let is_truth = header.text("EXTNAME").is_some_and(|name| name.trim().eq_ignore_ascii_case(TRUTH));
            if !is_truth && !places.iter().any(|(known, _)| *known == hdu) {
                places.push((hdu, header));
            }
        }
        Ok(Self { places, data_hdu, data, chosen: ext_header.is_some() })
    }

    /// The first of these keywords that is present. Empty keywords disable the look-up.
    pub fn find(&self, keywords: &OneOrMany<String>) -> Option<Found<'_>> {
        keywords.as_slice().iter().map(|k| k.trim()).filter(|k| !k.is_empty()).find_map(|k| self.find_one(k))
    }

    fn find_one(&self, keyword: &str) -> Option<Found<'_>> {
        // axis lengths are those of the data, wherever the other keywords come from
        if is_axis(keyword) {
            return self.data.card(keyword).map(|card| Found { card, hdu: self.data_hdu });
        }
        self.places.iter().find_map(|(hdu, header)| header.card(keyword).map(|card| Found { card, hdu: *hdu }))
    }

    /// Where was looked, for messages: `HDU 1, 0`.
    pub fn place(&self) -> String {
        let hdus: Vec<_> = self.places.iter().map(|(hdu, _)| hdu.to_string()).collect();
        format!("HDU {}", hdus.join(", "))
    }

    /// The base of the output header: that of `ext_header`, else that of the data with the cards of HDU 0 that it
    /// lacks.
    pub fn output_header(&self) -> Header {
        let mut places = self.places.iter();
        let mut header = places.next().map(|(_, header)| header.clone()).unwrap_or_default();
        if self.chosen {
            return header;
        }
        let Some((_, primary)) = places.next_back().filter(|(hdu, _)| *hdu == 0) else { return header };
        for card in primary.cards() {
            let keyword = card.keyword.as_str();
            let wanted = if card.is_commentary() {
                !keyword.is_empty() && !header.cards().contains(card)
            } else {
                header.card(keyword).is_none() && !is_structural(keyword)
            };
            if wanted {
                header.push(card.clone());
            }
        }
        header
    }
}

/// `NAXIS1`, `NAXIS2`, …
pub(super) fn is_axis(keyword: &str) -> bool {
    let keyword = keyword.trim().to_ascii_uppercase();
    keyword.strip_prefix("NAXIS").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
}

fn is_structural(keyword: &str) -> bool {
    is_axis(keyword) || STRUCTURAL.contains(&keyword)
}

/// Keywords as a list for messages.
pub(super) fn names(keywords: &OneOrMany<String>) -> String {
    let names: Vec<_> = keywords.as_slice().iter().map(String::as_str).filter(|k| !k.trim().is_empty()).collect();
    names.join(", ")
}
