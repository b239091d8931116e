//! The services: every operation, the recording of every call.
