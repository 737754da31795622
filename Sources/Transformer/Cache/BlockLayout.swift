import Kernels

/// The pages of a block, and where they lie in it: one a layer, but for layers that read another's keys and
/// values, and for those that have none.
package struct BlockLayout: Sendable {
  /// The inside of each layer's page.
  package let layers: [KVLayout]
  /// Where each layer's page begins, at a cache line; that of a layer without a page of its own is where the
  /// page that it reads begins.
  let offsets: [Int]
  /// Size of a block; a cache line where no layer has a page, so that positions are counted in blocks all the same.
  package let byteCount: Int

  /// - Parameters:
  ///   - sources: For each layer the earlier one whose page it reads; nil for one with its own.
  ///   - pageless: Whether a layer has no page, since it keeps no keys and values.
  package init(_ layers: [KVLayout], sources: [Int?], pageless: [Bool]) {
    self.layers = layers
    var offsets: [Int] = []
    var end = 0
    for (index, layout) in layers.enumerated() {
      if let source = sources[index] {
        offsets.append(offsets[source])
      } else if pageless[index] {
        offsets.append(0)
      } else {
        offsets.append(end)
        end += (layout.bytesPerPage + 63) / 64 * 64
      }
    }
    self.offsets = offsets
    byteCount = max(end, 64)
  }

  /// Pages of their own for so many layers that are all alike.
  package init(_ layout: KVLayout, layerCount: Int) {
    self.init(
      Array(repeating: layout, count: layerCount),
      sources: Array(repeating: nil, count: layerCount),
      pageless: Array(repeating: false, count: layerCount))
  }
}
