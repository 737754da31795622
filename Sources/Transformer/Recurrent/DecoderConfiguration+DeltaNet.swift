extension DecoderConfiguration {
  /// Reads the sizes of delta-net layers, and which layers those are.
  mutating func readDeltaNet(
    _ metadata: ArchitectureMetadata, attentionInterval standard: Int
  ) throws(ModelError) {
    var shape = DeltaNetShape(
      keyHeads: try metadata.int("ssm.group_count"),
      valueHeads: try metadata.int("ssm.time_step_rank"),
      headDim: try metadata.int("ssm.state_size"), taps: try metadata.int("ssm.conv_kernel"))
    shape.groupsHeads = try metadata.optionalBool("ssm.groups_heads") ?? false
    deltaNet = shape
    if let problem = shape.problem {
      throw .invalidValue(
        key: "\(architecture).\(problem.key)", value: problem.value, expected: problem.expected)
    }
    let inner = try metadata.int("ssm.inner_size")
    guard inner == shape.valueWidth else {
      throw .invalidValue(
        key: "\(architecture).ssm.inner_size", value: "\(inner)",
        expected: "\(shape.valueWidth), time_step_rank * state_size")
    }
    let listed = try metadata.recurrentLayers(count: layers.count)
    let interval = try metadata.optionalInt("full_attention_interval") ?? standard
    guard interval > 0 else {
      throw .invalidValue(
        key: "\(architecture).full_attention_interval", value: "\(interval)",
        expected: "1 or more")
    }
    for index in layers.indices {
      layers[index].isRecurrent = listed?[index] ?? !(index + 1).isMultiple(of: interval)
    }
    guard layers.contains(where: { !$0.isRecurrent }) else {
      throw .unsupported(
        key: "\(architecture).full_attention_interval", value: "no layer with attention")
    }
  }

  /// What a sequence keeps beside keys and values; nil for models without such layers.
  var recurrentState: RecurrentState.Shape? {
    let count = layers.count { $0.isRecurrent }
    guard let deltaNet, count > 0 else { return nil }
    return .init(layer: deltaNet, layerCount: count)
  }

  /// The first half of a layer of a model that mixes delta nets and gated attention.
  func hybridAttention(
    _ index: Int, prefix: String, _ loader: WeightLoader
  ) throws(ModelError) -> any SelfAttention {
    guard let deltaNet, layers[index].isRecurrent else {
      return try AttentionBlock.gated(index, prefix: prefix, self, loader)
    }
    return try DeltaNetBlock(index, prefix: prefix, self, deltaNet, loader)
  }
}
