//! `opentrail fsck` over the data that a run left.

use std::path::Path;

use crate::{error::BenchError, process::Launcher};

/// Checks a stopped server's folder; fails where something is wrong with it.
pub(crate) fn clean(launcher: &Launcher, folder: &Path) -> Result<String, BenchError> {
    let data = folder.join("data");
    match launcher.run(None, &["fsck", "--data", &data.to_string_lossy()]) {
        Ok(_) => Ok("`opentrail fsck` finds nothing wrong".to_owned()),
        Err(BenchError::Ended { output, .. }) if output.contains("unrecognized subcommand") => {
            Ok("this build has no `opentrail fsck`: not run".to_owned())
        }
        Err(BenchError::Ended { output, .. }) => Err(BenchError::Wrong(format!("fsck: {output}"))),
        Err(other) => Err(other),
    }
}
