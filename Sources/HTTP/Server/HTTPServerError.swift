/// Why a server could not start.
package enum HTTPServerError: Error, Equatable, CustomStringConvertible {
  case invalidPort(Int)
  case unknownHost(String, reason: String)
  case cannotListen(host: String, port: Int, reason: String)
  case system(call: String, reason: String)
  case alreadyStarted

  package var description: String {
    switch self {
    case .invalidPort(let port): "port \(port) is not between 0 and 65535"
    case .unknownHost(let host, let reason): "host \"\(host)\" is not known: \(reason)"
    case .cannotListen(let host, let port, let reason):
      "cannot listen at \(host), port \(port): \(reason)"
    case .system(let call, let reason): "\(call) failed: \(reason)"
    case .alreadyStarted: "the server was started before"
    }
  }
}
