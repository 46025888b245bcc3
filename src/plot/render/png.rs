//! PNG: the marks drawn with anti-aliasing.

use std::borrow::Cow;

use tiny_skia::{
    FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, StrokeDash, Transform,
};

use super::RenderError;
use super::drawing::{Drawing, Mark, Pen, Raster};
use super::font;
use super::geometry::{Path, Rect, Segment};
use crate::plot::style::Colour;

/// Largest picture in pixels (a hundred panels at 300 dpi are below it).
const LARGEST: f64 = 2.0e8;

/// A figure as pixels, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue: three bytes per pixel.
    pub rgb: Vec<u8>,
}

/// Draws at `dpi` pixels per inch on white.
pub(crate) fn draw(drawing: &Drawing, dpi: f64) -> Result<Pixels, RenderError> {
    let scale = dpi / 72.0;
    let (width, height) = ((drawing.width * scale).round().max(1.0), (drawing.height * scale).round().max(1.0));
    let too_large = || RenderError::TooLarge { width: width as u64, height: height as u64 };
    if width * height > LARGEST {
        return Err(too_large());
    }
    let mut pixmap = Pixmap::new(width as u32, height as u32).ok_or_else(too_large)?;
    pixmap.fill(tiny_skia::Color::WHITE);
    let transform = Transform::from_scale(scale as f32, scale as f32);
    for mark in &drawing.marks {
        match mark {
            Mark::Path { path, fill, pen } => {
                if let Some(path) = skia_path(path) {
                    paint_path(&mut pixmap, &path, *fill, pen.as_ref(), transform);
                }
            }
            Mark::Stamps { path, fill, pen, at } => {
                let Some(path) = skia_path(path) else {
                    continue;
                };
                for p in at {
                    let t = transform.pre_translate(p.x as f32, p.y as f32);
                    paint_path(&mut pixmap, &path, *fill, pen.as_ref(), t);
                }
            }
            Mark::Text { glyphs, at, upwards, colour } => {
                if let Some(path) = skia_path(&font::text_outline(glyphs, *at, *upwards)) {
                    paint_path(&mut pixmap, &path, Some(*colour), None, transform);
                }
            }
            Mark::Image { raster, rect, clip } => paste(&mut pixmap, raster, rect, clip, scale),
        }
    }
    let rgb = pixmap.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    Ok(Pixels { width: pixmap.width(), height: pixmap.height(), rgb })
}

/// The drawing as a PNG file.
pub(crate) fn write(drawing: &Drawing, dpi: f64) -> Result<Vec<u8>, RenderError> {
    let pixels = draw(drawing, dpi)?;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, pixels.width, pixels.height);
    encoder.set_compression(png::Compression::Fast);
    let per_metre = (dpi / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    let few = few_colours(&pixels.rgb);
    let data = match &few {
        Some((palette, indices)) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(Cow::Borrowed(&palette[..]));
            indices
        }
        None => {
            encoder.set_color(png::ColorType::Rgb);
            &pixels.rgb
        }
    };
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()?;
    Ok(out)
}

/// Palette and indices when there are at most 256 colours: a third of the bytes.
fn few_colours(rgb: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut palette: Vec<u8> = Vec::new();
    let mut index_of = std::collections::HashMap::new();
    let mut indices = Vec::with_capacity(rgb.len() / 3);
    let mut previous = ([0u8; 3], None);
    for pixel in rgb.chunks_exact(3) {
        let colour = [pixel[0], pixel[1], pixel[2]];
        let index = match previous {
            (c, Some(index)) if c == colour => index,
            _ => {
                let next = index_of.len();
                let index = *index_of.entry(colour).or_insert(next);
                if index > 255 {
                    return None;
                }
                if index == next {
                    palette.extend(colour);
                }
                index as u8
            }
        };
        previous = (colour, Some(index));
        indices.push(index);
    }
    Some((palette, indices))
}

fn skia_path(path: &Path) -> Option<tiny_skia::Path> {
    let mut builder = PathBuilder::new();
    let f = |v: f64| v as f32;
    for segment in &path.segments {
        match *segment {
            Segment::Move(p) => builder.move_to(f(p.x), f(p.y)),
            Segment::Line(p) => builder.line_to(f(p.x), f(p.y)),
            Segment::Cubic(a, b, p) => builder.cubic_to(f(a.x), f(a.y), f(b.x), f(b.y), f(p.x), f(p.y)),
            Segment::Close => builder.close(),
        }
    }
    builder.finish()
}

fn paint_of(colour: Colour) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(colour.r, colour.g, colour.b, colour.a);
    paint.anti_alias = true;
    paint
}

fn paint_path(
    pixmap: &mut Pixmap,
    path: &tiny_skia::Path,
    fill: Option<Colour>,
    pen: Option<&Pen>,
    transform: Transform,
) {
    if let Some(colour) = fill {
        pixmap.fill_path(path, &paint_of(colour), FillRule::Winding, transform, None);
    }
    if let Some(pen) = pen {
        let dash = StrokeDash::new(pen.dashes.iter().map(|d| *d as f32).collect(), 0.0);
        let stroke = Stroke {
            width: pen.width as f32,
            line_cap: if pen.round { LineCap::Round } else { LineCap::Butt },
            line_join: if pen.round { LineJoin::Round } else { LineJoin::Miter },
            dash: if pen.dashes.is_empty() { None } else { dash },
            ..Stroke::default()
        };
        pixmap.stroke_path(path, &paint_of(pen.colour), &stroke, transform, None);
    }
}

/// Copies image pixels, every device pixel taking the image pixel at its centre.
fn paste(pixmap: &mut Pixmap, raster: &Raster, rect: &Rect, clip: &Rect, scale: f64) {
    let device = |v: f64, end: u32| (v * scale).round().clamp(0.0, f64::from(end)) as usize;
    let (width, height) = (pixmap.width(), pixmap.height());
    let (x_from, x_to) = (device(rect.x0.max(clip.x0), width), device(rect.x1.min(clip.x1), width));
    let (y_from, y_to) = (device(rect.y0.max(clip.y0), height), device(rect.y1.min(clip.y1), height));
    let source = |i: usize, first: f64, extent: f64, pixels: usize| {
        let place = ((i as f64 + 0.5) / scale - first) / extent * pixels as f64;
        (place.max(0.0) as usize).min(pixels.saturating_sub(1))
    };
    let colours: Vec<PremultipliedColorU8> =
        raster.palette.iter().map(|c| tiny_skia::ColorU8::from_rgba(c[0], c[1], c[2], 255).premultiply()).collect();
    let columns: Vec<usize> = (x_from..x_to).map(|x| source(x, rect.x0, rect.width(), raster.width)).collect();
    if raster.width == 0 || raster.height == 0 || columns.is_empty() {
        return;
    }
    let target = pixmap.pixels_mut();
    for y in y_from..y_to {
        let row = source(y, rect.y0, rect.height(), raster.height);
        let indices = &raster.indices[row * raster.width..][..raster.width];
        let line = &mut target[y * width as usize + x_from..][..columns.len()];
        for (pixel, &column) in line.iter_mut().zip(&columns) {
            *pixel = colours[indices[column] as usize];
        }
    }
}
