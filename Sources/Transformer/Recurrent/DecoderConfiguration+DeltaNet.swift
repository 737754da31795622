extension DecoderConfiguration {
  /// Every so many layers one is attention, where the file doesn't say.
  private static let attentionInterval = 4

  /// What Qwen 3.5, dense or not, and Qwen3-Next have in common: of every four layers three are gated delta nets,
  /// which keep a state, and one is attention, whose heads are rotated in part and gated. Not validated yet.
  /// - Parameter groupsHeads: See `DeltaNetShape`; what GGUF files of the family have.
  init(
    hybrid metadata: ArchitectureMetadata, vocabularySize: Int, groupsHeads: Bool = false
  ) throws(ModelError) {
    try self.init(
      from: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves, rotatesParts: true)
    rotaryAxes = try interleavedAxes(metadata)
    try dropGuessingLayers(metadata)
    try readDeltaNet(metadata, groupsHeads: groupsHeads)
  }

  /// The same with many small experts, whose chosen weights are normalised to 1, and a shared one.
  init(
    hybridMixture metadata: ArchitectureMetadata, vocabularySize: Int, groupsHeads: Bool = false
  ) throws(ModelError) {
    try self.init(
      hybrid: metadata, vocabularySize: vocabularySize, groupsHeads: groupsHeads)
    mixture = try metadata.mixture(
      expertWidth: feedForwardWidth / max(metadata.int("expert_used_count"), 1),
      sharedWidth: feedForwardWidth, normalisesWeights: true)
  }

  /// Reads the sizes of delta-net layers, and which layers those are.
  private mutating func readDeltaNet(
    _ metadata: ArchitectureMetadata, groupsHeads: Bool
  ) throws(ModelError) {
    var shape = DeltaNetShape(
      keyHeads: try metadata.int("ssm.group_count"),
      valueHeads: try metadata.int("ssm.time_step_rank"),
      headDim: try metadata.int("ssm.state_size"), taps: try metadata.int("ssm.conv_kernel"))
    shape.groupsHeads = try metadata.optionalBool("ssm.groups_heads") ?? groupsHeads
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
    let interval = try metadata.optionalInt("full_attention_interval") ?? Self.attentionInterval
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
}

extension DecoderLayer {
  /// A layer of a model that mixes delta nets and gated attention, with experts where it has a mixture.
  init(
    hybrid index: Int, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let prefix = "blk.\(index)."
    let attention: any SelfAttention
    if let deltaNet = configuration.deltaNet, configuration.layers[index].isRecurrent {
      attention = try DeltaNetBlock(index, prefix: prefix, configuration, deltaNet, loader)
    } else {
      attention = try AttentionBlock.gated(index, prefix: prefix, configuration, loader)
    }
    try self.init(
      prefix: prefix, attention: attention,
      feedForward: configuration.feedForward(index, prefix: prefix, loader),
      feedForwardNorm: "post_attention_norm", configuration, loader)
  }
}
