//! The IAM policy language: documents, conditions, evaluation.
