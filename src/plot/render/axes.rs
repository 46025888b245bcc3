//! Frame, ticks, labels, colour bar and title of a panel.

use super::drawing::{Drawing, Mark, Pen, Raster};
use super::font::{ASCENT, CAP_HEIGHT, DESCENT, LINE_SKIP, Text};
use super::geometry::{Path, Point, Rect, pt};
use super::marks::Frame;
use super::panel::{BAR, BAR_GAP, Fitted, Plan};
use super::raster;
use super::scale::Scale;
use super::theme::INK;
use super::ticks::Ticks;
use crate::plot::axis::SecondAxis;
use crate::plot::image::ImagePlot;
use crate::plot::style::Colour;

impl Plan<'_> {
    pub(super) fn draw_grid(&self, drawing: &mut Drawing, frame: &Frame, fitted: &Fitted) {
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

    pub(super) fn draw_axes(&self, drawing: &mut Drawing, frame: &Frame, f: &Fitted, left: f64) {
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
        self.label_left(drawing, frame, f, left);
        if self.x_labels {
            self.label_below(drawing, frame, f);
        }
        if let Some(((_, ticks), axis)) = second_x {
            self.label_above(drawing, frame, ticks, axis);
        }
        if let Some(((_, ticks), axis)) = second_y {
            let place = |v: f64| frame.up((v - axis.offset) / axis.factor);
            self.label_right(drawing, &r, r.x1 + theme.gap, &place, ticks, &f.right_label);
        }
    }

    fn label_left(&self, drawing: &mut Drawing, frame: &Frame, f: &Fitted, left: f64) {
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
        // Never over the tick labels, whatever the column has room for.
        let lines: f64 = f.y_label.iter().map(|t| LINE_SKIP * t.size).sum();
        let mut x = (r.x0 - left).min(right - widest - theme.gap - lines);
        for text in &f.y_label {
            x += LINE_SKIP * text.size;
            let at = pt(x - DESCENT * text.size, (r.y0 + r.y1 + text.width) / 2.0);
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

    pub(super) fn draw_bar(
        &self,
        drawing: &mut Drawing,
        r: &Rect,
        image: &ImagePlot,
        scale: &Scale,
        ticks: &Ticks,
        f: &Fitted,
    ) {
        let theme = &self.theme;
        let bar = self.density.snapped(Rect::new(r.x1 + BAR_GAP, r.y0, r.x1 + BAR_GAP + BAR, r.y1));
        let n = 252usize;
        let palette: Vec<[u8; 3]> = (0..n).map(|i| raster::colour_at(image, (i as f64 + 0.5) / n as f64)).collect();
        // Several columns, lest a program that smooths images fades the sides.
        let width = 16;
        let rows = (0..n).rev().flat_map(|i| std::iter::repeat_n(i as u8, width)).collect();
        let raster = Raster::new(width, n, rows, palette);
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

    pub(super) fn draw_title(&self, drawing: &mut Drawing, r: &Rect, f: &Fitted) {
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
