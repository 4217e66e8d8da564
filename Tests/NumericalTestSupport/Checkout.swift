package import Foundation

/// The folder of the package.
package let packageRoot = URL(filePath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The file of Tests/Oracles that the script of that name makes.
package func oracleFile(_ name: String) -> URL {
  packageRoot.appending(path: "Tests/Oracles/\(name).json")
}

/// The numbers of a file of Tests/Oracles.
package func oracle<Numbers: Decodable>(
  _ name: String, as type: Numbers.Type = Numbers.self
) -> Numbers {
  let file = oracleFile(name)
  do {
    return try JSONDecoder().decode(Numbers.self, from: Data(contentsOf: file))
  } catch {
    preconditionFailure("\(file.path): \(error); make it again with Tests/Oracles/\(name).py")
  }
}
