//! The commissioning processes on simulated raw images, from the FITS file on: do they find what was put in?

mod closure;
mod outputs;
mod support;
