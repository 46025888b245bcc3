//! Closure on simulated images: 200 images per quantity, small ones; `panaSKImg closure` makes the long study.

mod command;
mod pulls;
