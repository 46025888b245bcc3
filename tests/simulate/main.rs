//! `panaSKImg simulate`, seen from outside.

mod bad_input;
mod determinism;
mod example;
mod geant4;
mod layouts;
mod support;
