//! Comparison with a file that ROOT 6.28 wrote for the Python tool: the same content must give the same bytes, except
//! where they depend on the compression library.

use std::path::PathBuf;

use panaskimg::root::Options;

use crate::content::{Table, write};
use crate::reader::{File, Tree};

const NAME: &str = "panaSKImg_clustersRec_avg_Image_5_Low_Temp_109_20250807_170213_15_ext1.root";

/// The recorded file, if the test data are here.
pub fn recorded() -> Option<File> {
    let folder = std::env::var_os("PANASKIMG_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    match std::fs::read(folder.join(NAME)) {
        Ok(bytes) => Some(File::parse(bytes)),
        Err(_) => {
            println!("skipped: {NAME} is not among the test data");
            None
        }
    }
}

/// The three trees of the recorded file.
pub fn recorded_tables(file: &File) -> Vec<Table> {
    ["clustersRec", "info", "process_config"].map(|name| file.table(name)).into()
}

#[test]
fn the_reader_of_these_tests_understands_the_recorded_file() {
    let Some(file) = recorded() else { return };
    let tables = recorded_tables(&file);
    let columns: Vec<_> = tables.iter().map(|table| table.schema.len()).collect();
    assert_eq!(columns[0], 59);
    assert!(tables.iter().all(|table| table.rows.len() == 1));
    // Spec 05 §11: 130 clusters, 12593 pixels.
    let crate::content::Value::VecVecInt(pixels) = &tables[0].column("pixels_x")[0] else { panic!() };
    assert_eq!((pixels.len(), pixels.iter().map(Vec::len).sum::<usize>()), (130, 12593));
}

#[test]
fn tree_records_are_those_of_root_byte_for_byte() {
    let Some(theirs) = recorded() else { return };
    let tables = recorded_tables(&theirs);
    let ours = File::parse(write(&tables, Options::default()));
    assert_eq!(ours.compression, theirs.compression);
    for (table, size) in tables.iter().zip([33413, 10828, 53745]) {
        let (our_record, their_record) = (ours.record("TTree", &table.name), theirs.record("TTree", &table.name));
        assert_eq!(their_record.payload.len(), size);
        let (our_tree, their_tree) = (Tree::parse(our_record), Tree::parse(their_record));
        assert_eq!(our_tree.compression_dependent, their_tree.compression_dependent);
        let (mut our_payload, mut their_payload) = (our_record.payload.clone(), their_record.payload.clone());
        // The Python tool had chosen other lines and markers (colour 1, style 0, width 2; fill style 1; marker 20 of
        // size 0.8) than ROOT's default style; they follow the name, behind counts and versions.
        let attributes = 4 + 2 + 4 + 2 + 10 + 2 * (1 + table.name.len());
        let style = attributes + 6..attributes + 36;
        assert_eq!(their_payload[style.start..][..6], [0, 1, 0, 0, 0, 2], "{}", table.name);
        for range in our_tree.compression_dependent.into_iter().chain([style]) {
            our_payload[range.clone()].fill(0);
            their_payload[range].fill(0);
        }
        let first_difference = our_payload.iter().zip(&their_payload).position(|(a, b)| a != b);
        assert_eq!(first_difference, None, "in the description of {}", table.name);
    }
}

/// Data, offsets and everything in the key except sizes, dates, positions and the number that ROOT gives the basket.
#[test]
fn baskets_are_those_of_root_byte_for_byte() {
    let Some(theirs) = recorded() else { return };
    let tables = recorded_tables(&theirs);
    let ours = File::parse(write(&tables, Options::default()));
    let mut compared = 0;
    for table in &tables {
        let (our_tree, their_tree) =
            (Tree::parse(ours.record("TTree", &table.name)), Tree::parse(theirs.record("TTree", &table.name)));
        for (our_branch, their_branch) in our_tree.branches.iter().zip(&their_tree.branches) {
            for (our_basket, their_basket) in ours.baskets(our_branch).zip(theirs.baskets(their_branch)) {
                assert!(our_basket.payload == their_basket.payload, "{}", our_branch.name);
                assert_eq!(our_basket.key_length, their_basket.key_length);
                assert_eq!(our_basket.version, their_basket.version);
                assert_eq!(our_basket.key[34..], their_basket.key[34..], "{}", our_branch.name);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, tables.iter().map(|table| table.schema.len()).sum::<usize>());
}

/// The descriptions of classes, which a reader may need to understand all the rest.
#[test]
fn classes_are_described_as_root_does() {
    let Some(theirs) = recorded() else { return };
    let ours = File::parse(write(&recorded_tables(&theirs), Options::default())).classes();
    let theirs = theirs.classes();
    for class in &ours {
        let known = theirs.iter().find(|other| other.name == class.name).expect("a class ROOT lists too");
        assert_eq!((class.checksum, class.version), (known.checksum, known.version), "{}", class.name);
        assert_eq!(class.members.len(), known.members.len(), "{}", class.name);
        for (member, other) in class.members.iter().zip(&known.members) {
            assert_eq!(member, other, "{}", class.name);
        }
    }
    // Tree, branches, leaves, vectors and what they are made of (spec 05 §10.3).
    assert_eq!(ours.len(), 22);
}
