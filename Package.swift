// swift-tools-version: 6.3
import PackageDescription

// `UNROLL_REAL=double swift build` makes the numerical modules in double precision, so that
// derivatives can be checked to nine digits. Nothing else is built then.
let double = Context.environment["UNROLL_REAL"] == "double"

// Warnings are errors in `launch/test`, and not for users, whose compiler may warn of more.
let isStrict = Context.environment["UNROLL_WARNINGS"] == "errors"

// `launch/docs` needs the plugin of DocC, and no other build does.
let isDocumented = Context.environment["UNROLL_DOCS"] != nil

let settings: [SwiftSetting] =
  (isStrict ? [.treatAllWarnings(as: .error)] : [])
  + [.enableUpcomingFeature("InternalImportsByDefault")]
  + (double ? [.define("REAL_IS_DOUBLE")] : [])

/// Files of modules that are no Swift.
let excluded = ["ProtocolBuffers": ["onnx.proto", "tensorboard.proto"]]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, exclude: excluded[name] ?? [], swiftSettings: settings)
}

/// Tests are not optimized, because compiling them takes as long as all that they test; what they test is. Those
/// that compute in plain loops themselves are: in double precision all, and those of products and of sums.
func tests(
  _ name: String, _ dependencies: [Target.Dependency], computeInPlainLoops: Bool = double
) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: dependencies,
    swiftSettings: settings + (computeInPlainLoops ? [] : [.unsafeFlags(["-Onone"])]))
}

/// What tests of several modules share.
func support(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Tests/" + name, swiftSettings: settings)
}

// The modules, lowest layer first.
let numerical: [Target] = [
  .systemLibrary(
    name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
  .systemLibrary(name: "CArithmetic"),
  .target(name: "COneDNN"),
  .target(name: "CTiles"),
  .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
  module("LinearAlgebra", ["CArithmetic", "COpenBLAS", "COneDNN", "CTiles"]),
  module("Names"),
  module("Sequences", ["LinearAlgebra"]),
  module("Recurrence", ["LinearAlgebra", "Names", "Sequences"]),
  support("NumericalTestSupport", []),
  tests("LinearAlgebra", ["LinearAlgebra", "CTiles"], computeInPlainLoops: true),
  tests(
    "Recurrence",
    ["LinearAlgebra", "Sequences", "Recurrence", "AllocationCounter", "NumericalTestSupport"]),
]

let trainer: [Target] = [
  .systemLibrary(
    name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),
  .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
  .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
  .target(name: "ProcessorCheck"),
  .target(name: "CFileFaults"),
  .target(
    name: "CSentencePiece",
    linkerSettings: [.linkedLibrary("sentencepiece"), .linkedLibrary("sentencepiece_train")]),
  module("Optimization", ["LinearAlgebra", "Names", "Recurrence"]),
  module(
    "Datasets", ["LinearAlgebra", "Names", "Sequences", "CZlib", "CZstd", "CSentencePiece"]),
  module("Collectives", ["LinearAlgebra", "COpenMPI"]),
  module("Formats", ["LinearAlgebra", "Names", "CZlib"]),
  module("ProtocolBuffers", [.product(name: "SwiftProtobuf", package: "swift-protobuf")]),
  module(
    "Configuration",
    [
      "LinearAlgebra", "Names", "Sequences", "Recurrence", "Optimization", "Datasets", "Formats",
      .product(name: "Yams", package: "Yams"),
    ]),
  module(
    "Checkpointing",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Optimization", "Datasets", "Formats",
      "Configuration",
    ]),
  module(
    "Exchange",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "Formats", "ProtocolBuffers",
      "Checkpointing",
    ]),
  module(
    "Inference",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "Collectives", "Formats",
      "Configuration",
      "Checkpointing",
    ]),
  module(
    "Training",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Optimization", "Datasets", "Collectives",
      "Formats",
      "Configuration", "Checkpointing", "Exchange", "Inference",
    ]),
  module(
    "Reporting",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "Formats", "ProtocolBuffers",
      "Configuration",
      "Checkpointing",
      "Inference", "Training", .product(name: "Logging", package: "swift-log"),
    ]),
  module(
    "Runs",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "Collectives", "Formats",
      "Configuration",
      "Checkpointing", "Exchange", "Inference", "Training", "Reporting",
      .product(name: "Logging", package: "swift-log"),
    ]),
  module(
    "Tools",
    [
      "LinearAlgebra", "Names", "Recurrence", "Optimization", "Datasets", "Collectives", "Formats",
      "Configuration", "Checkpointing", "Inference", "Training", "Reporting", "Runs",
    ]),
  .executableTarget(
    name: "unroll",
    dependencies: [
      "ProcessorCheck", "CFileFaults", "LinearAlgebra", "Names", "Recurrence", "Datasets",
      "Collectives", "Formats", "Configuration", "Checkpointing", "Exchange", "Inference",
      "Training", "Reporting", "Runs", "Tools",
      .product(name: "ArgumentParser", package: "swift-argument-parser"),
      .product(name: "Logging", package: "swift-log"),
    ],
    swiftSettings: settings,
    plugins: ["SourceCommit"]),
  .plugin(name: "SourceCommit", capability: .buildTool(), exclude: ["write-commit"]),
  support(
    "TestSupport",
    [
      "Recurrence", "Collectives", "Formats", "Configuration", "Checkpointing", "Exchange",
      "Inference",
      "Training", "Reporting", "Runs", "Tools", .product(name: "Logging", package: "swift-log"),
    ]),
  tests(
    "Optimization",
    ["LinearAlgebra", "Sequences", "Recurrence", "Optimization", "NumericalTestSupport"]),
  tests(
    "Datasets",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "NumericalTestSupport", "TestSupport",
    ]),
  tests(
    "Collectives", ["LinearAlgebra", "Collectives", "TestSupport"], computeInPlainLoops: true),
  tests("Formats", ["LinearAlgebra", "Formats", "TestSupport"]),
  tests(
    "Configuration",
    [
      "Sequences", "Recurrence", "Optimization", "Datasets", "Collectives", "Names", "Formats",
      "Configuration",
      "NumericalTestSupport", "TestSupport",
    ]),
  tests(
    "Checkpointing",
    [
      "LinearAlgebra", "Recurrence", "Datasets", "Collectives", "Formats", "Configuration",
      "Checkpointing", "Exchange", "Inference", "Training", "Runs", "TestSupport",
      .product(name: "Logging", package: "swift-log"),
    ]),
  tests(
    "Exchange",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Formats", "ProtocolBuffers", "Configuration",
      "Checkpointing",
      "Exchange",
      "TestSupport",
    ]),
  tests(
    "Inference",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "Collectives", "Formats",
      "Configuration", "Checkpointing", "Inference", "NumericalTestSupport", "TestSupport",
    ]),
  tests(
    "Training",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Optimization", "Datasets", "Collectives",
      "Formats",
      "Configuration", "Checkpointing", "Inference", "Training", "Reporting",
      "NumericalTestSupport", "TestSupport",
    ]),
  tests(
    "Reporting",
    ["Formats", "Configuration", "Training", "Reporting", "TestSupport"]),
  tests(
    "Runs",
    [
      "Datasets", "Collectives", "Formats", "Configuration", "Checkpointing", "Training", "Runs",
      "TestSupport",
    ]),
  tests(
    "Reading",
    [
      "LinearAlgebra", "Recurrence", "Datasets", "Collectives", "Formats", "Configuration",
      "Checkpointing", "Exchange", "Inference", "Tools", "NumericalTestSupport", "TestSupport",
    ]),
  tests(
    "Tools",
    [
      "LinearAlgebra", "Sequences", "Recurrence", "Datasets", "Collectives", "Formats",
      "Configuration",
      "Tools", "NumericalTestSupport", "TestSupport",
    ]),
]

// Each is a product of its own, and all of them together are another. ProtocolBuffers has no public part.
let modules = [
  "LinearAlgebra", "Names", "Sequences", "Recurrence", "Optimization", "Datasets", "Collectives",
  "Formats", "Configuration", "Checkpointing", "Exchange", "Inference", "Training", "Reporting",
  "Runs", "Tools",
]

let package = Package(
  name: "Unroll",
  products: double
    ? []
    : [
      .library(name: "Unroll", targets: modules),
      .executable(name: "unroll", targets: ["unroll"]),
    ] + modules.map { .library(name: $0, targets: [$0]) },
  dependencies: double
    ? []
    : [
      .package(
        url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.2")),
      .package(url: "https://github.com/apple/swift-log", .upToNextMinor(from: "1.16.2")),
      .package(url: "https://github.com/apple/swift-protobuf", .upToNextMinor(from: "1.39.0")),
      .package(url: "https://github.com/jpsim/Yams", .upToNextMinor(from: "6.2.2")),
    ]
      + (isDocumented
        ? [.package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0")] : []),
  targets: numerical + (double ? [] : trainer),
  cLanguageStandard: .c17, cxxLanguageStandard: .cxx17)
