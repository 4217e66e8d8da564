import Runs
import Testing

@Suite struct `Facts about the machine` {
  @Test func `networks are read from Linux's table of routes`() {
    let table = """
      Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
      eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
      eth0\t0000000A\t00000000\t0001\t0\t0\t100\t000000FF\t0\t0\t0
      docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
      eth0\t0000A8C0\t0100000A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
      broken\tx
      """
    #expect(
      System.networks(inRoutes: table) == ["10.0.0.0/8 on eth0", "172.17.0.0/16 on docker0"])
    #expect(System.networks(inRoutes: "").isEmpty)
  }

  @Test func `this program has a hash`() { #expect(System.programHash != nil) }
}
