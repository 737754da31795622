/// The merges of a byte-pair encoding: a pair of ids to the merge's rank and the merged id, in
/// one open-addressing hash table.
struct MergeTable: Sendable {
  struct Merge: Sendable {
    /// Position in the list of merges; lower is applied first.
    var rank: Int32
    var merged: Int32
  }

  private var keys: [UInt64]
  private var merges: [Merge]
  private let mask: Int
  private(set) var count = 0

  private static let free = UInt64.max

  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    keys = Array(repeating: Self.free, count: size)
    merges = Array(repeating: Merge(rank: .max, merged: -1), count: size)
    mask = size - 1
  }

  /// Adds a merge; the first of equal pairs counts. The caller keeps to the capacity.
  mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
    guard 2 * count < keys.count else { return }
    let key = Self.key(left, right)
    var slot = Self.hash(key) & mask
    while keys[slot] != Self.free {
      if keys[slot] == key { return }
      slot = (slot + 1) & mask
    }
    keys[slot] = key
    merges[slot] = merge
    count += 1
  }

  @inline(__always)
  func find(_ left: Int32, _ right: Int32) -> Merge? {
    let key = Self.key(left, right)
    var slot = Self.hash(key) & mask
    while true {
      let found = keys[slot]
      if found == key { return merges[slot] }
      if found == Self.free { return nil }
      slot = (slot + 1) & mask
    }
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private static func hash(_ key: UInt64) -> Int {
    let product = key.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return Int(truncatingIfNeeded: (product.high ^ product.low) >> 1)
  }
}
