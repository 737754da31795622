import Foundation

/// The folder with one file a key, `NAME.yaml`: `alice.yaml` is Alice's.
package struct KeyFolder: Sendable {
  package let path: String
  /// Whether it has to be there: whoever names one means keys to be asked for.
  package let isRequired: Bool

  /// Nil where the configuration has no place for keys.
  package init?(_ configuration: Configuration) {
    let named = configuration.server.keysDirectory
    let database = configuration.log.database
    guard !named.isEmpty || !database.isEmpty else { return nil }
    isRequired = !named.isEmpty
    path =
      named.isEmpty
      ? URL(filePath: database).deletingLastPathComponent().appending(path: "keys").path : named
  }

  /// What stands in the folder.
  package struct Contents: Sendable {
    /// In the order of their names.
    package var keys: [APIKey] = []
    /// What is wrong with others, in the order of their files' names.
    package var problems: [ConfigurationError] = []
    /// Whether there is any file of a key, be it one that can't be read.
    package var isEmpty: Bool { keys.isEmpty && problems.isEmpty }
  }

  /// Reads all keys; a folder that isn't there has none.
  ///
  /// - Throws: Where the folder can't be read, or isn't there and has to be.
  package func read() throws(ConfigurationError) -> Contents {
    var contents = Contents()
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    } catch {
      if !isRequired, !FileManager.default.fileExists(atPath: path) { return contents }
      throw ConfigurationError(source: path, message: "the folder of keys cannot be read")
    }
    var owners: [String: String] = [:]
    // Kubernetes keeps folders of its own beside a secret's files, and editors their copies.
    for name in names where name.hasSuffix(".yaml") && !name.hasPrefix(".") {
      let file = path + "/" + name
      do throws(ConfigurationError) {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
          throw ConfigurationError(source: file, message: "cannot be read")
        }
        let key = try APIKey.parse(yaml: text, name: String(name.dropLast(5)), path: file)
        if let owner = owners[key.sha256] {
          throw ConfigurationError(source: file, message: "is the same key as \(owner)'s")
        }
        owners[key.sha256] = key.name
        contents.keys.append(key)
      } catch {
        contents.problems.append(error)
      }
    }
    return contents
  }

  /// When a file was last added, taken away or replaced, by the folder's own time; nil where it isn't there.
  var changeTime: Date? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
  }

  /// Writes a new key's file, for its owner's eyes.
  ///
  /// - Throws: Where there is one of that name, or it can't be written.
  package func add(_ key: APIKey) throws {
    let manager = FileManager.default
    let file = path + "/\(key.name).yaml"
    guard APIKey.isName(key.name) else {
      throw ConfigurationError(
        source: path,
        message:
          "'\(key.name.prefix(100))' can't be a key's name: up to 64 small letters, digits, '.', '_' and '-'"
      )
    }
    let text = try key.yaml()
    // What the server would refuse to read is not written.
    _ = try APIKey.parse(yaml: text, name: key.name, path: file)
    try manager.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    guard !manager.fileExists(atPath: file) else {
      throw ConfigurationError(
        source: file, message: "there is a key of this name; remove it first")
    }
    // Under another name first: a server that reads the folder at this moment finds whole files only.
    let draft = path + "/.\(key.name).\(UUID().uuidString)"
    let contents = Data(
      ("# Made by `thalamus keys add`; the key itself is kept nowhere.\n" + text).utf8)
    guard
      manager.createFile(
        atPath: draft, contents: contents, attributes: [.posixPermissions: 0o600])
    else { throw ConfigurationError(source: file, message: "cannot be written") }
    giveToOwnerOfFolder(draft)
    do {
      try manager.moveItem(atPath: draft, toPath: file)
    } catch {
      try? manager.removeItem(atPath: draft)
      throw ConfigurationError(source: file, message: "cannot be written")
    }
  }

  /// Takes a key's file away.
  package func remove(_ name: String) throws(ConfigurationError) {
    let file = path + "/\(name).yaml"
    guard APIKey.isName(name), FileManager.default.fileExists(atPath: file) else {
      throw ConfigurationError(source: path, message: "no key is called '\(name.prefix(100))'")
    }
    do {
      try FileManager.default.removeItem(atPath: file)
    } catch {
      throw ConfigurationError(source: file, message: "cannot be removed")
    }
  }

  /// What root adds for a service of another user, that user must be able to read.
  private func giveToOwnerOfFolder(_ file: String) {
    guard geteuid() == 0 else { return }
    let parent = URL(filePath: path).deletingLastPathComponent().path
    var status = stat()
    guard stat(parent, &status) == 0 else { return }
    _ = chown(path, status.st_uid, status.st_gid)
    _ = chown(file, status.st_uid, status.st_gid)
  }
}
