import Foundation
import Kernels
import Synchronization

/// Hands out the key-value memory of one model's sequences, up to a limit in bytes.
package final class PagePool: Sendable {
  private struct State: @unchecked Sendable {
    // Unchecked: raw memory that nobody else knows of.
    var idle: [UnsafeMutableRawPointer] = []
    var usedBlocks = 0
    var chargedBytes = 0
  }

  /// What a block consists of.
  package let layout: BlockLayout
  /// Bytes that all blocks in use may take together, with what their sequences keep beside them.
  package let limitBytes: Int
  /// What each sequence keeps beside its blocks, whatever its length; nil for most models.
  let recurrentState: RecurrentState.Shape?
  private let state = Mutex(State())

  package convenience init(layout: BlockLayout, limitBytes: Int) {
    self.init(layout: layout, limitBytes: limitBytes, recurrentState: nil)
  }

  init(layout: BlockLayout, limitBytes: Int, recurrentState: RecurrentState.Shape?) {
    self.recurrentState = recurrentState
    self.layout = layout
    self.limitBytes = limitBytes
  }

  deinit {
    state.withLock { state in state.idle.forEach { free($0) } }
  }

  /// Size of a block.
  package var bytesPerBlock: Int { layout.byteCount }
  /// What a sequence takes of the limit beside its blocks.
  package var bytesPerSequence: Int { recurrentState?.byteCount ?? 0 }
  /// How many blocks the limit allows.
  package var blockLimit: Int { limitBytes / bytesPerBlock }
  /// Blocks that sequences hold now.
  package var usedBlocks: Int { state.withLock { $0.usedBlocks } }
  /// Bytes that blocks in use take, and what sequences keep beside them.
  package var usedBytes: Int { state.withLock { used($0) } }
  /// Bytes that could still be allocated.
  package var availableBytes: Int { max(0, limitBytes - usedBytes) }
  /// Blocks that could still be allocated, with nothing beside them.
  package var availableBlocks: Int { availableBytes / bytesPerBlock }

  /// How many blocks so many positions take.
  package static func blocks(forPositions positions: Int) -> Int {
    (positions + KVLayout.positions - 1) / KVLayout.positions
  }

  /// A block of zeros.
  /// - Parameter charge: Bytes that its sequence keeps beside it, until `refund`.
  package func allocate(charge: Int = 0) throws(ModelError) -> KVBlock {
    let recycled = state.withLock { state -> UnsafeMutableRawPointer?? in
      guard bytesPerBlock + charge <= limitBytes - used(state) else { return nil }
      state.usedBlocks += 1
      state.chargedBytes += charge
      return .some(state.idle.popLast())
    }
    guard let recycled else { throw .keyValueMemoryExhausted(limitBytes: limitBytes) }
    var memory = recycled
    if memory == nil { posix_memalign(&memory, 64, bytesPerBlock) }
    guard let memory else {
      state.withLock {
        $0.usedBlocks -= 1
        $0.chargedBytes -= charge
      }
      throw .outOfMemory(bytes: bytesPerBlock)
    }
    // Attention reads whole pages and masks what is not there: it must not find a NaN, nor
    // another request's text.
    memset(memory, 0, bytesPerBlock)
    return KVBlock(base: memory, pool: self)
  }

  /// Charges what a sequence keeps beside its blocks.
  func charge(_ bytes: Int) throws(ModelError) {
    let fits = state.withLock { state in
      guard bytes <= limitBytes - used(state) else { return false }
      state.chargedBytes += bytes
      return true
    }
    guard fits else { throw .keyValueMemoryExhausted(limitBytes: limitBytes) }
  }

  /// Takes a charge back.
  func refund(_ bytes: Int) { state.withLock { $0.chargedBytes -= bytes } }

  private func used(_ state: State) -> Int {
    state.usedBlocks * bytesPerBlock + state.chargedBytes
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
