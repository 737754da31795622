import HTTP
import JSON

/// `GET /openapi.json`: all routes, for programs that make clients (OpenAPI 3.1). A test compares it with the routes.
enum OpenAPIDocument {
  static let response = HTTPResponse.json(json.json)

  private static let json = JSONValue.object([
    ("openapi", .string("3.1.0")),
    (
      "info",
      .object([
        ("title", .string("Thalamus")), ("version", .string("1")),
        (
          "description",
          .string(
            "An inference server that sends each prompt to the model that will do best on it.")
        ),
        (
          "license",
          .object([("name", .string("Apache-2.0")), ("identifier", .string("Apache-2.0"))])
        ),
      ])
    ),
    ("security", .array([.object([]), scheme("bearer"), scheme("header")])),
    ("paths", .object(paths)),
    (
      "components",
      .object([
        ("schemas", .object(schemas.map { ($0.name, $0.schema) })),
        ("responses", .object(["Error", "AnthropicError", "OllamaError"].map { ($0, error($0)) })),
        (
          "securitySchemes",
          .object([
            ("bearer", .object([("type", .string("http")), ("scheme", .string("bearer"))])),
            (
              "header",
              .object([
                ("type", .string("apiKey")), ("in", .string("header")),
                ("name", .string("x-api-key")),
              ])
            ),
          ])
        ),
      ])
    ),
  ])

  /// By path, in the operations' order.
  private static var paths: [(key: String, value: JSONValue)] {
    var paths: [(key: String, value: JSONValue)] = []
    for operation in operations {
      let method = operation.method.rawValue.lowercased()
      if let index = paths.firstIndex(where: { $0.key == operation.path }) {
        paths[index].value = paths[index].value.with(method, operation.json)
      } else {
        paths.append((operation.path, .object([(method, operation.json)])))
      }
    }
    return paths
  }

  private static func scheme(_ name: String) -> JSONValue { .object([(name, .array([]))]) }

  private static func error(_ name: String) -> JSONValue {
    .object([
      ("description", .string("What was wrong.")),
      (
        "content",
        .object([("application/json", .object([("schema", APISchema.ref(name))]))])
      ),
    ])
  }
}
