//! Putting, reading and deleting objects.

mod support;

use support::{House, noise};

#[tokio::test]
async fn an_object_is_read_as_it_was_put_in_every_size() {
    let house = House::with_bucket("logs").await;
    for size in [0, 1, 16 * 1024, 16 * 1024 + 1, 1 << 20, (1 << 20) + 1, 3_500_000] {
        let bytes = noise(size, size as u64);
        let key = format!("a/{size}");
        let outcome = house.put("logs", &key, bytes.clone()).await.unwrap();
        assert_eq!(outcome.version_id, None);
        assert_eq!(outcome.meta.size, size as u64);
        assert_eq!(house.read("logs", &key, None).await.unwrap(), bytes, "{size}");
    }
    house.is_well().await;
    let house = house.reopen().await;
    for size in [0, 1, 16 * 1024, 16 * 1024 + 1, 1 << 20, (1 << 20) + 1, 3_500_000] {
        assert_eq!(house.read("logs", &format!("a/{size}"), None).await.unwrap(), noise(size, size as u64));
    }
    house.is_well().await;
}
