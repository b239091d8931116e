//! Keys: the master key, envelope encryption, signing keys and their rotation.
