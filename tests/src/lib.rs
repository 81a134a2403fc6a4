//! What the process-level tests share. The tests themselves stand in `tests/tests/`, one file a theme.
#![forbid(unsafe_code)]
