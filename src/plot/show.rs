//! Showing figures: in the default viewer of a graphical session, inline in the terminal, or not at all (spec 01 §6.5).
//!
//! The program never waits: viewers are detached, and a terminal is only asked what it can do when its environment
//! names a program that is known to answer.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::figure::Figure;
use super::render::{Format, RenderError, TextColours, render, render_pixels, render_text};

/// Figures opened in viewers per run; the rest is only listed.
const MOST_WINDOWS: usize = 20;

/// Where figures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayTarget {
    /// Default viewer of the graphical session.
    Viewer,
    /// Inline in the terminal on standard output.
    Terminal,
    /// Nowhere; paths of written files are listed.
    Nowhere,
}

/// What decides where figures are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DisplayEnvironment {
    /// macOS or Windows, which always have a graphical session.
    pub always_graphical: bool,
    /// `$DISPLAY`.
    pub display: Option<OsString>,
    /// `$WAYLAND_DISPLAY`.
    pub wayland_display: Option<OsString>,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
}

impl DisplayEnvironment {
    /// That of this process.
    pub fn current() -> Self {
        Self {
            always_graphical: cfg!(any(target_os = "macos", target_os = "windows")),
            display: std::env::var_os("DISPLAY"),
            wayland_display: std::env::var_os("WAYLAND_DISPLAY"),
            stdout_is_terminal: io::stdout().is_terminal(),
        }
    }
}

/// Where figures are shown in this environment.
pub fn display_target(environment: &DisplayEnvironment) -> DisplayTarget {
    let set = |v: &Option<OsString>| v.as_ref().is_some_and(|v| !v.is_empty());
    if environment.always_graphical || set(&environment.display) || set(&environment.wayland_display) {
        DisplayTarget::Viewer
    } else if environment.stdout_is_terminal {
        DisplayTarget::Terminal
    } else {
        DisplayTarget::Nowhere
    }
}

/// How pictures are sent to a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminalGraphics {
    /// Protocol of kitty, also Ghostty and Konsole.
    Kitty,
    /// Protocol of iTerm2, also WezTerm, mintty, VS Code.
    Iterm,
    /// Sixel: foot, mlterm, contour, xterm.
    Sixel,
    /// Letters, braille dots and half blocks only.
    Letters,
}

/// What decides how a terminal shows pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalEnvironment {
    /// `$TERM`.
    pub term: String,
    /// `$TERM_PROGRAM`, or `$LC_TERMINAL`, which ssh passes on.
    pub program: String,
    /// `$COLORTERM`.
    pub colour_term: String,
    /// `$NO_COLOR` is set and not empty.
    pub no_colour: bool,
    /// `$KITTY_WINDOW_ID` or `$KONSOLE_VERSION` is set.
    pub kitty_or_konsole: bool,
    /// `$XTERM_VERSION` is set.
    pub xterm: bool,
}

impl TerminalEnvironment {
    /// That of this process.
    pub fn current() -> Self {
        let var = |name: &str| std::env::var(name).unwrap_or_default();
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        Self {
            term: var("TERM"),
            program: if set("TERM_PROGRAM") { var("TERM_PROGRAM") } else { var("LC_TERMINAL") },
            colour_term: var("COLORTERM"),
            no_colour: set("NO_COLOR"),
            kitty_or_konsole: set("KITTY_WINDOW_ID") || set("KONSOLE_VERSION"),
            xterm: set("XTERM_VERSION"),
        }
    }
}

/// How pictures are sent to this terminal. Multiplexers (tmux, screen) swallow pictures and get letters.
pub fn terminal_graphics(environment: &TerminalEnvironment) -> TerminalGraphics {
    let term = environment.term.to_ascii_lowercase();
    let program = environment.program.to_ascii_lowercase();
    let any = |text: &str, names: &[&str]| names.iter().any(|n| text.contains(n));
    if any(&term, &["tmux", "screen", "dumb"]) || any(&program, &["tmux", "screen"]) {
        TerminalGraphics::Letters
    } else if environment.kitty_or_konsole || any(&term, &["kitty", "ghostty"]) || program == "ghostty" {
        TerminalGraphics::Kitty
    } else if any(&program, &["iterm", "wezterm", "mintty", "vscode", "tabby", "hyper", "rio"]) {
        TerminalGraphics::Iterm
    } else if environment.xterm || any(&term, &["foot", "mlterm", "contour", "sixel"]) {
        TerminalGraphics::Sixel
    } else {
        TerminalGraphics::Letters
    }
}

/// Colours for letters on this terminal.
pub fn text_colours(environment: &TerminalEnvironment) -> TextColours {
    if environment.no_colour || environment.term == "dumb" {
        TextColours::None
    } else if ["truecolor", "24bit"].contains(&environment.colour_term.as_str()) {
        TextColours::Full
    } else {
        TextColours::Palette
    }
}

/// Why a figure could not be shown: a warning, never the end of a run.
#[derive(Debug, Error)]
pub enum ShowError {
    /// It could not be drawn.
    #[error("the figure could not be drawn: {0}")]
    Render(#[from] RenderError),
    /// The temporary file could not be written.
    #[error("the figure could not be written to {}: {source}", path.display())]
    Write {
        /// File or directory.
        path: PathBuf,
        /// Report of the system.
        source: io::Error,
    },
    /// No viewer.
    #[error("no program could be started to show {}: {source}", path.display())]
    Viewer {
        /// File to be shown.
        path: PathBuf,
        /// Report of the system.
        source: io::Error,
    },
    /// The terminal refused.
    #[error("the figure could not be drawn in the terminal: {message}")]
    Terminal {
        /// Report of the terminal library or the system.
        message: String,
    },
}

/// What became of a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Opened in a viewer: this file.
    Opened(PathBuf),
    /// Drawn in the terminal.
    Drawn,
    /// Not shown; these files hold it (none when nothing was written).
    Listed(Vec<PathBuf>),
}

type Opener = Box<dyn FnMut(&Path) -> io::Result<()> + Send>;

/// Shows the figures of one run.
pub struct Showcase {
    target: DisplayTarget,
    opener: Opener,
    /// Where files that were not written otherwise are put.
    temporary: PathBuf,
    directory: Option<PathBuf>,
    windows: usize,
    figures: usize,
}

impl Showcase {
    /// For this target, with the system's viewers.
    pub fn new(target: DisplayTarget) -> Self {
        Self::with_opener(target, Box::new(|path| open::that_detached(path)), std::env::temp_dir())
    }

    /// With another way of opening files and another temporary directory.
    pub fn with_opener(target: DisplayTarget, opener: Opener, temporary: PathBuf) -> Self {
        Self { target, opener, temporary, directory: None, windows: 0, figures: 0 }
    }

    /// Where figures go.
    pub fn target(&self) -> DisplayTarget {
        self.target
    }

    /// Shows one figure; `written` are the files it was written to, if any.
    ///
    /// # Errors
    /// When it cannot be drawn, put into the temporary directory, or opened. The caller warns and goes on.
    pub fn show(&mut self, figure: &Figure, written: &[PathBuf]) -> Result<Shown, ShowError> {
        match self.target {
            DisplayTarget::Nowhere => Ok(Shown::Listed(written.to_vec())),
            DisplayTarget::Terminal => {
                draw_in_terminal(figure, &TerminalEnvironment::current())?;
                Ok(Shown::Drawn)
            }
            DisplayTarget::Viewer => {
                let path = match preferred(written) {
                    Some(path) => path,
                    None => self.write_temporary(figure)?,
                };
                if self.windows >= MOST_WINDOWS {
                    return Ok(Shown::Listed(if written.is_empty() { vec![path] } else { written.to_vec() }));
                }
                // Counted also when it fails: a missing viewer shall not be tried for hundreds of figures.
                self.windows += 1;
                match (self.opener)(&path) {
                    Ok(()) => Ok(Shown::Opened(path)),
                    Err(source) => Err(ShowError::Viewer { path, source }),
                }
            }
        }
    }

    /// Puts a PNG (PDF for several pages) into the run's temporary directory, which outlives the program.
    fn write_temporary(&mut self, figure: &Figure) -> Result<PathBuf, ShowError> {
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => self.directory.insert(fresh_directory(&self.temporary)?).clone(),
        };
        self.figures += 1;
        let format = if figure.more_pages.is_empty() { Format::Png } else { Format::Pdf };
        let path = directory.join(format!("{:03}_{}.{format}", self.figures, file_name(&figure.name)));
        let bytes = render(figure, format)?;
        match std::fs::write(&path, bytes) {
            Ok(()) => Ok(path),
            Err(source) => Err(ShowError::Write { path, source }),
        }
    }
}

/// The file that viewers show best: png, pdf, svg, eps.
fn preferred(written: &[PathBuf]) -> Option<PathBuf> {
    let has = |path: &&PathBuf, wanted: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(wanted));
    ["png", "pdf", "svg", "eps"].iter().find_map(|wanted| written.iter().find(|p| has(p, wanted))).cloned()
}

/// A new directory `panaSKImg-<process>-<n>`.
fn fresh_directory(parent: &Path) -> Result<PathBuf, ShowError> {
    let mut n = 0u32;
    loop {
        let path = parent.join(format!("panaSKImg-{}-{n}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && n < 10_000 => n += 1,
            Err(source) => return Err(ShowError::Write { path, source }),
        }
    }
}

/// A figure's name as a file name: no separators, not too long.
fn file_name(name: &str) -> String {
    let kept: String = name
        .chars()
        .take(120)
        .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' })
        .collect();
    if kept.is_empty() { "figure".into() } else { kept }
}

/// Draws a figure on the terminal of standard output: as a picture where the terminal takes pictures, else in letters.
///
/// # Errors
/// When the figure cannot be drawn or standard output cannot be written.
pub fn draw_in_terminal(figure: &Figure, environment: &TerminalEnvironment) -> Result<(), ShowError> {
    let failed = |message: String| ShowError::Terminal { message };
    let columns = u32::from(viuer::terminal_size().0).max(40);
    let graphics = terminal_graphics(environment);
    if graphics == TerminalGraphics::Letters {
        let text = render_text(figure, columns as usize, text_colours(environment));
        let mut out = io::stdout().lock();
        return out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| failed(e.to_string()));
    }
    let pixels = render_pixels(figure, 120.0)?;
    let buffer = image::RgbImage::from_raw(pixels.width, pixels.height, pixels.rgb)
        .ok_or_else(|| failed("the picture is incomplete".into()))?;
    let config = viuer::Config {
        absolute_offset: false,
        // About 9 pixels per column; never wider than the terminal.
        width: Some((pixels.width / 9).clamp(20, columns)),
        use_kitty: graphics == TerminalGraphics::Kitty,
        use_iterm: graphics == TerminalGraphics::Iterm,
        use_sixel: graphics == TerminalGraphics::Sixel,
        ..viuer::Config::default()
    };
    viuer::print(&image::DynamicImage::ImageRgb8(buffer), &config).map_err(|e| failed(e.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::{Panel, Points};
    use std::sync::{Arc, Mutex};

    fn figure(name: &str) -> Figure {
        Figure::new(name).pixels(120, 80, 100.0).panel(Panel::new().points(Points::indexed([1.0, 2.0])))
    }

    #[test]
    fn the_target_follows_the_session() {
        let nothing = DisplayEnvironment::default();
        assert_eq!(display_target(&nothing), DisplayTarget::Nowhere);
        let ssh = DisplayEnvironment { stdout_is_terminal: true, ..nothing.clone() };
        assert_eq!(display_target(&ssh), DisplayTarget::Terminal);
        let x11 = DisplayEnvironment { display: Some(":0".into()), ..ssh.clone() };
        assert_eq!(display_target(&x11), DisplayTarget::Viewer);
        let wayland = DisplayEnvironment { wayland_display: Some("wayland-0".into()), ..nothing.clone() };
        assert_eq!(display_target(&wayland), DisplayTarget::Viewer);
        let empty = DisplayEnvironment { display: Some("".into()), wayland_display: Some("".into()), ..ssh };
        assert_eq!(display_target(&empty), DisplayTarget::Terminal, "an empty $DISPLAY does not count");
        let mac = DisplayEnvironment { always_graphical: true, ..nothing };
        assert_eq!(display_target(&mac), DisplayTarget::Viewer);
    }

    #[test]
    fn terminals_get_what_they_understand() {
        let on = |term: &str, program: &str| TerminalEnvironment {
            term: term.into(),
            program: program.into(),
            ..TerminalEnvironment::default()
        };
        assert_eq!(terminal_graphics(&on("xterm-256color", "")), TerminalGraphics::Letters);
        assert_eq!(terminal_graphics(&on("xterm-kitty", "")), TerminalGraphics::Kitty);
        assert_eq!(terminal_graphics(&on("xterm-256color", "iTerm.app")), TerminalGraphics::Iterm);
        assert_eq!(terminal_graphics(&on("xterm-256color", "WezTerm")), TerminalGraphics::Iterm);
        assert_eq!(terminal_graphics(&on("foot", "")), TerminalGraphics::Sixel);
        let in_tmux = TerminalEnvironment { kitty_or_konsole: true, ..on("tmux-256color", "tmux") };
        assert_eq!(terminal_graphics(&in_tmux), TerminalGraphics::Letters);
        let colours = |colour_term: &str, no_colour: bool| {
            text_colours(&TerminalEnvironment { colour_term: colour_term.into(), no_colour, ..on("xterm", "") })
        };
        assert_eq!(colours("truecolor", false), TextColours::Full);
        assert_eq!(colours("", false), TextColours::Palette);
        assert_eq!(colours("truecolor", true), TextColours::None);
    }

    #[test]
    fn written_files_are_opened_before_a_copy_is_made() {
        let opened = Arc::new(Mutex::new(Vec::new()));
        let log = opened.clone();
        let folder = tempfile::tempdir().unwrap();
        let opener = Box::new(move |p: &Path| {
            log.lock().unwrap().push(p.to_path_buf());
            Ok(())
        });
        let mut showcase = Showcase::with_opener(DisplayTarget::Viewer, opener, folder.path().into());
        let written: Vec<PathBuf> = ["a.eps", "a.PDF", "a.svg"].map(PathBuf::from).into();
        assert_eq!(showcase.show(&figure("a"), &written).unwrap(), Shown::Opened("a.PDF".into()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let Shown::Opened(copy) = showcase.show(&figure("b/../c d"), &[]).unwrap() else { panic!() };
        assert_eq!(copy.file_name().unwrap(), "001_b_.._c_d.png");
        assert!(copy.starts_with(folder.path()));
        assert!(copy.parent().unwrap().file_name().unwrap().to_str().unwrap().starts_with("panaSKImg-"));
        assert!(std::fs::read(&copy).unwrap().starts_with(b"\x89PNG"));
        assert_eq!(*opened.lock().unwrap(), [PathBuf::from("a.PDF"), copy]);
    }

    #[test]
    fn after_twenty_windows_figures_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let mut showcase =
            Showcase::with_opener(DisplayTarget::Viewer, Box::new(|_: &Path| Ok(())), folder.path().into());
        let written = [PathBuf::from("x.png")];
        for _ in 0..20 {
            assert!(matches!(showcase.show(&figure("x"), &written).unwrap(), Shown::Opened(_)));
        }
        assert_eq!(showcase.show(&figure("x"), &written).unwrap(), Shown::Listed(written.to_vec()));
        let Shown::Listed(paths) = showcase.show(&figure("y"), &[]).unwrap() else { panic!() };
        assert!(paths[0].exists(), "a figure that is only listed can still be opened by hand");
    }

    #[test]
    fn a_missing_viewer_is_an_error_with_the_path() {
        let refuse = |_: &Path| Err(io::Error::new(io::ErrorKind::NotFound, "no xdg-open"));
        let mut showcase = Showcase::with_opener(DisplayTarget::Viewer, Box::new(refuse), std::env::temp_dir());
        let message = showcase.show(&figure("x"), &[PathBuf::from("x.pdf")]).unwrap_err().to_string();
        assert!(message.contains("x.pdf") && message.contains("no xdg-open"), "{message}");
        let mut nowhere = Showcase::new(DisplayTarget::Nowhere);
        assert_eq!(nowhere.show(&figure("x"), &[]).unwrap(), Shown::Listed(vec![]));
    }

    #[test]
    fn two_runs_do_not_share_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (fresh_directory(folder.path()).unwrap(), fresh_directory(folder.path()).unwrap());
        assert_ne!(a, b);
        assert!(fresh_directory(Path::new("/nonexistent/folder")).is_err());
    }
}
