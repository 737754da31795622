import Kernels
import Synchronization
import Testing

@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 7])
  func everyWorkerRunsOnceAndBarriersHold(threads: Int) throws {
    let pool = try ThreadPool(threadCount: threads)
    for _ in 0..<50 {
      let steps = UnsafeMutablePointer<Int>.allocate(capacity: threads)
      steps.initialize(repeating: 0, count: threads)
      defer { steps.deallocate() }
      let mistakes = Atomic<Int>(0)
      pool.run { worker in
        for step in 1...40 {
          steps[worker.index] = step
          worker.barrier()
          for other in 0..<worker.count where steps[other] != step {
            mistakes.add(1, ordering: .relaxed)
          }
          worker.barrier()
        }
      }
      #expect(mistakes.load(ordering: .relaxed) == 0)
      #expect((0..<threads).allSatisfy { steps[$0] == 40 })
    }
  }

  @Test func sharesCoverEverythingOnce() throws {
    for (count, n, m) in [(1, 10, 1), (2, 37, 16), (3, 2, 1), (4, 0, 16), (5, 1000, 7)] {
      let pool = try ThreadPool(threadCount: count)
      let owners = UnsafeMutablePointer<Int>.allocate(capacity: n + 1)
      owners.initialize(repeating: 0, count: n + 1)
      defer { owners.deallocate() }
      pool.run { worker in
        let share = worker.range(of: n, multipleOf: m)
        #expect(share.isEmpty || share.lowerBound % m == 0)
        for index in share { owners[index] += 1 }
      }
      #expect((0..<n).allSatisfy { owners[$0] == 1 })
    }
  }

  @Test func wakesAfterSleeping() async throws {
    let pool = try ThreadPool(threadCount: 2)
    for _ in 0..<5 {
      let sum = Atomic<Int>(0)
      pool.run { sum.add($0.index + 1, ordering: .relaxed) }
      #expect(sum.load(ordering: .relaxed) == 3)
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test func refusesOddCounts() {
    #expect(throws: KernelError.invalidDimension(field: "threads", value: 0)) {
      try ThreadPool(threadCount: 0)
    }
  }
}
