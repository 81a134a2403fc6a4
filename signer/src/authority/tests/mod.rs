//! The authority's shell, one property at a time, on the simulated machine.
