// swift-tools-version: 6.2
import PackageDescription

// The peer that our HTTP room is measured against (`compare.py`). A package of its own, so that
// the server itself never depends on Hummingbird.
let package = Package(
  name: "http-benchmark",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(
      url: "https://github.com/hummingbird-project/hummingbird.git", .upToNextMinor(from: "2.28.0"))
  ],
  targets: [
    .executableTarget(
      name: "HummingbirdServer",
      dependencies: [.product(name: "Hummingbird", package: "hummingbird")])
  ],
  swiftLanguageModes: [.v6]
)
