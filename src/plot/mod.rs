//! Figures as data, and their renderers.

/// A figure as data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Figure {}
