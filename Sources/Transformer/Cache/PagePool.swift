import Foundation
import Kernels
import Synchronization

/// Hands out the key-value memory of one model's sequences, up to a limit in bytes.
package final class PagePool: Sendable {
  private struct State: @unchecked Sendable {
    // Unchecked: raw memory that nobody else knows of.
    var idle: [UnsafeMutableRawPointer] = []
    var usedBlocks = 0
  }

  /// The inside of a page.
  package let layout: KVLayout
  /// How many layers a block has pages for.
  package let layerCount: Int
  /// Size of one layer's page, rounded up so that every page starts at a cache line.
  package let pageStride: Int
  /// Bytes that all blocks in use may take together.
  package let limitBytes: Int
  private let state = Mutex(State())

  package init(layout: KVLayout, layerCount: Int, limitBytes: Int) {
    self.layout = layout
    self.layerCount = layerCount
    self.limitBytes = limitBytes
    pageStride = (layout.bytesPerPage + 63) / 64 * 64
  }

  deinit {
    state.withLock { state in state.idle.forEach { free($0) } }
  }

  /// Size of a block: one page a layer.
  package var bytesPerBlock: Int { pageStride * layerCount }
  /// How many blocks the limit allows.
  package var blockLimit: Int { limitBytes / bytesPerBlock }
  /// Blocks that sequences hold now.
  package var usedBlocks: Int { state.withLock { $0.usedBlocks } }
  /// Blocks that could still be allocated.
  package var availableBlocks: Int { max(0, blockLimit - usedBlocks) }

  /// How many blocks so many positions take.
  package static func blocks(forPositions positions: Int) -> Int {
    (positions + KVLayout.positions - 1) / KVLayout.positions
  }

  /// A block of zeros.
  package func allocate() throws(ModelError) -> KVBlock {
    let recycled = state.withLock { state -> UnsafeMutableRawPointer?? in
      guard state.usedBlocks < blockLimit else { return nil }
      state.usedBlocks += 1
      return .some(state.idle.popLast())
    }
    guard let recycled else { throw .keyValueMemoryExhausted(limitBytes: limitBytes) }
    var memory = recycled
    if memory == nil { posix_memalign(&memory, 64, bytesPerBlock) }
    guard let memory else {
      state.withLock { $0.usedBlocks -= 1 }
      throw .outOfMemory(bytes: bytesPerBlock)
    }
    // Attention reads whole pages and masks what is not there: it must not find a NaN, nor
    // another request's text.
    memset(memory, 0, bytesPerBlock)
    return KVBlock(base: memory, pool: self)
  }

  /// Gives memory that no sequence uses back to the system.
  package func trim() {
    let idle = state.withLock { state in
      defer { state.idle = [] }
      return State(idle: state.idle)
    }
    idle.idle.forEach { free($0) }
  }

  fileprivate func take(back memory: UnsafeMutableRawPointer) {
    state.withLock { state in
      state.idle.append(memory)
      state.usedBlocks -= 1
    }
  }
}

extension PagePool {
  /// Called by a block that nobody holds any more.
  func reclaim(_ memory: UnsafeMutableRawPointer) { take(back: memory) }
}
