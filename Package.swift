// swift-tools-version: 6.2
import PackageDescription

// The rooms of the server, from the top down. An arrow only ever points down this list
// (CONTRIBUTING.md, "Rooms"): a room may use those below it and knows nothing of those above.

/// C that must be fast even in a debug build, because every test runs through it.
let kernelFlags: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno"])]

let package = Package(
  name: "thalamus",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "thalamus", targets: ["ThalamusCLI"])
  ],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .executableTarget(
      name: "ThalamusCLI",
      dependencies: [
        "Server", "Thalamus", "Library", "Routing", "Generation", "Grammar", "Transformer",
        "Tokenization", "Kernels", "JSON", "DecisionLog",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "Server",
      dependencies: [
        "HTTP", "Thalamus", "Library", "Routing", "Generation", "Grammar", "Tokenization", "JSON",
        "DecisionLog",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "HTTP",
      dependencies: ["CSockets", .product(name: "Logging", package: "swift-log")]),
    .target(name: "CSockets"),
    .target(name: "HTTPClient", dependencies: ["CCurl"]),
    .systemLibrary(name: "CCurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .executableTarget(
      name: "http-benchmark-server", dependencies: ["HTTP"], path: "Benchmarks/http/OurServer"),
    .target(
      name: "Thalamus",
      dependencies: [
        "HTTPClient", "Library", "Routing", "Generation", "Transformer", "Tokenization",
        "DecisionLog",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Library",
      dependencies: [
        "HTTPClient", "Routing", "Generation", "Grammar", "Vision", "Transformer", "Tokenization",
        "ModelFiles", "Kernels", "JSON",
        .product(name: "Yams", package: "Yams"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(name: "Routing", dependencies: ["JSON"]),
    .target(
      name: "Generation", dependencies: ["Grammar", "Transformer", "Tokenization", "Kernels"]),
    .target(name: "Grammar", dependencies: ["Tokenization", "JSON"]),
    .target(
      name: "Vision", dependencies: ["CImages", "Transformer", "ModelFiles", "Kernels", "JSON"]),
    .executableTarget(
      name: "vision-benchmark", dependencies: ["Vision", "Transformer", "ModelFiles"],
      path: "Sources/VisionBenchmark"),
    .target(
      name: "CImages",
      linkerSettings: [
        .linkedLibrary("jpeg"), .linkedLibrary("png"), .linkedLibrary("webp"),
      ]),
    .target(name: "Transformer", dependencies: ["Tokenization", "ModelFiles", "Kernels"]),
    .target(name: "Tokenization", dependencies: ["ModelFiles", "JSON"]),
    .target(name: "JSON"),
    .target(name: "ModelFiles", dependencies: ["Kernels"]),
    .target(name: "Kernels", dependencies: ["CKernels"]),
    .target(name: "CKernels", cSettings: kernelFlags),
    .executableTarget(
      name: "kernel-benchmark", dependencies: ["Kernels", "CKernels"],
      path: "Sources/KernelBenchmark"),
    .target(
      name: "DecisionLog", dependencies: [.product(name: "GRDB", package: "GRDB.swift")]),

    .testTarget(name: "HTTPTests", dependencies: ["HTTP", "http-benchmark-server"]),
    .testTarget(name: "HTTPClientTests", dependencies: ["HTTPClient", "HTTP"]),
    .testTarget(name: "ServerTests", dependencies: ["Server"]),
    .testTarget(name: "ThalamusTests", dependencies: ["Thalamus", "HTTP"]),
    .testTarget(
      name: "LibraryTests", dependencies: ["Library", "Routing", "Grammar", "JSON", "HTTP"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "RoutingTests", dependencies: ["Routing"], resources: [.copy("Fixtures")]),
    .testTarget(name: "JSONTests", dependencies: ["JSON"]),
    .testTarget(
      name: "GrammarTests", dependencies: ["Grammar"], resources: [.copy("Fixtures")]),
    .testTarget(name: "GenerationTests", dependencies: ["Generation", "Grammar", "JSON"]),
    .testTarget(
      name: "VisionTests",
      dependencies: ["Vision", "Transformer", "Tokenization", "ModelFiles", "Kernels"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "TransformerTests", dependencies: ["Transformer"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "JSON"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "ModelFilesTests", dependencies: ["ModelFiles"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "KernelsTests", dependencies: ["Kernels", "CKernels"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "DecisionLogTests",
      dependencies: ["DecisionLog", .product(name: "GRDB", package: "GRDB.swift")]),
    .testTarget(
      name: "EndToEndTests", dependencies: ["ThalamusCLI", "HTTP", "Routing"],
      exclude: ["requirements.txt", "Clients"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
