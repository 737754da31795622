import Foundation
import Routing
import Testing

@Suite struct RidgeTests {
  struct Golden: Decodable {
    struct Fit: Decodable {
      var weights: [Double]
      var intercept: Double
      var lambda: Double
      var errors: [Double]
      var leave_one_out: [Double]
    }
    var x: [[Double]]
    var targets: [[Double?]]
    var folds: [Int]
    var lambdas: [Double]
    var fits: [Fit]
  }

  @Test func equalsNumpy() throws {
    let url = try #require(
      Bundle.module.url(forResource: "ridge", withExtension: "json", subdirectory: "Fixtures"))
    let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url))
    let fits = try RidgeRegression.fit(
      matrix: try #require(Matrix(golden.x)),
      targets: golden.targets.map { $0.map { $0 ?? .nan } },
      folds: golden.folds, lambdas: golden.lambdas)
    #expect(fits.count == golden.fits.count)
    for (fit, expected) in zip(fits, golden.fits) {
      #expect(fit.lambda == expected.lambda)
      #expect(near(fit.weights + [fit.intercept], expected.weights + [expected.intercept]))
      #expect(near(fit.crossValidationErrors, expected.errors))
      #expect(near(fit.leaveOneOutResiduals.filter { !$0.isNaN }, expected.leave_one_out))
    }
  }

  private func near(_ a: [Double], _ b: [Double]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 }
  }

  @Test func theRouterLearnsAndKnowsWhatItHasNotSeen() throws {
    let set = try Planted.linear(count: 400, seed: 8)
    let router = try RidgeRouter(training: set)
    let held = try Planted.linear(count: 200, seed: 8, skip: 400)
    var right = 0
    for example in held.examples {
      let predicted = try router.predict(example.input)
      #expect(predicted.map(\.expert) == set.experts)
      let best = predicted.min { $0.lossBitsPerByte < $1.lossBitsPerByte }
      if best?.expert == example.bestExpert { right += 1 }
    }
    #expect(right > 170)
    let near = try router.predict(set.examples[0].input)[0].standardError
    let far = try router.predict(
      RouterInput(
        embedding: set.examples[0].input.embedding.map { $0 * -7 + 1 }, text: "0000\n\n\n")
    )[0].standardError
    #expect(far > near * 1.5)
  }

  @Test func wrongInputsAreErrors() throws {
    let router = try RidgeRouter(training: Planted.linear(count: 50, seed: 9))
    #expect(throws: RoutingError.self) {
      try router.predict(RouterInput(embedding: [1, 2], text: ""))
    }
    #expect(throws: RoutingError.self) {
      try router.predict(
        RouterInput(embedding: Array(repeating: .nan, count: 16), text: ""))
    }
    #expect(throws: RoutingError.self) { try TrainingSet(examples: []) }
  }
}
