import CCurl
import Synchronization

/// One request and its response on their way. Made by any thread, moved by the loop's alone.
final class Transfer: @unchecked Sendable {
  typealias Head = CheckedContinuation<Result<HTTPClientResponse, HTTPClientError>, Never>

  private let request: HTTPClientRequest
  /// Takes the body in place of the response's reader.
  private let file: DownloadFile?
  let isCancelled = Atomic<Bool>(false)
  private let head = Mutex<Head?>(nil)
  /// Handed out with the head; nil from then on.
  private let body: Mutex<AsyncThrowingStream<[UInt8], any Error>?>
  private let pieces: AsyncThrowingStream<[UInt8], any Error>.Continuation

  // On the loop's thread only.
  /// Nil before it is begun and after it is over.
  private(set) var handle: UnsafeMutableRawPointer?
  private var headerList: UnsafeMutablePointer<curl_slist>?
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
  private var status = 0
  private var headers: [String: String] = [:]
  private var headerBytes = 0
  private var receivedBytes = 0
  private var isHeadSent = false
  private var goesToFile = false

  private static let maximumHeaderBytes = 256 << 10

  init(_ request: HTTPClientRequest, into file: DownloadFile? = nil) {
    self.request = request
    self.file = file
    let (stream, continuation) = AsyncThrowingStream.makeStream(
      of: [UInt8].self, throwing: (any Error).self, bufferingPolicy: .unbounded)
    body = Mutex(stream)
    pieces = continuation
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
  }

  deinit { errorText.deallocate() }

  /// Is called when the body's reader leaves before its end.
  func onBodyLeft(_ action: @escaping @Sendable () -> Void) {
    pieces.onTermination = { reason in
      if case .cancelled = reason { action() }
    }
  }

  /// Who waits for the response's head.
  func expectHead(_ continuation: Head) {
    head.withLock { $0 = continuation }
  }

  /// Tells whoever waits that it is over. Only the first time counts.
  func end(_ problem: HTTPClientError?) {
    let waiting = head.withLock { head in
      defer { head = nil }
      return head
    }
    if let waiting {
      waiting.resume(
        returning: .failure(problem ?? .interrupted("the server sent no response")))
    }
    pieces.finish(throwing: problem)
    body.withLock { $0 = nil }
  }

  // MARK: - On the loop's thread

  /// libcurl's handle of the request, ready to be run.
  func open() throws(HTTPClientError) -> UnsafeMutableRawPointer {
    guard request.url.lowercased().wholeMatch(of: /https?:\/\/.+/) != nil else {
      throw .invalidRequest("'\(request.url.prefix(100))' is no URL of http or https")
    }
    guard let handle = curl_easy_init() else {
      throw .invalidRequest("libcurl has no memory for it")
    }
    self.handle = handle
    try set(CURLOPT_URL, request.url)
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    try set(CURLOPT_USERAGENT, "thalamus")
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_FOLLOWLOCATION, 0)
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    try set(CURLOPT_CONNECTTIMEOUT_MS, request.connectMilliseconds)
    try set(CURLOPT_TIMEOUT, request.totalSeconds)
    // Slower than a byte a second for so long: silence.
    try set(CURLOPT_LOW_SPEED_LIMIT, 1)
    try set(CURLOPT_LOW_SPEED_TIME, request.silenceSeconds)
    if !request.mayUseProxy { try set(CURLOPT_PROXY, "") }
    if let bytes = request.body {
      try check(
        cc_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(bytes.count)), "body")
      let copied = bytes.withUnsafeBufferPointer {
        cc_set_pointer(
          handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: $0.baseAddress))
      }
      try check(copied, "body")
    }
    // Without it a long body waits a second for a `100 Continue` that few servers send.
    try add("Expect:")
    for header in request.headers {
      guard Self.isSafe(header.name), Self.isSafe(header.value) else {
        throw .invalidRequest("header \(header.name.prefix(40)) has a control byte")
      }
      try add("\(header.name): \(header.value)")
    }
    try check(cc_set_pointer(handle, CURLOPT_HTTPHEADER, headerList), "headers")
    try check(cc_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText), "errors")

    // The loop keeps the transfer for as long as libcurl has the handle.
    let context = Unmanaged.passUnretained(self).toOpaque()
    try check(cc_set_pointer(handle, CURLOPT_HEADERDATA, context), "headers")
    try check(cc_set_pointer(handle, CURLOPT_WRITEDATA, context), "body")
    let headerSink: cc_sink = { bytes, size, count, context in
      Transfer.of(context)?.receive(
        header: UnsafeRawBufferPointer(start: bytes, count: size * count))
        == true ? size * count : 0
    }
    let bodySink: cc_sink = { bytes, size, count, context in
      Transfer.of(context)?.receive(body: UnsafeRawBufferPointer(start: bytes, count: size * count))
        == true ? size * count : 0
    }
    try check(cc_set_sink(handle, CURLOPT_HEADERFUNCTION, headerSink), "headers")
    try check(cc_set_sink(handle, CURLOPT_WRITEFUNCTION, bodySink), "body")
    return handle
  }

  /// Frees what libcurl held.
  func close() {
    if let handle { curl_easy_cleanup(handle) }
    handle = nil
    curl_slist_free_all(headerList)
    headerList = nil
  }

  /// What libcurl's result means; nil where all went well.
  func problem(_ result: CURLcode) -> HTTPClientError? {
    if result == CURLE_OK { return nil }
    if receivedBytes > request.maximumBytes { return .tooLarge(limit: request.maximumBytes) }
    if headerBytes > Self.maximumHeaderBytes {
      return .interrupted("the response's head has more than \(Self.maximumHeaderBytes) bytes")
    }
    let detail = String(cString: errorText)
    let text = detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail
    return switch result {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
      CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
      .unreachable(text)
    case CURLE_OPERATION_TIMEDOUT: .timedOut(text)
    case CURLE_URL_MALFORMAT: .invalidRequest(text)
    case CURLE_WRITE_ERROR: .cancelled
    default: .interrupted(text)
    }
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  /// One line of the response's head, its end included. False ends the transfer.
  private func receive(header: UnsafeRawBufferPointer) -> Bool {
    headerBytes += header.count
    guard headerBytes <= Self.maximumHeaderBytes else { return false }
    // Behind a body there may be trailers.
    guard !isHeadSent else { return true }
    let line = String(decoding: header, as: UTF8.self)
    if line.hasPrefix("HTTP/") {
      // Of a `100 Continue`, perhaps, and then of the response itself.
      status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      headers = [:]
    } else if let colon = line.firstIndex(of: ":") {
      let value = line[line.index(after: colon)...].filter { !$0.isNewline }
      headers[line[..<colon].lowercased()] = String(value.drop { $0 == " " || $0 == "\t" })
    } else if line.allSatisfy(\.isNewline), status >= 200 {
      sendHead()
    }
    return true
  }

  private func sendHead() {
    isHeadSent = true
    goesToFile = file?.begin(status: status, headers: headers) ?? false
    let waiting = head.withLock { head in
      defer { head = nil }
      return head
    }
    let stream = body.withLock { body in
      defer { body = nil }
      return body
    }
    guard let waiting, let stream else { return }
    waiting.resume(
      returning: .success(HTTPClientResponse(status: status, headers: headers, body: stream)))
  }

  private func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
    receivedBytes += bytes.count
    guard receivedBytes <= request.maximumBytes else { return false }
    if goesToFile, let file { return file.append(bytes) }
    if case .terminated = pieces.yield(Array(bytes)) { return false }
    return true
  }

  private func add(_ header: String) throws(HTTPClientError) {
    guard let list = curl_slist_append(headerList, header) else {
      throw .invalidRequest("libcurl has no memory for its headers")
    }
    headerList = list
  }

  private static func isSafe(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
  }

  private func set(_ option: CURLoption, _ value: String) throws(HTTPClientError) {
    try check(cc_set_string(handle, option, value), "\(value.prefix(100))")
  }

  private func set(_ option: CURLoption, _ value: Int) throws(HTTPClientError) {
    try check(cc_set_long(handle, option, value), "\(value)")
  }

  private func check(_ result: CURLcode, _ what: String) throws(HTTPClientError) {
    guard result == CURLE_OK else {
      throw .invalidRequest("\(what): \(String(cString: curl_easy_strerror(result)))")
    }
  }
}
