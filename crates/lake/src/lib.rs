//! Event data stores: Iceberg tables of events.
