import Foundation
import ModelFiles
import Transformer
import Vision

// Times an image's way through a vision transformer, step by step. Best of several runs, since other programs may be
// running. Benchmarks/images.py has one run at a time, and the rows.
//
//     vision-benchmark mmproj.gguf image [float] [--threads N] [--runs N] [--rows FILE]

var arguments = Array(CommandLine.arguments.dropFirst())

/// Takes an option and its value out of the arguments.
func take(_ name: String, from arguments: inout [String]) -> String? {
  guard let place = arguments.firstIndex(of: name), place + 1 < arguments.count else { return nil }
  defer { arguments.removeSubrange(place...place + 1) }
  return arguments[place + 1]
}

let threads = take("--threads", from: &arguments).flatMap { Int($0) }
let runs = take("--runs", from: &arguments).flatMap { Int($0) } ?? 3
let rowsFile = take("--rows", from: &arguments)
guard arguments.count == 2 || arguments.count == 3 && arguments[2] == "float", runs > 0,
  (threads ?? 1) > 0
else {
  print("vision-benchmark mmproj.gguf image [float] [--threads N] [--runs N] [--rows FILE]")
  exit(2)
}
let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: arguments[1])))
let pool = try ComputePool(
  threadCount: threads ?? ProcessInfo.processInfo.activeProcessorCount)

/// Shortest of some runs, in seconds.
func best<Result>(_ repetitions: Int, _ body: () throws -> Result) rethrows -> Double {
  var shortest = Double.infinity
  for _ in 0..<repetitions {
    let start = DispatchTime.now().uptimeNanoseconds
    _ = try body()
    shortest = min(shortest, Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
  }
  return shortest
}

func show(_ name: String, _ seconds: Double) {
  print(
    name.padding(toLength: 44, withPad: " ", startingAt: 0)
      + String(format: "%9.1f ms", seconds * 1e3))
}

let start = DispatchTime.now().uptimeNanoseconds
let encoder = try ImageEncoder(
  file: GGUFFile(path: arguments[0]), pool: pool,
  precision: arguments.last == "float" ? .float : .quantized)
show("load", Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
let image = try RGBImage(decoding: bytes)
show("decode, \(image.width) x \(image.height)", try best(runs) { try RGBImage(decoding: bytes) })
let preprocessing = encoder.configuration.preprocessing
let layout = try encoder.layout(of: bytes)
let tile = try preprocessing.sizes(of: image.size).tile
show(
  "\(layout.tileCount) tiles of \(tile.width) x \(tile.height)",
  try best(runs) { try preprocessing.tiles(of: image) })
// Once beforehand: the first pass finds its buffers' pages.
_ = try encoder.encode(bytes, asWhole: true)
var rows: [Float] = []
let whole = try best(runs) { rows = try encoder.encode(bytes).rows }
show("whole, \(layout.rowCount) rows of \(encoder.width)", whole)
show("a tile, threads \(pool.threadCount)", whole / Double(layout.tileCount))
if let rowsFile {
  try rows.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: rowsFile))
}
