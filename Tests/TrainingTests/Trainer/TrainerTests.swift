import Testing

/// Whole runs of small models, on one rank and on several.
///
/// What is inside takes a world, and so means something under `mpirun` too. Serialized, because every
/// rank has to be in the same test at the same moment.
@Suite(.serialized) enum TrainerTests {}
