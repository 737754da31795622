/// Many byte strings in one arena, found by content through one open-addressing hash table. A
/// vocabulary of 262,144 tokens is built in tens of milliseconds, with four allocations.
struct ByteStringTable: Sendable {
  private(set) var arena: [UInt8] = []
  /// Where each string starts; one more entry than strings.
  private(set) var offsets: [UInt32] = [0]
  /// Ids, or -1 for a free slot; the size is a power of two.
  private var slots: [Int32]
  private let mask: Int
  /// Random, so that a file cannot be made whose strings all collide.
  private let seed: UInt64
  private(set) var longest = 0

  var count: Int { offsets.count - 1 }

  /// The largest arena: offsets are 32 bits.
  static let maximumBytes = Int(UInt32.max)

  init(capacity: Int, byteCapacity: Int) {
    arena.reserveCapacity(byteCapacity)
    offsets.reserveCapacity(capacity + 1)
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    mask = size - 1
    seed = UInt64.random(in: .min ... .max)
  }

  /// Appends a string under the next id. It is found by content only if `indexed`, and then the
  /// last of equal strings wins. The caller keeps to the capacity.
  mutating func append(_ bytes: UnsafeRawBufferPointer, indexed: Bool = true) {
    let id = Int32(truncatingIfNeeded: count)
    arena.append(contentsOf: bytes)
    offsets.append(UInt32(truncatingIfNeeded: arena.count))
    guard indexed, 2 * count <= slots.count else { return }
    longest = max(longest, bytes.count)
    var slot = hash(bytes) & mask
    while slots[slot] >= 0 {
      if matches(slots[slot], bytes) { break }
      slot = (slot + 1) & mask
    }
    slots[slot] = id
  }

  mutating func append(_ bytes: [UInt8], indexed: Bool = true) {
    bytes.withUnsafeBytes { append($0, indexed: indexed) }
  }

  /// The id of an indexed string, or -1.
  @inline(__always)
  func find(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    if bytes.count > longest { return -1 }
    var slot = hash(bytes) & mask
    while true {
      let id = slots[slot]
      if id < 0 || matches(id, bytes) { return id }
      slot = (slot + 1) & mask
    }
  }

  func find(_ bytes: [UInt8]) -> Int32 { bytes.withUnsafeBytes { find($0) } }

  /// The bytes of a string; empty if there is no such id.
  subscript(id: Int) -> ArraySlice<UInt8> {
    guard id >= 0, id < count else { return [] }
    return arena[Int(offsets[id])..<Int(offsets[id + 1])]
  }

  @inline(__always)
  private func matches(_ id: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    let start = Int(offsets[Int(id)])
    guard Int(offsets[Int(id) + 1]) - start == bytes.count else { return false }
    for index in 0..<bytes.count where arena[start + index] != bytes[index] { return false }
    return true
  }

  @inline(__always)
  private func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
    var state = seed ^ UInt64(truncatingIfNeeded: bytes.count)
    var index = 0
    while index + 8 <= bytes.count {
      state = Self.mix(state ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      index += 8
    }
    var tail: UInt64 = 0
    while index < bytes.count {
      tail = tail << 8 | UInt64(bytes[index])
      index += 1
    }
    return Int(truncatingIfNeeded: Self.mix(state ^ tail) >> 1)
  }

  @inline(__always)
  private static func mix(_ value: UInt64) -> UInt64 {
    let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return product.high ^ product.low
  }
}
