//! How the outputs of a run were made: what summaries and FITS headers say about it.

use serde_json::Value;

use crate::config::Config;

/// The configuration and the options beside it.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    /// Merged configuration, as far as the run uses it.
    pub config: Value,
    /// Options beside it ([`crate::config::RunOptions`]).
    pub options: Value,
    /// The configuration as compact JSON.
    pub config_text: String,
    /// The options as compact JSON.
    pub options_text: String,
}

impl Provenance {
    /// That of a run with this configuration.
    pub fn of(config: &Config) -> Self {
        let (options, config) = (config.options.to_json(), config.run_json());
        let text = |value: &Value| serde_json::to_string(value).unwrap_or_default();
        Self { config_text: text(&config), options_text: text(&options), config, options }
    }
}
