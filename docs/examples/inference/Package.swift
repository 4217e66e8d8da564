// swift-tools-version: 6.3
import PackageDescription

let package = Package(
  name: "inference",
  dependencies: [.package(name: "unroll", path: "../../..")],
  targets: [
    .executableTarget(
      name: "inference",
      dependencies: [
        .product(name: "Checkpointing", package: "unroll"),
        .product(name: "Datasets", package: "unroll"),
        .product(name: "Inference", package: "unroll"),
        .product(name: "Recurrence", package: "unroll"),
      ])
  ])
