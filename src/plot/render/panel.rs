//! One panel: its ticks and margins for a given frame, and its marks.

use super::boxes::{self, Block};
use super::drawing::{Drawing, Mark, Pen};
use super::font::{self, ASCENT, CAP_HEIGHT, DESCENT, LINE_SKIP, Text};
use super::geometry::{Path, Point, Rect, pt};
use super::layout::Density;
use super::marks::{self, Frame};
use super::raster::{self, Limits};
use super::scale::Scale;
use super::theme::{INK, Theme};
use super::ticks::{Room, Ticks, ticks};
use crate::plot::annotation::LegendPlace;
use crate::plot::axis::{Axis, AxisScale, SecondAxis};
use crate::plot::figure::{Aspect, Panel};
use crate::plot::image::{ColourScale, ImagePlot};
use crate::plot::series::Series;
use crate::plot::style::Colour;

/// Space that axes, labels, bars and titles need around a frame, in points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Margins {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

/// Width of a colour bar.
const BAR: f64 = 10.0;
/// Least distance of labelled ticks along x and y.
const X_SPACING: f64 = 40.0;
const Y_SPACING: f64 = 27.0;

/// A panel with everything that is known before it has a frame.
pub(crate) struct Plan<'a> {
    pub panel: &'a Panel,
    pub x: Scale,
    pub y: Scale,
    /// Whether tick labels and label of the lower axis are drawn (not above another panel of the same axis).
    pub x_labels: bool,
    /// Colour range of each image layer.
    limits: Vec<Option<Limits>>,
    theme: Theme,
    density: Density,
}

/// What depends on the size of the frame.
struct Fitted {
    x: Ticks,
    /// Labels of the lower axis read upwards.
    x_upright: bool,
    y: Ticks,
    top: Option<(Scale, Ticks)>,
    right: Option<(Scale, Ticks)>,
    bar: Option<(Scale, Ticks)>,
    x_label: Vec<Text>,
    y_label: Vec<Text>,
    bar_label: Vec<Text>,
    title: Vec<Text>,
    outside: Option<Block>,
}

impl<'a> Plan<'a> {
    pub fn new(panel: &'a Panel, x: Scale, y: Scale, x_labels: bool, theme: Theme, density: Density) -> Self {
        let limits = panel
            .series
            .iter()
            .map(|s| match s {
                Series::Image(image) => Some(raster::limits(image)),
                _ => None,
            })
            .collect();
        Self { panel, x, y, x_labels, limits, theme, density }
    }

    fn has_image(&self) -> bool {
        self.limits.iter().any(Option::is_some)
    }

    /// The image that has a colour bar, with its range.
    fn bar_image(&self) -> Option<(&ImagePlot, Limits)> {
        self.panel.series.iter().zip(&self.limits).find_map(|(s, limits)| match (s, limits) {
            (Series::Image(image), Some(limits)) if image.colour_bar => Some((image, *limits)),
            _ => None,
        })
    }

    /// Ticks of images point outwards: inside they would be lost on the colours.
    fn outward(&self) -> f64 {
        if self.has_image() { self.theme.major } else { 0.0 }
    }

    fn fit(&self, width: f64, height: f64) -> Fitted {
        let theme = &self.theme;
        let (x, x_upright) = self.x_ticks(&self.panel.x, &self.x, width);
        let y = self.y_ticks(&self.panel.y, &self.y, height);
        let second = |axis: &Option<SecondAxis>, first: &Scale, across: bool| {
            let axis = axis.as_ref()?;
            let scale = second_scale(axis, first)?;
            let plain = Axis::new(axis.label.clone());
            let ticks =
                if across { self.x_ticks(&plain, &scale, width).0 } else { self.y_ticks(&plain, &scale, height) };
            Some((scale, ticks))
        };
        let bar = self.bar_image().map(|(image, limits)| {
            let kind = if image.scale == ColourScale::Log { AxisScale::Log } else { AxisScale::Linear };
            let scale = Scale::new(kind, limits.low, limits.high, false);
            let ticks = self.y_ticks(&Axis::default(), &scale, height);
            (scale, ticks)
        });
        let label = |text: &str, length: f64| match text.is_empty() {
            true => vec![],
            false => font::fit(text, theme.label, length, 0.7),
        };
        let entries = boxes::entries(&self.panel.legend, &self.panel.series);
        let outside = (self.panel.legend.place == LegendPlace::Outside)
            .then(|| Block::legend(&self.panel.legend, &entries, theme, 0.5 * width.max(100.0), height))
            .flatten();
        Fitted {
            x_label: label(&self.panel.x.label, width + 40.0),
            y_label: label(&self.panel.y.label, height + 12.0),
            bar_label: label(self.bar_image().map_or("", |(i, _)| &i.colour_label), height + 12.0),
            title: match &self.panel.title {
                Some(t) if !t.is_empty() => font::fit(t, theme.panel_title, width + 30.0, 0.75),
                _ => vec![],
            },
            top: second(&self.panel.top, &self.x, true),
            right: second(&self.panel.right, &self.y, false),
            x,
            x_upright,
            y,
            bar,
            outside,
        }
    }

    fn x_ticks(&self, axis: &Axis, scale: &Scale, length: f64) -> (Ticks, bool) {
        let size = self.theme.tick;
        let extent = |label: &str| font::width(label, size);
        let room = Room { length, spacing: X_SPACING * size / 10.5, extent: &extent };
        match &axis.ticks {
            None => (ticks(scale, axis.integer, &room), false),
            Some(named) => {
                let named = named_ticks(named, scale);
                let upright = !room.fits(scale, &named.major);
                (named, upright)
            }
        }
    }

    fn y_ticks(&self, axis: &Axis, scale: &Scale, length: f64) -> Ticks {
        let size = self.theme.tick;
        let extent = |_: &str| size * 0.9;
        match &axis.ticks {
            None => ticks(scale, axis.integer, &Room { length, spacing: Y_SPACING * size / 10.5, extent: &extent }),
            Some(named) => named_ticks(named, scale),
        }
    }

    /// Space needed around a frame of this size.
    pub fn margins(&self, width: f64, height: f64) -> Margins {
        let theme = &self.theme;
        let f = self.fit(width, height);
        let widest = |t: &Ticks| t.major.iter().map(|(_, l)| font::width(l, theme.tick)).fold(0.0, f64::max);
        let line = |texts: &[Text]| texts.iter().map(|t| LINE_SKIP * t.size).sum::<f64>();
        let gap = theme.gap;
        let mut left = widest(&f.y) + gap + self.outward();
        if !f.y_label.is_empty() {
            left += line(&f.y_label) + gap;
        }
        let mut right = 0.0;
        if let Some((_, t)) = &f.right {
            right += widest(t)
                + gap
                + if self.panel.right.as_ref().is_some_and(|a| a.label.is_empty()) {
                    0.0
                } else {
                    LINE_SKIP * theme.label + gap
                };
        }
        if let Some((_, t)) = &f.bar {
            right += 8.0 + BAR + gap + widest(t);
            if !f.bar_label.is_empty() {
                right += line(&f.bar_label) + gap;
            }
        }
        right += f.outside.as_ref().map_or(0.0, |b| b.outer_width());
        let mut bottom = 0.0;
        if self.x_labels {
            // Half of the outermost labels hangs over the frame.
            if !f.x_upright {
                for (v, label) in &f.x.major {
                    let half = font::width(label, theme.tick) / 2.0;
                    let u = self.x.unit(*v) * width;
                    left = left.max(half - u);
                    right = right.max(u + half - width);
                }
            }
            bottom = gap
                + self.outward()
                + if f.x_upright { widest(&f.x).min(0.5 * height + 40.0) } else { LINE_SKIP * theme.tick * 0.85 };
            let common = if f.x.common.is_some() { LINE_SKIP * theme.tick } else { 0.0 };
            bottom += (line(&f.x_label) + if f.x_label.is_empty() { 0.0 } else { 0.5 * gap }).max(common);
        }
        let mut top = line(&f.title) + if f.title.is_empty() { 0.0 } else { 0.6 * gap };
        if let Some((_, t)) = &f.top {
            top += gap + LINE_SKIP * theme.tick + if t.common.is_some() { 4.0 } else { 0.0 };
            if self.panel.top.as_ref().is_some_and(|a| !a.label.is_empty()) {
                top += LINE_SKIP * theme.label;
            }
        } else if f.y.common.is_some()
            || [&f.right, &f.bar].iter().any(|s| s.as_ref().is_some_and(|(_, t)| t.common.is_some()))
        {
            top += LINE_SKIP * theme.tick;
        }
        // The uppermost and lowest labels of the left axis hang over the frame too.
        top = top.max(0.45 * theme.tick);
        Margins { left, right, top, bottom: bottom.max(0.3 * theme.tick) }
    }

    /// The frame inside `slot`, smaller in one direction when the units of x and y must be equally long.
    fn frame_in(&self, slot: Rect) -> Rect {
        if self.panel.aspect == Aspect::Free || self.x.kind != AxisScale::Linear || self.y.kind != AxisScale::Linear {
            return slot;
        }
        let unit = (slot.width() / (self.x.max - self.x.min)).min(slot.height() / (self.y.max - self.y.min));
        let (w, h) = (unit * (self.x.max - self.x.min), unit * (self.y.max - self.y.min));
        if !(w >= 1.0 && h >= 1.0) {
            return slot;
        }
        let (dx, dy) = ((slot.width() - w) / 2.0, (slot.height() - h) / 2.0);
        Rect::new(slot.x0 + dx, slot.y0 + dy, slot.x1 - dx, slot.y1 - dy)
    }

    /// Draws the panel with its frame in `slot`.
    pub fn draw(&self, drawing: &mut Drawing, slot: Rect) {
        let rect = self.density.snapped(self.frame_in(slot));
        let frame = Frame { rect, x: self.x, y: self.y };
        let fitted = self.fit(rect.width(), rect.height());
        self.draw_grid(drawing, &frame, &fitted);
        for (series, limits) in self.panel.series.iter().zip(&self.limits) {
            marks::draw(drawing, &frame, series, *limits, self.density);
        }
        self.draw_axes(drawing, &frame, &fitted);
        if let (Some((image, _)), Some((scale, ticks))) = (self.bar_image(), &fitted.bar) {
            self.draw_bar(drawing, &rect, image, scale, ticks, &fitted);
        }
        self.draw_title(drawing, &rect, &fitted);
        self.draw_boxes(drawing, &frame, fitted.outside);
        for inset in &self.panel.insets {
            self.draw_inset(drawing, &rect, inset);
        }
    }

    fn draw_grid(&self, drawing: &mut Drawing, frame: &Frame, fitted: &Fitted) {
        let mut path = Path::new();
        let r = &frame.rect;
        if self.panel.x.grid {
            for (v, _) in &fitted.x.major {
                let x = frame.across(*v);
                path.segment(pt(x, r.y0), pt(x, r.y1));
            }
        }
        if self.panel.y.grid {
            for (v, _) in &fitted.y.major {
                let y = frame.up(*v);
                path.segment(pt(r.x0, y), pt(r.x1, y));
            }
        }
        drawing.stroke(path, Pen::solid(Colour::PALE_GREY, 0.5));
    }

    fn draw_axes(&self, drawing: &mut Drawing, frame: &Frame, f: &Fitted) {
        let r = frame.rect;
        let theme = &self.theme;
        let mut border = Path::new();
        border.rect(r);
        drawing.stroke(border, Pen::solid(INK, theme.line));
        let second_x = f.top.as_ref().zip(self.panel.top.as_ref());
        let second_y = f.right.as_ref().zip(self.panel.right.as_ref());
        let mut path = Path::new();
        let direction = if self.has_image() { -1.0 } else { 1.0 };
        let mut tick = |along_x: bool, place: f64, length: f64, near: bool, far: bool| {
            let d = direction * length;
            if along_x {
                if near {
                    path.segment(pt(place, r.y1), pt(place, r.y1 - d));
                }
                if far {
                    path.segment(pt(place, r.y0), pt(place, r.y0 + d));
                }
            } else {
                if near {
                    path.segment(pt(r.x0, place), pt(r.x0 + d, place));
                }
                if far {
                    path.segment(pt(r.x1, place), pt(r.x1 - d, place));
                }
            }
        };
        // Outward ticks stand only where labels are.
        let mirrored = !self.has_image();
        let below = self.x_labels || mirrored;
        for (v, _) in &f.x.major {
            tick(true, frame.across(*v), theme.major, below, mirrored && second_x.is_none());
        }
        for v in &f.x.minor {
            tick(true, frame.across(*v), theme.minor, below, mirrored && second_x.is_none());
        }
        for (v, _) in &f.y.major {
            tick(false, frame.up(*v), theme.major, true, mirrored && second_y.is_none());
        }
        for v in &f.y.minor {
            tick(false, frame.up(*v), theme.minor, true, mirrored && second_y.is_none());
        }
        if let Some(((_, ticks), axis)) = second_x {
            let place = |v: f64| frame.across((v - axis.offset) / axis.factor);
            ticks.major.iter().for_each(|(v, _)| tick(true, place(*v), theme.major, false, true));
            ticks.minor.iter().for_each(|v| tick(true, place(*v), theme.minor, false, true));
        }
        if let Some(((_, ticks), axis)) = second_y {
            let place = |v: f64| frame.up((v - axis.offset) / axis.factor);
            ticks.major.iter().for_each(|(v, _)| tick(false, place(*v), theme.major, false, true));
            ticks.minor.iter().for_each(|v| tick(false, place(*v), theme.minor, false, true));
        }
        drawing.stroke(path, Pen::solid(INK, 0.85 * theme.line));
        self.label_left(drawing, frame, f);
        if self.x_labels {
            self.label_below(drawing, frame, f);
        }
        if let Some(((_, ticks), axis)) = second_x {
            self.label_above(drawing, frame, ticks, axis);
        }
        if let Some(((_, ticks), axis)) = second_y {
            let place = |v: f64| frame.up((v - axis.offset) / axis.factor);
            let label = if axis.label.is_empty() {
                vec![]
            } else {
                font::fit(&axis.label, theme.label, r.height() + 12.0, 0.7)
            };
            self.label_right(drawing, &r, r.x1 + theme.gap, &place, ticks, &label);
        }
    }

    fn label_left(&self, drawing: &mut Drawing, frame: &Frame, f: &Fitted) {
        let theme = &self.theme;
        let r = frame.rect;
        let right = r.x0 - theme.gap - self.outward();
        let mut widest: f64 = 0.0;
        for (v, label) in &f.y.major {
            let text = Text::new(label, theme.tick);
            widest = widest.max(text.width);
            let at = pt(right - text.width, frame.up(*v) + CAP_HEIGHT * theme.tick / 2.0);
            write(drawing, text, at, false);
        }
        if let Some(common) = &f.y.common {
            write(drawing, Text::new(common, theme.tick), pt(r.x0, r.y0 - theme.gap - DESCENT * theme.tick), false);
        }
        let mut x = right - widest - theme.gap;
        for text in f.y_label.iter().rev() {
            let at = pt(x - DESCENT * text.size, (r.y0 + r.y1 + text.width) / 2.0);
            x -= LINE_SKIP * text.size;
            write(drawing, text.clone(), at, true);
        }
    }

    fn label_below(&self, drawing: &mut Drawing, frame: &Frame, f: &Fitted) {
        let theme = &self.theme;
        let r = frame.rect;
        let top = r.y1 + theme.gap + self.outward();
        let mut bottom = top + LINE_SKIP * theme.tick * 0.85;
        for (v, label) in &f.x.major {
            let text = Text::new(label, theme.tick);
            let x = frame.across(*v);
            if f.x_upright {
                bottom = bottom.max(top + text.width.min(0.5 * r.height() + 40.0));
                write(drawing, text.clone(), pt(x + CAP_HEIGHT * theme.tick / 2.0, top + text.width), true);
            } else {
                let baseline = top + (ASCENT - 0.08) * theme.tick;
                write(drawing, text.clone(), pt(x - text.width / 2.0, baseline), false);
            }
        }
        let mut y = bottom + 0.5 * theme.gap;
        for text in &f.x_label {
            let at = pt((r.x0 + r.x1 - text.width) / 2.0, y + ASCENT * text.size);
            y += LINE_SKIP * text.size;
            write(drawing, text.clone(), at, false);
        }
        if let Some(common) = &f.x.common {
            let text = Text::new(common, theme.tick);
            let at = pt(r.x1 - text.width, bottom + 0.5 * theme.gap + ASCENT * theme.tick);
            write(drawing, text, at, false);
        }
    }

    fn label_above(&self, drawing: &mut Drawing, frame: &Frame, ticks: &Ticks, axis: &SecondAxis) {
        let theme = &self.theme;
        let r = frame.rect;
        let baseline = r.y0 - theme.gap - 0.1 * theme.tick;
        for (v, label) in &ticks.major {
            let text = Text::new(label, theme.tick);
            let x = frame.across((v - axis.offset) / axis.factor);
            write(drawing, text.clone(), pt(x - text.width / 2.0, baseline), false);
        }
        let mut label = axis.label.clone();
        if let Some(common) = &ticks.common {
            label = format!("{label}  ({common})");
        }
        if !label.is_empty() {
            let text = shrink_to(&label, theme.label, r.width() + 40.0);
            let at = pt((r.x0 + r.x1 - text.width) / 2.0, baseline - LINE_SKIP * theme.tick);
            write(drawing, text, at, false);
        }
    }

    /// Labels at the right of `left`: a second axis or a colour bar.
    fn label_right(
        &self,
        drawing: &mut Drawing,
        r: &Rect,
        left: f64,
        place: &dyn Fn(f64) -> f64,
        ticks: &Ticks,
        label: &[Text],
    ) {
        let theme = &self.theme;
        let mut widest: f64 = 0.0;
        for (v, text) in &ticks.major {
            let text = Text::new(text, theme.tick);
            widest = widest.max(text.width);
            write(drawing, text, pt(left, place(*v) + CAP_HEIGHT * theme.tick / 2.0), false);
        }
        if let Some(common) = &ticks.common {
            let text = Text::new(common, theme.tick);
            let at = pt(left + widest - text.width.max(widest), r.y0 - theme.gap - DESCENT * theme.tick);
            write(drawing, text, at, false);
        }
        let mut x = left + widest + theme.gap;
        for text in label {
            x += LINE_SKIP * text.size;
            let at = pt(x - DESCENT * text.size, (r.y0 + r.y1 + text.width) / 2.0);
            write(drawing, text.clone(), at, true);
        }
    }

    fn draw_bar(&self, drawing: &mut Drawing, r: &Rect, image: &ImagePlot, scale: &Scale, ticks: &Ticks, f: &Fitted) {
        let theme = &self.theme;
        let bar = self.density.snapped(Rect::new(r.x1 + 8.0, r.y0, r.x1 + 8.0 + BAR, r.y1));
        let n = 252usize;
        let palette: Vec<[u8; 3]> = (0..n).map(|i| raster::colour_at(image, (i as f64 + 0.5) / n as f64)).collect();
        let raster =
            super::drawing::Raster { width: 1, height: n, indices: (0..n).rev().map(|i| i as u8).collect(), palette };
        drawing.marks.push(Mark::Image { raster: raster.into(), rect: bar, clip: bar });
        let place = |v: f64| bar.y1 - scale.unit(v) * bar.height();
        let mut border = Path::new();
        border.rect(bar);
        drawing.stroke(border, Pen::solid(INK, theme.line));
        let mut path = Path::new();
        for (v, _) in &ticks.major {
            path.segment(pt(bar.x1, place(*v)), pt(bar.x1 - 3.2, place(*v)));
        }
        for v in &ticks.minor {
            path.segment(pt(bar.x1, place(*v)), pt(bar.x1 - 1.8, place(*v)));
        }
        drawing.stroke(path, Pen::solid(INK, 0.85 * theme.line));
        self.label_right(drawing, &bar, bar.x1 + theme.gap, &place, ticks, &f.bar_label);
    }

    fn draw_title(&self, drawing: &mut Drawing, r: &Rect, f: &Fitted) {
        let theme = &self.theme;
        let mut bottom = r.y0 - 0.6 * theme.gap;
        if let Some((_, ticks)) = &f.top {
            bottom -= theme.gap + LINE_SKIP * theme.tick;
            let labelled = self.panel.top.as_ref().is_some_and(|a| !a.label.is_empty());
            bottom -= if labelled || ticks.common.is_some() { LINE_SKIP * theme.label } else { 0.0 };
        } else if f.y.common.is_some()
            || [&f.right, &f.bar].iter().any(|s| s.as_ref().is_some_and(|(_, t)| t.common.is_some()))
        {
            bottom -= LINE_SKIP * theme.tick;
        }
        for text in f.title.iter().rev() {
            let at = pt((r.x0 + r.x1 - text.width) / 2.0, bottom - DESCENT * text.size);
            bottom -= LINE_SKIP * text.size;
            write(drawing, text.clone(), at, false);
        }
    }

    fn draw_boxes(&self, drawing: &mut Drawing, frame: &Frame, outside: Option<Block>) {
        let r = frame.rect;
        let panel = self.panel;
        let notes: Vec<Block> =
            panel.notes.iter().filter_map(|n| Block::note(n, &self.theme, r.width(), r.height())).collect();
        let mut legends = Vec::new();
        if let Some(block) = outside {
            let width = block.outer_width();
            let x0 = r.x1 + self.margins(r.width(), r.height()).right - width + 7.0;
            block.draw(drawing, block.rect_at(x0, r.y0), false);
        } else {
            let entries = boxes::entries(&panel.legend, &panel.series);
            legends.extend(Block::legend(&panel.legend, &entries, &self.theme, r.width(), r.height()));
        }
        for legend in &panel.more_legends {
            legends.extend(Block::legend(legend, &legend.entries, &self.theme, r.width(), r.height()));
        }
        if notes.is_empty() && legends.is_empty() {
            return;
        }
        let mut footprint: Vec<Point> = marks::footprint(frame, &panel.series);
        for inset in &panel.insets {
            let place = inset_rect(&r, inset);
            footprint.extend(place.corners());
        }
        boxes::place(drawing, &r, notes, legends, &footprint, self.has_image());
    }

    fn draw_inset(&self, drawing: &mut Drawing, r: &Rect, inset: &crate::plot::figure::Inset) {
        let slot = inset_rect(r, inset);
        if !(slot.width() > 8.0 && slot.height() > 8.0) {
            return;
        }
        let theme = self.theme.scaled(0.78);
        let (x, y) = super::scale::scales_of(&inset.panel);
        let plan = Plan::new(&inset.panel, x, y, true, theme, self.density);
        let m = plan.margins(slot.width() * 0.8, slot.height() * 0.7);
        let mut ground = Path::new();
        ground.rect(slot);
        drawing.fill(ground, Colour::WHITE.with_alpha(0.85));
        let inner = Rect::new(slot.x0 + m.left, slot.y0 + m.top, slot.x1 - m.right.max(3.0), slot.y1 - m.bottom);
        if inner.width() > 5.0 && inner.height() > 5.0 {
            plan.draw(drawing, inner);
        }
    }
}

/// Place of an inset, kept inside the frame.
fn inset_rect(r: &Rect, inset: &crate::plot::figure::Inset) -> Rect {
    let share = |v: f64| {
        if v.is_finite() { v.clamp(0.0, 1.0) } else { 0.0 }
    };
    let x0 = r.x0 + share(inset.left) * r.width();
    let y1 = r.y1 - share(inset.bottom) * r.height();
    let x1 = (x0 + share(inset.width) * r.width()).min(r.x1);
    let y0 = (y1 - share(inset.height) * r.height()).max(r.y0);
    Rect::new(x0, y0, x1, y1)
}

/// The range of a second scale; `None` when the relation is not usable.
fn second_scale(axis: &SecondAxis, first: &Scale) -> Option<Scale> {
    let map = |v: f64| axis.factor * v + axis.offset;
    let (a, b) = (map(first.min), map(first.max));
    if !(axis.factor.is_normal() && a.is_finite() && b.is_finite() && a != b) {
        return None;
    }
    let kind = match first.kind {
        AxisScale::Log if axis.offset == 0.0 && axis.factor > 0.0 => AxisScale::Log,
        _ => AxisScale::Linear,
    };
    Some(Scale::new(kind, a, b, first.reversed != (axis.factor < 0.0)))
}

fn named_ticks(named: &[(f64, String)], scale: &Scale) -> Ticks {
    let mut major: Vec<(f64, String)> =
        named.iter().filter(|(v, _)| scale.contains(*v) && v.is_finite()).cloned().collect();
    major.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ticks { major, ..Ticks::default() }
}

fn shrink_to(text: &str, size: f64, width: f64) -> Text {
    let natural = Text::new(text, size);
    if natural.width > width && width > 0.0 {
        return Text::new(text, size * (width / natural.width).max(0.4));
    }
    natural
}

fn write(drawing: &mut Drawing, text: Text, at: Point, upwards: bool) {
    drawing.marks.push(Mark::Text { glyphs: text.glyphs, at, upwards, colour: INK });
}
