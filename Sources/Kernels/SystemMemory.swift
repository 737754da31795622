import CKernels

/// Memory that this process may use: the machine's, or less where control groups (containers) limit it.
package struct SystemMemory: Sendable, Equatable {
  /// Bytes in all; nil where the system doesn't say.
  package var total: Int?
  /// Bytes that could be had without pressing others out; nil where the system doesn't say.
  package var available: Int?

  /// As it is now.
  package static var current: SystemMemory { SystemMemory(root: "/") }

  /// Gives memory back to the system that was freed and kept for later.
  package static func giveBack() { tk_give_back() }

  /// - Parameter root: Where `sys` and `proc` are. What is not there, or not to be understood, sets no limit.
  package init(root: String) {
    let files = SystemFiles(root: root)
    let machine = files.kibibytes(of: "proc/meminfo")
    var totals = [machine["MemTotal"]]
    var free = [machine["MemAvailable"]]
    for group in files.controlGroups("memory") {
      let names =
        group.isUnified
        ? ("memory.max", "memory.current") : ("memory.limit_in_bytes", "memory.usage_in_bytes")
      // Without a limit there is "max", or a number that no machine has.
      guard let limit = files.text(group.folder + "/" + names.0).flatMap({ Int($0) }), limit > 0
      else { continue }
      totals.append(limit)
      guard let used = files.text(group.folder + "/" + names.1).flatMap({ Int($0) }) else {
        continue
      }
      // Pages of files that nobody looked at lately count as used, and would be given back.
      let idle = files.numbers(of: group.folder + "/memory.stat")["inactive_file"] ?? 0
      free.append(max(0, limit - max(0, used - idle)))
    }
    total = totals.compactMap(\.self).min()
    available = free.compactMap(\.self).min()
  }
}

extension SystemFiles {
  /// Lines such as `MemTotal:   16384 kB`, in bytes.
  fileprivate func kibibytes(of path: String) -> [String: Int] {
    numbers(of: path).compactMapValues {
      let (bytes, overflow) = $0.multipliedReportingOverflow(by: 1024)
      return overflow ? nil : bytes
    }
  }

  /// Lines of a name and a number.
  fileprivate func numbers(of path: String) -> [String: Int] {
    var numbers: [String: Int] = [:]
    for line in (text(path) ?? "").split(separator: "\n") {
      let words = line.split { " \t:".contains($0) }
      guard words.count >= 2, let number = Int(words[1]), number >= 0 else { continue }
      numbers[String(words[0])] = number
    }
    return numbers
  }
}
