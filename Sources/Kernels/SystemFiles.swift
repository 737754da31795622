import Foundation

/// What Linux says of the machine and of control groups, in files.
struct SystemFiles {
  /// Where `sys` and `proc` are.
  let root: String

  /// A file's text without blanks around it; nil where there is none.
  func text(_ path: String) -> String? {
    let path = (root as NSString).appendingPathComponent(path)
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// A control group that this process is in, or one around it.
  struct ControlGroup {
    let folder: String
    /// Whether it is one of version 2, which has files for all controllers.
    let isUnified: Bool
  }

  /// The groups whose limits hold here.
  func controlGroups(_ controller: String) -> [ControlGroup] {
    guard let groups = text("proc/self/cgroup") else { return [] }
    var found: [ControlGroup] = []
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",")
      if controllers.isEmpty {
        found += folders("sys/fs/cgroup", fields[2]).map {
          ControlGroup(folder: $0, isUnified: true)
        }
      } else if controllers.contains(controller[...]) {
        for mount in Set(["sys/fs/cgroup/" + controller, "sys/fs/cgroup/" + fields[1]]) {
          found += folders(mount, fields[2]).map { ControlGroup(folder: $0, isUnified: false) }
        }
      }
    }
    return found
  }

  /// A group's folder and those around it. A container may see its own group as the root, under whatever name.
  private func folders(_ mount: String, _ path: Substring) -> [String] {
    var folders = [mount]
    for part in path.split(separator: "/") where part != ".." {
      folders.append(folders[folders.count - 1] + "/" + part)
    }
    return folders
  }
}
