/// Reads texts of a ``Grammar`` byte by byte, all open ways at once, and knows at each byte whether a text
/// of the grammar can still come of it.
///
/// What has been read is a set of configurations, each a place in the grammar with the places that its calls
/// return to. Such sets are given numbers and their transitions are kept, so that reading the same again, as
/// walking through a vocabulary does all the time, is a look into a table: a deterministic automaton that is
/// made as far as it is needed. (A grammar's own would be infinite, for brackets nest without end.)
///
/// Used by one thread at a time.
final class GrammarAutomaton {
  /// A set of configurations.
  typealias StateID = Int32

  /// No text of the grammar begins like this.
  static let dead: StateID = -1
  private static let unknown: StateID = -2
  private static let bottom: Int32 = -1

  enum Limit {
    /// Calls within calls. A way that could not come to its end with so many is not begun.
    static let depth = 160
    static let configurations = 4_096
    /// What is kept; of more all is forgotten but the present state.
    static let states = 16_384
    static let keptConfigurations = 1 << 20
    static let frames = 1 << 18
    /// States that one walk through the vocabulary may add: so many are no sensible format's.
    static let statesOfAWalk = 65_536
    /// Configurations that one token may cost to follow, a tenth of a second: others' tokens wait for it.
    static let work = 400_000
  }

  private struct Configuration: Hashable {
    let state: Grammar.State
    /// A stack's number, or `bottom`.
    let stack: Int32
  }

  private struct Frame: Hashable {
    let returnState: Grammar.State
    let below: Int32
  }

  private let grammar: Grammar
  /// Bytes between which no state of the grammar makes a difference have one class. // (256)
  private let classes: [UInt8]
  private let classCount: Int

  private var frames: [Frame] = []
  private var depths: [Int] = []
  private var frameIDs: [Frame: Int32] = [:]
  private var states: [[Configuration]] = []
  private var accepting: [Bool] = []
  private var stateIDs: [[Configuration]: StateID] = [:]
  /// (states, classes)
  private var transitions: [StateID] = []
  /// Configurations in all states.
  private var keptConfigurations = 0
  /// Configurations that were followed since the last token.
  private var work = 0

  init(_ grammar: Grammar) {
    self.grammar = grammar
    (classes, classCount) = Self.byteClasses(grammar)
  }

  /// Whether so much is kept that it should be forgotten.
  var isFull: Bool {
    states.count > Limit.states || keptConfigurations > Limit.keptConfigurations
      || frames.count > Limit.frames
  }

  /// Before the first byte.
  func start() throws(GrammarError) -> StateID {
    try enter([
      Configuration(state: grammar.ruleStarts[Int(grammar.root)], stack: Self.bottom)
    ])
  }

  /// Another token's work begins.
  func beginToken() { work = 0 }

  /// Whether what was read is a text of the grammar.
  func isAccepting(_ state: StateID) -> Bool { accepting[Int(state)] }

  /// Whether no byte can follow.
  func isFinal(_ state: StateID) -> Bool { states[Int(state)].isEmpty }

  /// After one byte more; ``dead`` where nothing of the grammar goes on with it.
  func next(_ state: StateID, _ byte: UInt8) throws(GrammarError) -> StateID {
    let place = Int(state) * classCount + Int(classes[Int(byte)])
    let known = transitions[place]
    if known != Self.unknown { return known }
    return try find(state, byte)
  }

  /// Walks through texts that stand in the order of their bytes, from a state on.
  ///
  /// Each text shares with the one before it so many bytes, over which nobody walks again; where that one left the
  /// grammar within them, this one does too. The walk is over a quarter of a million texts, for one token: it takes
  /// its tables by their addresses.
  ///
  /// - Parameters:
  ///   - offsets: Where each text begins in `bytes`, and the end. // (texts + 1)
  ///   - shared: Bytes that each text shares with the one before. // (texts)
  ///   - longest: Bytes of the longest text.
  ///   - allow: Given the place of each text that the grammar goes on with.
  func walk(
    from state: StateID, _ bytes: UnsafeBufferPointer<UInt8>, offsets: UnsafeBufferPointer<Int32>,
    shared: UnsafeBufferPointer<UInt16>, longest: Int, allow: (Int) -> Void
  ) throws(GrammarError) {
    guard let bytes = bytes.baseAddress else { return }
    /// The states along the text that the walk is at, by its bytes.
    let path = UnsafeMutablePointer<StateID>.allocate(capacity: longest + 1)
    defer { path.deallocate() }
    path[0] = state
    // Of the text walked last, the bytes that can follow, and whether that is not all of it.
    var alive = 0
    var left = false
    var place = 0
    while place < shared.count {
      // States that are new move the table.
      var missing: (state: StateID, byte: UInt8)?
      transitions.withUnsafeBufferPointer { transitions in
        classes.withUnsafeBufferPointer { classes in
          let classCount = classCount
          while place < shared.count {
            let common = Int(shared[place])
            if left, common > alive {
              place += 1
              continue
            }
            var depth = min(common, alive)
            let text = bytes + Int(offsets[place])
            let count = Int(offsets[place + 1] - offsets[place])
            var current = path[depth]
            left = false
            while depth < count {
              let byte = text[depth]
              let next = transitions[Int(current) * classCount + Int(classes[Int(byte)])]
              if next < 0 {
                if next == Self.unknown {
                  missing = (current, byte)
                  // It is here again with the state known: all of this text before it is.
                  alive = depth
                  return
                }
                left = true
                break
              }
              depth += 1
              path[depth] = next
              current = next
            }
            alive = depth
            if !left { allow(place) }
            place += 1
          }
        }
      }
      if let missing { _ = try find(missing.state, missing.byte) }
    }
  }

  /// Forgets all states but one, whose new number it gives.
  func forgetAll(but state: StateID) throws(GrammarError) -> StateID {
    let kept = states[Int(state)]
    let isAccepting = accepting[Int(state)]
    let oldFrames = frames
    states = []
    accepting = []
    stateIDs = [:]
    transitions = []
    keptConfigurations = 0
    frames = []
    depths = []
    frameIDs = [:]
    var moved: [Int32: Int32] = [Self.bottom: Self.bottom]
    func move(_ stack: Int32) -> Int32 {
      if let known = moved[stack] { return known }
      // As deep as calls go, which is bounded.
      let frame = oldFrames[Int(stack)]
      let number = push(frame.returnState, on: move(frame.below))
      moved[stack] = number
      return number
    }
    let configurations = kept.map { Configuration(state: $0.state, stack: move($0.stack)) }
      .sorted { ($0.state, $0.stack) < ($1.state, $1.stack) }
    return try intern(configurations, isAccepting: isAccepting)
  }

  /// Makes a transition that is not known yet.
  private func find(_ state: StateID, _ byte: UInt8) throws(GrammarError) -> StateID {
    var reached: [Configuration] = []
    work += states[Int(state)].count
    for configuration in states[Int(state)] {
      for case .bytes(let range, let next) in grammar.edges[Int(configuration.state)]
      where range.contains(byte)
        && depth(configuration.stack) + Int(grammar.callsNeeded[Int(next)]) <= Limit.depth
      {
        reached.append(Configuration(state: next, stack: configuration.stack))
      }
    }
    let next = reached.isEmpty ? Self.dead : try enter(reached)
    transitions[Int(state) * classCount + Int(classes[Int(byte)])] = next
    return next
  }

  /// Follows jumps, calls and returns from some configurations to those that wait for a byte.
  private func enter(_ configurations: [Configuration]) throws(GrammarError) -> StateID {
    var seen = Set(configurations)
    var open = Array(seen)
    var waiting: [Configuration] = []
    var isAccepting = false
    func reach(_ configuration: Configuration) {
      if seen.insert(configuration).inserted { open.append(configuration) }
    }
    func needed(_ state: Grammar.State) -> Int { Int(grammar.callsNeeded[Int(state)]) }
    while let configuration = open.popLast() {
      guard seen.count <= Limit.configurations else {
        throw .tooAmbiguous(limit: Limit.configurations)
      }
      if grammar.isRuleEnd[Int(configuration.state)] {
        if configuration.stack == Self.bottom {
          isAccepting = true
        } else {
          let frame = frames[Int(configuration.stack)]
          reach(Configuration(state: frame.returnState, stack: frame.below))
        }
      }
      var waits = false
      for edge in grammar.edges[Int(configuration.state)] {
        switch edge {
        case .bytes: waits = true
        case .jump(let next):
          guard depth(configuration.stack) + needed(next) <= Limit.depth else { continue }
          reach(Configuration(state: next, stack: configuration.stack))
        case .call(let rule, let next):
          // Behind the call, and in it: both must be able to come to their ends.
          let depth = depth(configuration.stack)
          guard depth + needed(next) <= Limit.depth,
            depth + 1 + needed(grammar.ruleStarts[Int(rule)]) <= Limit.depth
          else { continue }
          reach(
            Configuration(
              state: grammar.ruleStarts[Int(rule)], stack: push(next, on: configuration.stack)))
        }
      }
      if waits { waiting.append(configuration) }
    }
    work += seen.count
    guard work <= Limit.work else { throw .tooAmbiguous(limit: Limit.work) }
    guard isAccepting || !waiting.isEmpty else { return Self.dead }
    waiting.sort { ($0.state, $0.stack) < ($1.state, $1.stack) }
    return try intern(waiting, isAccepting: isAccepting)
  }

  private func intern(
    _ configurations: [Configuration], isAccepting: Bool
  ) throws(GrammarError) -> StateID {
    // One that accepts and one that doesn't may wait for the same.
    let key = configurations + (isAccepting ? [Configuration(state: -1, stack: -1)] : [])
    if let known = stateIDs[key] { return known }
    guard states.count < Limit.states + Limit.statesOfAWalk else {
      throw .tooLarge(limit: Limit.statesOfAWalk)
    }
    let id = StateID(states.count)
    stateIDs[key] = id
    states.append(configurations)
    keptConfigurations += configurations.count
    accepting.append(isAccepting)
    transitions.append(contentsOf: repeatElement(Self.unknown, count: classCount))
    return id
  }

  /// Calls that are open.
  private func depth(_ stack: Int32) -> Int { stack == Self.bottom ? 0 : depths[Int(stack)] }

  /// The stack with a place to return to on top.
  private func push(_ state: Grammar.State, on stack: Int32) -> Int32 {
    let frame = Frame(returnState: state, below: stack)
    if let known = frameIDs[frame] { return known }
    let id = Int32(frames.count)
    frames.append(frame)
    depths.append(depth(stack) + 1)
    frameIDs[frame] = id
    return id
  }

  /// The class of each byte, and how many there are.
  private static func byteClasses(_ grammar: Grammar) -> (of: [UInt8], count: Int) {
    var begins = [Bool](repeating: false, count: 257)
    begins[0] = true
    for edges in grammar.edges {
      for case .bytes(let range, _) in edges {
        begins[Int(range.lowerBound)] = true
        begins[Int(range.upperBound) + 1] = true
      }
    }
    var classes: [UInt8] = []
    var count = 0
    for byte in 0..<256 {
      if begins[byte] { count += 1 }
      classes.append(UInt8(count - 1))
    }
    return (classes, count)
  }
}
