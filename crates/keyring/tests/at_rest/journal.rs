//! A journal over an encrypted disk.

use super::*;

/// A journal over an encrypted disk over one that fails.
fn journal(world: &World) -> Result<Journal, JournalError> {
    let options = JournalOptions { segment_bytes: 4096, queue_bytes: 1 << 20, tail_bytes: 1000 };
    Journal::open(&world.path("journal"), options, Arc::new(world.disk())).map(|(journal, _)| journal)
}

fn entry(seq: u64) -> Bytes {
    format!("{} {seq}", String::from_utf8_lossy(SECRET)).repeat(1 + seq as usize % 20).into()
}

fn check(journal: &Journal, acknowledged: u64) {
    let items = journal.reader(Seq(0)).try_next_batch(usize::MAX, usize::MAX).unwrap();
    assert!(items.len() as u64 >= acknowledged, "{} {acknowledged}", items.len());
    for (seq, item) in (1..).zip(items) {
        assert_eq!((item.seq, item.payload), (Seq(seq), entry(seq)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_keeps_what_it_acknowledged_through_every_kind_of_crash() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let mut acknowledged = 0;
    for round in 0..60 {
        let journal = journal(&world).unwrap();
        check(&journal, acknowledged);
        acknowledged = journal.durable().0;
        world.below.cut_power_after(7 + round * 3 % 41);
        while journal.append(entry(acknowledged + 1), None).await.is_ok() {
            acknowledged += 1;
        }
        world
            .below
            .crash(match round % 4 {
                0 => CrashKeeps::Nothing,
                1 => CrashKeeps::FirstBytes(round * 17),
                2 => CrashKeeps::SomeSectors(round),
                _ => CrashKeeps::Everything,
            })
            .unwrap();
        drop(journal);
    }
    assert!(acknowledged > 60);
    for entry in std::fs::read_dir(world.path("journal")).unwrap() {
        let path = entry.unwrap().path();
        assert!(!shows(&std::fs::read(&path).unwrap(), &SECRET[..10]), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_under_a_journal_is_named_as_damage() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let journal_of_20 = journal(&world).unwrap();
    for seq in 1..=20 {
        journal_of_20.append(entry(seq), None).await.unwrap();
    }
    journal_of_20.close().await;
    for offset in [0, 20, 60, 75, HEADER_BYTES + 10, HEADER_BYTES + 300] {
        world.below.heal();
        world.below.inject(Fault::flipped_bit(offset, 3).on("00000001.seg"));
        let outcome = journal(&world).and_then(|journal| {
            let mut reader = journal.reader(Seq(0));
            while !reader.try_next_batch(1, usize::MAX)?.is_empty() {}
            Ok(())
        });
        assert!(matches!(outcome, Err(JournalError::Corrupt { .. })), "byte {offset}: {outcome:?}");
    }
    world.below.heal();
    check(&journal(&world).unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_on_a_full_encrypted_disk_goes_on_when_there_is_room() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let journal_that_fills = journal(&world).unwrap();
    let mut acknowledged = 0;
    for round in 0..30 {
        world.below.limit_space(Some(1000 + round * 37));
        while journal_that_fills.append(entry(acknowledged + 1), None).await.is_ok() {
            acknowledged += 1;
        }
        world.below.limit_space(None);
        journal_that_fills.append(entry(acknowledged + 1), None).await.unwrap();
        acknowledged += 1;
    }
    check(&journal_that_fills, acknowledged);
    journal_that_fills.close().await;
    check(&journal(&world).unwrap(), acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_loses_nothing_that_was_acknowledged() {
    let world = World::new();
    world.disk().create_dir_all(&world.path("journal")).unwrap();
    let mut acknowledged = 0;
    for round in 0..12 {
        let journal = journal(&world).unwrap();
        check(&journal, acknowledged);
        acknowledged = journal.durable().0;
        world.below.inject(Fault::error(Operation::Sync, io::ErrorKind::Other).after(round % 4));
        while journal.append(entry(acknowledged + 1), None).await.is_ok() {
            acknowledged += 1;
            if acknowledged > 20 * (round + 1) {
                break;
            }
        }
        drop(journal);
        world.below.heal();
        if round % 3 == 2 {
            world.below.crash(CrashKeeps::Nothing).unwrap();
        }
    }
}
