//! S3's storage classes: what each promises, and which may follow which.

use serde::{Deserialize, Serialize};

/// A storage class, in the order in which lifecycle rules may move objects: only ever towards later ones
/// (S3 user guide, "Transitioning objects using Amazon S3 Lifecycle").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StorageClass {
    /// `STANDARD`.
    #[serde(rename = "STANDARD")]
    Standard,
    /// `REDUCED_REDUNDANCY`, which nothing moves to.
    #[serde(rename = "REDUCED_REDUNDANCY")]
    ReducedRedundancy,
    /// `STANDARD_IA`.
    #[serde(rename = "STANDARD_IA")]
    StandardIa,
    /// `INTELLIGENT_TIERING`.
    #[serde(rename = "INTELLIGENT_TIERING")]
    IntelligentTiering,
    /// `ONEZONE_IA`.
    #[serde(rename = "ONEZONE_IA")]
    OneZoneIa,
    /// `GLACIER_IR`.
    #[serde(rename = "GLACIER_IR")]
    GlacierIr,
    /// `GLACIER`: Glacier Flexible Retrieval.
    #[serde(rename = "GLACIER")]
    Glacier,
    /// `DEEP_ARCHIVE`.
    #[serde(rename = "DEEP_ARCHIVE")]
    DeepArchive,
}

impl StorageClass {
    /// Every class that objects can have here.
    pub const ALL: [Self; 8] = [
        Self::Standard,
        Self::ReducedRedundancy,
        Self::StandardIa,
        Self::IntelligentTiering,
        Self::OneZoneIa,
        Self::GlacierIr,
        Self::Glacier,
        Self::DeepArchive,
    ];

    /// S3's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::ReducedRedundancy => "REDUCED_REDUNDANCY",
            Self::StandardIa => "STANDARD_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::OneZoneIa => "ONEZONE_IA",
            Self::GlacierIr => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }

    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether its objects must be restored before they can be read.
    pub fn is_archive(self) -> bool {
        matches!(self, Self::Glacier | Self::DeepArchive)
    }

    /// Whether a lifecycle rule may move an object of this class to `next`.
    pub fn may_become(self, next: Self) -> bool {
        next > self && !matches!(next, Self::Standard | Self::ReducedRedundancy)
    }

    /// Whether objects of the class of this name are kept compressed.
    pub(crate) fn is_packed(name: &str) -> bool {
        Self::named(name).is_some_and(|class| class > Self::ReducedRedundancy)
    }
}

#[cfg(test)]
mod tests {
    use super::StorageClass;

    #[test]
    fn classes_follow_each_other_one_way_only() {
        use StorageClass::{DeepArchive, Glacier, OneZoneIa, ReducedRedundancy, Standard, StandardIa};
        assert!(Standard.may_become(StandardIa) && StandardIa.may_become(OneZoneIa));
        assert!(Glacier.may_become(DeepArchive) && !DeepArchive.may_become(Glacier));
        assert!(!StandardIa.may_become(Standard) && !Standard.may_become(ReducedRedundancy));
        assert!(!Glacier.may_become(Glacier));
    }

    #[test]
    fn names_are_read_as_written() {
        for class in StorageClass::ALL {
            assert_eq!(StorageClass::named(class.name()), Some(class));
        }
        assert_eq!(StorageClass::named("standard"), None);
    }
}
