import Foundation
import GRDB

/// Opens the database file and brings its schema up to date.
enum LogDatabase {
  static func connect(
    path: String, busyTimeoutSeconds: Double
  ) throws(DecisionLogError) -> DatabasePool {
    try createPrivately(path)
    var configuration = Configuration()
    configuration.label = "decision-log"
    configuration.busyMode = .timeout(busyTimeoutSeconds)
    configuration.maximumReaderCount = 4
    configuration.prepareDatabase { db in
      // One fsync a batch, on the writer's own thread: cheap at five batches a second, and then
      // even a loss of power costs no more than a SIGKILL does.
      try db.execute(sql: "PRAGMA synchronous = FULL")
    }
    do {
      let pool = try DatabasePool(path: path, configuration: configuration)
      let migrator = migrator
      if try pool.read(migrator.hasBeenSuperseded) {
        throw DecisionLogError.newerSchema(path: path)
      }
      try migrator.migrate(pool)
      return pool
    } catch {
      throw DecisionLogError(error, path: path)
    }
  }

  /// A new file is readable by its owner alone: it may hold prompts. SQLite gives the files beside
  /// it the same mode.
  private static func createPrivately(_ path: String) throws(DecisionLogError) {
    guard path != ":memory:", !path.isEmpty else {
      throw .cannotOpen(path: path, reason: "a file is needed")
    }
    let folder = (path as NSString).deletingLastPathComponent
    if !folder.isEmpty, !FileManager.default.fileExists(atPath: folder) {
      do {
        try FileManager.default.createDirectory(
          atPath: folder, withIntermediateDirectories: true,
          attributes: [.posixPermissions: 0o700])
      } catch {
        throw .cannotOpen(path: path, reason: "the folder \(folder) cannot be made")
      }
    }
    let descriptor = path.withCString { open($0, O_CREAT | O_RDWR | O_CLOEXEC, 0o600) }
    if descriptor >= 0 { close(descriptor) }
    // Where this failed, SQLite says why in its own words.
  }

  /// Every change of the schema, in order. A migration that has shipped is never edited.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: decisions, outcomes, feedback, statistics") { db in
      try db.execute(
        sql: """
          CREATE TABLE decisions (
            id TEXT NOT NULL PRIMARY KEY,
            time_ms INTEGER NOT NULL,
            prompt_text TEXT,
            prompt_sha256 TEXT,
            prompt_bytes INTEGER NOT NULL,
            expert TEXT NOT NULL,
            strategy TEXT NOT NULL,
            router_version TEXT,
            flags_json TEXT NOT NULL,
            constraints_json TEXT NOT NULL,
            experts_json TEXT NOT NULL,
            decision_ms REAL NOT NULL,
            endpoint TEXT,
            status TEXT NOT NULL,
            prompt_tokens INTEGER,
            completion_tokens INTEGER,
            first_token_ms REAL,
            total_ms REAL,
            finish_reason TEXT,
            error TEXT,
            output_characters INTEGER
          ) WITHOUT ROWID;
          CREATE INDEX decisions_time ON decisions (time_ms);
          CREATE INDEX decisions_expert ON decisions (expert, id);
          CREATE INDEX decisions_pending ON decisions (status) WHERE status = 'pending';

          CREATE TABLE outcomes (
            prompt_sha256 TEXT NOT NULL,
            expert TEXT NOT NULL,
            revision TEXT NOT NULL,
            domain TEXT NOT NULL,
            loss_bits_per_byte REAL NOT NULL CHECK (loss_bits_per_byte >= 0),
            bytes INTEGER NOT NULL,
            basis TEXT NOT NULL,
            source TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            PRIMARY KEY (prompt_sha256, expert, revision)
          ) WITHOUT ROWID;
          CREATE TABLE outcome_prompts (
            prompt_sha256 TEXT NOT NULL PRIMARY KEY,
            text TEXT NOT NULL,
            domain TEXT NOT NULL,
            source TEXT NOT NULL
          ) WITHOUT ROWID;

          CREATE TABLE feedback (
            decision_id TEXT NOT NULL REFERENCES decisions (id) ON DELETE CASCADE,
            time_ms INTEGER NOT NULL,
            score REAL NOT NULL CHECK (score BETWEEN -1 AND 1),
            comment TEXT
          );
          CREATE INDEX feedback_decision ON feedback (decision_id);

          CREATE TABLE expert_statistics (
            expert TEXT NOT NULL PRIMARY KEY,
            answers INTEGER NOT NULL,
            first_token_ms REAL,
            per_token_ms REAL,
            output_tokens REAL,
            reading_ease REAL,
            time_ms INTEGER NOT NULL
          ) WITHOUT ROWID;
          """)
    }
    migrator.registerMigration("2: active experts of outcomes") { db in
      try db.execute(sql: "ALTER TABLE outcomes ADD COLUMN active_experts REAL")
    }
    migrator.registerMigration("3: what first tokens wait for") { db in
      try db.execute(
        sql: """
          ALTER TABLE expert_statistics ADD COLUMN prefill_ms REAL;
          ALTER TABLE expert_statistics ADD COLUMN read_tokens REAL;
          """)
    }
    migrator.registerMigration("4: what answers cost") { db in
      try db.execute(sql: "ALTER TABLE decisions ADD COLUMN cost_usd REAL")
    }
    migrator.registerMigration("5: embeddings of judged prompts") { db in
      try db.execute(
        sql: """
          ALTER TABLE feedback ADD COLUMN embedding BLOB;
          ALTER TABLE feedback ADD COLUMN encoder TEXT;
          """)
    }
    migrator.registerMigration("6: whose key") { db in
      // The sums of what each key has cost are asked for at every start.
      try db.execute(
        sql: """
          ALTER TABLE decisions ADD COLUMN key_name TEXT;
          CREATE INDEX decisions_key ON decisions (key_name, id) WHERE key_name IS NOT NULL;
          CREATE INDEX decisions_cost ON decisions (key_name, time_ms, cost_usd) WHERE cost_usd > 0;
          """)
    }
    return migrator
  }
}
