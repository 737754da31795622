import Library

extension ComputeOptions {
  /// What the configuration says of running local models.
  package init(_ configuration: Configuration) {
    self.init()
    threads = configuration.models.threads
    keyValueBytes = configuration.models.kvCacheBytes
    waitingLimit = configuration.models.maxWaitingRequests
    runningLimit = configuration.models.maxRunningRequests
    draftTokens = configuration.models.draftTokens
  }
}
