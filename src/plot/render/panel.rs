//! One panel: its ticks and margins for a given frame, and the room for its boxes (drawing of the axes:
//! [`super::axes`]).

use super::boxes::{self, Block, Placed};
use super::drawing::Drawing;
use super::font::{self, LINE_SKIP, Text};
use super::footprint::footprint;
use super::geometry::{Path, Point, Rect};
use super::layout::Density;
use super::limits::{self, Limits};
use super::marks::{self, Frame};
use super::scale::{Scale, scales_of};
use super::theme::Theme;
use super::ticks::{Room, Ticks, thin_out_at, ticks};
use crate::plot::annotation::LegendPlace;
use crate::plot::axis::{Axis, AxisScale, SecondAxis};
use crate::plot::figure::{Aspect, Inset, Panel};
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
pub(super) const BAR: f64 = 10.0;
/// Distance of the colour bar from the frame.
pub(super) const BAR_GAP: f64 = 8.0;
/// How much an axis may be lengthened to make room for notes and legends.
const MOST_HEADROOM: f64 = 1.9;
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
    pub(super) theme: Theme,
    pub(super) density: Density,
}

/// What depends on the size of the frame.
pub(super) struct Fitted {
    pub x: Ticks,
    /// Labels of the lower axis read upwards.
    pub x_upright: bool,
    pub y: Ticks,
    pub top: Option<(Scale, Ticks)>,
    pub right: Option<(Scale, Ticks)>,
    pub bar: Option<(Scale, Ticks)>,
    pub x_label: Vec<Text>,
    pub y_label: Vec<Text>,
    pub right_label: Vec<Text>,
    pub bar_label: Vec<Text>,
    pub title: Vec<Text>,
    outside: Option<Block>,
}

impl<'a> Plan<'a> {
    pub fn new(panel: &'a Panel, x: Scale, y: Scale, x_labels: bool, theme: Theme, density: Density) -> Self {
        let limits = panel
            .series
            .iter()
            .map(|s| match s {
                Series::Image(image) => Some(limits::limits(image)),
                _ => None,
            })
            .collect();
        Self { panel, x, y, x_labels, limits, theme, density }
    }

    pub(super) fn has_image(&self) -> bool {
        self.limits.iter().any(Option::is_some)
    }

    /// The image that has a colour bar, with its range.
    pub(super) fn bar_image(&self) -> Option<(&ImagePlot, Limits)> {
        self.panel.series.iter().zip(&self.limits).find_map(|(s, limits)| match (s, limits) {
            (Series::Image(image), Some(limits)) if image.colour_bar => Some((image, *limits)),
            _ => None,
        })
    }

    /// Ticks of images point outwards: inside they would be lost on the colours.
    pub(super) fn outward(&self) -> f64 {
        if self.has_image() { self.theme.major } else { 0.0 }
    }

    fn fit(&self, width: f64, height: f64) -> Fitted {
        let (theme, panel) = (&self.theme, self.panel);
        let (mut x, x_upright) = self.x_ticks(&panel.x, &self.x, width);
        let mut y = self.y_ticks(&panel.y, &self.y, height);
        let top = self.second_ticks(&panel.top, &self.x, width, true);
        let mut right = self.second_ticks(&panel.right, &self.y, height, false);
        let mut bar = self.bar_ticks(height);
        // A common factor stands at the end of its axis, or joins the label where there is no room for it: below narrow
        // frames, and above frames with a second axis on top.
        let narrow = x.common.as_ref().is_some_and(|c| {
            let label = font::width(&panel.x.label, theme.label);
            0.5 * label + font::width(c, theme.tick) + 8.0 > 0.5 * width
        });
        let x_text = with_factor(&panel.x.label, &mut x, narrow && !panel.x.label.is_empty());
        let y_text = with_factor(&panel.y.label, &mut y, top.is_some());
        let right_text = match (&panel.right, &mut right) {
            (Some(axis), Some((_, ticks))) => with_factor(&axis.label, ticks, top.is_some()),
            _ => String::new(),
        };
        let bar_text = match (self.bar_image(), &mut bar) {
            (Some((image, _)), Some((_, ticks))) => with_factor(&image.colour_label, ticks, top.is_some()),
            _ => String::new(),
        };
        let label = |text: &str, length: f64| match text.is_empty() {
            true => vec![],
            false => font::fit(text, theme.label, length, 0.7),
        };
        let outside = || {
            let entries = boxes::entries(&panel.legend, &panel.series);
            Block::legend(&panel.legend, &entries, theme, 0.5 * width.max(100.0), height)
        };
        Fitted {
            x_label: label(&x_text, width + 40.0),
            y_label: label(&y_text, height + 6.0),
            right_label: label(&right_text, height + 6.0),
            bar_label: label(&bar_text, height + 6.0),
            title: match &panel.title {
                Some(t) if !t.is_empty() => font::fit(t, theme.panel_title, width + 30.0, 0.75),
                _ => vec![],
            },
            top,
            right,
            x,
            x_upright,
            y,
            bar,
            outside: (panel.legend.place == LegendPlace::Outside).then(outside).flatten(),
        }
    }

    /// Scale and ticks of a second axis beside `first`.
    fn second_ticks(
        &self,
        axis: &Option<SecondAxis>,
        first: &Scale,
        length: f64,
        across: bool,
    ) -> Option<(Scale, Ticks)> {
        let axis = axis.as_ref()?;
        let scale = second_scale(axis, first)?;
        let mut ticks = if across {
            self.x_ticks(&Axis::default(), &scale, length).0
        } else {
            self.y_ticks(&Axis::default(), &scale, length)
        };
        // Beside an uneven first axis the second is uneven too.
        let size = self.theme.tick;
        let extent = |label: &str| {
            if across { font::width(label, size) } else { size * 0.9 }
        };
        let room = Room { length, spacing: X_SPACING, extent: &extent };
        let place = |v: f64| first.unit((v - axis.offset) / axis.factor);
        // Rounding in the second unit may put a tick outside of the first.
        let inside = |v: f64| (-1e-9..=1.0 + 1e-9).contains(&place(v));
        ticks.major.retain(|(v, _)| inside(*v));
        ticks.minor.retain(|v| inside(*v));
        thin_out_at(&mut ticks.major, &place, &room);
        Some((scale, ticks))
    }

    fn bar_ticks(&self, height: f64) -> Option<(Scale, Ticks)> {
        let (image, limits) = self.bar_image()?;
        let logarithmic = image.scale == ColourScale::Log;
        let kind = if logarithmic { AxisScale::Log } else { AxisScale::Linear };
        let scale = Scale::new(kind, limits.low, limits.high, false);
        // discrete colours stand for whole numbers
        let axis = if image.steps.is_some() { Axis::default().integer() } else { Axis::default() };
        let ticks = self.y_ticks(&axis, &scale, height);
        Some((scale, ticks))
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
            right += widest(t) + gap;
            if !f.right_label.is_empty() {
                right += line(&f.right_label) + gap;
            }
        }
        if let Some((_, t)) = &f.bar {
            right += BAR_GAP + BAR + gap + widest(t);
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

    /// Draws the panel with its frame in `slot`; labels of the left axis stand at the outer side of the `left` points
    /// beside it, so that those of a column are in line.
    pub fn draw(&self, drawing: &mut Drawing, slot: Rect, left: f64) {
        let rect = self.density.snapped(self.frame_in(slot));
        let frame = Frame { rect, x: self.x, y: self.y };
        let fitted = self.fit(rect.width(), rect.height());
        self.draw_grid(drawing, &frame, &fitted);
        self.draw_series(drawing, &frame, self.density);
        self.draw_axes(drawing, &frame, &fitted, left);
        if let (Some((image, _)), Some((scale, ticks))) = (self.bar_image(), &fitted.bar) {
            self.draw_bar(drawing, &rect, image, scale, ticks, &fitted);
        }
        self.draw_title(drawing, &rect, &fitted);
        if let Some(block) = &fitted.outside {
            let right = rect.x1 + self.margins(rect.width(), rect.height()).right;
            block.draw(drawing, block.rect_at(right - block.outer_width() + 7.0, rect.y0), false);
        }
        for placed in self.boxes(&frame) {
            placed.block.draw(drawing, placed.rect, self.has_image() || placed.hidden > 0);
        }
        for inset in &self.panel.insets {
            self.draw_inset(drawing, &rect, inset);
        }
    }

    /// Draws the layers.
    pub fn draw_series(&self, drawing: &mut Drawing, frame: &Frame, density: Density) {
        let layers = || self.panel.series.iter().zip(&self.limits);
        let ground = layers().find_map(|(s, limits)| match (s, limits) {
            (Series::Image(image), Some(limits)) => Some((image, *limits)),
            _ => None,
        });
        for (series, limits) in layers() {
            marks::draw(drawing, frame, series, *limits, ground, density);
        }
    }

    /// Notes and legends inside the frame, in their places.
    fn boxes(&self, frame: &Frame) -> Vec<Placed> {
        let (r, panel) = (&frame.rect, self.panel);
        let (w, h) = (r.width(), r.height());
        let mut blocks: Vec<Block> = panel.notes.iter().filter_map(|n| Block::note(n, &self.theme, w, h)).collect();
        if panel.legend.place != LegendPlace::Outside {
            let entries = boxes::entries(&panel.legend, &panel.series);
            blocks.extend(Block::legend(&panel.legend, &entries, &self.theme, w, h));
        }
        for legend in &panel.more_legends {
            blocks.extend(Block::legend(legend, &legend.entries, &self.theme, w, h));
        }
        if blocks.is_empty() {
            return Vec::new();
        }
        boxes::arrange(r, blocks, &self.footprint(frame))
    }

    fn footprint(&self, frame: &Frame) -> Vec<Point> {
        let mut places = footprint(frame, &self.panel.series);
        places.extend(self.panel.insets.iter().flat_map(|i| inset_rect(&frame.rect, i).corners()));
        places
    }

    /// Lengthens a left axis whose upper end is free, when boxes at the top would hide data.
    pub fn make_room(&mut self, slot: Rect) {
        let free = self.panel.y.max.is_none_or(|v| !v.is_finite()) && !self.y.reversed && !self.has_image();
        if !free || !matches!(self.y.kind, AxisScale::Linear | AxisScale::Log) {
            return;
        }
        let frame = Frame { rect: self.frame_in(slot), x: self.x, y: self.y };
        let placed = self.boxes(&frame);
        if placed.iter().all(|p| p.hidden == 0) {
            return;
        }
        let places = self.footprint(&frame);
        let factor = placed
            .iter()
            .filter(|p| p.hidden > 0)
            .map(|p| boxes::headroom(&frame.rect, p, &places))
            .filter(|f| *f <= MOST_HEADROOM)
            .fold(1.0, f64::max);
        if factor > 1.0 {
            let (low, high) = (self.y.forward(self.y.min), self.y.forward(self.y.max));
            let top = self.y.inverse(low + factor * (high - low));
            self.y = Scale::new(self.y.kind, self.y.min, top, false);
        }
    }

    fn draw_inset(&self, drawing: &mut Drawing, r: &Rect, inset: &Inset) {
        let slot = inset_rect(r, inset);
        if !(slot.width() > 8.0 && slot.height() > 8.0) {
            return;
        }
        let theme = self.theme.scaled(0.78);
        let (x, y) = scales_of(&inset.panel);
        let plan = Plan::new(&inset.panel, x, y, true, theme, self.density);
        let m = plan.margins(slot.width() * 0.8, slot.height() * 0.7);
        let mut ground = Path::new();
        ground.rect(slot);
        drawing.fill(ground, Colour::WHITE.with_alpha(0.85));
        let inner = Rect::new(slot.x0 + m.left, slot.y0 + m.top, slot.x1 - m.right.max(3.0), slot.y1 - m.bottom);
        if inner.width() > 5.0 && inner.height() > 5.0 {
            plan.draw(drawing, inner, m.left);
        }
    }
}

/// Place of an inset, kept inside the frame.
fn inset_rect(r: &Rect, inset: &Inset) -> Rect {
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

/// The label, with the common factor of the ticks when it has to move there.
fn with_factor(label: &str, ticks: &mut Ticks, joins: bool) -> String {
    match ticks.common.take_if(|_| joins) {
        Some(common) if label.is_empty() => common,
        Some(common) => format!("{label} ({common})"),
        None => label.to_string(),
    }
}

fn named_ticks(named: &[(f64, String)], scale: &Scale) -> Ticks {
    let mut major: Vec<(f64, String)> =
        named.iter().filter(|(v, _)| scale.contains(*v) && v.is_finite()).cloned().collect();
    major.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ticks { major, ..Ticks::default() }
}
