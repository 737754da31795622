import Kernels

/// The pages of a block, and where they lie in it: one a layer, but for layers that read another's keys and
/// values.
package struct BlockLayout: Sendable {
  /// The inside of each layer's page.
  package let layers: [KVLayout]
  /// Where each layer's page begins, at a cache line; that of a layer without a page of its own is where the
  /// page that it reads begins.
  let offsets: [Int]
  /// Size of a block.
  package let byteCount: Int

  /// - Parameter sources: For each layer the earlier one whose page it reads; nil for one with its own.
  package init(_ layers: [KVLayout], sources: [Int?]) {
    self.layers = layers
    var offsets: [Int] = []
    var end = 0
    for (layout, source) in zip(layers, sources) {
      if let source {
        offsets.append(offsets[source])
      } else {
        offsets.append(end)
        end += (layout.bytesPerPage + 63) / 64 * 64
      }
    }
    self.offsets = offsets
    byteCount = end
  }

  /// Pages of their own for so many layers that are all alike.
  package init(_ layout: KVLayout, layerCount: Int) {
    self.init(
      Array(repeating: layout, count: layerCount),
      sources: Array(repeating: nil, count: layerCount))
  }
}
