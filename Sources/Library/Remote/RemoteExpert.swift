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

  /// Where the request belongs in a trace, in W3C's form; nil where it is in none.
  @TaskLocal package static var traceparent: String?

  /// What a client is told where there is no key: the server's log has the name of what should hold it.
  package static let noKey = "the key of its endpoint is missing"

  package static let passesNoLogprobs = "log-probabilities of a remote expert are not passed on"

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
    if case .tokens = input {
      throw RemoteError.unsupported(
        expert: card.id, problem: "it is remote, and its tokens are not known here")
    }
    guard !running.withLock({ $0.isShutDown }) else { throw GenerationError.shutDown }
    if let problem = health.obstacle {
      throw RemoteError.resting(expert: card.id, problem: problem)
    }
    guard Self.hops < Self.maximumHops else {
      throw RemoteError.unsupported(
        expert: card.id,
        problem: "the request has come through \(Self.hops) servers already, and goes no further")
    }
    let sent = ContinuousClock.now
    let response = try await begin(input, parameters)
    guard response.status == 200 else {
      throw try await refusal(response, path: CompletionRequest.path(of: input))
    }
    // Endpoints count as they like, and tell at the end.
    let pump = AnswerPump(
      expert: card.id, health: health, start: sent,
      promptTokens: promptTokenCount(input, parameters: parameters), stops: parameters.stop,
      maxTokens: parameters.maxTokens,
      secret: (try? endpoint.key()) ?? nil)
    let (stream, continuation) = GenerationStream.makeStream(bufferingPolicy: .unbounded)
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { firstText in
        let task = start(pump, response, into: continuation, firstText)
        continuation.onTermination = { reason in
          // An answer that is whole leaves the pump to see the connection's end.
          if case .finished(nil) = reason { return }
          task.cancel()
        }
      }
    } onCancel: {
      continuation.finish(throwing: CancellationError())
    }
    return stream
  }

  /// Its tokens are not ours: their numbers mean nothing here.
  package func bytes(of token: Int32) -> [UInt8]? { nil }

  package func scorePrompt(
    _ input: ExpertInput, alternatives: Int
  ) async throws -> PromptScores {
    throw noLogprobs
  }

  private var noLogprobs: RemoteError {
    .unsupported(expert: card.id, problem: Self.passesNoLogprobs)
  }

  /// What an image is taken for: one of 512 points square, as OpenAI's models count it.
  private static let tokensPerImage = 255

  /// An estimate: four bytes a token, as is usual for English.
  package func promptTokenCount(_ input: ExpertInput, parameters: SamplingParameters) -> Int {
    var bytes =
      switch input {
      case .messages(let messages):
        messages.reduce(0) {
          $0 + $1.byteCount + 16 + $1.images.count * 4 * Self.tokensPerImage
        }
      case .continuation(let text), .tokens(_, let text): text.utf8.count
      }
    for tool in parameters.tools?.tools ?? [] { bytes += tool.requestField.json.count }
    return bytes / 4 + 1
  }

  /// What it does elsewhere takes nothing here.
  package var isWorking: Bool { false }
  package var residentBytes: Int { 0 }

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
    if let traceparent = Self.traceparent {
      headers.append((name: "traceparent", value: traceparent))
    }
    do {
      if let key = try endpoint.key() {
        headers.append((name: "Authorization", value: "Bearer \(key)"))
      }
      return try await client.send(
        HTTPClientRequest(
          url: endpoint.url + path, headers: headers, body: body,
          silenceSeconds: endpoint.timeoutSeconds, mayUseProxy: !endpoint.isLoopback))
    } catch is EndpointProblem {
      throw RemoteError.resting(expert: card.id, problem: Self.noKey)
    } catch let error as HTTPClientError {
      throw RemoteExpert.failure(error, of: card.id, health)
    }
  }

  /// The beginning of a refusal's body: what comes within two seconds says enough, and another expert waits.
  private static func beginning(of response: HTTPClientResponse) async -> [UInt8] {
    let found = ReceivedBytes(limit: maximumErrorBytes)
    await response.readBody(forAtMost: .seconds(2), found.take)
    return found.bytes
  }

  /// Bytes that one task receives and another takes over.
  private final class ReceivedBytes: Sendable {
    private let received = Mutex<[UInt8]>([])
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var bytes: [UInt8] { received.withLock { Array($0.prefix(limit)) } }

    /// Whether there is room for more.
    func take(_ piece: [UInt8]) -> Bool {
      received.withLock { received in
        received += piece
        return received.count < limit
      }
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
    case .invalidRequest, .redirectRefused, .unwritable, .unreachable, .interrupted:
      health.failed("its endpoint cannot be reached")
      return RemoteError.unreachable(expert: expert, problem: error.description)
    }
  }

  /// What a response other than 200 means.
  ///
  /// - Parameter path: What was asked, behind the endpoint's base.
  func refusal(_ response: HTTPClientResponse, path: String) async throws -> RemoteError {
    let body = await Self.beginning(of: response)
    try Task.checkCancellation()
    let id = card.id
    let status = response.status
    let secret = (try? endpoint.key()) ?? nil
    let said = PeerMessage.read(body)
    // Endpoints quote the key that they refuse, and not only where the status says so.
    let text = PeerMessage.without(secret, said.text)
    let code = said.code.map { PeerMessage.without(secret, $0) }
    let retryAfter = response.retryAfterSeconds.flatMap {
      $0 <= 86_400 ? max(1, $0) : nil
    }
    switch status {
    case 401, 403:
      health.failed("its endpoint refuses the key (HTTP \(status))", needsPerson: true)
      return .keyRefused(expert: id, status: status)
    case 429:
      health.failed(
        "its endpoint takes no more requests", retryAfter: retryAfter.map { .seconds($0) })
      return .busy(expert: id, retryAfterSeconds: retryAfter)
    case _ where path == "/completions" && [404, 405, 501].contains(status):
      // Chats may do well all the same: many providers have nothing else.
      return .refused(
        expert: id, status: status, message: "it continues no plain texts: " + text, code: code)
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
        message: "it redirects to "
          + PeerMessage.without(
            secret, PeerMessage.cleaned(response.headers["location"] ?? "nowhere")))
    default:
      health.failed(
        "its endpoint answers HTTP \(status)", retryAfter: retryAfter.map { .seconds($0) })
      return .failed(expert: id, status: status, message: text)
    }
  }
}
