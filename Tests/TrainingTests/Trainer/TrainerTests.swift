import Testing

/// Whole runs of small models, on one rank and on several.
///
/// The tests that take a world, and so also run under `mpirun`. They are serialized, because every rank
/// must be in the same test at the same moment.
@Suite(.serialized) enum TrainerTests {}
