//! Showing the final figures of each item when it is done (`--display`, spec 01 §6.5).

use std::path::PathBuf;

use crate::image::{Level, LogRecord};
use crate::output::Console;
use crate::plot::{DisplayEnvironment, Figure, Showcase, Shown, display_target};

/// Shows figures in the order of the inputs. What cannot be shown is a warning and fails nothing.
pub(super) struct Presenter {
    showcase: Showcase,
}

impl Presenter {
    /// For the session of this process.
    pub(super) fn new() -> Self {
        Self { showcase: Showcase::new(display_target(&DisplayEnvironment::current())) }
    }

    /// Shows the figures of an item with the files they were written to.
    pub(super) fn show(&mut self, label: &str, figures: &[(Figure, Vec<PathBuf>)], console: &Console) {
        for (figure, written) in figures {
            let (level, text) = match console.paused(|| self.showcase.show(figure, written)) {
                Ok(Shown::Listed(paths)) if paths.is_empty() => {
                    let text = "not shown: no graphical session or terminal, and not written (--save-plots)";
                    (Level::Info, format!("figure {}: {text}", figure.name))
                }
                Ok(Shown::Listed(paths)) => {
                    let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
                    (Level::Info, format!("figure {}: {}", figure.name, paths.join(" ")))
                }
                Ok(Shown::Opened(path)) => {
                    (Level::Verbose, format!("figure {} opened: {}", figure.name, path.display()))
                }
                Ok(Shown::Drawn) => continue,
                Err(error) => (Level::Warning, format!("figure {}: {error}", figure.name)),
            };
            console.show(label, &LogRecord { level, process: String::new(), text });
        }
    }
}
