import DecisionLog
import Routing

/// Everything that can be set about the server. `ConfigurationKey.all` is the one list of keys by
/// which the YAML file, the environment and the documentation reach these values.
package struct Configuration: Sendable, Equatable {
  package struct Server: Sendable, Equatable {
    package var host = "127.0.0.1"
    package var port = 8080
    package var apiKeys: [String] = []
    /// Folder of the keys with names; empty is `keys` beside the log.
    package var keysDirectory = ""
    package var corsOrigins: [String] = []
    package var allowedHosts: [String] = []
    package var maxBodyBytes = 32 << 20
    package var maxConnections = 1024
    package var headerTimeoutSeconds = 10.0
    package var bodyTimeoutSeconds = 60.0
    package var idleTimeoutSeconds = 75.0
    package var writeTimeoutSeconds = 30.0
    package var shutdownGraceSeconds = 60.0
  }

  package struct Models: Sendable, Equatable {
    package var directory = "models"
    package var encoder = "minilm-l6-v2"
    /// 0 is one a fast core, and no more than the control group's share of time.
    package var threads = 0
    package var preload: [String] = []
    /// `name=model` each.
    package var aliases: [String] = []
    /// Bytes for all loaded models together; 0 is four fifths of what there is.
    package var memoryBytes = 0
    /// Seconds that a model stays that nobody asks for; 0 is for ever.
    package var unloadAfterSeconds = 0
    package var kvCacheBytes = 512 << 20
    package var kvCacheType = "f16"
    package var maxWaitingRequests = 256
    package var maxRunningRequests = 16
    package var draftTokens = 8
    package var maxImagePixels = 50_000_000
    package var maxImageTokens = 1024
  }

  package struct Router: Sendable, Equatable {
    package var directory = "router"
    package var strategy = "knn"
    package var promptFlags = true
    /// Share of a predicted loss that callers' opinions can take off or put on; 0 follows none.
    package var feedbackWeight = 0.3
    /// Id of the mixture whose mean number of active experts routers take as a feature.
    package var gateFeature = ""
  }

  package struct Goals: Sendable, Equatable {
    package var size = 0.0
    package var recency = 0.0
    package var security = 0.0
    package var latency = 0.0
    package var cost = 0.0
    package var verbosity = 0.0
    package var readability = 0.0
    /// A small loss for far fewer moves of a conversation (`thalamus router evaluate --conversations`).
    package var continuity = 0.01
  }

  package struct Limits: Sendable, Equatable {
    package var localOnly = false
    /// 0 is no limit.
    package var maxParameters = 0
    package var licenses: [String] = []
  }

  package struct Spending: Sendable, Equatable {
    /// US dollars; 0 is no budget.
    package var usd = 0.0
    package var period = Budget.Period.month
  }

  package struct Traces: Sendable, Equatable {
    /// Where a collector takes them; empty for none.
    package var endpoint = ""
    /// `name=value` each.
    package var headers: [String] = []
  }

  package struct Generation: Sendable, Equatable {
    package var defaultMaxTokens = 1024
    package var defaultTemperature = 0.7
  }

  package struct Log: Sendable, Equatable {
    package enum Prompts: String, Sendable, CaseIterable { case store, hash, omit }
    package enum Level: String, Sendable, CaseIterable { case debug, info, warning, error }

    /// Empty: no log is kept.
    package var database = "data/thalamus.sqlite"
    package var prompts = Prompts.store
    package var level = Level.info
  }

  package var server = Server()
  package var models = Models()
  package var router = Router()
  package var goals = Goals()
  package var constraints = Limits()
  package var budget = Spending()
  package var traces = Traces()
  package var generation = Generation()
  package var log = Log()

  package init() {}
}
