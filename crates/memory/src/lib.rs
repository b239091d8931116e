//! How much memory some threads of a process use: they get an arena of jemalloc's that is theirs alone, and jemalloc
//! says what was allocated there that nobody has freed.
//!
//! An arena counts where memory was allocated, so what another thread frees is taken off where it belongs, and what
//! another thread allocated and these only read is not counted. It counts every allocation, whoever makes it: a library
//! can't forget to tell. jemalloc must be the process's global allocator, else nothing is counted.

use tikv_jemalloc_ctl::{Access, AsName, Mib, epoch};

/// Why jemalloc could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("jemalloc did not answer {}: {reason}", .key.trim_end_matches('\0'))]
pub struct MemoryError {
    key: &'static str,
    reason: String,
}

impl MemoryError {
    fn of(key: &'static str) -> impl Fn(tikv_jemalloc_ctl::Error) -> Self {
        move |error| MemoryError { key, reason: error.to_string() }
    }
}

const CREATE: &str = "arenas.create\0";
const THREAD: &str = "thread.arena\0";
const SMALL: &str = "stats.arenas.0.small.allocated\0";
const LARGE: &str = "stats.arenas.0.large.allocated\0";

/// Which part of a name of statistics is the arena's number.
const NUMBER: usize = 2;

/// An arena for some threads. jemalloc keeps it until the process ends, so make few.
#[derive(Debug, Clone)]
pub struct Arena {
    number: u32,
    small: Mib<[usize; 5]>,
    large: Mib<[usize; 5]>,
}

impl Arena {
    /// Makes an arena that no thread has yet.
    ///
    /// # Errors
    /// [`MemoryError`] if jemalloc makes none, or was built without statistics.
    pub fn new() -> Result<Self, MemoryError> {
        let number: u32 = CREATE.name().read().map_err(MemoryError::of(CREATE))?;
        let statistics = |key: &'static str| -> Result<Mib<[usize; 5]>, MemoryError> {
            let mut key_of_arena = key.name().mib::<[usize; 5]>().map_err(MemoryError::of(key))?;
            key_of_arena[NUMBER] = number as usize;
            Ok(key_of_arena)
        };
        let arena = Arena { number, small: statistics(SMALL)?, large: statistics(LARGE)? };
        arena.allocated()?;
        Ok(arena)
    }

    /// What the calling thread allocates from now on comes from this arena.
    ///
    /// # Errors
    /// [`MemoryError`] if jemalloc refuses.
    pub fn enter(&self) -> Result<(), MemoryError> {
        THREAD.name().write(self.number).map_err(MemoryError::of(THREAD))
    }

    /// Bytes that were allocated here and that nobody has freed, as far as jemalloc's threads' caches tell: some tens of
    /// KiB for each thread may be off.
    ///
    /// # Errors
    /// [`MemoryError`] if jemalloc does not say.
    pub fn allocated(&self) -> Result<usize, MemoryError> {
        epoch::advance().map_err(MemoryError::of("epoch"))?;
        let small: usize = self.small.read().map_err(MemoryError::of(SMALL))?;
        let large: usize = self.large.read().map_err(MemoryError::of(LARGE))?;
        Ok(small.saturating_add(large))
    }
}

#[cfg(test)]
mod tests {
    use tikv_jemallocator::Jemalloc;

    use super::Arena;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    const MUCH: usize = 64 << 20;
    const LITTLE: usize = 1 << 20;

    #[test]
    fn what_its_threads_allocate_is_counted_until_somebody_frees_it() {
        let arena = Arena::new().expect("an arena");
        let inside = arena.clone();
        let (large, small) = std::thread::spawn(move || {
            inside.enter().expect("it enters");
            let small: Vec<Box<[u8; 64]>> = (0..MUCH / 64).map(|_| Box::new([0; 64])).collect();
            (vec![1_u8; MUCH], small)
        })
        .join()
        .expect("it ends");
        let both = arena.allocated().expect("a number");
        assert!(both >= 2 * MUCH, "{both}");
        drop(large);
        let one = arena.allocated().expect("a number");
        assert!(one + MUCH <= both, "{one} of {both}");
        drop(small);
        let none = arena.allocated().expect("a number");
        assert!(none < LITTLE, "{none}");
    }

    #[test]
    fn what_other_threads_allocate_is_not() {
        let arena = Arena::new().expect("an arena");
        let other = vec![1_u8; MUCH];
        assert!(arena.allocated().expect("a number") < LITTLE);
        drop(other);
    }
}
