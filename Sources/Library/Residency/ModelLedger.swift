/// What the models that are loaded take of the memory that they may have together, and which of them is to go first.
///
/// A model is known by the folder of its card; experts that are added to it are on it.
struct ModelLedger {
  private struct Model {
    /// What it is expected to take, until it is loaded.
    var expectedBytes: Int
    var isLoaded = false
    /// Counts up with each model that comes.
    let order: Int
    var lastUse: ContinuousClock.Instant
    /// Whether it stays when nobody asks for it.
    let isKept: Bool
  }

  /// Bytes that all models may take together.
  let limit: Int
  private var models: [String: Model] = [:]
  private var orders = 0

  init(limit: Int) { self.limit = limit }

  func contains(_ folder: String) -> Bool { models[folder] != nil }
  func isLoaded(_ folder: String) -> Bool { models[folder]?.isLoaded ?? false }

  /// Notes that a model is about to be loaded.
  mutating func add(
    _ folder: String, expectedBytes: Int, isKept: Bool, now: ContinuousClock.Instant
  ) {
    orders += 1
    models[folder] = Model(
      expectedBytes: expectedBytes, order: orders, lastUse: now, isKept: isKept)
  }

  mutating func noteLoaded(_ folder: String) { models[folder]?.isLoaded = true }
  mutating func noteUse(_ folder: String, now: ContinuousClock.Instant) {
    models[folder]?.lastUse = now
  }
  mutating func remove(_ folder: String) { models[folder] = nil }

  /// What has to happen before a model that was added may be loaded.
  enum Step: Equatable {
    case load
    /// Another one has to go.
    case unload(String)
    /// One that is going has to be gone.
    case waitForLeaving
    /// One that came earlier is being loaded, and can go then.
    case waitForLoading(String)
  }

  /// - Parameters:
  ///   - leavingBytes: Of models that are going, and still there.
  ///   - bytes: What a loaded model takes.
  ///   - isWorking: Whether a loaded model answers somebody.
  func step(
    for folder: String, leavingBytes: Int, bytes: (String) -> Int, isWorking: (String) -> Bool
  ) -> Step {
    guard let own = models[folder], !own.isLoaded else { return .load }
    // Those that came later wait for this one, and are not waited for: so somebody can always go on.
    let others = models.filter { $0.value.isLoaded || $0.value.order < own.order }
      .filter { $0.key != folder }
    let taken = others.reduce(0) {
      $0 + ($1.value.isLoaded ? bytes($1.key) : $1.value.expectedBytes)
    }
    // One that is larger than the limit is loaded when it is alone.
    let room = limit - min(limit, own.expectedBytes)
    if taken + leavingBytes <= room { return .load }
    if taken <= room { return .waitForLeaving }
    // Who answers somebody goes after those who don't.
    let victim = others.filter(\.value.isLoaded).min {
      let (left, right) = (isWorking($0.key), isWorking($1.key))
      return left == right ? $0.value.lastUse < $1.value.lastUse : right
    }
    if let victim { return .unload(victim.key) }
    if let earlier = others.min(by: { $0.value.order < $1.value.order }) {
      return .waitForLoading(earlier.key)
    }
    return .load
  }

  /// Loaded models that nobody has asked for since.
  func unused(since: ContinuousClock.Instant) -> [String] {
    models.filter { $0.value.isLoaded && !$0.value.isKept && $0.value.lastUse < since }
      .map(\.key).sorted()
  }
}
