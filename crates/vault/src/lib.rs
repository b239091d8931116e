//! The object store that keeps the record: buckets, objects, versions, policies.
