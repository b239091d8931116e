//! AWS protocols: SigV4, awsJson, Query, REST; error shapes.
