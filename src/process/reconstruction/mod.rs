//! From calibrated images to clusters and masks.
