//! Event selectors, delivery of log files, the digest chain and its validation.
