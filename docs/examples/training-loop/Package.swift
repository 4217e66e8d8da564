// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "training-loop",
  dependencies: [
    // The checkout: `name` is what the products below are found by, whatever its folder is called.
    .package(name: "unroll", path: "../../..")
  ],
  targets: [
    .executableTarget(
      name: "training-loop",
      dependencies: [
        .product(name: "Sequences", package: "unroll"),
        .product(name: "Recurrence", package: "unroll"),
        .product(name: "Optimization", package: "unroll"),
      ])
  ])
