//! Which segments there are, how far each is durable, and where in them entries are.

use std::collections::VecDeque;

use crate::{Seq, segment::SEGMENT_HEADER_BYTES};

/// A place in a segment is remembered every so many bytes, so that a reader finds its entry without reading
/// the segment from its beginning.
const WAYMARK_BYTES: u64 = 1 << 20;

/// A place in a segment: an entry and where it starts.
pub(crate) type Place = (Seq, u64);

/// One segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentInfo {
    pub(crate) first: Seq,
    /// Bytes that are durable.
    pub(crate) len: u64,
    waymarks: Vec<Place>,
}

impl SegmentInfo {
    pub(crate) fn new(first: Seq, len: u64) -> Self {
        Self { first, len, waymarks: vec![(first, SEGMENT_HEADER_BYTES)] }
    }

    /// Remembers a place if the last one is far enough away. Places come in order.
    pub(crate) fn pass(&mut self, place: Place) {
        if self.waymarks.last().is_none_or(|last| place.1 >= last.1 + WAYMARK_BYTES) {
            self.waymarks.push(place);
        }
    }

    /// The nearest known place at or before an entry.
    fn nearest(&self, seq: Seq) -> Place {
        let after = self.waymarks.partition_point(|place| place.0 <= seq);
        after.checked_sub(1).map_or((self.first, SEGMENT_HEADER_BYTES), |at| self.waymarks[at])
    }
}

/// All segments, oldest first; the last is the active one. There is always one.
#[derive(Debug)]
pub(crate) struct Catalog {
    sealed: VecDeque<SegmentInfo>,
    active: SegmentInfo,
}

/// Where to look for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// The segment that has it.
    pub(crate) segment: Seq,
    /// The durable bytes of that segment.
    pub(crate) len: u64,
    /// A place in it, at the entry or before.
    pub(crate) place: Place,
}

impl Catalog {
    pub(crate) fn new(sealed: VecDeque<SegmentInfo>, active: SegmentInfo) -> Self {
        Self { sealed, active }
    }

    pub(crate) fn first(&self) -> Seq {
        self.sealed.front().unwrap_or(&self.active).first
    }

    pub(crate) fn active(&self) -> &SegmentInfo {
        &self.active
    }

    pub(crate) fn active_mut(&mut self) -> &mut SegmentInfo {
        &mut self.active
    }

    /// The active segment is sealed; `next` is the new one.
    pub(crate) fn rotate(&mut self, next: SegmentInfo) {
        self.sealed.push_back(std::mem::replace(&mut self.active, next));
    }

    pub(crate) fn count(&self) -> usize {
        self.sealed.len() + 1
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.sealed.iter().map(|segment| segment.len).sum::<u64>() + self.active.len
    }

    /// Where the entry is, if its segment is kept.
    pub(crate) fn find(&self, seq: Seq) -> Option<Lookup> {
        let segment = if seq >= self.active.first {
            &self.active
        } else {
            let after = self.sealed.partition_point(|segment| segment.first <= seq);
            &self.sealed[after.checked_sub(1)?]
        };
        Some(Lookup { segment: segment.first, len: segment.len, place: segment.nearest(seq) })
    }

    /// The oldest sealed segment, if all its entries are at or before `seq`.
    pub(crate) fn oldest_within(&self, seq: Seq) -> Option<SegmentInfo> {
        let oldest = self.sealed.front()?;
        let after = self.sealed.get(1).unwrap_or(&self.active).first;
        (after.previous() <= seq).then(|| oldest.clone())
    }

    /// Forgets the oldest sealed segment.
    pub(crate) fn drop_oldest(&mut self) {
        self.sealed.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        let mut first = SegmentInfo::new(Seq(5), 3 << 20);
        first.pass((Seq(7), 100));
        first.pass((Seq(8), 2 << 20));
        Catalog::new(VecDeque::from([first, SegmentInfo::new(Seq(10), 200)]), SegmentInfo::new(Seq(20), 300))
    }

    #[test]
    fn entries_are_found_from_the_nearest_waymark() {
        let catalog = catalog();
        let find = |seq| catalog.find(Seq(seq)).map(|found| (found.segment.0, found.place.0.0));
        assert_eq!(find(4), None);
        assert_eq!(find(7), Some((5, 5)), "too near the beginning to be remembered");
        assert_eq!(find(9), Some((5, 8)));
        assert_eq!(find(10), Some((10, 10)));
        assert_eq!(find(25), Some((20, 20)));
    }

    #[test]
    fn only_segments_wholly_within_the_floor_may_go_and_never_the_active_one() {
        let mut catalog = catalog();
        assert!(catalog.oldest_within(Seq(8)).is_none());
        assert_eq!(catalog.oldest_within(Seq(9)).unwrap().first, Seq(5));
        catalog.drop_oldest();
        assert!(catalog.oldest_within(Seq(18)).is_none());
        assert!(catalog.oldest_within(Seq(19)).is_some());
        catalog.drop_oldest();
        assert!(catalog.oldest_within(Seq(u64::MAX)).is_none());
        assert_eq!(catalog.first(), Seq(20));
    }
}
