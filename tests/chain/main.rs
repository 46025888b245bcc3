//! The program seen from outside: chains on real and synthetic images, and input that is not as it should be.

mod bad_input;
mod batch;
mod golden_small;
mod lab_configs;
mod real_image;
mod support;
