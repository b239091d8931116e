//! Deletes and rotates the keys of KMS whose time has come.

use std::{sync::Arc, time::Duration};

use opentrail_keyring::customer::Due;
use tokio_util::sync::CancellationToken;

use super::clock::SteadyClock;
use crate::rooms::Rooms;

/// How often keys are looked through. A key whose deletion is due can't be used from that moment on; its material is
/// destroyed this much later at most.
const PAUSE: Duration = Duration::from_secs(60);

/// Works until `stop`, first at the start: what became due while nothing ran is late already.
pub(crate) async fn run(rooms: Arc<Rooms>, stop: CancellationToken) {
    let clock = SteadyClock::new();
    loop {
        let due = rooms.keyring.do_what_is_due(clock.now()).await;
        if due != Due::default() {
            let Due { deleted, rotated, failed } = due;
            tracing::info!(deleted, rotated, failed, "keys whose time had come");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}
