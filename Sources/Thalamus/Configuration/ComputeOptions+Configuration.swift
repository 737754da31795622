import Library

extension ComputeOptions {
  /// What the configuration says of running local models.
  package init(_ configuration: Configuration) {
    self.init()
    threads = configuration.models.threads
    keyValueBytes = configuration.models.kvCacheBytes
    keyValueType = configuration.models.kvCacheType == "int8" ? .int8 : nil
    waitingLimit = configuration.models.maxWaitingRequests
    runningLimit = configuration.models.maxRunningRequests
    draftTokens = configuration.models.draftTokens
    imagePixels = configuration.models.maxImagePixels
    imageTokens = configuration.models.maxImageTokens
  }
}
