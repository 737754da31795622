/// What a decoder's family reads from the file's metadata: the sizes of everything and the few
/// choices in which the families differ. A value of this type has passed `validated()`.
package struct DecoderConfiguration: Sendable, Equatable {
  /// How positions are turned into rotations of a head's elements.
  package enum RotaryStyle: Sendable, Equatable {
    /// Elements 2i and 2i+1 form a pair (GGUF's llama family permutes its weights for this).
    case interleaved
    /// Elements i and i + headDim/2 form a pair.
    case halves
  }

  /// The gate's activation in the feed-forward block.
  package enum Activation: Sendable, Equatable {
    case silu
    case geluTanh
    /// SiLU-like with both sides clamped (gpt-oss).
    case clampedSwiGLU
    /// The square of what is above 0, without a gate (Nemotron).
    case squaredReLU

    /// Whether it stands between a gate and what the gate opens.
    package var isGated: Bool { self != .squaredReLU }
  }

  /// What may differ from layer to layer.
  package struct Layer: Sendable, Equatable {
    /// How positions enter queries and keys.
    package var rotary: Rotary
    /// Positions a row attends to, itself included; nil for all before it.
    package var slidingWindow: Int?
    /// Key and value heads, and the width of a head's queries, keys and values, where they are not the
    /// model's (Gemma 4).
    package var keyValueHeadCount: Int?
    package var headDim: Int?
    /// The layer before whose keys and values are read here; nil where the layer makes its own.
    package var keyValueSource: Int?
    /// Width between the feed-forward block's two halves, where it is not the model's.
    package var feedForwardWidth: Int?
    /// Whether the layer keeps a state instead of keys and values.
    package var isRecurrent = false
    /// Whether the layer mixes positions: one that doesn't is a feed-forward block alone (Nemotron-H).
    package var hasMixer = true

    package init(rotaryBase: Double, slidingWindow: Int? = nil) {
      rotary = Rotary(base: rotaryBase)
      self.slidingWindow = slidingWindow
    }
  }

  /// The rotation of a layer's queries and keys.
  package struct Rotary: Sendable, Equatable {
    /// Base of the frequencies.
    package var base: Double
    /// Width of the heads that are rotated, where it is not the model's: all of it is.
    package var headDim: Int?
    /// Whether the stretching of the context (linear, YaRN, …) holds here: not in layers that see a
    /// window that needs none (Gemma 3, OLMo 3).
    package var isStretched = true
    /// Whether anything is rotated at all; some layers know no positions (SmolLM3).
    package var isOn = true

    package init(base: Double) { self.base = base }
  }

  /// The experts of a feed-forward block.
  package struct Mixture: Sendable, Equatable {
    /// Experts that a token's gate chooses among.
    package var expertCount: Int
    /// Experts that a token gets.
    package var expertsUsed: Int
    /// Width of an expert between its two halves.
    package var expertWidth: Int
    /// The same of the expert that every token passes through; 0 where there is none.
    package var sharedWidth: Int
    /// Whether the weights of a token's experts are normalised to 1.
    package var normalisesWeights: Bool
    /// Factor on the weights of chosen experts.
    package var weightScale: Float = 1
    /// What the gate's logits become before experts are compared.
    package var probability: Gate.Probability = .softmax
    /// What experts are weighted with; nil: their probability, normalised or not.
    package var weighting: Gate.Weighting?
    /// Groups of which a token's experts are chosen from a few only; nil: from all.
    package var groups: Groups?
    /// A gate instead of the one that the fields above describe, on the same scores.
    package var gate: GateDescription?
    /// Whether the experts are slices of the file's dense block.
    package var areSlices = false
    /// Layers at the start that have a dense block instead of experts.
    package var leadingDenseLayers = 0
    /// Of the layers behind them every so many has experts.
    package var layerStep = 1

    /// Equal runs of experts (DeepSeek).
    package struct Groups: Sendable, Equatable {
      package var count: Int
      /// Groups that a token's experts may be from.
      package var used: Int
      package var score: Gate.GroupScore
    }

    package init(
      expertCount: Int, expertsUsed: Int, expertWidth: Int, sharedWidth: Int = 0,
      normalisesWeights: Bool = true
    ) {
      self.expertCount = expertCount
      self.expertsUsed = expertsUsed
      self.expertWidth = expertWidth
      self.sharedWidth = sharedWidth
      self.normalisesWeights = normalisesWeights
    }
  }

  /// `general.architecture`, which prefixes the keys.
  package var architecture: String
  package var vocabularySize: Int
  /// Width of the residual stream.
  package var width: Int
  package var headCount: Int
  package var keyValueHeadCount: Int
  /// Width of a head's queries and keys.
  package var headDim: Int
  /// Width of a head's values; `headDim` where the family does not say otherwise.
  package var valueDim: Int
  package var feedForwardWidth: Int
  /// Positions that the model was trained for.
  package var contextLength: Int
  package var normEpsilon: Float
  package var rotaryStyle: RotaryStyle
  /// Whether GGUF's rows of queries and keys are a checkpoint's in another order, a rotary pair's
  /// two beside each other.
  package var permutesHeads: Bool
  /// Positions are divided by this before they are rotated (linear rotary scaling).
  package var rotaryScale: Double = 1
  /// Numbers of a head that are rotated; nil for all.
  package var rotatedDim: Int?
  /// YaRN's stretching of the context, where the model has it.
  package var yarn: YaRNScaling?
  /// Llama 3.1's stretching of the context, where the model has it.
  package var llama3Scaling: Llama3Scaling?
  /// What each rotary pair's frequency is divided by, where the file lists it.
  /// // (rotatedDim / 2)
  package var rotaryFactors: [Double]?
  /// Factor on rotated numbers (LongRoPE); YaRN has one of its own.
  package var rotaryMagnitude: Double = 1
  /// Up to this many positions the file's factors for short contexts hold (LongRoPE).
  package var shortContextLength: Int?
  /// By which coordinate of an image's rows each rotary pair is rotated, where the model has several.
  package var rotaryAxes: RotaryAxes?
  /// First layers behind each of which an image's rows are given more of it (DeepStack).
  package var deepRows = 0
  /// What queries grow by with their position, where the model has it.
  package var queryGrowth: QueryGrowth?
  /// The sizes of latent attention, where the model has it.
  package var latent: LatentShape?
  /// The sizes of delta-net layers, where the model has them.
  package var deltaNet: DeltaNetShape?
  /// The sizes of gated short convolutions, where the model has them.
  package var shortConvolution: ShortConvolutionShape?
  /// The sizes of Mamba-2 layers, where the model has them.
  package var mamba: MambaShape?
  package var activation: Activation
  /// Factor on query times key.
  package var attentionScale: Float
  /// Scores are bent into this range, `cap * tanh(score / cap)` (Gemma 2).
  package var attentionSoftcap: Float?
  /// Factor on token embeddings.
  package var embeddingScale: Float = 1
  /// Factor on what a block adds to the residual stream.
  package var residualScale: Float = 1
  /// Factor on logits.
  package var logitScale: Float = 1
  /// Logits are bent into this range, `cap * tanh(logit / cap)` (Gemma 2).
  package var logitSoftcap: Float?
  /// The experts of the feed-forward blocks; nil for dense ones.
  package var mixture: Mixture?
  /// Width of what each token means to each layer by itself (Gemma 4); nil where it means nothing more.
  package var layerEmbeddingWidth: Int?
  package var layers: [Layer]

  package init(
    architecture: String, vocabularySize: Int, width: Int, headCount: Int,
    keyValueHeadCount: Int, headDim: Int, feedForwardWidth: Int, contextLength: Int,
    normEpsilon: Float, rotaryStyle: RotaryStyle, activation: Activation,
    attentionScale: Float, layers: [Layer]
  ) {
    self.architecture = architecture
    self.vocabularySize = vocabularySize
    self.width = width
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount
    self.headDim = headDim
    valueDim = headDim
    self.feedForwardWidth = feedForwardWidth
    self.contextLength = contextLength
    self.normEpsilon = normEpsilon
    self.rotaryStyle = rotaryStyle
    permutesHeads = rotaryStyle == .interleaved
    self.activation = activation
    self.attentionScale = attentionScale
    self.layers = layers
  }

  /// Numbers of an image's row: what enters the first layer, and behind it what is added after each of the first layers
  /// that get more.
  package var imageRowWidth: Int { width * (1 + deepRows) }

  /// Width of all query heads together.
  package var queryWidth: Int { headCount * headDim }
  /// Width of all key heads together.
  package var keyValueWidth: Int { keyValueHeadCount * headDim }
  /// Width of all value heads together.
  package var valueWidth: Int { keyValueHeadCount * valueDim }
  /// Width of what attention gives the output projection.
  package var attendedWidth: Int { headCount * valueDim }

  /// The different rotations of the layers, in order of first use.
  package var rotaries: [Rotary] {
    layers.reduce(into: []) { rotaries, layer in
      if layer.rotary.isOn, !rotaries.contains(layer.rotary) { rotaries.append(layer.rotary) }
    }
  }
}
