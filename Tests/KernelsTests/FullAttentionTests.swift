import Foundation
import Kernels
import Testing

/// Only where there are such kernels; elsewhere encoders take ``Attention``.
@Suite(.enabled(if: FullAttention.isAvailable(headDim: 32, maximumPositions: 512)))
struct FullAttentionTests {
  static let sets = InstructionSet.available.filter {
    FullAttention.isAvailable(headDim: 32, maximumPositions: 512, instructionSet: $0)
  }
  static let lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 100, 131]

  /// Some texts one after the other, through the kernel.
  private struct Batch {
    let heads: Int
    let headDim: Int
    let lengths: [Int]
    let queries: FloatBuffer  // (rows, width)
    let keys: FloatBuffer
    let values: FloatBuffer
    var width: Int { heads * headDim }

    init(_ lengths: [Int], heads: Int, headDim: Int) throws {
      self.lengths = lengths
      self.heads = heads
      self.headDim = headDim
      let rows = lengths.reduce(0, +)
      queries = try FloatBuffer(rows: rows, width: heads * headDim)
      keys = try FloatBuffer(rows: rows, width: heads * headDim)
      values = try FloatBuffer(rows: rows, width: heads * headDim)
    }

    func fill(_ random: inout Random) {
      for index in 0..<queries.count {
        queries.pointer[index] = random.float() * 3
        keys.pointer[index] = random.float() * 2
        values.pointer[index] = random.float()
      }
    }

    /// With workers taking rows or heads. // (rows, width)
    func run(
      _ attention: FullAttention, _ pool: ThreadPool, byRows: Bool, layer: Int = 0
    ) throws -> FloatBuffer {
      let output = try FloatBuffer(rows: lengths.reduce(0, +), width: width)
      pool.run { worker in
        let mine = byRows ? 0..<heads : worker.range(of: heads)
        func share(_ count: Int) -> Range<Int> {
          byRows ? worker.range(of: count, multipleOf: 2) : 0..<count
        }
        each { row, count, place in
          attention.store(
            keys: keys.row(row), values: values.row(row), stride: width, count: count,
            positions: share(count), heads: mine, place: .init(position: place, layer: layer))
        }
        worker.barrier()
        each { row, count, place in
          attention.run(
            queries: queries.row(row), output: output.row(row), stride: width, count: count,
            rows: share(count), heads: mine, place: .init(position: place, layer: layer),
            worker: worker)
        }
      }
      return output
    }

    func each(_ body: (_ row: Int, _ count: Int, _ place: Int) -> Void) {
      var row = 0
      var place = 0
      for count in lengths {
        body(row, count, place)
        row += count
        place += FullAttention.room(positions: count)
      }
    }

    /// As it is written down, in double precision. // (headDim)
    func definition(row: Int, head: Int, rows: Range<Int>, scale: Float) -> [Double] {
      let start = head * headDim
      let scores = rows.map { other in
        (0..<headDim).reduce(0.0) {
          $0 + Double(queries[row, start + $1]) * Double(keys[other, start + $1])
        } * Double(scale)
      }
      let top = scores.max() ?? 0
      let weights = scores.map { exp($0 - top) }
      let total = weights.reduce(0, +)
      return (0..<headDim).map { k in
        zip(rows, weights).reduce(0) { $0 + $1.1 * Double(values[$1.0, start + k]) } / total
      }
    }
  }

  private func attention(
    _ heads: Int, _ headDim: Int, workers: Int, _ set: InstructionSet = .current
  ) throws -> FullAttention {
    try FullAttention(
      heads: heads, headDim: headDim, scale: 0.2, room: 1536, workers: workers,
      instructionSet: set)
  }

  @Test(arguments: [(3, 32), (2, 64), (1, 96)], sets)
  func equalsTheDefinition(shape: (heads: Int, headDim: Int), set: InstructionSet) throws {
    for split in [(1, true), (2, true), (3, true), (2, false)] {
      try equalsTheDefinition(shape: shape, split: split, set: set)
    }
  }

  private func equalsTheDefinition(
    shape: (heads: Int, headDim: Int), split: (workers: Int, byRows: Bool), set: InstructionSet
  ) throws {
    var random = Random(31)
    let attention = try attention(shape.heads, shape.headDim, workers: split.workers, set)
    let pool = try ThreadPool(threadCount: split.workers)
    // What lies there from before must not show.
    let before = try Batch([512, 500], heads: shape.heads, headDim: shape.headDim)
    for buffer in [before.queries, before.keys, before.values] {
      for index in 0..<buffer.count { buffer.pointer[index] = .nan }
    }
    _ = try before.run(attention, pool, byRows: split.byRows)
    let batch = try Batch(Self.lengths, heads: shape.heads, headDim: shape.headDim)
    batch.fill(&random)
    let result = try batch.run(attention, pool, byRows: split.byRows)
    var worst = 0.0
    batch.each { first, count, _ in
      for row in first..<first + count {
        for head in 0..<shape.heads {
          let wanted = batch.definition(
            row: row, head: head, rows: first..<first + count, scale: 0.2)
          for (k, value) in wanted.enumerated() {
            let difference = abs(Double(result[row, head * shape.headDim + k]) - value)
            worst = difference.isNaN ? .infinity : max(worst, difference)
          }
        }
      }
    }
    // Queries and keys of up to 3 and 2 in eight bits, values of up to 1 in eleven.
    #expect(worst < 0.04)
  }

  @Test(arguments: sets)
  func theLongestText(set: InstructionSet) throws {
    // The largest values there are, at every position, with one weight: the sum must fit its 32 bits.
    let attention = try attention(1, 32, workers: 1, set)
    let pool = try ThreadPool(threadCount: 1)
    let batch = try Batch([512], heads: 1, headDim: 32)
    for index in 0..<batch.values.count { batch.values.pointer[index] = index % 2 == 0 ? 3 : -3 }
    let result = try batch.run(attention, pool, byRows: true)
    var worst: Float = 0
    for index in 0..<result.count {
      worst = max(worst, abs(result.pointer[index] - batch.values.pointer[index]))
    }
    #expect(worst < 0.005)
  }

  @Test func instructionSetsAgreeToTheBit() throws {
    var random = Random(33)
    let pool = try ThreadPool(threadCount: 1)
    let batch = try Batch(Self.lengths, heads: 2, headDim: 64)
    batch.fill(&random)
    let results = try Self.sets.map { set in
      let result = try batch.run(attention(2, 64, workers: 1, set), pool, byRows: true)
      return (0..<result.count).map { result.pointer[$0] }
    }
    for result in results { #expect(result == results[0]) }
  }

  @Test func aTextIsTheSameAloneAndAmongOthers() throws {
    var random = Random(32)
    let attention = try attention(2, 32, workers: 2)
    let pool = try ThreadPool(threadCount: 2)
    let batch = try Batch(Self.lengths, heads: 2, headDim: 32)
    batch.fill(&random)
    let together = try batch.run(attention, pool, byRows: true)
    var same = true
    var row = 0
    for count in Self.lengths {
      let alone = try Batch([count], heads: 2, headDim: 32)
      for (source, target) in [
        (batch.queries, alone.queries), (batch.keys, alone.keys), (batch.values, alone.values),
      ] { target.pointer.update(from: source.row(row), count: count * batch.width) }
      let result = try alone.run(attention, pool, byRows: false, layer: 1)
      for index in 0..<count * batch.width {
        same = same && result.pointer[index] == together.row(row)[index]
      }
      row += count
    }
    #expect(same)
  }

  @Test func sizesThatCannotBe() {
    func make(heads: Int = 2, headDim: Int = 32, room: Int = 64, workers: Int = 1) throws {
      _ = try FullAttention(heads: heads, headDim: headDim, scale: 1, room: room, workers: workers)
    }
    #expect(throws: Never.self) { try make() }
    for wrong in [
      { try make(heads: 0) }, { try make(headDim: 0) }, { try make(headDim: 40) },
      { try make(headDim: 8192) }, { try make(room: 63) }, { try make(room: 0) },
      { try make(workers: 0) },
    ] { #expect(throws: KernelError.self) { try wrong() } }
    #expect(throws: KernelError.instructionsUnavailable(name: "generic")) {
      try FullAttention(
        heads: 2, headDim: 32, scale: 1, room: 64, workers: 1, instructionSet: .generic)
    }
    #expect(!FullAttention.isAvailable(headDim: 40, maximumPositions: 512))
    #expect(!FullAttention.isAvailable(headDim: 32, maximumPositions: 513))
  }
}
