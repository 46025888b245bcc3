//! The ROOT files with one entry per pixel (`create_ttree`, spec 02 §11).

use std::path::PathBuf;

use rayon::prelude::*;

use super::ItemNames;
use crate::image::RawData;
use crate::process::analysis::pixel_tree::{PixelTree, PixelTrees};
use crate::root::{BranchType, Column, Options, RootFile};

/// Writes the pixel trees that the chain asked for; returns their paths.
///
/// # Errors
/// One sentence with the path.
pub fn write_all(raw: &RawData, names: &ItemNames) -> Result<Vec<PathBuf>, String> {
    let Some(trees) = raw.products.get::<PixelTrees>() else { return Ok(Vec::new()) };
    trees.0.par_iter().map(|tree| write_one(tree, raw, names)).collect()
}

fn write_one(tree: &PixelTree, raw: &RawData, names: &ItemNames) -> Result<PathBuf, String> {
    let path = names.figure(&tree.name, "root");
    let error = |e: crate::root::RootError| format!("{}: {e}", path.display());
    let mut file = RootFile::create(&path, Options::default()).map_err(error)?;
    let branches = tree.branches(raw).into_iter().map(|name| (name, BranchType::Double));
    let id = file.tree("pixels", branches).map_err(error)?;
    tree.for_each_chunk(raw, |values| {
        let columns: Vec<Column<'_>> = values.iter().map(|v| Column::Double(v)).collect();
        file.fill_columns(id, &columns)
    })
    .map_err(error)?;
    file.finish().map_err(error)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_tree_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let pixels = Array2::from_shape_fn((300, 1000), |(r, c)| r as f64 + 0.001 * c as f64);
        let mut raw = RawData::from_image("mean_compressed", pixels);
        let names = ItemNames::new(directory.path(), std::path::Path::new("x/image_1.fits"), &[2], true);
        assert_eq!(write_all(&raw, &names).unwrap(), [] as [PathBuf; 0]);
        raw.products.set(PixelTrees(vec![PixelTree {
            name: "CalibrationProcess_tree".into(),
            images: vec![("Q", "mean_compressed".into())],
        }]));
        let paths = write_all(&raw, &names).unwrap();
        assert_eq!(paths[0].file_name().unwrap().to_string_lossy(), "image_1_EXT2_CalibrationProcess_tree.root");
        let mut file = oxyroot::RootFile::open(&paths[0]).unwrap();
        let tree = file.get_tree("pixels").unwrap();
        let read = |name: &str| tree.branch(name).unwrap().as_iter::<f64>().unwrap().collect::<Vec<f64>>();
        let (row, col, q) = (read("row"), read("col"), read("Q"));
        assert_eq!(q.len(), 300_000);
        for i in [0, 999, 1000, 123_456, 299_999] {
            assert_eq!((row[i], col[i]), ((i / 1000) as f64, (i % 1000) as f64));
            assert_eq!(q[i], row[i] + 0.001 * col[i]);
        }
    }
}
