//! The opentrail binary.

fn main() {}
