import Foundation
import GRDB

/// What can go wrong with the log. The server goes on in every case; see ``DecisionLog/health``.
package enum DecisionLogError: Error, Equatable, Sendable, CustomStringConvertible {
  case cannotOpen(path: String, reason: String)
  /// Another process holds the database for longer than the busy timeout.
  case locked
  /// The file is not a database, or damaged.
  case corrupt(path: String)
  case readOnly(path: String)
  case diskFull
  case inputOutput(reason: String)
  /// A newer version of the program has changed the schema.
  case newerSchema(path: String)
  /// The queue holds as much as it may; the entry was not taken, and is counted as refused.
  case queueFull(entries: Int)
  case closed
  /// At close, entries could not be written in time.
  case notWritten(entries: Int, reason: String)
  case invalidRecord(field: String, value: String, expected: String)
  case database(code: Int, message: String)

  package var description: String {
    switch self {
    case .cannotOpen(let path, let reason): "decision log \(path) cannot be opened: \(reason)"
    case .locked: "decision log: the database is locked by another process"
    case .corrupt(let path): "decision log \(path) is damaged or not a database"
    case .readOnly(let path): "decision log \(path) is read-only"
    case .diskFull: "decision log: the disk is full"
    case .inputOutput(let reason): "decision log: input/output error: \(reason)"
    case .newerSchema(let path): "decision log \(path) was written by a newer version"
    case .queueFull(let entries): "decision log: \(entries) entries wait to be written; refused"
    case .closed: "decision log: closed"
    case .notWritten(let entries, let reason):
      "decision log: \(entries) entries were not written: \(reason)"
    case .invalidRecord(let field, let value, let expected):
      "\(field): \(value) is not allowed; expected \(expected)"
    case .database(let code, let message): "decision log: SQLite error \(code): \(message)"
    }
  }

  /// From whatever GRDB threw.
  init(_ error: any Error, path: String) {
    if let known = error as? DecisionLogError {
      self = known
      return
    }
    guard let error = error as? DatabaseError else {
      self = .inputOutput(reason: "\(error)")
      return
    }
    switch error.resultCode {
    case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(path: path)
    case .SQLITE_READONLY, .SQLITE_PERM: self = .readOnly(path: path)
    case .SQLITE_FULL: self = .diskFull
    case .SQLITE_CANTOPEN:
      self = .cannotOpen(path: path, reason: error.message ?? "unknown")
    case .SQLITE_IOERR: self = .inputOutput(reason: error.message ?? "unknown")
    default:
      self = .database(
        code: Int(error.extendedResultCode.rawValue), message: error.message ?? "unknown")
    }
  }

  /// Whether the same write may succeed later; false where the entry itself is to blame.
  var isTransient: Bool {
    switch self {
    case .invalidRecord: false
    // 19 constraint, 18 too big, 20 type mismatch, 25 parameter out of range.
    case .database(let code, _): ![18, 19, 20, 25].contains(code & 0xff)
    default: true
    }
  }

  /// Whether the connection is worth nothing any more and is opened anew.
  var needsReopening: Bool {
    switch self {
    case .corrupt, .readOnly, .inputOutput, .cannotOpen: true
    default: false
    }
  }
}

extension DecisionLogError: LocalizedError {
  package var errorDescription: String? { description }
}
