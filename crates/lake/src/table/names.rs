//! How the files of a table are called.
//!
//! Everything that a restart must know of a file, apart from what the newest metadata says, stands in its name.

use chrono::NaiveDate;
use object_store::path::Path;
use uuid::Uuid;

/// The folder of what describes the table.
pub(super) const METADATA: &str = "metadata";
/// The folder of the rows.
pub(super) const DATA: &str = "data";
/// Says which version is the newest, for engines that look for it. Not trusted here.
pub(super) const HINT: &str = "version-hint.text";

/// What a file is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `metadata/v{version}.metadata.json`.
    Metadata { version: u64 },
    /// `metadata/snap-{version}-{time}-{uuid}.avro`, the manifest list of a version.
    List { version: u64, time_ms: i64 },
    /// `metadata/replaced-{time}-{uuid}.json`: which files a commit at that time took away.
    Replaced { time_ms: i64 },
    /// `metadata/version-hint.text`.
    Hint,
    /// `metadata/manifest-{uuid}.avro` or `data/{day}-{uuid}.parquet`.
    Part,
}

/// The names below one table's folder.
#[derive(Debug, Clone)]
pub(super) struct Names {
    table: Path,
}

impl Names {
    pub(super) fn new(table: Path) -> Self {
        Self { table }
    }

    pub(super) fn table(&self) -> &Path {
        &self.table
    }

    pub(super) fn metadata_folder(&self) -> Path {
        self.table.clone().join(METADATA)
    }

    pub(super) fn metadata(&self, version: u64) -> Path {
        self.metadata_folder().join(format!("v{version}.metadata.json"))
    }

    pub(super) fn hint(&self) -> Path {
        self.metadata_folder().join(HINT)
    }

    pub(super) fn list(&self, version: u64, time_ms: i64) -> Path {
        self.metadata_folder().join(format!("snap-{version}-{time_ms}-{}.avro", Uuid::new_v4().simple()))
    }

    pub(super) fn manifest(&self) -> Path {
        self.metadata_folder().join(format!("manifest-{}.avro", Uuid::new_v4().simple()))
    }

    pub(super) fn replaced(&self, time_ms: i64) -> Path {
        self.metadata_folder().join(format!("replaced-{time_ms}-{}.json", Uuid::new_v4().simple()))
    }

    pub(super) fn data(&self, day: NaiveDate) -> Path {
        self.table.clone().join(DATA).join(format!("{day}-{}.parquet", Uuid::new_v4().simple()))
    }

    /// What a file of this table is; `None` for one that this program never names so.
    pub(super) fn kind(&self, path: &Path) -> Option<Kind> {
        let mut parts = path.prefix_match(&self.table)?;
        let (folder, name) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let name = name.as_ref();
        match folder.as_ref() {
            DATA => name.ends_with(".parquet").then_some(Kind::Part),
            METADATA => described(name),
            _ => None,
        }
    }
}

fn described(name: &str) -> Option<Kind> {
    if name == HINT {
        return Some(Kind::Hint);
    }
    if let Some(version) = name.strip_prefix('v').and_then(|name| name.strip_suffix(".metadata.json")) {
        return Some(Kind::Metadata { version: version.parse().ok()? });
    }
    if let Some(rest) = name.strip_prefix("snap-").and_then(|name| name.strip_suffix(".avro")) {
        let mut parts = rest.splitn(3, '-');
        let (version, time_ms) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        return parts.next().map(|_| Kind::List { version, time_ms });
    }
    if let Some(rest) = name.strip_prefix("replaced-").and_then(|name| name.strip_suffix(".json")) {
        return Some(Kind::Replaced { time_ms: rest.split_once('-')?.0.parse().ok()? });
    }
    (name.starts_with("manifest-") && name.ends_with(".avro")).then_some(Kind::Part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let names = Names::new(Path::from("lake/store"));
        let day = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        for (path, kind) in [
            (names.metadata(7), Kind::Metadata { version: 7 }),
            (names.list(7, 1_700_000_000_123), Kind::List { version: 7, time_ms: 1_700_000_000_123 }),
            (names.replaced(5), Kind::Replaced { time_ms: 5 }),
            (names.hint(), Kind::Hint),
            (names.manifest(), Kind::Part),
            (names.data(day), Kind::Part),
        ] {
            assert_eq!(names.kind(&path), Some(kind), "{path}");
        }
        for strange in
            ["lake/store/metadata/notes.txt", "lake/store/x/y.avro", "lake/other/metadata/v1.metadata.json"]
        {
            assert_eq!(names.kind(&Path::from(strange)), None, "{strange}");
        }
    }
}
