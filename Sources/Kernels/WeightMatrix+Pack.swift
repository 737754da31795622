import CKernels

extension WeightMatrix {
  /// The largest scale decides the power of two that the packed scales are in units of.
  static func factor(
    _ elementType: ElementType, source: UnsafeRawPointer, inputs: Int, outputs: Int,
    pool: ThreadPool?
  ) -> Float {
    let workers = pool?.threadCount ?? 1
    let largest = [Float](unsafeUninitializedCapacity: workers) { buffer, initialized in
      buffer.initialize(repeating: 0)
      shared(by: pool) { worker in
        let rows = worker.range(of: outputs)
        buffer[worker.index] = tk_pack_magnitude(
          elementType.rawValue, source, Int64(inputs), Int64(rows.lowerBound),
          Int64(rows.upperBound))
      }
      initialized = workers
    }
    return tk_pack_factor(largest.max() ?? 0)
  }

  func packQuantized(source: UnsafeRawPointer, pool: ThreadPool?) {
    let destination = memory.assumingMemoryBound(to: UInt8.self)
    shared(by: pool) { worker in
      let tiles = worker.range(of: tileCount)
      withUnsafePointer(to: packed) {
        tk_pack_tiles(
          $0, elementType.rawValue, source, Int64(tiles.lowerBound), Int64(tiles.upperBound),
          destination)
      }
    }
  }

  func packFloat(source: UnsafeRawPointer, rowBytes: Int, pool: ThreadPool?) {
    let destination = memory.assumingMemoryBound(to: Float.self)
    shared(by: pool) { worker in
      let tiles = worker.range(of: tileCount)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: inputs) { scratch in
        guard let row = scratch.baseAddress else { return }
        tk_pack_float_tiles(
          elementType.rawValue, source, Int64(rowBytes), Int64(outputs), Int64(inputs),
          Int64(tiles.lowerBound), Int64(tiles.upperBound), destination, row)
      }
    }
  }
}

/// Runs `body` on the pool's workers, or once where there is no pool.
private func shared(by pool: ThreadPool?, _ body: (Worker) -> Void) {
  if let pool { pool.run(body) } else { body(.alone) }
}
