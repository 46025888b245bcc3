//! PDF: one or several pages, text as text in an embedded font, images with a palette, no dates or random numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{ActionType, AnnotationType, CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Pdf, Ref, Str, TextStr};

use super::RenderError;
use super::drawing::{Drawing, Mark, Pen, Raster};
use super::font::{self, ASCENT, CAP_HEIGHT, DESCENT, Glyph};
use super::geometry::{Path, Point, Rect, Segment};
use super::number;
use super::subset::Subset;
use crate::plot::style::Colour;

/// Compression of page descriptions and fonts; the default level of zlib.
const TEXT_LEVEL: u32 = 6;
/// Zlib data.
pub(crate) fn deflate(data: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(data.len() / 3 + 64), Compression::new(level));
    // Writing into memory does not fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

/// Numbers of PDF objects in the order of their making.
struct Ids(i32);

impl Ids {
    fn next(&mut self) -> Ref {
        self.0 += 1;
        Ref::new(self.0)
    }
}

/// The drawings as the pages of one PDF file.
pub(crate) fn write(drawings: &[Drawing]) -> Result<Vec<u8>, RenderError> {
    write_with_bookmarks(drawings, &[], &[])
}

/// The drawings as pages, with bookmarks (text, page from 0) and links (page, place on it in points from the upper left
/// corner, page it leads to).
pub(crate) fn write_with_bookmarks(
    drawings: &[Drawing],
    bookmarks: &[(String, usize)],
    links: &[(usize, Rect, usize)],
) -> Result<Vec<u8>, RenderError> {
    let mut pdf = Pdf::new();
    let mut ids = Ids(0);
    let (catalog, tree) = (ids.next(), ids.next());
    let pages: Vec<Ref> = drawings.iter().map(|_| ids.next()).collect();
    let outline = (!bookmarks.is_empty()).then(|| write_bookmarks(&mut pdf, &mut ids, &pages, bookmarks));
    let mut root = pdf.catalog(catalog);
    root.pages(tree);
    if let Some(outline) = outline {
        root.outlines(outline);
    }
    root.finish();
    pdf.pages(tree).kids(pages.iter().copied()).count(pages.len() as i32);
    let title = drawings.first().map_or("", |d| d.title.as_str());
    pdf.document_info(ids.next())
        .title(TextStr(title))
        .creator(TextStr(concat!("panaSKImg ", env!("CARGO_PKG_VERSION"))));
    let subset = Subset::of(drawings)?;
    let font = subset.as_ref().map(|subset| write_font(&mut pdf, &mut ids, subset));
    for (number, (drawing, &page_id)) in drawings.iter().zip(&pages).enumerate() {
        let mut page = Page {
            out: Vec::with_capacity(32 * 1024),
            height: drawing.height,
            alphas: BTreeSet::new(),
            forms: Vec::new(),
            images: Vec::new(),
            subset: subset.as_ref(),
            font_size: None,
        };
        for mark in &drawing.marks {
            page.mark(mark);
        }
        let own = links.iter().filter(|(page, ..)| *page == number);
        let targets: Vec<(Rect, Ref)> =
            own.filter_map(|(_, place, target)| Some((*place, *pages.get(*target)?))).collect();
        write_page(&mut pdf, &mut ids, (page_id, tree), drawing, page, (font, &targets));
    }
    Ok(pdf.finish())
}

fn write_bookmarks(pdf: &mut Pdf, ids: &mut Ids, pages: &[Ref], bookmarks: &[(String, usize)]) -> Ref {
    let outline = ids.next();
    let items: Vec<Ref> = bookmarks.iter().map(|_| ids.next()).collect();
    if let (Some(first), Some(last)) = (items.first(), items.last()) {
        pdf.outline(outline).first(*first).last(*last).count(items.len() as i32);
    }
    for (k, (text, page)) in bookmarks.iter().enumerate() {
        let mut item = pdf.outline_item(items[k]);
        item.title(TextStr(text)).parent(outline);
        if k > 0 {
            item.prev(items[k - 1]);
        }
        if let Some(next) = items.get(k + 1) {
            item.next(*next);
        }
        if let Some(page) = pages.get(*page) {
            item.dest().page(*page).fit();
        }
    }
    outline
}

fn write_page(
    pdf: &mut Pdf,
    ids: &mut Ids,
    (page_id, tree): (Ref, Ref),
    drawing: &Drawing,
    content: Page,
    (font, links): (Option<Ref>, &[(Rect, Ref)]),
) {
    let content_id = ids.next();
    let states: BTreeMap<u8, Ref> = content.alphas.iter().map(|a| (*a, ids.next())).collect();
    let forms: Vec<Ref> = content.forms.iter().map(|_| ids.next()).collect();
    let images: Vec<Ref> = content.images.iter().map(|_| ids.next()).collect();
    let annotations: Vec<Ref> = links.iter().map(|_| ids.next()).collect();
    let size = pdf_writer::Rect::new(0.0, 0.0, drawing.width as f32, drawing.height as f32);
    let mut page = pdf.page(page_id);
    page.parent(tree).media_box(size).contents(content_id);
    if !annotations.is_empty() {
        page.annotations(annotations.iter().copied());
    }
    let mut resources = page.resources();
    if let Some(font) = font {
        resources.fonts().pair(Name(b"F"), font);
    }
    let mut dictionary = resources.ext_g_states();
    for (alpha, id) in &states {
        dictionary.pair(Name(format!("A{alpha}").as_bytes()), *id);
    }
    dictionary.finish();
    let mut objects = resources.x_objects();
    for (i, id) in forms.iter().enumerate() {
        objects.pair(Name(format!("S{i}").as_bytes()), *id);
    }
    for (i, id) in images.iter().enumerate() {
        objects.pair(Name(format!("I{i}").as_bytes()), *id);
    }
    objects.finish();
    resources.finish();
    page.finish();
    for ((place, target), id) in links.iter().zip(annotations) {
        let up = |y: f64| (drawing.height - y) as f32;
        let mut link = pdf.annotation(id);
        link.subtype(AnnotationType::Link);
        link.rect(pdf_writer::Rect::new(place.x0 as f32, up(place.y1), place.x1 as f32, up(place.y0)));
        link.border(0.0, 0.0, 0.0, None);
        link.action().action_type(ActionType::GoTo).destination().page(*target).fit();
    }
    pdf.stream(content_id, &deflate(&content.out, TEXT_LEVEL)).filter(Filter::FlateDecode);
    for (alpha, id) in &states {
        let opacity = f32::from(*alpha) / 255.0;
        pdf.ext_graphics(*id).stroking_alpha(opacity).non_stroking_alpha(opacity);
    }
    for ((data, bounds), id) in content.forms.iter().zip(forms) {
        let mut form = pdf.form_xobject(id, data);
        form.bbox(pdf_writer::Rect::new(bounds.x0 as f32, bounds.y0 as f32, bounds.x1 as f32, bounds.y1 as f32));
        // The opacities of the page are used inside markers too.
        let mut resources = form.resources();
        let mut dictionary = resources.ext_g_states();
        for (alpha, id) in &states {
            dictionary.pair(Name(format!("A{alpha}").as_bytes()), *id);
        }
    }
    for (raster, id) in content.images.iter().zip(images) {
        write_image(pdf, id, raster);
    }
}

fn write_image(pdf: &mut Pdf, id: Ref, raster: &Raster) {
    let palette: Vec<u8> = raster.palette.iter().flatten().copied().collect();
    let mut image = pdf.image_xobject(id, raster.deflated());
    image.filter(Filter::FlateDecode);
    image.width(raster.width as i32).height(raster.height as i32).bits_per_component(8).interpolate(false);
    image.color_space().indexed(Name(b"DeviceRGB"), raster.palette.len() as i32 - 1, &palette);
}

fn write_font(pdf: &mut Pdf, ids: &mut Ids, subset: &Subset) -> Ref {
    let (font, descendant, descriptor, file, cmap) = (ids.next(), ids.next(), ids.next(), ids.next(), ids.next());
    let name = format!("{}+{}", subset.tag, font::NAME);
    let system = || SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
    pdf.type0_font(font)
        .base_font(Name(name.as_bytes()))
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(descendant)
        .to_unicode(cmap);
    let mut cid = pdf.cid_font(descendant);
    cid.subtype(CidFontType::Type2)
        .base_font(Name(name.as_bytes()))
        .system_info(system())
        .font_descriptor(descriptor)
        .default_width(0.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = cid.widths();
    for (number, (_, advance)) in &subset.glyphs {
        widths.consecutive(*number, [(advance * 1000.0) as f32]);
    }
    widths.finish();
    cid.finish();
    let bounds = font::face().global_bounding_box();
    let thousandths = |v: f64| (v * 1000.0) as f32;
    let unit = |v: i16| thousandths(f64::from(v) / font::units_per_em());
    pdf.font_descriptor(descriptor)
        .name(Name(name.as_bytes()))
        .flags(FontFlags::SYMBOLIC | FontFlags::SERIF)
        .bbox(pdf_writer::Rect::new(unit(bounds.x_min), unit(bounds.y_min), unit(bounds.x_max), unit(bounds.y_max)))
        .italic_angle(0.0)
        .ascent(thousandths(ASCENT))
        .descent(thousandths(-DESCENT))
        .cap_height(thousandths(CAP_HEIGHT))
        .stem_v(80.0)
        .font_file2(file);
    pdf.stream(file, &deflate(&subset.file, TEXT_LEVEL))
        .filter(Filter::FlateDecode)
        .pair(Name(b"Length1"), subset.file.len() as i32);
    let mut map: UnicodeCmap = UnicodeCmap::new(Name(b"Custom"), system());
    for (number, (character, _)) in &subset.glyphs {
        map.pair(*number, *character);
    }
    pdf.cmap(cmap, &map.finish());
    font
}

/// The description of one page while it is written.
struct Page<'a> {
    out: Vec<u8>,
    height: f64,
    alphas: BTreeSet<u8>,
    /// Content and bounds of the markers.
    forms: Vec<(Vec<u8>, Rect)>,
    images: Vec<&'a Raster>,
    subset: Option<&'a Subset>,
    font_size: Option<f64>,
}

impl<'a> Page<'a> {
    fn text(&mut self, s: &str) {
        self.out.extend_from_slice(s.as_bytes());
    }

    fn numbers(&mut self, values: &[f64]) {
        for v in values {
            number::push(&mut self.out, *v);
            self.out.push(b' ');
        }
    }

    fn place(&mut self, p: Point) {
        self.numbers(&[p.x, self.height - p.y]);
    }

    fn colour(&mut self, c: Colour, operator: &str) {
        for channel in [c.r, c.g, c.b] {
            number::push_scaled(&mut self.out, f64::from(channel) / 255.0, 3);
            self.out.push(b' ');
        }
        self.text(operator);
        self.text("\n");
    }

    fn path(&mut self, path: &Path) {
        for segment in &path.segments {
            match *segment {
                Segment::Move(p) => {
                    self.place(p);
                    self.text("m\n");
                }
                Segment::Line(p) => {
                    self.place(p);
                    self.text("l\n");
                }
                Segment::Cubic(a, b, p) => {
                    self.place(a);
                    self.place(b);
                    self.place(p);
                    self.text("c\n");
                }
                Segment::Close => self.text("h\n"),
            }
        }
    }

    /// Opacity of fills and strokes.
    fn alpha(&mut self, a: u8) {
        self.alphas.insert(a);
        self.text(&format!("/A{a} gs\n"));
    }

    fn pen(&mut self, pen: &Pen) {
        self.colour(pen.colour, "RG");
        self.numbers(&[pen.width]);
        self.text("w ");
        self.text(if pen.round { "1 J 1 j " } else { "0 J 0 j " });
        self.text("[");
        self.numbers(&pen.dashes);
        self.text("] 0 d\n");
    }

    /// A path filled, then stroked, in its own graphics state.
    fn painted(&mut self, path: &Path, fill: Option<Colour>, pen: Option<&Pen>) {
        let alpha_of = |c: Colour| c.a;
        let (fill_alpha, pen_alpha) = (fill.map(alpha_of), pen.map(|p| p.colour.a));
        if let (Some(f), Some(s)) = (fill_alpha, pen_alpha)
            && f != s
        {
            self.painted(path, fill, None);
            return self.painted(path, None, pen);
        }
        self.text("q\n");
        if let Some(a) = fill_alpha.or(pen_alpha)
            && a < 255
        {
            self.alpha(a);
        }
        if let Some(fill) = fill {
            self.colour(fill, "rg");
        }
        if let Some(pen) = pen {
            self.pen(pen);
        }
        self.path(path);
        self.text(match (fill, pen) {
            (Some(_), Some(_)) => "B\nQ\n",
            (Some(_), None) => "f\nQ\n",
            (None, Some(_)) => "S\nQ\n",
            (None, None) => "n\nQ\n",
        });
    }

    fn mark(&mut self, mark: &'a Mark) {
        match mark {
            Mark::Path { path, fill, pen } => self.painted(path, *fill, pen.as_ref()),
            Mark::Stamps { path, fill, pen, at } => self.stamps(path, *fill, pen.as_ref(), at),
            Mark::Text { glyphs, at, upwards, colour } => self.glyphs(glyphs, *at, *upwards, *colour),
            Mark::Image { raster, rect, clip } => self.image(raster, rect, clip),
        }
    }

    fn stamps(&mut self, path: &Path, fill: Option<Colour>, pen: Option<&Pen>, at: &[Point]) {
        // The marker around (0, 0) becomes a form of its own.
        let page = std::mem::take(&mut self.out);
        let height = std::mem::replace(&mut self.height, 0.0);
        self.painted(path, fill, pen);
        self.height = height;
        let form = std::mem::replace(&mut self.out, page);
        let name = self.forms.len();
        let reach = 4.0
            + path.segments.iter().fold(0.0f64, |m, s| match s {
                Segment::Move(p) | Segment::Line(p) | Segment::Cubic(_, _, p) => m.max(p.x.abs()).max(p.y.abs()),
                Segment::Close => m,
            });
        self.forms.push((form, Rect::new(-reach, -reach, reach, reach)));
        self.text("q\n");
        // Each marker is placed relative to the one before: the numbers stay short.
        let mut previous = Point::default();
        for p in at {
            let here = Point { x: (p.x * 100.0).round() / 100.0, y: ((self.height - p.y) * 100.0).round() / 100.0 };
            self.text("1 0 0 1 ");
            self.numbers(&[here.x - previous.x, here.y - previous.y]);
            self.text(&format!("cm /S{name} Do\n"));
            previous = here;
        }
        self.text("Q\n");
    }

    fn glyphs(&mut self, glyphs: &[Glyph], at: Point, upwards: bool, colour: Colour) {
        let Some(subset) = self.subset else { return };
        self.text("q\n");
        if colour.a < 255 {
            self.alpha(colour.a);
        }
        self.colour(colour, "rg");
        self.text("BT\n");
        self.font_size = None;
        for run in glyphs.chunk_by(|a, b| a.size == b.size && a.rise == b.rise) {
            let first = &run[0];
            if self.font_size != Some(first.size) {
                self.text("/F ");
                number::push_scaled(&mut self.out, first.size, 3);
                self.text(" Tf\n");
                self.font_size = Some(first.size);
            }
            let (matrix, start) = if upwards {
                ("0 1 -1 0 ", Point { x: at.x - first.rise, y: at.y - first.x })
            } else {
                ("1 0 0 1 ", Point { x: at.x + first.x, y: at.y - first.rise })
            };
            self.text(matrix);
            self.place(start);
            self.text("Tm\n[<");
            let mut expected = first.x;
            for g in run {
                // Kerning, in thousandths of the font size.
                let shift = ((expected - g.x) / g.size * 1000.0).round();
                if shift != 0.0 {
                    self.text(">");
                    self.numbers(&[shift]);
                    self.text("<");
                }
                self.text(&format!("{:04x}", subset.number(g.id)));
                expected = g.x + font::advance(g.id) * g.size;
            }
            self.text(">] TJ\n");
        }
        self.text("ET\nQ\n");
    }

    fn image(&mut self, raster: &'a Raster, rect: &Rect, clip: &Rect) {
        if raster.width == 0 || raster.height == 0 {
            return;
        }
        let name = self.images.len();
        self.images.push(raster);
        self.text("q\n");
        self.numbers(&[clip.x0, self.height - clip.y1, clip.width(), clip.height()]);
        self.text("re W n\n");
        self.numbers(&[rect.width(), 0.0, 0.0, rect.height(), rect.x0, self.height - rect.y1]);
        self.text(&format!("cm /I{name} Do\nQ\n"));
    }
}
