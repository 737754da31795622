import Foundation
import Generation
import Grammar
import Synchronization
import Tokenization
import Transformer

/// A decoder with its tokenizer and scheduler, which all experts on it share: its own, and those
/// that add adapters to it.
package final class ResidentModel: Sendable {
  private struct State {
    /// Experts that have joined and not left.
    var users = 0
    /// Whether the last has left: it can't be joined again.
    var isOver = false
  }

  /// Does not keep an adapter that no expert uses.
  private struct WeakAdapter {
    weak var value: LowRankAdapter?
  }

  package let tokenizer: any Tokenizer
  package let layout: ChatLayout
  package let decoder: Decoder
  /// What guesses ahead for `decoder`, on its scheduler's thread; nil where nothing does.
  let draft: Decoder?
  package let scheduler: Scheduler
  /// What reads images for it; nil where nothing does.
  let images: ImageReader?
  private let state = Mutex(State())
  private let table = Mutex<TokenTable?>(nil)
  private let adapters = Mutex<[String: WeakAdapter]>([:])

  package init(
    tokenizer: any Tokenizer, layout: ChatLayout, decoder: Decoder, draft: Decoder? = nil,
    scheduler: Scheduler, images: ImageReader? = nil
  ) {
    self.tokenizer = tokenizer
    self.layout = layout
    self.decoder = decoder
    self.draft = draft
    self.scheduler = scheduler
    self.images = images
  }

  /// Whether the last expert has left.
  var isOver: Bool { state.withLock { $0.isOver } }

  /// Bytes that weights, keys and values take.
  var residentBytes: Int {
    [decoder, draft].compactMap(\.self).reduce(images?.residentBytes ?? 0) {
      $0 + $1.weightBytes + $1.pagePool.usedBytes
    }
  }

  /// Counts one expert more; false if the model has ended.
  func join() -> Bool {
    state.withLock { state in
      guard !state.isOver else { return false }
      state.users += 1
      return true
    }
  }

  /// Counts one expert less; true for the last, who is to shut the scheduler down.
  @discardableResult
  func leave() -> Bool {
    state.withLock { state in
      state.users -= 1
      state.isOver = state.users <= 0
      return state.isOver
    }
  }

  /// The vocabulary in the order that formats need; made when a request first has one, not on a thread of Swift's
  /// pool, since a large one takes a tenth of a second.
  func tokenTable() async -> TokenTable {
    if let known = table.withLock({ $0 }) { return known }
    return await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .userInitiated).async { [self] in
        let made = table.withLock { table in
          let made = table ?? TokenTable(tokenizer)
          table = made
          return made
        }
        continuation.resume(returning: made)
      }
    }
  }

  /// The adapter in a folder or file, read once however many experts and mixtures use it.
  func adapter(path: String) throws(AdapterError) -> LowRankAdapter {
    // A folder, its file, and ways around to it are the same adapter.
    let url = URL(filePath: path).standardizedFileURL
    let path =
      url.lastPathComponent == "adapter_model.safetensors"
      ? url.deletingLastPathComponent().path : url.path
    if let known = adapters.withLock({ $0[path]?.value }) { return known }
    let adapter = try LowRankAdapter(path: path, target: decoder.adapterTarget)
    adapters.withLock { $0[path] = WeakAdapter(value: adapter) }
    return adapter
  }
}
