import Foundation
import Generation
import HTTPClient
import Routing
import Synchronization
import Tokenization

/// An expert behind an OpenAI-compatible endpoint.
package final class RemoteExpert: Expert {
  package let card: ExpertCard
  let endpoint: Endpoint
  let health: EndpointHealth
  private let client: HTTPClient
  private let running = Mutex(Running())

  private struct Running {
    var next = 0
    var tasks: [Int: Task<Void, Never>] = [:]
    var isShutDown = false
  }

  /// How many servers a request has come through; one that went round in a circle would never end.
  @TaskLocal package static var hops = 0
  package static let hopsHeader = "X-Thalamus-Hops"
  package static let maximumHops = 4

  private static let maximumErrorBytes = 64 << 10

  package init(card: ExpertCard, endpoint: Endpoint, health: EndpointHealth, client: HTTPClient) {
    self.card = card
    self.endpoint = endpoint
    self.health = health
    self.client = client
  }

  /// Sends the request, and returns once the first text is here: whatever goes wrong before is thrown, while another
  /// expert can still take the prompt. Some endpoints say 200 first and what they lack then.
  package func answer(
    _ input: ExpertInput, parameters: SamplingParameters
  ) async throws -> GenerationStream {
    guard parameters.logprobs == nil else { throw noLogprobs }
    guard !running.withLock({ $0.isShutDown }) else { throw GenerationError.shutDown }
    if let problem = health.obstacle {
      throw RemoteError.resting(expert: card.id, problem: problem)
    }
    guard Self.hops < Self.maximumHops else {
      throw RemoteError.refused(
        expert: card.id, status: 508,
        message: "the request has come through \(Self.hops) servers already", code: "loop_detected")
    }
    let sent = ContinuousClock.now
    let response = try await begin(input, parameters)
    guard response.status == 200 else { throw try await refusal(response) }
    // Endpoints count as they like, and tell at the end.
    let pump = AnswerPump(
      expert: card.id, health: health, start: sent, promptTokens: promptTokenCount(input),
      hasStops: !parameters.stop.isEmpty)
    let (stream, continuation) = GenerationStream.makeStream(bufferingPolicy: .unbounded)
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { firstText in
        let task = start(pump, response, into: continuation, firstText)
        continuation.onTermination = { _ in task.cancel() }
      }
    } onCancel: {
      continuation.finish(throwing: CancellationError())
    }
    return stream
  }

  /// Its tokens are not ours: their numbers mean nothing here.
  package func bytes(of token: Int32) -> [UInt8]? { nil }

  package func scorePrompt(_ input: ExpertInput) async throws -> PromptScores { throw noLogprobs }

  private var noLogprobs: RemoteError {
    .refused(
      expert: card.id, status: 400,
      message: "log-probabilities of a remote expert are not passed on",
      code: "unsupported_parameter")
  }

  /// An estimate: four bytes a token, as is usual for English.
  package func promptTokenCount(_ input: ExpertInput) -> Int {
    let bytes =
      switch input {
      case .messages(let messages): messages.reduce(0) { $0 + $1.content.utf8.count + 16 }
      case .continuation(let text): text.utf8.count
      }
    return bytes / 4 + 1
  }

  package func shutDown(finishing: Bool) async {
    let tasks = running.withLock { running in
      running.isShutDown = true
      return Array(running.tasks.values)
    }
    for task in tasks {
      if !finishing { task.cancel() }
      await task.value
    }
  }

  /// Runs the pump in a task that is among the running ones until it ends.
  private func start(
    _ pump: AnswerPump, _ response: HTTPClientResponse,
    into continuation: GenerationStream.Continuation,
    _ firstText: CheckedContinuation<Void, any Error>
  ) -> Task<Void, Never> {
    running.withLock { running in
      running.next += 1
      let number = running.next
      let task = Task { [self] in
        await pump.run(response, into: continuation, firstText)
        // Waits for this lock, and so until it is among them.
        _ = self.running.withLock { $0.tasks.removeValue(forKey: number) }
      }
      running.tasks[number] = task
      return task
    }
  }

  // MARK: - Requests

  /// The response's head.
  private func begin(
    _ input: ExpertInput, _ parameters: SamplingParameters
  ) async throws -> HTTPClientResponse {
    try await post(
      CompletionRequest.body(input, parameters: parameters, endpoint: endpoint),
      to: CompletionRequest.path(of: input))
  }

  func post(_ body: [UInt8], to path: String) async throws -> HTTPClientResponse {
    var headers = [
      (name: "Content-Type", value: "application/json"),
      (name: "Accept", value: "text/event-stream, application/json"),
      (name: Self.hopsHeader, value: "\(Self.hops + 1)"),
    ]
    do {
      if let key = try endpoint.key() {
        headers.append((name: "Authorization", value: "Bearer \(key)"))
      }
      return try await client.send(
        HTTPClientRequest(
          url: endpoint.url + path, headers: headers, body: body,
          silenceSeconds: endpoint.timeoutSeconds, mayUseProxy: !endpoint.isLoopback))
    } catch let problem as EndpointProblem {
      throw RemoteError.resting(expert: card.id, problem: problem.message)
    } catch let error as HTTPClientError {
      throw RemoteExpert.failure(error, of: card.id, health)
    }
  }

  /// What a failed transfer means for the request, and for the next ones.
  static func failure(
    _ error: HTTPClientError, of expert: String, _ health: EndpointHealth
  ) -> any Error {
    switch error {
    case .cancelled: return CancellationError()
    case .shutDown: return GenerationError.shutDown
    case .timedOut(let problem):
      health.failed("its endpoint did not answer in time")
      return RemoteError.timedOut(expert: expert, problem: problem)
    case .tooLarge:
      return RemoteError.malformed(expert: expert, problem: error.description)
    case .invalidRequest, .unreachable, .interrupted:
      health.failed("its endpoint cannot be reached")
      return RemoteError.unreachable(expert: expert, problem: error.description)
    }
  }

  /// What a response other than 200 means.
  func refusal(_ response: HTTPClientResponse) async throws -> RemoteError {
    var body: [UInt8] = []
    do {
      for try await piece in response.body {
        body += piece
        if body.count > Self.maximumErrorBytes { break }
      }
    } catch {
      // What has come says enough; but the caller may have left.
      try Task.checkCancellation()
    }
    let id = card.id
    let status = response.status
    let (text, code) = PeerMessage.read(Array(body.prefix(Self.maximumErrorBytes)))
    let retryAfter = response.headers["retry-after"].flatMap { Int($0) }.flatMap {
      (0...86_400).contains($0) ? $0 : nil
    }
    switch status {
    case 401, 403:
      health.failed("its endpoint refuses the key (HTTP \(status))", needsPerson: true)
      return .keyRefused(expert: id, status: status)
    case 429:
      health.failed(
        "its endpoint takes no more requests", retryAfter: retryAfter.map { .seconds($0) })
      return .busy(expert: id, retryAfterSeconds: retryAfter)
    case 402, 404, 405, 407, 408, 410:
      // No matter of this prompt: the account, the address, the model's name.
      health.failed("its endpoint answers HTTP \(status)", needsPerson: status != 408)
      return .failed(expert: id, status: status, message: text)
    case 400..<500:
      return .refused(expert: id, status: status, message: text, code: code)
    case 300..<400:
      health.failed("its endpoint redirects", needsPerson: true)
      return .failed(
        expert: id, status: status,
        message: "it redirects to \((response.headers["location"] ?? "nowhere").prefix(200))")
    default:
      health.failed(
        "its endpoint answers HTTP \(status)", retryAfter: retryAfter.map { .seconds($0) })
      return .failed(expert: id, status: status, message: text)
    }
  }
}
