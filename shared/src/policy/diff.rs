//! What a policy document changes against the one adopted before it: every loosening, named, and the
//! number of tightenings. Judges nothing and writes no words: an owner's text is made from it.
