//! Events as Parquet tables and an in-memory tail: event history.
