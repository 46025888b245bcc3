//! `panaSKImg simulate`, seen from outside.

mod bad_input;
mod determinism;
mod example;
mod layouts;
mod support;
