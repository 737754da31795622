extension DecoderConfiguration {
  /// What LFM2, dense or not, has: gated short convolutions, and attention with norms on each head's query and key
  /// where the file states heads of keys. Not validated yet.
  init(
    shortConvolutions metadata: ArchitectureMetadata, vocabularySize: Int
  ) throws(ModelError) {
    try self.init(
      listingHeads: metadata, vocabularySize: vocabularySize, rotaryStyle: .halves)
    let shape = ShortConvolutionShape(
      channels: width, taps: try metadata.int("shortconv.l_cache"))
    if let problem = shape.problem {
      throw .invalidValue(
        key: "\(architecture).\(problem.key)", value: problem.value, expected: problem.expected)
    }
    shortConvolution = shape
  }
}

extension DecoderLayer {
  /// A layer of a model that mixes short convolutions and attention, with experts where it has a mixture.
  init(
    shortConvolutions index: Int, _ configuration: DecoderConfiguration, _ loader: WeightLoader
  ) throws(ModelError) {
    let prefix = "blk.\(index)."
    let attention: any SelfAttention
    if let shape = configuration.shortConvolution, configuration.layers[index].isRecurrent {
      attention = try ShortConvolutionBlock(index, prefix: prefix, configuration, shape, loader)
    } else {
      attention = try AttentionBlock.withHeadNorms(index, prefix: prefix, configuration, loader)
    }
    try self.init(
      prefix: prefix, attention: attention,
      feedForward: configuration.feedForward(index, prefix: prefix, loader), configuration, loader)
  }
}
