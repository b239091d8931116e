//! Deletes the event data stores whose time has come.

use std::{sync::Arc, time::Duration};

use opentrail_lake::store::Due;
use tokio_util::sync::CancellationToken;

use super::clock::SteadyClock;
use crate::rooms::Rooms;

/// How often stores are looked through. A store whose deletion is due can't be restored from that moment on; it is gone
/// this much later at most.
const PAUSE: Duration = Duration::from_secs(60);

/// Works until `stop`, first at the start: what became due while nothing ran is late already.
pub(crate) async fn run(rooms: Arc<Rooms>, stop: CancellationToken) {
    let clock = SteadyClock::new();
    loop {
        let due = rooms.event_data_stores.do_what_is_due(clock.now()).await;
        if due != Due::default() {
            let Due { deleted, failed } = due;
            tracing::info!(deleted, failed, "event data stores whose time had come");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}
