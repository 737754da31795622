/// Where a router compares embeddings: around the mean of the prompts that it was trained on.
///
/// An encoder's vectors point much the same way, the more so the fewer of its layers they went through,
/// and what they share tells no two prompts apart. Without it cosines spread over the whole range, and
/// mean the same whatever the layer. (Mu and Viswanath, "All-but-the-Top", arXiv 1702.01417, take off
/// the mean and some more directions; the mean alone does here.)
package struct EmbeddingSpace: Equatable, Sendable {
  /// Of unit vectors. // (dimension)
  let mean: [Float]

  package var dimension: Int { mean.count }

  /// The space whose centre is the origin: cosines are those of the vectors themselves.
  package init(dimension: Int) { mean = Array(repeating: 0, count: dimension) }

  /// The space around the mean of a training set's prompts.
  init(around set: TrainingSet) {
    var sums = Array(repeating: 0.0, count: set.dimension)
    for example in set.examples {
      for (index, value) in Similarity.normalised(example.input.embedding).enumerated() {
        sums[index] += Double(value)
      }
    }
    let mean = sums.map { Float($0 / Double(set.examples.count)) }
    // Prompts that are all the same have a mean and nothing besides.
    let differ = set.examples.contains { example in
      zip(Similarity.normalised(example.input.embedding), mean).contains { abs($0 - $1) > 1e-6 }
    }
    self.mean = differ ? mean : Array(repeating: 0, count: set.dimension)
  }

  /// From a stored router. Those of earlier versions have the origin.
  init(stored: StoredRouter) throws(RoutingError) {
    self.init(dimension: stored.dimension)
    guard stored.tensors[Self.tensorName] != nil else { return }
    self.init(mean: try stored.tensor(Self.tensorName, shape: [stored.dimension]))
  }

  init(mean: [Float]) { self.mean = mean }

  private static let tensorName = "embedding_mean"

  var stored: TensorArchive.Tensor {
    .init(Self.tensorName, shape: [dimension], values: mean)
  }

  /// The direction of a vector from the centre, at length 1.
  func unit(_ vector: [Float]) -> [Float] {
    Similarity.normalised(zip(Similarity.normalised(vector), mean).map { $0 - $1 })
  }

  /// Checks a query's length and numbers, and gives its direction.
  func query(_ embedding: [Float]) throws(RoutingError) -> [Float] {
    guard embedding.count == dimension else {
      throw .wrongDimension(field: "embedding", expected: dimension, found: embedding.count)
    }
    guard embedding.allSatisfy(\.isFinite) else {
      throw .invalidValue(field: "embedding", value: "nan", expected: "finite numbers")
    }
    return unit(embedding)
  }
}
