//! A PNG file made ready for a report: not wider than its place, at most 256 colours.
//!
//! Reports hold many figures that exist as files already. Wider ones are averaged down by area; colours beyond 256 are
//! drawn together, channel by channel, until they fit a palette, which plots with few inks hardly show and which keeps a
//! page at a third of its size.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use super::RenderError;
use super::drawing::Raster;

/// Pictures with more pixels than this are refused before they are decoded.
const MOST_PIXELS: u64 = 200_000_000;

/// A picture for reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Reprint {
    pub(crate) raster: Arc<Raster>,
}

impl Reprint {
    /// Reads a PNG file of any kind; wider than `most` pixels, it is reduced to that width. Transparent parts become
    /// white.
    ///
    /// # Errors
    /// The bytes are no PNG file, or one of absurd size.
    pub fn from_png(bytes: &[u8], most: usize) -> Result<Self, RenderError> {
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        let (width, height) = (u64::from(reader.info().width), u64::from(reader.info().height));
        let too_large = || RenderError::TooLarge { width, height };
        if width * height > MOST_PIXELS {
            return Err(too_large());
        }
        let mut data = vec![0; reader.output_buffer_size().ok_or_else(too_large)?];
        let frame = reader.next_frame(&mut data)?;
        let rgb = to_rgb(&data[..frame.buffer_size()], frame.color_type);
        let (width, height) = (frame.width as usize, frame.height as usize);
        let (width, height, rgb) =
            if width > most.max(1) { reduce(&rgb, width, height, most.max(1)) } else { (width, height, rgb) };
        let (palette, indices) = with_palette(&rgb);
        Ok(Self { raster: Arc::new(Raster::new(width, height, indices, palette)) })
    }

    /// Pixels across.
    pub fn width(&self) -> usize {
        self.raster.width
    }

    /// Pixels down.
    pub fn height(&self) -> usize {
        self.raster.height
    }

    /// The picture as a PNG file.
    ///
    /// # Errors
    /// When the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>, RenderError> {
        let raster = &self.raster;
        let mut out = Vec::with_capacity(64 * 1024);
        let mut encoder = png::Encoder::new(&mut out, raster.width as u32, raster.height as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(Cow::Owned(raster.palette.iter().flatten().copied().collect::<Vec<u8>>()));
        encoder.set_compression(png::Compression::Balanced);
        // Neighbouring indices have nothing to do with each other: filters only hurt.
        encoder.set_filter(png::Filter::NoFilter);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&raster.indices)?;
        writer.finish()?;
        Ok(out)
    }
}

fn to_rgb(data: &[u8], colour: png::ColorType) -> Vec<u8> {
    let over_white = |v: u8, alpha: u8| {
        let (v, a) = (u32::from(v), u32::from(alpha));
        ((v * a + 255 * (255 - a) + 127) / 255) as u8
    };
    match colour {
        png::ColorType::Grayscale => data.iter().flat_map(|v| [*v; 3]).collect(),
        png::ColorType::GrayscaleAlpha => {
            data.as_chunks::<2>().0.iter().flat_map(|[v, a]| [over_white(*v, *a); 3]).collect()
        }
        png::ColorType::Rgba => {
            data.as_chunks::<4>().0.iter().flat_map(|[r, g, b, a]| [*r, *g, *b].map(|v| over_white(v, *a))).collect()
        }
        // A palette has been expanded by the decoder.
        png::ColorType::Rgb | png::ColorType::Indexed => data.to_vec(),
    }
}

/// First source pixel and weights of the source pixels of every target pixel; the weights of one sum to 1.
fn weights(from: usize, to: usize) -> Vec<(usize, Vec<f32>)> {
    let ratio = from as f64 / to as f64;
    (0..to)
        .map(|i| {
            let (a, b) = (i as f64 * ratio, (i + 1) as f64 * ratio);
            let first = (a.floor() as usize).min(from - 1);
            let last = (b.ceil() as usize).clamp(first + 1, from);
            let part = |p: usize| (((p + 1) as f64).min(b) - (p as f64).max(a)).max(0.0) / ratio;
            (first, (first..last).map(|p| part(p) as f32).collect())
        })
        .collect()
}

/// Averages by area down to `new_width` pixels, keeping the shape.
fn reduce(rgb: &[u8], width: usize, height: usize, new_width: usize) -> (usize, usize, Vec<u8>) {
    let new_height = ((height * new_width) as f64 / width as f64).round().max(1.0) as usize;
    let new_height = new_height.min(height.max(1));
    if height == 0 {
        return (new_width, 0, Vec::new());
    }
    let columns = weights(width, new_width);
    let mut out = Vec::with_capacity(new_width * new_height * 3);
    let mut sums = vec![0f32; width * 3];
    for (first_row, row_weights) in weights(height, new_height) {
        sums.fill(0.0);
        for (k, weight) in row_weights.iter().enumerate() {
            let row = &rgb[(first_row + k) * width * 3..][..width * 3];
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum += weight * f32::from(*v);
            }
        }
        for (first, column_weights) in &columns {
            let mut pixel = [0f32; 3];
            for (k, weight) in column_weights.iter().enumerate() {
                for (c, value) in pixel.iter_mut().enumerate() {
                    *value += weight * sums[(first + k) * 3 + c];
                }
            }
            out.extend(pixel.map(|v| v.round().clamp(0.0, 255.0) as u8));
        }
    }
    (new_width, new_height, out)
}

/// Palette of at most 256 colours and the index of every pixel.
fn with_palette(rgb: &[u8]) -> (Vec<[u8; 3]>, Vec<u8>) {
    let pixels = rgb.as_chunks::<3>().0;
    // How often each colour occurs, in the order of first appearance.
    let mut place: HashMap<[u8; 3], usize> = HashMap::new();
    let mut colours: Vec<([u8; 3], u64)> = Vec::new();
    for run in pixels.chunk_by(|a, b| a == b) {
        let at = *place.entry(run[0]).or_insert_with(|| {
            colours.push((run[0], 0));
            colours.len() - 1
        });
        colours[at].1 += run.len() as u64;
    }
    // Fewer and fewer bits per channel until the groups fit; at two bits there are at most 64.
    let (palette, group_of) = (2..=8u32).rev().find_map(|bits| grouped(&colours, bits)).unwrap_or_default();
    let mut indices = Vec::with_capacity(pixels.len());
    for run in pixels.chunk_by(|a, b| a == b) {
        let index = place.get(&run[0]).and_then(|at| group_of.get(*at)).copied().unwrap_or(0);
        indices.resize(indices.len() + run.len(), index);
    }
    (palette, indices)
}

/// Colours that agree in the upper `bits` of all channels become one, their weighted mean. `None` for more than 256.
fn grouped(colours: &[([u8; 3], u64)], bits: u32) -> Option<(Vec<[u8; 3]>, Vec<u8>)> {
    let mut groups: HashMap<[u8; 3], usize> = HashMap::new();
    let mut sums: Vec<([u64; 3], u64)> = Vec::new();
    let mut group_of = Vec::with_capacity(colours.len());
    for (colour, count) in colours {
        let key = colour.map(|v| v >> (8 - bits));
        let group = *groups.entry(key).or_insert_with(|| {
            sums.push(([0; 3], 0));
            sums.len() - 1
        });
        if group > 255 {
            return None;
        }
        for (sum, v) in sums[group].0.iter_mut().zip(colour) {
            *sum += u64::from(*v) * count;
        }
        sums[group].1 += count;
        group_of.push(group as u8);
    }
    let palette = sums.iter().map(|(sum, n)| sum.map(|s| ((s + n / 2) / n.max(&1)) as u8)).collect();
    Some((palette, group_of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Figure, Format, Line, Panel, render};

    fn png_of(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(rgb).unwrap();
        out
    }

    fn rgb_of(reprint: &Reprint) -> Vec<[u8; 3]> {
        reprint.raster.indices.iter().map(|i| reprint.raster.palette[usize::from(*i)]).collect()
    }

    #[test]
    fn small_pictures_of_few_colours_stay_as_they_are() {
        let rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 0, 0];
        let reprint = Reprint::from_png(&png_of(2, 2, &rgb), 100).unwrap();
        assert_eq!(rgb_of(&reprint), [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 0, 0]]);
        let again = Reprint::from_png(&reprint.to_png().unwrap(), 100).unwrap();
        assert_eq!(again, reprint);
    }

    #[test]
    fn wide_pictures_are_averaged_by_area() {
        // 3 × 1 onto 2 × 1: each target pixel takes one and a half source pixels, in thirds 2 : 1.
        let reprint = Reprint::from_png(&png_of(3, 1, &[0, 0, 0, 90, 90, 90, 255, 255, 255]), 2).unwrap();
        assert_eq!((reprint.width(), reprint.height()), (2, 1));
        assert_eq!(rgb_of(&reprint), [[30; 3], [200; 3]]);
        let grey = Reprint::from_png(&png_of(400, 200, &[128; 400 * 200 * 3]), 100).unwrap();
        assert_eq!((grey.width(), grey.height(), grey.raster.palette.clone()), (100, 50, vec![[128; 3]]));
    }

    #[test]
    fn many_colours_are_drawn_together_without_a_visible_change() {
        // A colour map from blue over green to red: 1024 colours.
        let rgb: Vec<u8> = (0..1024u32)
            .flat_map(|i| {
                [(i / 4) as u8, (255 - (i as i32 - 512).unsigned_abs().min(511) / 2) as u8, (255 - i / 4) as u8]
            })
            .collect();
        let reprint = Reprint::from_png(&png_of(1024, 1, &rgb), 2000).unwrap();
        assert!(reprint.raster.palette.len() <= 256);
        let worst = rgb_of(&reprint).as_flattened().iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        // Six bits per channel hold such a line; half a cell of four is two.
        assert!(worst <= 3, "{worst}");
    }

    #[test]
    fn figures_become_small_files() {
        let figure = Figure::new("f").pixels(2000, 1000, 200.0).panel(Panel::new().x("row").line(Line::function(
            0.0,
            6.0,
            500,
            f64::sin,
        )));
        let png = render(&figure, Format::Png).unwrap();
        let reprint = Reprint::from_png(&png, 1400).unwrap();
        assert_eq!((reprint.width(), reprint.height()), (1400, 700));
        assert!(reprint.to_png().unwrap().len() < 60_000);
    }

    #[test]
    fn what_is_no_png_is_an_error() {
        assert!(Reprint::from_png(b"", 10).is_err());
        assert!(Reprint::from_png(b"<script>alert(1)</script>", 10).is_err());
        let mut cut = png_of(50, 50, &[7; 7500]);
        cut.truncate(40);
        assert!(Reprint::from_png(&cut, 10).is_err());
    }
}
