/// The heads of a layer's attention.
package struct HeadShape: Sendable, Hashable {
  package var count: Int
  package var keyValueCount: Int
  /// Width of a head's queries and keys.
  package var headDim: Int
  package var valueDim: Int

  /// Width of all query heads together.
  package var queryWidth: Int { count * headDim }
  /// Width of all key heads together.
  package var keyWidth: Int { keyValueCount * headDim }
  /// Width of all value heads together.
  package var valueWidth: Int { keyValueCount * valueDim }
  /// Width of what attention gives the output projection.
  package var attendedWidth: Int { count * valueDim }
}

extension DecoderConfiguration {
  package func heads(layer: Int) -> HeadShape {
    let own = layers[layer]
    return HeadShape(
      count: headCount, keyValueCount: own.keyValueHeadCount ?? keyValueHeadCount,
      headDim: own.headDim ?? headDim, valueDim: own.headDim ?? valueDim)
  }

  func feedForwardWidth(layer: Int) -> Int { layers[layer].feedForwardWidth ?? feedForwardWidth }

  /// The largest of the layers' widths.
  func widest(_ width: (Int) -> Int) -> Int { layers.indices.lazy.map(width).max() ?? 0 }
}
