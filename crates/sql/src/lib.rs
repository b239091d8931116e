//! The query dialect of CloudTrail Lake.
