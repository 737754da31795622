import CKernels
import Foundation

/// The processors that compute threads are worth having on.
///
/// Kernels share a pass out evenly and wait for each other at barriers, so one slow or halted worker holds up all. A
/// thread too many costs more than it brings, hence no more of them than there are
///
/// - cores, for two threads of one core share its multipliers,
/// - fast ones among them, where a machine has several kinds,
/// - and processors' time that the control group may take, for who has used up his time is halted.
package struct Processors: Sendable, Equatable {
  /// Processors that the system lets this process use.
  package var allowed: Int
  /// Cores of those, without the slow ones of a machine of several kinds.
  package var cores: Int
  /// Processors' worth of time that the control group may take; nil where there is no limit.
  package var quota: Double?

  /// Threads that computing should take.
  package var computeThreads: Int {
    var count = max(1, min(allowed, cores))
    if let quota, quota < Double(count) { count = max(1, Int(quota)) }
    return count
  }

  /// Those of this process, as they were when first asked for.
  package static let current = Processors(allowed: allowedProcessors(), root: "/")

  /// - Parameter root: Where `sys` and `proc` are. What is not there, or not to be understood, sets no limit.
  package init(allowed: Set<Int>, root: String) {
    let files = SystemFiles(root: root)
    self.allowed = max(1, allowed.count)
    cores = max(1, files.fastCores(of: allowed))
    quota = files.quota()
  }

  /// The affinity mask; the processors that are there where it can't be had.
  private static func allowedProcessors() -> Set<Int> {
    var mask = [UInt64](repeating: 0, count: Int(TK_MOST_PROCESSORS) / 64)
    guard tk_allowed_processors(&mask) else {
      return Set(0..<max(1, Int(tk_allowed_processor_count())))
    }
    return Set(
      mask.indices.flatMap { word in
        (0..<64).filter { mask[word] >> UInt64($0) & 1 == 1 }.map { 64 * word + $0 }
      })
  }
}

extension SystemFiles {
  /// A list as "0-3,8"; nil for anything else.
  private func list(_ path: String) -> Set<Int>? {
    guard let text = text(path), !text.isEmpty else { return nil }
    var numbers: Set<Int> = []
    for part in text.split(separator: ",") {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
      guard let first = ends.first, let last = ends.last, ends.count <= 2, first >= 0,
        last >= first, last < Int(TK_MOST_PROCESSORS)
      else { return nil }
      numbers.formUnion(first...last)
    }
    return numbers
  }

  /// Cores that have one of the processors, or of a machine of several kinds as many of the fastest as do most
  /// together when each takes an equal share.
  fileprivate func fastCores(of processors: Set<Int>) -> Int {
    let intelFast = list("sys/devices/cpu_core/cpus").map { processors.intersection($0) } ?? []
    let candidates = intelFast.isEmpty ? processors : intelFast
    var capacities: [Set<Int>: Int] = [:]
    for processor in candidates {
      let folder = "sys/devices/system/cpu/cpu\(processor)/"
      let siblings = list(folder + "topology/thread_siblings_list") ?? []
      let capacity = text(folder + "cpu_capacity").flatMap { Int($0) } ?? 1
      capacities[siblings.union([processor]), default: 0] = max(1, capacity)
    }
    let fastest = capacities.values.sorted(by: >)
    // The slowest of the taken ones decides how long all take.
    let best = fastest.indices.max { fastest[$0] * ($0 + 1) < fastest[$1] * ($1 + 1) }
    return best.map { $0 + 1 } ?? processors.count
  }

  /// Processors' time that the control group and those around it may take.
  fileprivate func quota() -> Double? {
    let limits = controlGroups("cpu").map { group -> Double? in
      if group.isUnified {
        guard let both = text(group.folder + "/cpu.max")?.split(separator: " "), both.count == 2
        else { return nil }
        return share(both[0], of: both[1])
      }
      guard let quota = text(group.folder + "/cpu.cfs_quota_us"),
        let period = text(group.folder + "/cpu.cfs_period_us")
      else { return nil }
      return share(quota[...], of: period[...])
    }
    return limits.compactMap(\.self).min()
  }

  /// Nil where there is no limit: "max", -1.
  private func share(_ quota: Substring, of period: Substring) -> Double? {
    guard let quota = Double(quota), let period = Double(period), quota > 0, period > 0 else {
      return nil
    }
    return quota / period
  }
}
