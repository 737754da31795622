import Kernels
import Testing

/// On files as Linux has them, on machines and in containers.
@Suite struct SystemMemoryTests {
  private func memory(_ files: [String: String]) throws -> SystemMemory {
    try withSystemFiles(files) { SystemMemory(root: $0) }
  }

  private let machine = [
    "proc/meminfo": "MemTotal:       16000 kB\nMemFree:  1000 kB\nMemAvailable:   9000 kB"
  ]

  @Test func aMachineAlone() throws {
    let found = try memory(machine)
    #expect(found.total == 16_000 << 10)
    #expect(found.available == 9000 << 10)
    #expect(try memory([:]) == memory(["proc/meminfo": "MemTotal: much\nMemAvailable:"]))
    #expect(try memory([:]).total == nil)
  }

  /// A group's limit, and that of the one around it; what files take there can be had.
  @Test func aContainer() throws {
    var files = machine
    files["proc/self/cgroup"] = "0::/pod/one"
    files["sys/fs/cgroup/pod/memory.max"] = "8000000"
    files["sys/fs/cgroup/pod/memory.current"] = "1000000"
    files["sys/fs/cgroup/pod/one/memory.max"] = "max"
    files["sys/fs/cgroup/pod/one/memory.current"] = "900000"
    #expect(try memory(files).total == 8_000_000)
    #expect(try memory(files).available == 7_000_000)
    files["sys/fs/cgroup/pod/one/memory.max"] = "2000000"
    files["sys/fs/cgroup/pod/one/memory.stat"] = "anon 300000\ninactive_file 400000\nactive_file 1"
    #expect(try memory(files).total == 2_000_000)
    #expect(try memory(files).available == 1_500_000)
  }

  @Test func aContainerOfTheFirstVersion() throws {
    var files = machine
    files["proc/self/cgroup"] = "5:memory:/docker/x\n4:cpu,cpuacct:/"
    files["sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712"
    files["sys/fs/cgroup/memory/memory.usage_in_bytes"] = "5000000"
    files["sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"] = "4000000"
    files["sys/fs/cgroup/memory/docker/x/memory.usage_in_bytes"] = "4500000"
    #expect(try memory(files).total == 4_000_000)
    #expect(try memory(files).available == 0)
  }
}
