import Kernels
import Transformer

/// Squares of patches to rows as wide as the language model's embeddings, through two maps with a GELU between (Qwen2-VL's
/// "merger").
struct PatchMerger: Sendable {
  private let configuration: VisionConfiguration
  /// Of whole squares; nil where patches were normalised before. // (connectorWidth)
  private let norm: LayerNorm?
  private let first: Projection  // (connectorWidth, connectorWidth)
  private let second: Projection  // (outputWidth, connectorWidth)
  /// The language model's width.
  let outputWidth: Int

  /// The one behind the last layer.
  init(_ configuration: VisionConfiguration, _ loader: WeightLoader) throws(ModelError) {
    try self.init(configuration, loader, norm: nil, first: "mm.0", second: "mm.2")
  }

  /// The one of an earlier layer's output.
  init(
    tapping layer: Int, _ configuration: VisionConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let prefix = "v.deepstack.\(layer)."
    try self.init(
      configuration, loader, norm: prefix + "norm", first: prefix + "fc1", second: prefix + "fc2")
  }

  private init(
    _ configuration: VisionConfiguration, _ loader: WeightLoader, norm: String?, first: String,
    second: String
  ) throws(ModelError) {
    self.configuration = configuration
    let width = configuration.connectorWidth
    outputWidth = try loader.outputWidth(of: second + ".weight", inputs: width, at: 0)
    self.norm = try norm.map { name throws(ModelError) in
      try LayerNorm(name, width: width, loader)
    }
    self.first = try loader.projection(first, outputs: width, inputs: width)
    self.second = try loader.projection(second, outputs: outputWidth, inputs: width)
  }

  /// Bytes that the matrices take.
  var byteCount: Int { first.matrix.byteCount + second.matrix.byteCount }

  /// Makes some rows. Every worker calls it. // patches (patches, width), output (all rows, stride)
  func apply(
    _ rows: Range<Int>, of patches: FloatBuffer, _ buffers: VisionBuffers,
    into output: UnsafeMutablePointer<Float>,
    stride: Int, _ worker: Worker
  ) {
    guard let merged = buffers.merged else { return }
    let (joined, width) = (buffers.joined, configuration.connectorWidth)
    for index in worker.range(of: rows.count) {
      let row = rows.lowerBound + index
      configuration.join(
        row, of: patches, buffers.grid,
        into: norm == nil ? joined.floats.row(row) : merged.row(row))
    }
    worker.barrier()
    if let norm {
      joined.layerNorm(
        merged.pointer, weight: norm.weight.pointer, bias: norm.bias.pointer,
        epsilon: configuration.normEpsilon, rows: rows, worker: worker)
    } else {
      joined.quantize(rows: rows, worker: worker)
    }
    worker.barrier()
    let target = merged.row(rows.lowerBound)
    first.apply(joined, rows: rows, into: target, stride: width, worker: worker)
    worker.barrier()
    joined.gated(
      target, nil, stride: width, function: .geluErf, rows: rows, worker: worker)
    worker.barrier()
    second.apply(
      joined, rows: rows, into: output + rows.lowerBound * stride, stride: stride, worker: worker)
  }
}

extension WeightLoader {
  /// The width of what a connector's matrix gives, which decides with which models it goes.
  /// - Parameter place: Which dimension it is.
  func outputWidth(of name: String, inputs: Int, at place: Int) throws(ModelError) -> Int {
    let shape = try shape(of: name)
    guard shape.count == 2, (1...VisionConfiguration.Limit.outputWidth).contains(shape[place])
    else { throw .wrongShape(tensor: name, shape: shape, expected: [inputs, inputs]) }
    return shape[place]
  }
}
