//! OpenID Connect providers.
