import Generation
import Library
import Routing

/// One key of the configuration: its path, and how a value of it is checked and stored.
package struct ConfigurationKey: Sendable {
  /// Path in the file, such as `server.port`.
  package let path: String
  /// Stores a scalar or a list; throws the message of a `ConfigurationError`.
  let store: @Sendable (inout Configuration, ConfigurationValue) throws(InvalidValue) -> Void

  /// The environment variable that overrides the key.
  package var environmentVariable: String {
    "THALAMUS_" + path.uppercased().replacing(".", with: "_")
  }

  /// Every key there is, in the order of `config/thalamus.yaml`.
  package static let all: [ConfigurationKey] = [
    // Sockets take an empty one for every interface, which nobody should get by leaving it out.
    name("server.host", \.server.host),
    integer("server.port", \.server.port, 0...65_535),
    list("server.api_keys", \.server.apiKeys),
    text("server.keys_directory", \.server.keysDirectory),
    list("server.cors_origins", \.server.corsOrigins),
    list("server.allowed_hosts", \.server.allowedHosts),
    integer("server.max_body_bytes", \.server.maxBodyBytes, 1...(1 << 40)),
    integer("server.max_connections", \.server.maxConnections, 1...1_000_000),
    number("server.header_timeout_seconds", \.server.headerTimeoutSeconds, 0.01...86_400),
    number("server.body_timeout_seconds", \.server.bodyTimeoutSeconds, 0.01...86_400),
    number("server.idle_timeout_seconds", \.server.idleTimeoutSeconds, 0.01...86_400),
    number("server.write_timeout_seconds", \.server.writeTimeoutSeconds, 0.01...86_400),
    number("server.shutdown_grace_seconds", \.server.shutdownGraceSeconds, 0...86_400),
    text("models.directory", \.models.directory),
    text("models.encoder", \.models.encoder),
    integer("models.threads", \.models.threads, 0...1024),
    list("models.preload", \.models.preload),
    list("models.aliases", \.models.aliases),
    integer("models.memory_bytes", \.models.memoryBytes, 0...(1 << 50)),
    integer("models.unload_after_seconds", \.models.unloadAfterSeconds, 0...100_000_000),
    integer("models.kv_cache_bytes", \.models.kvCacheBytes, (1 << 20)...(1 << 50)),
    choice("models.kv_cache_type", \.models.kvCacheType, ExpertManifest.keyValueTypes),
    integer("models.max_waiting_requests", \.models.maxWaitingRequests, 1...1_000_000),
    integer("models.max_running_requests", \.models.maxRunningRequests, 1...256),
    integer("models.draft_tokens", \.models.draftTokens, 0...SchedulerOptions.draftTokenLimit),
    integer("models.max_image_pixels", \.models.maxImagePixels, 1...(1 << 30)),
    integer("models.max_image_tokens", \.models.maxImageTokens, 1...(1 << 16)),
    text("router.directory", \.router.directory),
    choice("router.strategy", \.router.strategy, ["ridge", "knn", "kmeans", "pilot"]),
    boolean("router.prompt_flags", \.router.promptFlags),
    number("router.feedback_weight", \.router.feedbackWeight, 0...0.9),
    text("router.gate_feature", \.router.gateFeature),
    number("goals.size", \.goals.size, 0...GoalWeights.maximum),
    number("goals.recency", \.goals.recency, 0...GoalWeights.maximum),
    number("goals.security", \.goals.security, 0...GoalWeights.maximum),
    number("goals.latency", \.goals.latency, 0...GoalWeights.maximum),
    number("goals.cost", \.goals.cost, 0...GoalWeights.maximum),
    number("goals.verbosity", \.goals.verbosity, 0...GoalWeights.maximum),
    number("goals.readability", \.goals.readability, 0...GoalWeights.maximum),
    number("goals.continuity", \.goals.continuity, 0...GoalWeights.maximum),
    boolean("constraints.local_only", \.constraints.localOnly),
    integer("constraints.max_parameters", \.constraints.maxParameters, 0...Int.max),
    list("constraints.licenses", \.constraints.licenses),
    number("budget.usd", \.budget.usd, 0...1e9),
    enumeration("budget.period", \.budget.period),
    integer("generation.default_max_tokens", \.generation.defaultMaxTokens, 1...1_000_000),
    number("generation.default_temperature", \.generation.defaultTemperature, 0...5),
    text("traces.endpoint", \.traces.endpoint),
    list("traces.headers", \.traces.headers),
    text("log.database", \.log.database),
    enumeration("log.prompts", \.log.prompts),
    enumeration("log.level", \.log.level),
  ]

  /// What is wrong with a value, without where it came from.
  struct InvalidValue: Error { let message: String }
}

// MARK: Kinds of values

extension ConfigurationKey {
  private typealias Path<Value> = WritableKeyPath<Configuration, Value> & Sendable

  private static func text(_ path: String, _ target: Path<String>) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      configuration[keyPath: target] = try value.scalar(path)
    }
  }

  private static func name(_ path: String, _ target: Path<String>) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      let text = try value.scalar(path)
      guard text.contains(where: { !$0.isWhitespace }) else {
        throw InvalidValue(message: "\(path) is empty")
      }
      configuration[keyPath: target] = text
    }
  }

  private static func integer(
    _ path: String, _ target: Path<Int>, _ range: ClosedRange<Int>
  ) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      let text = try value.scalar(path)
      guard let number = Int(text.replacing("_", with: "")), range.contains(number) else {
        let limits =
          range.upperBound == .max
          ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        throw InvalidValue(message: "\(path) is '\(text)', expected a whole number \(limits)")
      }
      configuration[keyPath: target] = number
    }
  }

  private static func number(
    _ path: String, _ target: Path<Double>, _ range: ClosedRange<Double>
  ) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      let text = try value.scalar(path)
      guard let number = Double(text), range.contains(number) else {
        throw InvalidValue(
          message: "\(path) is '\(text)', expected a number from "
            + "\(range.lowerBound.formatted()) to \(range.upperBound.formatted())")
      }
      configuration[keyPath: target] = number
    }
  }

  private static func boolean(_ path: String, _ target: Path<Bool>) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      let text = try value.scalar(path)
      switch text.lowercased() {
      case "true", "yes", "on", "1": configuration[keyPath: target] = true
      case "false", "no", "off", "0": configuration[keyPath: target] = false
      default: throw InvalidValue(message: "\(path) is '\(text)', expected true or false")
      }
    }
  }

  private static func list(_ path: String, _ target: Path<[String]>) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      configuration[keyPath: target] = value.list
    }
  }

  private static func choice(_ path: String, _ target: Path<String>, _ choices: [String]) -> Self {
    Self(path: path) { configuration, value throws(InvalidValue) in
      let text = try value.scalar(path)
      guard choices.contains(text) else {
        throw InvalidValue(
          message: "\(path) is '\(text)', expected one of \(choices.joined(separator: ", "))")
      }
      configuration[keyPath: target] = text
    }
  }

  private static func enumeration<Value>(_ path: String, _ target: Path<Value>) -> Self
  where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
    Self(path: path) { configuration, value throws(InvalidValue) in
      let text = try value.scalar(path)
      guard let found = Value(rawValue: text) else {
        let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw InvalidValue(message: "\(path) is '\(text)', expected one of \(choices)")
      }
      configuration[keyPath: target] = found
    }
  }
}

extension Double {
  fileprivate func formatted() -> String {
    self == rounded() && magnitude < 1e15 ? String(Int(self)) : String(self)
  }
}
