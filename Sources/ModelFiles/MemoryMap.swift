#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A whole file, mapped read-only into memory and unmapped when the last user lets go.
///
/// The file must not be shortened by another process while it is mapped: the operating system
/// answers a read beyond the new end with a fatal signal. Replace a model file by renaming a new
/// one over it.
package final class MemoryMap: Sendable {
  package let path: String
  /// The mapped bytes; valid as long as this object lives.
  package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  /// Whether the bytes are a file's, and can be read from it again.
  private let isFile: Bool

  /// The file's size in bytes, as it was when it was mapped.
  package var count: Int { bytes.count }

  package init(path: String) throws(ModelFileError) {
    self.path = path
    func fail(_ step: String) -> ModelFileError {
      let reason = "\(step): \(String(cString: strerror(errno)))"
      return ModelFileError(path: path, field: "file", problem: .cannotOpen(reason: reason))
    }
    // O_NONBLOCK, so that a named pipe in place of a file cannot hang the open.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw fail("open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw fail("fstat") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ModelFileError(
        path: path, field: "file", problem: .cannotOpen(reason: "not a regular file"))
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      throw ModelFileError(
        path: path, field: "file", problem: .truncated(neededBytes: 1, availableBytes: 0))
    }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else { throw fail("mmap") }
    bytes = UnsafeRawBufferPointer(start: address, count: size)
    isFile = true
  }

  /// Bytes that are put together in memory, such as a tensor that a file holds in another order.
  /// `path` is for messages; `fill` gets zeros.
  package init(
    path: String, byteCount: Int,
    fill: (UnsafeMutableRawBufferPointer) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard byteCount > 0,
      let address = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0),
      address != MAP_FAILED
    else {
      throw ModelFileError(
        path: path, field: "memory",
        problem: .cannotOpen(reason: "no memory for \(byteCount) bytes"))
    }
    self.path = path
    bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
    isFile = false
    try fill(UnsafeMutableRawBufferPointer(start: address, count: byteCount))
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  /// What Linux maps around a page that is touched, at most, where the file is in its cache already.
  private static let faultAround = 2 << 20

  /// Gives the resident pages of the range (default: all) back, so that memory use falls after
  /// weights were repacked. The bytes stay readable: they are read from the file again.
  ///
  /// So do pages that came with those around the range; else each of a mixture's thousand small
  /// matrices would leave some of its neighbours' behind, some seventy megabytes in all.
  package func dropPages(_ range: Range<Int>? = nil) {
    let range = range ?? 0..<count
    guard !range.isEmpty else { return }
    advise(
      max(0, range.lowerBound - Self.faultAround)..<min(count, range.upperBound + Self.faultAround),
      MADV_DONTNEED)
  }

  /// Advice on every page that the range touches.
  private func advise(_ range: Range<Int>, _ advice: Int32) {
    let range = range.clamped(to: 0..<count)
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    // Pages of memory that no file stands behind would come back as zeros.
    guard isFile, page > 0, !range.isEmpty, let base = bytes.baseAddress else { return }
    let lower = range.lowerBound / page * page
    // Advice can be refused without harm, so the result does not matter.
    _ = madvise(
      UnsafeMutableRawPointer(mutating: base + lower), range.upperBound - lower, advice)
  }
}
