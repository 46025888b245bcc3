//! From the raw samples to calibrated images.
