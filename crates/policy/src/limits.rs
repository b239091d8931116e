//! Bounds on what is read as a policy, whatever its kind. The narrower quota of each kind (6,144
//! characters for a managed policy, 20 KB for a bucket policy, …) belongs to the caller.

/// The largest document that is parsed at all, in bytes. Source: the IAM API's `policyDocumentType`,
/// at most 131,072 characters, which is the largest of any policy AWS takes.
pub const MAX_DOCUMENT_BYTES: usize = 131_072;

/// How deep arrays and objects may nest. The grammar itself needs six levels: document, statements,
/// statement, condition block, operator, list of values.
pub const MAX_DEPTH: usize = 16;
