import CKernels

extension WeightMatrix {
  /// The largest scale decides the power of two that the packed scales are in units of.
  static func factor(
    _ elementType: ElementType, source: PackingSource, inputs: Int, pool: ThreadPool?
  ) -> Float {
    let workers = pool?.threadCount ?? 1
    let largest = [Float](unsafeUninitializedCapacity: workers) { buffer, initialized in
      buffer.initialize(repeating: 0)
      source.forEachPart { part in
        shared(by: pool) { worker in
          let rows = worker.range(of: part.count)
          let found = tk_pack_magnitude(
            elementType.rawValue, source.bytes, Int64(inputs),
            Int64(part.lowerBound + rows.lowerBound), Int64(part.lowerBound + rows.upperBound))
          buffer[worker.index] = max(buffer[worker.index], found)
        }
      }
      initialized = workers
    }
    return tk_pack_factor(largest.max() ?? 0)
  }

  func packQuantized(source: PackingSource, pool: ThreadPool?) {
    let destination = memory.assumingMemoryBound(to: UInt8.self)
    source.forEachPart { part in
      shared(by: pool) { worker in
        let tiles = worker.tiles(of: part)
        withUnsafePointer(to: packed) {
          tk_pack_tiles(
            $0, elementType.rawValue, source.bytes, Int64(tiles.lowerBound),
            Int64(tiles.upperBound), destination)
        }
      }
    }
  }

  func packFloat(source: PackingSource, pool: ThreadPool?) {
    let destination = memory.assumingMemoryBound(to: Float.self)
    source.forEachPart { part in
      shared(by: pool) { worker in
        let tiles = worker.tiles(of: part)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: inputs) { scratch in
          guard let row = scratch.baseAddress else { return }
          tk_pack_float_tiles(
            elementType.rawValue, source.bytes, Int64(source.rowBytes), Int64(outputs),
            Int64(inputs), Int64(tiles.lowerBound), Int64(tiles.upperBound), destination, row)
        }
      }
    }
  }
}

/// A tensor's rows as the file has them, read in parts, so that no more than a part of a large
/// file need be in memory beside what was packed from it.
struct PackingSource {
  let bytes: UnsafeRawPointer
  let rowBytes: Int
  let rows: Int
  /// Told which bytes were read, after each part.
  let release: (Range<Int>) -> Void

  private static let partBytes = 16 << 20

  /// All rows in order, whole tiles at a time.
  func forEachPart(_ body: (Range<Int>) -> Void) {
    let tile = WeightMatrix.tile
    let step = max(1, Self.partBytes / max(1, rowBytes * tile)) * tile
    for first in stride(from: 0, to: rows, by: step) {
      let part = first..<min(first + step, rows)
      body(part)
      release(part.lowerBound * rowBytes..<part.upperBound * rowBytes)
    }
  }
}

extension Worker {
  /// This worker's share of the tiles that hold the rows `part`, which begins with a tile.
  fileprivate func tiles(of part: Range<Int>) -> Range<Int> {
    let tile = WeightMatrix.tile
    let first = part.lowerBound / tile
    let share = range(of: (part.count + tile - 1) / tile)
    return first + share.lowerBound..<first + share.upperBound
  }
}

/// Runs `body` on the pool's workers, or once where there is no pool.
private func shared(by pool: ThreadPool?, _ body: (Worker) -> Void) {
  if let pool { pool.run(body) } else { body(.alone) }
}
