//! `opentrail follow`: keeps importing what a bucket receives into an event data store.
//!
//! It lists each region's folder from the day where it stands, so that years are not listed again; files that come late
//! are found for some days. What it did is noted in a file on this machine, which only saves work: the store leaves out
//! what it has, so that nothing is twice, whatever becomes of the file.

mod folders;
mod standing;

use std::{collections::HashMap, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use chrono::{Days, NaiveDate, Utc};
use clap::Args;
use indicatif::ProgressBar;
use opentrail_trails::{LogReader, store::ListedFile};
use tokio::signal::unix::{SignalKind, signal};

use self::{
    folders::Folder,
    standing::{Standing, default_path},
};
use crate::{
    client::Client,
    client::ServerArguments,
    durations::at_least_a_second,
    import::{
        BucketArguments, ImportError, Imported, Route, into_store, remote,
        source::{Item, Source, holds_records},
        take_all,
    },
    output::{Output, say},
};

/// Files that are read and sent before it is noted that they are done.
const AT_ONCE: usize = 500;
/// Looks between two searches for folders of other accounts and regions.
const LOOKS_PER_SEARCH: u32 = 10;
/// How often a file that can't be read is tried.
const TRIES: u32 = 5;

#[derive(Args)]
#[command(
    after_help = "It runs until it is told to stop (Ctrl-C, SIGTERM). Exit codes: 0 stopped, 1 could not run, 2 wrong usage"
)]
pub(crate) struct FollowArguments {
    /// s3://BUCKET/PREFIX of CloudTrail log files
    #[arg(value_name = "SOURCE")]
    source: Source,
    /// The event data store that gets the events
    #[arg(long, value_name = "ARN|ID|NAME")]
    event_data_store: String,
    /// How often to look for new files
    #[arg(long, default_value = "60s", value_parser = at_least_a_second, value_name = "DURATION")]
    every: Duration,
    /// The first day that is imported; everything if absent
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<NaiveDate>,
    /// For how many days files of a day are looked for after it
    #[arg(long, default_value_t = 2, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=366))]
    late: u32,
    /// Where to note what is done; in the user's state folder if absent
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Look once and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    bucket: BucketArguments,
    /// How each look with something new is printed
    #[arg(long, default_value = "table")]
    output: Output,
    #[command(flatten)]
    server: ServerArguments,
}

/// Why it can't follow.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FollowError {
    /// Only buckets can be followed.
    #[error("write s3://BUCKET or s3://BUCKET/PREFIX")]
    NoBucket,
    /// Signals can't be waited for.
    #[error("can't wait for signals: {0}")]
    Signals(std::io::Error),
    /// What is done can't be noted.
    #[error("{}: {cause}", path.display())]
    State {
        /// Where.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A look failed.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// What is followed.
struct Follower {
    client: Client,
    route: Route,
    store: String,
    remote: Arc<dyn LogReader>,
    bucket: String,
    prefix: String,
    since: Option<NaiveDate>,
    late: u32,
    output: Output,
    path: PathBuf,
    standing: Standing,
    folders: Vec<Folder>,
    looks: u32,
    /// How often files could not be read.
    failed: HashMap<String, u32>,
}

/// Follows until a signal.
pub(crate) async fn run(arguments: FollowArguments) -> Result<ExitCode, FollowError> {
    let Source::Bucket { bucket, prefix } = arguments.source.clone() else {
        return Err(FollowError::NoBucket);
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(FollowError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(FollowError::Signals)?;
    let what = format!("{} s3://{bucket}/{prefix} {}", arguments.server.endpoint, arguments.event_data_store);
    let path = arguments.state.clone().unwrap_or_else(|| default_path(&what));
    let mut follower = Follower {
        client: Client::new(&arguments.server).map_err(ImportError::from)?,
        route: Route::to(Some(&arguments.event_data_store))?,
        store: arguments.event_data_store,
        remote: remote(&arguments.bucket, &arguments.server),
        standing: Standing::read(&path).map_err(|cause| FollowError::State { path: path.clone(), cause })?,
        bucket,
        prefix,
        since: arguments.since,
        late: arguments.late,
        output: arguments.output,
        path,
        folders: Vec::new(),
        looks: 0,
        failed: HashMap::new(),
    };
    loop {
        let looking = async {
            let looked = follower.look().await;
            if arguments.once {
                return Some(looked.map(|()| ExitCode::SUCCESS));
            }
            // Who follows waits for better times.
            match looked {
                Err(error @ FollowError::State { .. }) => return Some(Err(error)),
                Err(error) => eprintln!("opentrail: {error}; it is tried again"),
                Ok(()) => {}
            }
            tokio::time::sleep(arguments.every).await;
            None
        };
        tokio::select! {
            ended = looking => {
                if let Some(ended) = ended {
                    return ended;
                }
            }
            _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
            _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
        }
    }
}

impl Follower {
    /// Imports what is new.
    async fn look(&mut self) -> Result<(), FollowError> {
        if self.looks.is_multiple_of(LOOKS_PER_SEARCH) || self.folders.is_empty() {
            let found = folders::search(&*self.remote, &self.bucket, &self.prefix).await;
            self.folders = found.map_err(|cause| self.refused(&self.prefix, cause))?;
            self.look_again_if_it_keeps_more().await?;
        }
        self.looks = self.looks.wrapping_add(1);
        let mut news = Imported::default();
        for folder in self.folders.clone() {
            self.look_into(&folder, &mut news).await?;
        }
        if news.files > 0 {
            self.tell(&news);
        }
        Ok(())
    }

    /// What the store did not take is looked for again once it keeps events longer.
    async fn look_again_if_it_keeps_more(&mut self) -> Result<(), FollowError> {
        if !self.standing.has_left_out() {
            return Ok(());
        }
        let Some(days) = self.retention().await else { return Ok(()) };
        if let Some(events) = self.standing.look_again(days) {
            eprintln!(
                "opentrail: the event data store keeps events for {days} days now; {events} that were left out are \
                 looked for again"
            );
            self.keep()?;
        }
        Ok(())
    }

    /// How many days the store keeps events, if that may be asked.
    async fn retention(&self) -> Option<u32> {
        let asked = into_store::retention_of(&self.client, &self.store).await;
        let told = |error: &ImportError| {
            eprintln!("opentrail: how long the event data store keeps events can't be asked: {error}");
        };
        asked.inspect_err(told).ok()
    }

    /// Notes that the store did not take events, so that they are looked for when it would.
    async fn leave_out(&mut self, events: usize) {
        eprintln!(
            "opentrail: {events} events are older than the event data store keeps them, and were left out"
        );
        if let Some(days) = self.retention().await {
            self.standing.leave_out(events, days);
        }
    }

    async fn look_into(&mut self, folder: &Folder, news: &mut Imported) -> Result<(), FollowError> {
        let today = Utc::now().date_naive();
        let first = self.standing.day(&folder.root).max(self.since);
        let mut after = first.map(|day| folder.before(day));
        loop {
            let listed = self.remote.list(&self.bucket, &folder.root, after.as_deref()).await;
            let page = listed.map_err(|cause| self.refused(&folder.root, cause))?;
            let last = page.files.last().map(|file| file.key.clone());
            let new: Vec<ListedFile> = page
                .files
                .into_iter()
                .filter(|file| folder.has(&file.key) && holds_records(&file.key))
                .filter(|file| {
                    self.since.is_none_or(|since| folder.day_of(&file.key).is_none_or(|day| day >= since))
                })
                .filter(|file| !self.standing.has(&folder.root, &file.key))
                .collect();
            for files in new.chunks(AT_ONCE) {
                self.take(folder, files, news).await?;
            }
            match last {
                Some(last) if page.more => after = Some(last),
                _ => break,
            }
        }
        let stays = today.checked_sub_days(Days::new(u64::from(self.late))).unwrap_or(today);
        if folder.is_dated() && self.standing.advance(&folder.root, stays) {
            self.keep()?;
        }
        Ok(())
    }

    async fn take(
        &mut self,
        folder: &Folder,
        files: &[ListedFile],
        news: &mut Imported,
    ) -> Result<(), FollowError> {
        let items = files.iter().map(|file| Item::Object {
            bucket: self.bucket.clone(),
            key: file.key.clone(),
            size: file.size,
        });
        let taken =
            take_all(&self.client, &self.route, &self.remote, items.collect(), &ProgressBar::hidden())
                .await?;
        for file in files {
            let name = format!("s3://{}/{}", self.bucket, file.key);
            let is_unreadable = taken.unreadable.iter().any(|unreadable| unreadable.file == name);
            if is_unreadable {
                let tries = self.failed.entry(file.key.clone()).or_default();
                *tries += 1;
                if *tries < TRIES {
                    continue;
                }
            }
            self.failed.remove(&file.key);
            self.standing.add(&folder.root, &file.key, folder.day_of(&file.key));
        }
        if taken.expired > 0 {
            self.leave_out(taken.expired).await;
        }
        self.keep()?;
        news.files += taken.files - taken.unreadable.len();
        news.accepted += taken.accepted;
        news.duplicates += taken.duplicates;
        news.expired += taken.expired;
        for unreadable in &taken.unreadable {
            eprintln!("opentrail: {} can't be read: {}", unreadable.file, unreadable.reason);
        }
        for rejected in &taken.rejected {
            eprintln!("opentrail: {}, record {}: {}", rejected.file, rejected.index, rejected.reason);
        }
        Ok(())
    }

    fn keep(&self) -> Result<(), FollowError> {
        self.standing.write(&self.path).map_err(|cause| FollowError::State { path: self.path.clone(), cause })
    }

    fn refused(&self, key: &str, cause: opentrail_trails::StoreError) -> FollowError {
        let (bucket, key) = (self.bucket.clone(), key.to_owned());
        ImportError::Source(crate::import::source::SourceError::Bucket { bucket, key, cause }).into()
    }

    fn tell(&self, news: &Imported) {
        if self.output == Output::Json {
            match serde_json::to_string(news) {
                Ok(json) => say!("{json}"),
                Err(error) => eprintln!("opentrail: {error}"),
            }
            return;
        }
        say!(
            "{} {} files: {} records imported, {} already there, {} too old",
            Utc::now().format("%Y-%m-%dT%H:%M:%SZ"),
            news.files,
            news.accepted,
            news.duplicates,
            news.expired
        );
    }
}
