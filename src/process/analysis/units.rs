//! Unit of an image, from its name.

/// `e-` for a calibrated image (its name ends in `_e`), else `ADU`.
pub fn unit_of_image(name: &str) -> &'static str {
    if name.ends_with("_e") { "e-" } else { "ADU" }
}

/// A unit as figures show it: `e⁻` for `e-`.
pub fn shown(unit: &str) -> String {
    unit.replace("e-", "e⁻")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrated_images_are_in_electrons() {
        assert_eq!(unit_of_image("mean_compressed_pedestal_subtracted_e"), "e-");
        assert_eq!(unit_of_image("mean_compressed_pedestal_subtracted"), "ADU");
        assert_eq!(unit_of_image("mean_compressed"), "ADU");
        assert_eq!(shown("ADU/e-"), "ADU/e⁻");
    }
}
