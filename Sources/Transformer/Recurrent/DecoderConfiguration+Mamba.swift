extension DecoderConfiguration {
  /// Reads the sizes of Mamba-2 layers, where the model has such.
  mutating func readMamba(_ metadata: ArchitectureMetadata) throws(ModelError) {
    guard layers.contains(where: \.isRecurrent) else { return }
    let count = try metadata.int("ssm.time_step_rank")
    let inner = try metadata.int("ssm.inner_size")
    guard (1...MambaShape.headLimit).contains(count), inner.isMultiple(of: count) else {
      throw .invalidValue(
        key: "\(architecture).ssm.inner_size", value: "\(inner)",
        expected: "a multiple of time_step_rank \(count), which is 1 to \(MambaShape.headLimit)")
    }
    let shape = MambaShape(
      heads: count, headDim: inner / count, groups: try metadata.int("ssm.group_count"),
      stateSize: try metadata.int("ssm.state_size"), taps: try metadata.int("ssm.conv_kernel"))
    if let problem = shape.problem {
      throw .invalidValue(
        key: "\(architecture).\(problem.key)", value: problem.value, expected: problem.expected)
    }
    mamba = shape
  }

  /// What a layer mixes positions with: a Mamba-2 layer, or attention.
  func mixer(
    _ layer: Int, prefix: String, _ loader: WeightLoader
  ) throws(ModelError) -> any SelfAttention {
    if let mamba, layers[layer].isRecurrent {
      return try MambaBlock(layer, prefix: prefix, self, mamba, loader)
    }
    return try AttentionBlock(layer, prefix: prefix, self, loader)
  }
}
