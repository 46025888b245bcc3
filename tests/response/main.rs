//! `panaSKImg response`, seen from outside.

mod bad_input;
mod closed_loop;
mod images;
mod root_written;
mod support;
