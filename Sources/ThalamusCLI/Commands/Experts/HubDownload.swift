import Foundation
import Library
import Synchronization

/// Adding an expert from the hub, with how far it is on standard error.
enum HubDownload {
  static func add(
    _ reference: HubReference, to installer: ExpertInstaller, details: ExpertInstaller.Details
  ) async throws -> ExpertManifest {
    let hub = try HubClient(HubSettings(environment: ProcessInfo.processInfo.environment))
    let line = Mutex(DownloadLine())
    return try await installer.add(
      reference, from: hub, details: details, remark: { Output.note($0) }
    ) { progress in
      line.withLock {
        $0.show(progress.byteCount, of: progress.file.byteCount, progress.file.name)
      }
    }
  }
}
