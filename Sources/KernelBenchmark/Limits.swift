import CKernels
import Foundation
import Kernels

/// What this machine can do at most, all threads together.
struct Limits {
  let integerGigaOps: Double
  let floatGigaOps: Double
  let gigabytes: Double
  let barrierNanoseconds: Double

  init(pool: ThreadPool) {
    let rounds: Int64 = 2_000_000
    let threads = Double(pool.threadCount)
    integerGigaOps =
      threads * tk_limit_integer(0) / best(20) { _ in _ = tk_limit_integer(rounds) }
      * Double(rounds) * 1e-9
    floatGigaOps =
      threads * tk_limit_float(0) / best(20) { _ in _ = tk_limit_float(rounds) }
      * Double(rounds) * 1e-9
    let bytes = 256 << 20
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096)
    memset(memory, 1, bytes)
    let seconds = best(10) { worker in
      let share = worker.range(of: bytes, multipleOf: 4096)
      _ = tk_limit_read(memory + share.lowerBound, Int64(share.count))
    }
    memory.deallocate()
    gigabytes = Double(bytes) / seconds * 1e-9
    barrierNanoseconds =
      best(20) { worker in for _ in 0..<1000 { worker.barrier() } } * 1e9 / 1000
  }
}
