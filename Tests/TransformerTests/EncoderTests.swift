import Foundation
import Kernels
import ModelFiles
import Testing
import Transformer

@Suite struct EncoderTests {
  private func tiny(_ precision: WeightMatrix.Precision = .float) throws -> Encoder {
    try Encoder(
      folder: Fixture.path("tiny-bert"), pool: #require(Fixture.pool), precision: precision)
  }

  @Test func tinyModelEqualsTheReference() throws {
    let golden = try Fixture.json("tiny-bert", as: [Fixture.Embedding].self)
    let encoder = try tiny()
    for text in golden {
      let vector = try #require(try encoder.embed([text.tokens]).first)
      #expect(vector.largestDifference(to: text.vector) < 1e-5)
      let halfway = try #require(try encoder.embed([text.tokens], depth: 1).first)
      #expect(halfway.largestDifference(to: text.halfway) < 1e-5)
    }
  }

  /// A model whose sizes fit no rotation goes through blocks of 32 on every machine.
  @Test func tinyModelInInt8() throws {
    let golden = try Fixture.json("tiny-bert", as: [Fixture.Embedding].self)
    let encoder = try tiny(.quantized)
    let together = try encoder.embed(golden.map(\.tokens))
    for (text, vector) in zip(golden, together) {
      let product = zip(vector, text.vector).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      #expect(product > 0.999)
      #expect(try encoder.embed([text.tokens]).first == vector)
    }
  }

  @Test func batchEqualsAlone() throws {
    let golden = try Fixture.json("tiny-bert", as: [Fixture.Embedding].self)
    let encoder = try tiny()
    // Enough texts for several passes.
    let texts = (0..<60).map { golden[$0 % golden.count].tokens }
    let vectors = try encoder.embed(texts)
    #expect(vectors.count == texts.count)
    for (index, vector) in vectors.enumerated() {
      #expect(vector.largestDifference(to: golden[index % golden.count].vector) < 1e-5)
    }
  }

  @Test(arguments: [(WeightMatrix.Precision.float, 0.99999), (.quantized, 0.999)])
  func miniLMEqualsTheReference(precision: WeightMatrix.Precision, cosine: Double) throws {
    let golden = try Fixture.json("minilm-l6-v2", as: [Fixture.Embedding].self)
    let weights = try Fixture.model("minilm-l6-v2/model.safetensors")
    let encoder = try Encoder(
      folder: URL(fileURLWithPath: weights).deletingLastPathComponent().path,
      pool: #require(Fixture.pool), precision: precision)
    for (depth, expected) in [(6, golden.map(\.vector)), (3, golden.map(\.halfway))] {
      let vectors = try encoder.embed(golden.map(\.tokens), depth: depth)
      for (vector, truth) in zip(vectors, expected) {
        let product = zip(vector, truth).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        #expect(product > cosine)
      }
    }
  }

  /// However many workers share a pass, and whatever it holds besides.
  @Test func anEmbeddingDoesNotDependOnWhoComputesIt() throws {
    let golden = try Fixture.json("minilm-l6-v2", as: [Fixture.Embedding].self)
    let folder = URL(fileURLWithPath: try Fixture.model("minilm-l6-v2/model.safetensors"))
      .deletingLastPathComponent().path
    var first: [[Float]]?
    for threads in [2, 1, 3] {
      let encoder = try Encoder(folder: folder, pool: ComputePool(threadCount: threads))
      let alone = try golden.map { try #require(try encoder.embed([$0.tokens]).first) }
      #expect(try encoder.embed(golden.map(\.tokens)) == alone)
      if let first { #expect(first == alone) } else { first = alone }
    }
  }

  @Test func textsThatCannotBeEmbedded() throws {
    let encoder = try tiny()
    #expect(throws: ModelError.malformedBatch(reason: "an empty text")) {
      try encoder.embed([[1], []])
    }
    #expect(throws: ModelError.contextExceeded(tokens: 65, contextLength: 64)) {
      try encoder.embed([Array(repeating: 1, count: 65)])
    }
    #expect(throws: ModelError.tokenOutOfRange(token: 96, vocabularySize: 96)) {
      try encoder.embed([[96]])
    }
    for depth in [0, -1, 3] {
      #expect(throws: ModelError.self) { try encoder.embed([[1]], depth: depth) }
    }
    #expect(try encoder.embed([]).isEmpty)
  }

  @Test(arguments: [
    #"{}"#, #"[]"#, #"{"model_type": "roberta"}"#, #"{"model_type": "bert"}"#,
    #"{"model_type": "bert", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 0, "intermediate_size": 64, "max_position_embeddings": 64}"#,
    #"{"model_type": "bert", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 5, "intermediate_size": 64, "max_position_embeddings": 64}"#,
    #"{"model_type": "bert", "vocab_size": 96, "hidden_size": 9223372036854775807, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64}"#,
    #"{"model_type": "bert", "vocab_size": 96, "hidden_size": -32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64}"#,
    #"{"model_type": "bert", "vocab_size": "96"}"#,
  ])
  func hostileConfigurations(json: String) {
    #expect(throws: ModelError.self) { try EncoderConfiguration(json: Data(json.utf8)) }
  }

  @Test func shapesThatDoNotFitTheConfiguration() throws {
    let json = #"""
      {"model_type": "bert", "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2,
       "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 64}
      """#
    let file = try SafetensorsFile(path: Fixture.path("tiny-bert") + "/model.safetensors")
    #expect(
      throws: ModelError.wrongShape(
        tensor: "embeddings.word_embeddings.weight", shape: [96, 32], expected: [97, 32])
    ) {
      try Encoder(
        configuration: EncoderConfiguration(json: Data(json.utf8)), tensors: file,
        pool: #require(Fixture.pool))
    }
  }
}
