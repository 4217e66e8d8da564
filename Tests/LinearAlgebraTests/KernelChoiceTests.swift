import LinearAlgebra
import Testing

@Suite struct `Kernels of OpenBLAS` {
  @Test(arguments: [
    ("Prescott", 512, "SkylakeX"), ("Prescott", 256, "Haswell"), ("Nehalem", 256, "Haswell"),
    ("Sandybridge", 512, "SkylakeX"),
  ])
  func `for older processors are replaced by those for the vectors there are`(
    _ found: String, _ bits: Int, _ better: String
  ) {
    #expect(KernelChoice.better(than: found, vectorBits: bits) == better)
  }

  @Test(arguments: [
    ("Prescott", 0), ("Haswell", 256), ("Zen", 256), ("SkylakeX", 512), ("Cooperlake", 512),
    ("SapphireRapids", 512), ("Haswell", 512),
  ])
  func `that use the vectors stay`(_ found: String, _ bits: Int) {
    #expect(KernelChoice.better(than: found, vectorBits: bits) == nil)
  }
}
