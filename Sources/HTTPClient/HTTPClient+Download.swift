extension HTTPClient {
  /// Fetches a file to a path, and goes on with what an earlier attempt left there: who must know that the parts are of
  /// one content names the path by it, or compares a digest afterwards.
  ///
  /// What has come stays where the connection breaks off, the task is cancelled, or the process ends. Redirects are
  /// followed as ``get(_:redirects:)`` does.
  ///
  /// - Parameters:
  ///   - byteCount: Of the whole file; more is refused.
  ///   - progress: Is told how many bytes there are, by the client's thread, at each piece: it must not block.
  /// - Returns: The response. With status 200 or 206 its body is in the file, else it is still to be read.
  package func download(
    _ request: HTTPClientRequest, to path: String, byteCount: Int,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    let file = try DownloadFile(path: path, byteCount: byteCount, progress: progress)
    // The client's thread may hold it for a moment longer.
    defer { file.close() }
    var request = request
    request.maximumBytes = byteCount
    if file.length > 0 { request.headers.append(("Range", "bytes=\(file.length)-")) }
    let response: HTTPClientResponse
    do {
      response = try await follow(request, redirects: 5, into: file)
      if [200, 206].contains(response.status) {
        // Nothing comes here; it ends when the file has all.
        for try await _ in response.body {}
      }
    } catch {
      // The file's own problem looks like one of the connection from there.
      throw file.problem ?? error as? HTTPClientError ?? .cancelled
    }
    if let problem = file.problem { throw problem }
    if Task.isCancelled { throw .cancelled }
    return response
  }
}
