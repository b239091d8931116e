//! The results as a table, and as the project's page of benchmarks.
//!
//! The last result of every figure is kept as JSON beside the page, so that one figure can be measured again
//! without the others.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::{Deserialize, Serialize};

use crate::{error::BenchError, figures::Figure, machine::Machine, outcome::Outcome};

/// A figure's last result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) date: String,
    pub(crate) commit: String,
    /// 1 for the full measurement.
    pub(crate) scale: f64,
    /// Whether the server was built with `--release`.
    pub(crate) release: bool,
    pub(crate) machine: Machine,
    pub(crate) outcome: Outcome,
}

/// The last result of every figure, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Results(pub(crate) BTreeMap<String, Entry>);

impl Results {
    /// Reads the results kept so far; none where there is no file.
    pub(crate) fn load(path: &Path) -> Result<Self, BenchError> {
        match std::fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(BenchError::file(path)(error)),
        }
    }

    /// Keeps the results and writes the page.
    pub(crate) fn save(&self, json: &Path, page: &Path) -> Result<(), BenchError> {
        for path in [json, page] {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
            }
        }
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(json, text + "\n").map_err(BenchError::file(json))?;
        std::fs::write(page, self.page()).map_err(BenchError::file(page))
    }

    /// The figures in the design's order.
    fn ordered(&self) -> impl Iterator<Item = (Figure, &Entry)> {
        Figure::ALL.into_iter().filter_map(|figure| Some((figure, self.0.get(figure.name())?)))
    }

    /// The table for a terminal.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(["What", "Target", "Measured", ""]);
        for row in self.ordered().flat_map(|(_, entry)| &entry.outcome.rows) {
            table.add_row([row.what.clone(), row.target_text(), row.unit.show(row.measured), row.verdict()]);
        }
        table
    }

    /// The page, in Markdown.
    fn page(&self) -> String {
        let mut page = String::from(HEAD);
        page.push_str("| what | target | measured | verdict |\n|---|---|---|---|\n");
        for row in self.ordered().flat_map(|(_, entry)| &entry.outcome.rows) {
            let cells = [row.what.clone(), row.target_text(), row.unit.show(row.measured), row.verdict()];
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        for figure in Figure::ALL.iter().filter(|figure| !self.0.contains_key(figure.name())) {
            let _ = writeln!(page, "| {} | | not measured yet | |", figure.title());
        }
        for (figure, entry) in self.ordered() {
            let _ = writeln!(page, "\n## {}\n", figure.title());
            let build =
                if entry.release { "release build" } else { "**debug build: says nothing about speed**" };
            let scale =
                if entry.scale == 1.0 { String::new() } else { format!(", **at scale {}**", entry.scale) };
            let _ = writeln!(page, "{}, commit {}, {build}{scale}.\n", entry.date, entry.commit);
            list(&mut page, "How", &entry.outcome.work);
            list(&mut page, "Checked", &entry.outcome.checks);
            list(&mut page, "Took", &entry.outcome.notes);
            list(&mut page, "Machine", &entry.machine.lines());
        }
        page
    }
}

const HEAD: &str = "# Benchmarks\n\n\
    Written by `make bench`; not edited by hand. Every figure but the policy engine's is measured against a real server process over \
    loopback, on a folder of its own, with signed requests, and the generator of the load shares the machine's \
    cores with the server. A figure counts only where its run's output was found right.\n\n";

fn list(page: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "{title}:");
    for line in lines {
        let _ = writeln!(page, "- {line}");
    }
    page.push('\n');
}
