internal import Glibc

/// A UDP socket for heartbeats, over IPv4. Its messages may be lost and are sent again and again.
package final class HeartbeatSocket: @unchecked Sendable {
  /// An address and a port, in the order of the network.
  package struct Address: Hashable, Sendable {
    package var address: UInt32
    package var port: UInt16

    package init(address: UInt32, port: UInt16) { (self.address, self.port) = (address, port) }
  }

  /// 127.0.0.1
  package static let loopback = UInt32(0x7f00_0001).bigEndian

  private let descriptor: Int32
  package let port: UInt16

  /// Opens a socket on all interfaces; nil if the system has none.
  package init?() {
    let new = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard new >= 0 else { return nil }
    var own = sockaddr_in()
    own.sin_family = sa_family_t(AF_INET)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &own) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(new, $0, length) == 0 && getsockname(new, $0, &length) == 0
      }
    }
    guard isBound else {
      close(new)
      return nil
    }
    (descriptor, port) = (new, own.sin_port)
  }

  deinit { close(descriptor) }

  /// The addresses of this host, without those that only it can reach.
  static var addressesOfHost: [UInt32] {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return [] }
    defer { freeifaddrs(first) }
    var found: [UInt32] = []
    var next = first
    while let interface = next {
      next = interface.pointee.ifa_next
      guard let address = interface.pointee.ifa_addr,
        Int32(address.pointee.sa_family) == AF_INET,
        interface.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0
      else { continue }
      address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        found.append($0.pointee.sin_addr.s_addr)
      }
    }
    return found
  }

  /// Sends a message, which may be lost.
  package func send(_ bytes: [UInt8], to target: Address) {
    var other = sockaddr_in()
    other.sin_family = sa_family_t(AF_INET)
    other.sin_port = target.port
    other.sin_addr.s_addr = target.address
    withUnsafePointer(to: &other) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(
          descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT), $0,
          socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// Returns the next message with its sender; nil if none comes in time.
  package func receive(_ size: Int, within milliseconds: Int32) -> (bytes: [UInt8], from: Address)?
  {
    var readable = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&readable, 1, milliseconds) > 0 else { return nil }
    var other = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    var bytes = [UInt8](repeating: 0, count: size + 1)
    let count = withUnsafeMutablePointer(to: &other) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        recvfrom(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT), $0, &length)
      }
    }
    guard count >= 0 else { return nil }
    let sender = Address(address: other.sin_addr.s_addr, port: other.sin_port)
    return (Array(bytes.prefix(count)), sender)
  }
}
