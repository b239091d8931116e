//! StartImport, StopImport, GetImport, ListImports, ListImportFailures: events of a bucket's log files, brought into an
//! event data store. The rules and the work are `opentrail_lake::import`; here is what they need of the rest of the
//! server: the role that a bucket is read with ([`role`]), the bucket ([`bucket`]), the record of the end ([`ended`]).

mod bucket;
mod describe;
mod ended;
mod failures;
mod role;
mod shape;
mod start;

use std::sync::Arc;

use async_trait::async_trait;
use opentrail_lake::import::{Buckets, Import, ImportRefusal, Location, Source, SourceError, Statistics};
use opentrail_state::OwnedEvent;

use crate::{
    call::Call,
    fault::{Common, Fault},
    rooms::Rooms,
};

pub(super) use self::{
    describe::{GetImport, ListImports},
    failures::ListImportFailures,
    start::{StartImport, StopImport},
};

/// What imports read, through this server.
pub(crate) struct ImportBuckets {
    pub(crate) rooms: Arc<Rooms>,
}

#[async_trait]
impl Buckets for ImportBuckets {
    async fn source(&self, import: &Import) -> Result<Arc<dyn Source>, SourceError> {
        let location = Location::parse(&import.source.location_uri)
            .map_err(|error| SourceError::refused("InvalidImportSource", error.to_string()))?;
        let errand = role::Errand {
            role_arn: import.source.role_arn.clone(),
            store_arn: import.destination.clone(),
            account: import.account,
            region: import.region.clone(),
        };
        let bucket = bucket::RoleBucket::new(self.rooms.clone(), errand, location.bucket);
        Ok(Arc::new(bucket))
    }

    fn ended(&self, import: &Import, statistics: &Statistics) -> Vec<OwnedEvent> {
        ended::record(import, statistics).unwrap_or_else(|error| {
            tracing::error!(%error, import = %import.id, "the record of an import's end can't be written");
            Vec::new()
        })
    }
}

/// What the rules of imports refuse.
fn refused(error: ImportRefusal) -> Fault {
    Fault::declared(error.code(), error.to_string())
}

/// What an import left can't be read.
fn unreadable(call: &Call) -> impl Fn(opentrail_lake::LakeError) -> Fault {
    let dialect = call.dialect();
    move |error| {
        tracing::error!(%error, "what is known of an import can't be read");
        Fault::common(Common::Internal, dialect, "An internal error occurred.")
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::declared("InvalidParameterException", message)
}
