import Configuration
import Runs
import Testing

@Suite struct `The time of a run` {
  @Test func `is given, or that of the batch job, unless that has passed`() throws {
    func job(_ end: String?) -> TimeLimit? {
      TimeLimit.ofJob(end.map { [TimeLimit.slurmVariable: $0] } ?? [:], now: 5000)
    }
    #expect(job(nil) == nil && job("soon") == nil && job("4999") == nil && job("inf") == nil)
    #expect(job("9000") != nil)
    for text in ["90", "epoch", "5 m", "-3s", "0s", ""] {
      let error = #expect(throws: UsageError.self) { try TimeLimit(option: text) }
      #expect(error?.description.contains("--time-limit is a time such as") == true)
    }
  }

  @Test func `leaves a minute or a twentieth, and twice the time of a checkpoint`() throws {
    let (long, short) = (
      try TimeLimit(option: "24h", now: 0), try TimeLimit(option: "200s", now: 0)
    )
    // Before one was measured: 2 s for 100 MB.
    #expect(long.margin(checkpointSeconds: nil, checkpointBytes: 100e6) == 64)
    #expect(long.margin(checkpointSeconds: 70, checkpointBytes: 100e6) == 200)
    #expect(short.margin(checkpointSeconds: 1, checkpointBytes: 100e6) == 12)
  }
}
