//! `panaSKImg response`: what a CCD would have recorded of the events of a Geant4 simulation (spec 07 §§2–5).
//!
//! ```text
//! Geant4 ROOT file ─> events ─> hit collections (event, CCD, time window) ─> chain of DigitizeProcess
//!                                  ─> trees pixelizedEvent, clustersRec, geant4_config, process_config; FITS images
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | [`config`] | the configuration and the chain made from it |
//! | [`geant4_input`] | reading the simulation |
//! | [`collections`] | hit collections from an event |
//! | [`run`] | the flow of a run |
//! | [`trees`] | what goes into the ROOT file |
//! | [`event_display`] | a picture of a collection |
//! | [`activity`] | activities of isotopes, an aid to normalise simulations |
//!
//! The steps themselves are in [`crate::process::response`].

pub mod activity;
pub mod collections;
pub mod config;
mod error;
pub mod event_display;
pub mod geant4_input;
pub mod run;
pub mod trees;

pub use config::ResponseConfig;
pub use error::{ResponseRunError, Result};
