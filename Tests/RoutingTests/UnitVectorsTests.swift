import Routing
import Testing

@Suite struct UnitVectorsTests {
  private func unit(_ width: Int, _ random: inout SeededGenerator) -> [Float] {
    let vector = (0..<width).map { _ in Float.random(in: -1...1, using: &random) }
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return vector.map { $0 / length }
  }

  @Test(arguments: [1, 2, 7, 8, 33, 384])
  func cosinesAreThoseOfTheVectors(width: Int) {
    var random = SeededGenerator(seed: 3)
    let vectors = (0..<9).map { _ in unit(width, &random) }
    let query = unit(width, &random)
    let found = UnitVectors(vectors.flatMap(\.self), width: width).cosines(with: query)
    #expect(found.count == 9)
    for (vector, cosine) in zip(vectors, found) {
      let wanted = zip(vector, query).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      #expect(abs(Double(cosine) - wanted) < 1e-4)
    }
    // The same direction and the opposite one.
    let ends = UnitVectors(query + query.map { -$0 }, width: width).cosines(with: query)
    #expect(abs(ends[0] - 1) < 1e-4)
    #expect(abs(ends[1] + 1) < 1e-4)
  }

  @Test func numbersThatNoUnitVectorHas() {
    let odd: [Float] = [.nan, .infinity, -.infinity, 1e30, 0, 0, 0, 0]
    let found = UnitVectors(odd, width: 4).cosines(with: [1, 0, 0, 0])
    #expect(found == [0, 0])
    #expect(UnitVectors([], width: 4).cosines(with: [1, 0, 0, 0]).isEmpty)
    #expect(UnitVectors([], width: 0).cosines(with: []).isEmpty)
  }
}
