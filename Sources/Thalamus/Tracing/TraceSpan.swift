import Foundation

/// A piece of work with its beginning and end, as OpenTelemetry has it.
package struct TraceSpan: Sendable {
  package enum Value: Sendable {
    case text(String)
    case whole(Int)
    case number(Double)
    case texts([String])
  }

  /// What it is to others, by OpenTelemetry's numbers.
  package enum Kind: Int, Sendable { case inner = 1, server = 2, client = 3 }

  package let traceID: String
  package let spanID: String
  package let parentSpanID: String?
  package let name: String
  package let kind: Kind
  package let start: Date
  package let end: Date
  package let attributes: [(key: String, value: Value)]
  /// What went wrong; nil where nothing did.
  package let error: String?

  package init(
    traceID: String, spanID: String, parentSpanID: String?, name: String, kind: Kind,
    start: Date, end: Date, attributes: [(key: String, value: Value)], error: String? = nil
  ) {
    self.traceID = traceID
    self.spanID = spanID
    self.parentSpanID = parentSpanID
    self.name = name
    self.kind = kind
    self.start = start
    self.end = end
    self.attributes = attributes
    self.error = error
  }

}

// MARK: OTLP

extension TraceSpan {
  /// The body of `POST /v1/traces`: OTLP's JSON form (https://opentelemetry.io/docs/specs/otlp/), in which ids are
  /// hexadecimal and numbers of 64 bits are texts.
  static func otlp(_ spans: [TraceSpan], version: String) -> [UInt8] {
    let request = Request(resourceSpans: [
      .init(
        resource: .init(attributes: [
          Attribute("service.name", .text("thalamus")),
          Attribute("service.version", .text(version)),
        ]),
        scopeSpans: [.init(scope: .init(name: "thalamus"), spans: spans.map(Span.init))])
    ])
    return Array((try? JSONEncoder().encode(request)) ?? Data())
  }

  private struct Request: Encodable {
    struct Resource: Encodable { let attributes: [Attribute] }
    struct Scope: Encodable { let name: String }
    struct ScopeSpans: Encodable {
      let scope: Scope
      let spans: [Span]
    }
    struct ResourceSpans: Encodable {
      let resource: Resource
      let scopeSpans: [ScopeSpans]
    }
    let resourceSpans: [ResourceSpans]
  }

  private struct Span: Encodable {
    struct Status: Encodable {
      let code: Int
      let message: String?
    }
    let traceId: String
    let spanId: String
    let parentSpanId: String?
    let name: String
    let kind: Int
    let startTimeUnixNano: String
    let endTimeUnixNano: String
    let attributes: [Attribute]
    let status: Status?

    init(_ span: TraceSpan) {
      func nanoseconds(_ date: Date) -> String {
        // A double has no more than microseconds of today's dates.
        String(UInt64(max(0, date.timeIntervalSince1970 * 1e6))) + "000"
      }
      traceId = span.traceID
      spanId = span.spanID
      parentSpanId = span.parentSpanID
      name = span.name
      kind = span.kind.rawValue
      startTimeUnixNano = nanoseconds(span.start)
      endTimeUnixNano = nanoseconds(max(span.start, span.end))
      attributes = span.attributes.map { Attribute($0.key, $0.value) }
      status = span.error.map { Status(code: 2, message: String($0.prefix(1000))) }
    }
  }

  private struct Attribute: Encodable {
    let key: String
    let value: AnyValue

    init(_ key: String, _ value: TraceSpan.Value) {
      self.key = key
      self.value = AnyValue(value: value)
    }
  }

  private struct AnyValue: Encodable {
    struct Values: Encodable { let values: [AnyValue] }
    enum CodingKeys: String, CodingKey { case stringValue, intValue, doubleValue, arrayValue }
    let value: TraceSpan.Value

    func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      switch value {
      case .text(let text): try values.encode(text, forKey: .stringValue)
      case .whole(let number): try values.encode(String(number), forKey: .intValue)
      case .number(let number):
        try values.encode(number.isFinite ? number : 0, forKey: .doubleValue)
      case .texts(let texts):
        try values.encode(
          Values(values: texts.map { AnyValue(value: .text($0)) }), forKey: .arrayValue)
      }
    }
  }
}
