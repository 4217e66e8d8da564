import Configuration
import Formats
import Runs
import Testing
import Training

@Suite struct `The room that checkpoints need` {
  /// Of 3 MiB each, of which two are kept.
  let space = CheckpointSpace(ofCheckpoint: 3 * 0x1p20, keep: 2)

  @Test func `no room for one is an error before the first step, with the code of a full disk`()
    throws
  {
    let error = #expect(throws: FileError.self) {
      try space.check("/tmp", saved: 0, free: 2.5 * 0x1p20)
    }
    #expect(error?.exitCode == 74)
    #expect(error?.description.contains("has 2.5 MiB free and a checkpoint takes 3.0 MiB") == true)
  }

  @Test func `room for fewer than will lie side by side is a warning`() throws {
    let sentence = try space.check("/tmp", saved: 0, free: 11 * 0x1p20)
    #expect(sentence?.contains("4 more checkpoints of 3.0 MiB") == true)
    #expect(try space.check("/tmp", saved: 0, free: 12 * 0x1p20) == nil)
  }

  @Test func `what is saved already needs no more room, but a new one does`() throws {
    #expect(try space.check("/tmp", saved: 3, free: 3 * 0x1p20) == nil)
    #expect(try space.check("/tmp", saved: 9, free: 3 * 0x1p20) == nil)
    #expect(throws: FileError.self) {
      try space.check("/tmp", saved: 9, free: 2 * 0x1p20)
    }
  }

  @Test func `all checkpoints may be kept`() throws {
    let all = CheckpointSpace(ofCheckpoint: 1, keep: .max)
    #expect(try all.check("/tmp", saved: 0, free: 5)?.contains("more checkpoints") == true)
  }

  @Test func `of a folder that is yet to be made the disk that it will lie on counts`() throws {
    #expect(throws: FileError.self) {
      try CheckpointSpace(ofCheckpoint: 1e300, keep: 2).check("/tmp/none/of/these", saved: 0)
    }
    #expect(throws: FileError.self) {
      try CheckpointSpace(ofCheckpoint: 1e300, keep: 2).check("none/of/these", saved: 0)
    }
  }
}
