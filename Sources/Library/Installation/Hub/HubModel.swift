import ModelFiles

/// A model in GGUF's form in a repository: a file, or several parts of one.
package struct HubModel: Sendable, Equatable {
  /// In the parts' order; at least one.
  package let files: [HubFile]
  /// Parts that its name speaks of.
  private let partCount: Int

  /// The file that brings the others.
  package var first: HubFile { files[0] }

  package init(_ file: HubFile) {
    files = [file]
    partCount = 1
  }

  private init(parts: [HubFile], of count: Int) {
    files = parts
    partCount = count
  }

  /// A repository's models, by their paths.
  static func all(among files: [HubFile]) -> [HubModel] {
    var models: [HubModel] = []
    var parts: [String: [(number: Int, count: Int, file: HubFile)]] = [:]
    for file in files where file.name.lowercased().hasSuffix(".gguf") {
      if let name = GGUFPartName(file.path) {
        parts[name.path(ofPart: 1), default: []].append((name.number, name.count, file))
      } else {
        models.append(HubModel(file))
      }
    }
    for found in parts.values {
      models.append(
        HubModel(
          parts: found.sorted { $0.number < $1.number }.map(\.file), of: found[0].count))
    }
    return models.sorted { $0.first.path < $1.first.path }
  }

  /// Whether it reads images for a model, which is another file.
  private var isProjector: Bool { first.name.lowercased().contains("mmproj") }

  /// Among a repository's files, what reads images for this model; nil where nothing does, or which is not clear.
  ///
  /// It costs an image's time whatever its numbers, so that precise ones are worth their size: F16 as most have it, and
  /// Q8_0 for a small model's.
  func projector(among files: [HubFile]) -> HubFile? {
    let found = HubModel.all(among: files).filter { $0.isProjector && $0.files.count == 1 }
    let beside = found.filter { $0.first.folder == first.folder }
    let candidates = beside.isEmpty ? found : beside
    let precise = ["Q8_0", "F16", "BF16", "F32"].lazy.compactMap { name in
      candidates.first { $0.has(name) }
    }.first
    return (candidates.count == 1 ? candidates[0] : precise)?.first
  }

  /// Why it is no model that can be read; nil where it may be one.
  var obstacle: String? {
    let name = first.name.lowercased()
    if isProjector { return "a projector of images, no model of text" }
    if name.contains("imatrix") { return "measurements for quantising, no model" }
    if name.firstMatch(of: /(^|[-._])(iq[0-35-9]|tq[0-9])_/) != nil {
      return "in a quantisation that is not read"
    }
    // A list names each file once.
    if files.count < partCount { return "\(files.count) of \(partCount) parts are there" }
    return nil
  }

  /// Whether its name has the quantisation as a whole part: `Q4_K` is none of `Q4_K_M`.
  func has(_ quantization: String) -> Bool {
    let name = Array(first.name.dropLast(".gguf".count).lowercased().utf8)
    let part = Array(quantization.lowercased().utf8)
    func isEdge(_ byte: UInt8?, _ edges: String) -> Bool {
      byte.map { edges.utf8.contains($0) } ?? true
    }
    guard !part.isEmpty, part.count <= name.count else { return false }
    return (0...(name.count - part.count)).contains { start in
      let end = start + part.count
      return name[start..<end].elementsEqual(part)
        && isEdge(start > 0 ? name[start - 1] : nil, "-._ ")
        && isEdge(end < name.count ? name[end] : nil, "-. ")
    }
  }

  /// For people who choose: with its size, and why it can't be read.
  var line: String {
    let parts = files.count > 1 ? " in \(files.count) files" : ""
    return HubFile.line(
      first.path, byteCount: files.reduce(0) { $0 + Double($1.byteCount) },
      note: parts + (obstacle.map { "; \($0)" } ?? ""))
  }
}
