import Dispatch

enum MonotonicClock {
  static func nanoseconds() -> UInt64 { DispatchTime.now().uptimeNanoseconds }

  static func milliseconds(from start: UInt64, to end: UInt64) -> Double {
    end > start ? Double(end - start) / 1e6 : 0
  }

  static func seconds(since start: UInt64) -> Double {
    milliseconds(from: start, to: nanoseconds()) / 1000
  }
}
