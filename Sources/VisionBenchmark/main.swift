import Foundation
import ModelFiles
import Transformer
import Vision

// Times an image's way through a vision transformer, step by step. Best of several runs, since other programs may be
// running.
//
//     vision-benchmark mmproj.gguf image [float]

let arguments = CommandLine.arguments
guard arguments.count >= 3 else {
  print("vision-benchmark mmproj.gguf image [float]")
  exit(2)
}
let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: arguments[2])))
let pool = try ComputePool(threadCount: ProcessInfo.processInfo.activeProcessorCount)

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
  file: GGUFFile(path: arguments[1]), pool: pool,
  precision: arguments.last == "float" ? .float : .quantized)
show("load", Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
let image = try RGBImage(decoding: bytes)
show("decode, \(image.width) x \(image.height)", try best(5) { try RGBImage(decoding: bytes) })
let preprocessing = encoder.configuration.preprocessing
let layout = try encoder.layout(of: bytes)
let tile = try preprocessing.sizes(of: image.size).tile
show(
  "\(layout.tileCount) tiles of \(tile.width) x \(tile.height)",
  try best(5) { try preprocessing.tiles(of: image) })
let whole = try best(3) { try encoder.encode(bytes) }
show("whole, \(layout.rowCount) rows of \(encoder.width)", whole)
show("a tile, threads \(pool.threadCount)", whole / Double(layout.tileCount))
