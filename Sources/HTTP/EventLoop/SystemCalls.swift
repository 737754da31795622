import Foundation

// Names that a method called `close` would hide, and constants whose imported type differs
// between systems.

@discardableResult
func systemClose(_ fileDescriptor: Int32) -> Int32 {
  close(fileDescriptor)
}

enum SocketFlags {
  #if os(Linux)
    static let stream = Int32(SOCK_STREAM.rawValue)
    static let noSignal = Int32(MSG_NOSIGNAL)
    static let more = Int32(MSG_MORE)
  #else
    static let stream = SOCK_STREAM
    static let noSignal: Int32 = 0
    static let more: Int32 = 0
  #endif
}

/// The text of an `errno` value.
func systemErrorText(_ code: Int32) -> String {
  String(cString: strerror(code))
}
