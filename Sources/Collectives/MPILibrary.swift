internal import COpenMPI

extension MPI {
  /// The name and version of the message passing library of this program, such as `Open MPI
  /// v4.1.4`. MPI need not be started.
  public static var libraryVersion: String {
    var text = [CChar](repeating: 0, count: Int(MPI_MAX_LIBRARY_VERSION_STRING) + 1)
    var length: Int32 = 0
    guard MPI_Get_library_version(&text, &length) == MPI_SUCCESS else { return "unknown" }
    let whole = text.prefix(Int(length)).map(UInt8.init(bitPattern:))
    return String(decoding: whole.prefix { $0 != UInt8(ascii: ",") && $0 != 0 }, as: UTF8.self)
  }

  /// True if ranks of one host may read each other's memory. If a container forbids it, Open MPI
  /// must be told to copy through shared memory.
  public static var canReadAcrossProcesses: Bool { unroll_can_read_across() != 0 }
}
