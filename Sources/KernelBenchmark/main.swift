import Foundation
import Kernels

// Times the kernels on the shapes of the models here and prints them beside this machine's own
// limits, measured first. Best of many runs, since other programs may be running.
//
//     kernel-benchmark [filter]

let pool = try ThreadPool(threadCount: ProcessInfo.processInfo.activeProcessorCount)
let filter = CommandLine.arguments.dropFirst().first

/// Shortest of `repetitions` runs of `body` on every worker, in seconds.
func best(_ repetitions: Int, _ body: (Worker) -> Void) -> Double {
  var shortest = Double.infinity
  for _ in 0..<repetitions {
    let start = DispatchTime.now().uptimeNanoseconds
    pool.run(body)
    shortest = min(shortest, Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9)
  }
  return shortest
}

func show(_ name: String, _ columns: String...) {
  let padded = columns.map { String(repeating: " ", count: max(0, 13 - $0.count)) + $0 }
  print(name.padding(toLength: 44, withPad: " ", startingAt: 0) + padded.joined())
}

func number(_ value: Double, _ unit: String) -> String {
  String(format: "%.1f", value) + " " + unit
}

let limits = Limits(pool: pool)
show("threads \(pool.threadCount), \(InstructionSet.current.name)")
show(
  "limits", number(limits.integerGigaOps, "GOP/s"), number(limits.floatGigaOps, "GFLOP/s"),
  number(limits.gigabytes, "GB/s"), number(limits.barrierNanoseconds, "ns/barrier"))

let sets: [InstructionSet] =
  filter == "all" ? InstructionSet.available : [InstructionSet.current]
for set in sets {
  if filter == nil || filter == "all" || filter == "multiply" { try benchmarkMultiply(set) }
  if filter == nil || filter == "all" || filter == "attention" { try benchmarkAttention(set) }
  if filter == nil || filter == "rows" { try benchmarkRows(set) }
}
