//! Enumerations whose values are names in the configuration.

/// Defines an enumeration of names that the configuration accepts, each with its aliases.
///
/// The names are compared without regard to case; the first one is written back. Gives the type `Serialize`,
/// `Deserialize`, `JsonSchema` (with all accepted names) and `Display`.
macro_rules! named_values {
    ($(#[$outer:meta])* pub enum $type:ident { $($(#[$inner:meta])* $variant:ident = $name:literal $(| $alias:literal)*,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$inner])* $variant,)+ }

        impl $type {
            /// The name that is written.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
            /// The value of a name or alias, in any case.
            pub fn from_name(name: &str) -> Option<Self> {
                let name = name.trim();
                $(if [$name $(, $alias)*].iter().any(|n| n.eq_ignore_ascii_case(name)) { return Some(Self::$variant); })+
                None
            }
            /// All accepted names.
            pub const NAMES: &'static [&'static str] = &[$($name $(, $alias)*),+];
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.name()) }
        }
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.name()) }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let name = <String as serde::Deserialize>::deserialize(d)?;
                Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!(
                    "\"{name}\" is not one of {}", Self::NAMES.join(", "))))
            }
        }
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($type).into() }
            fn inline_schema() -> bool { true }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": Self::NAMES })
            }
        }
    };
}
pub(crate) use named_values;

#[cfg(test)]
mod tests {
    named_values! {
        /// Colours.
        pub enum Colour {
            /// Red.
            Red = "red" | "rouge",
            /// Blue.
            Blue = "blue",
        }
    }

    #[test]
    fn names_and_aliases_are_read_in_any_case_and_the_first_is_written() {
        assert_eq!(serde_json::from_str::<Colour>("\"Rouge\"").unwrap(), Colour::Red);
        assert_eq!(serde_json::to_string(&Colour::Red).unwrap(), "\"red\"");
        let error = serde_json::from_str::<Colour>("\"green\"").unwrap_err().to_string();
        assert!(error.contains("green") && error.contains("red, rouge, blue"), "{error}");
        assert_eq!(Colour::Blue.to_string(), "blue");
    }
}
