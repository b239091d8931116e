//! What an OpenID Connect provider signed.
