// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "own-cell",
  products: [.library(name: "IndependentCells", targets: ["IndependentCells"])],
  dependencies: [
    .package(name: "unroll", path: "../../.."),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .target(
      name: "IndependentCells",
      dependencies: [
        .product(name: "LinearAlgebra", package: "unroll"),
        .product(name: "Recurrence", package: "unroll"),
      ]),
    .executableTarget(
      name: "own-cell",
      dependencies: [
        "IndependentCells",
        .product(name: "Checkpointing", package: "unroll"),
        .product(name: "Collectives", package: "unroll"),
        .product(name: "Configuration", package: "unroll"),
        .product(name: "Inference", package: "unroll"),
        .product(name: "Recurrence", package: "unroll"),
        .product(name: "Runs", package: "unroll"),
        .product(name: "Logging", package: "swift-log"),
      ]),
  ])
