//! The files in `configs/`: the generated ones are in step with the program, the examples load without a warning.
//!
//! After a change of parameters: `PANASKIMG_UPDATE=1 cargo test --test configs`.

use std::path::{Path, PathBuf};

use panaskimg::config::{Config, OneOrMany, Overrides, describe};
use panaskimg::process::registry;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

fn load(name: &str) -> Config {
    let config = Config::load(Some(&folder().join(name)), &Overrides::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.warnings, [], "{name}");
    config
}

fn in_step(name: &str, expected: &str) {
    let path = folder().join(name);
    if std::env::var_os("PANASKIMG_UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "configs/{name} is out of step; run PANASKIMG_UPDATE=1 cargo test --test configs");
}

#[test]
fn default_json_holds_the_defaults_of_the_program() {
    in_step("default.json", &describe::pretty(&describe::default_document(registry::all())));
    let from_file = load("default.json");
    let built_in = Config::load(None, &Overrides::default()).unwrap();
    assert_eq!(from_file.to_json().to_string(), built_in.to_json().to_string());
}

#[test]
fn the_schema_describes_the_program() {
    in_step("panaskimg.schema.json", &describe::pretty(&describe::schema(registry::all())));
}

/// Every key of the examples is in the schema, so that an editor that knows it marks none as wrong.
#[test]
fn examples_follow_the_schema() {
    let schema = describe::schema(registry::all());
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().ends_with("schema.json") {
            continue;
        }
        let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        check_keys(&value, &schema, &path.display().to_string());
    }
}

fn check_keys(value: &Value, schema: &Value, at: &str) {
    let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else { return };
    for (key, inner) in object {
        if key.starts_with('#') || key.starts_with("//") || key == "comment" {
            continue;
        }
        match properties.get(key) {
            Some(known) => check_keys(inner, known, &format!("{at}: {key}")),
            None => assert!(schema["additionalProperties"].is_object(), "{at}: unknown key {key}"),
        }
    }
}

#[test]
fn two_amplifiers_of_a_leach_controller() {
    let config = load("two_amplifier_leach.json");
    let image = &config.input.image;
    assert_eq!((image.n_amp, image.correct_leach_bug, image.skip_image), (Some(2), true, Some(true)));
    assert_eq!(config.sequence.len(), 6);
}

#[test]
fn averaged_images_of_a_module() {
    let config = load("acm_module_averaged.json");
    assert_eq!(config.input.image.extensions, Some(OneOrMany::Many(vec![1, 2, 3, 4])));
    assert_eq!(config.input.convention.nskips.as_slice(), ["NDCM"]);
}

#[test]
fn raw_images_of_a_test_bench() {
    let config = load("single_amplifier_raw.json");
    assert_eq!(config.input.image.n_cols_overscan, Some(20));
    assert_eq!(config.input.convention.ampl.as_slice(), ["AMPL"], "what is not given keeps its default");
}

#[test]
fn four_amplifiers_of_a_low_threshold_board() {
    let config = load("lta_four_amplifiers.json");
    let convention = &config.input.convention;
    assert_eq!(
        (convention.nskips.as_slice(), convention.nsbin.as_slice()),
        (&["NSAMP".into()][..], &["NBINCOL".into()][..])
    );
    assert_eq!(convention.extra["CCDNPRES"].as_slice(), ["CCDNPRES"], "carried as metadata");
}
