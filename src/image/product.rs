//! Results that one process leaves for later ones, found by their type.
//!
//! A process that makes something new (a fit, vectors of pedestals, a list of clusters) defines a type for it and stores
//! it here; no central list has to know of it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;

/// Typed results, one per type and amplifier (or one per type for the whole image).
#[derive(Default)]
pub struct Products {
    by_type: HashMap<(TypeId, Option<String>), Box<dyn Any + Send + Sync>>,
}

impl Products {
    /// Stores the result of an amplifier, replacing an older one of the same type.
    pub fn set_for<T: Any + Send + Sync>(&mut self, amplifier: &str, value: T) {
        self.by_type.insert((TypeId::of::<T>(), Some(amplifier.to_owned())), Box::new(value));
    }

    /// The result of this type for an amplifier.
    pub fn get_for<T: Any>(&self, amplifier: &str) -> Option<&T> {
        self.by_type.get(&(TypeId::of::<T>(), Some(amplifier.to_owned())))?.downcast_ref()
    }

    /// Stores a result of the whole image, replacing an older one of the same type.
    pub fn set<T: Any + Send + Sync>(&mut self, value: T) {
        self.by_type.insert((TypeId::of::<T>(), None), Box::new(value));
    }

    /// The result of this type for the whole image.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.by_type.get(&(TypeId::of::<T>(), None))?.downcast_ref()
    }

    /// The result of this type for the whole image, to be changed in place.
    pub fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        self.by_type.get_mut(&(TypeId::of::<T>(), None))?.downcast_mut()
    }

    /// Takes the result of this type for the whole image out of the store.
    pub fn take<T: Any>(&mut self) -> Option<T> {
        self.by_type.remove(&(TypeId::of::<T>(), None))?.downcast().ok().map(|value| *value)
    }
}

impl fmt::Debug for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Products({} results)", self.by_type.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Gain(f64);

    #[test]
    fn results_are_found_by_type_and_amplifier() {
        let mut products = Products::default();
        products.set_for("U", Gain(10.7));
        products.set(Gain(1.0));
        assert_eq!(products.get_for::<Gain>("U"), Some(&Gain(10.7)));
        assert_eq!(products.get_for::<Gain>("L"), None);
        assert_eq!(products.take::<Gain>(), Some(Gain(1.0)));
        assert_eq!(products.get::<Gain>(), None);
    }
}
