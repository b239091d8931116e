//! Accounts, users, roles, access keys and sessions; who it is and what they may do.
