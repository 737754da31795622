import Kernels
import Testing

/// On files as Linux has them on several machines.
@Suite struct ProcessorsTests {
  private func processors(_ allowed: Set<Int>, _ files: [String: String]) throws -> Processors {
    try withSystemFiles(files) { Processors(allowed: allowed, root: $0) }
  }

  private func cpu(_ index: Int, _ file: String) -> String {
    "sys/devices/system/cpu/cpu\(index)/" + file
  }

  /// Processors 0 and 1 are one core, 2 and 3 another, ...
  private func twoThreadsACore(_ processors: Range<Int>) -> [String: String] {
    var files: [String: String] = [:]
    for index in processors {
      files[cpu(index, "topology/thread_siblings_list")] = "\(index & ~1)-\(index | 1)"
    }
    return files
  }

  @Test func twoThreadsOfACoreCountOnce() throws {
    let found = try processors(Set(0..<8), twoThreadsACore(0..<8))
    #expect(found.allowed == 8)
    #expect(found.cores == 4)
    #expect(found.computeThreads == 4)
    // Held to three processors by its affinity, of which two are one core.
    #expect(try processors([1, 2, 3], twoThreadsACore(0..<8)).computeThreads == 2)
  }

  @Test func slowCoresAreLeftOut() throws {
    // Two fast cores of two threads and four slow ones.
    var files = twoThreadsACore(0..<4)
    for index in 4..<8 { files[cpu(index, "topology/thread_siblings_list")] = "\(index)" }
    files["sys/devices/cpu_core/cpus"] = "0-3"
    files["sys/devices/cpu_atom/cpus"] = "4-7"
    #expect(try processors(Set(0..<8), files).computeThreads == 2)
    // Where only slow ones are allowed, they do.
    #expect(try processors(Set(4..<8), files).computeThreads == 4)
  }

  @Test(
    arguments: [
      ([1024, 1024, 1024, 1024, 381, 381, 381, 381], 4),
      ([1024, 871, 871, 871, 290, 290, 290, 290], 4),
      // Six at 700 do more than one at 1024.
      ([1024, 700, 700, 700, 700, 700], 6),
      ([1024, 300], 1),
    ] as [([Int], Int)])
  func thoseThatDoMostTogether(capacities: [Int], threads: Int) throws {
    var files: [String: String] = [:]
    for (index, capacity) in capacities.enumerated() {
      files[cpu(index, "cpu_capacity")] = "\(capacity)"
      files[cpu(index, "topology/thread_siblings_list")] = "\(index)"
    }
    #expect(try processors(Set(capacities.indices), files).computeThreads == threads)
  }

  @Test(
    arguments: [
      ("max 100000", nil, 8), ("200000 100000", 2, 2), ("250000 100000", 2.5, 2),
      ("50000 100000", 0.5, 1), ("1600000 100000", 16, 8), ("0 100000", nil, 8),
      ("nonsense", nil, 8), ("200000 0", nil, 8), ("", nil, 8),
    ] as [(String, Double?, Int)])
  func quota(file: String, quota: Double?, threads: Int) throws {
    let found = try processors(
      Set(0..<8), ["proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": file])
    #expect(found.quota == quota)
    #expect(found.computeThreads == threads)
  }

  @Test func theTightestQuotaOfTheGroupsAround() throws {
    let found = try processors(
      Set(0..<8),
      [
        "proc/self/cgroup": "0::/system.slice/thalamus.service",
        "sys/fs/cgroup/system.slice/cpu.max": "300000 100000",
        "sys/fs/cgroup/system.slice/thalamus.service/cpu.max": "400000 100000",
      ])
    #expect(found.computeThreads == 3)
  }

  @Test(arguments: ["cpu", "cpu,cpuacct"])
  func quotaOfTheFirstVersion(controllers: String) throws {
    let group = "sys/fs/cgroup/\(controllers)/docker/0123/"
    let list = "5:\(controllers):/docker/0123\n0::/"
    let inside = try processors(
      Set(0..<8),
      [
        "proc/self/cgroup": list, group + "cpu.cfs_quota_us": "200000",
        group + "cpu.cfs_period_us": "100000",
      ])
    #expect(inside.computeThreads == 2)
    // A container sees its group's folder in the root's place.
    let root = "sys/fs/cgroup/\(controllers)/"
    let contained = try processors(
      Set(0..<8),
      [
        "proc/self/cgroup": list, root + "cpu.cfs_quota_us": "300000",
        root + "cpu.cfs_period_us": "100000",
      ])
    #expect(contained.computeThreads == 3)
    let unlimited = try processors(
      Set(0..<8),
      [
        "proc/self/cgroup": list, root + "cpu.cfs_quota_us": "-1",
        root + "cpu.cfs_period_us": "100000",
      ])
    #expect(unlimited.quota == nil)
  }

  @Test func withoutTheFilesAllAreTaken() throws {
    let found = try processors(Set(0..<6), [:])
    #expect(found.computeThreads == 6)
    #expect(found.quota == nil)
    #expect(try processors([], [:]).computeThreads == 1)
    // Files that say nothing.
    let odd = [
      "sys/devices/cpu_core/cpus": "0-", cpu(0, "topology/thread_siblings_list"): "9-1,x",
      cpu(1, "cpu_capacity"): "much", "proc/self/cgroup": "::::\nnothing",
    ]
    #expect(try processors([0, 1], odd).computeThreads == 2)
  }

  @Test func thisMachineHasSome() {
    let current = Processors.current
    #expect(current.computeThreads >= 1)
    #expect(current.computeThreads <= current.allowed)
  }
}
