import Foundation
import Testing

/// A model that sees, added by the command line and asked in every API's words.
@Suite(.serialized) struct ImageTests {
  private static let fixtures = Binary.packageRoot.appending(path: "Tests/VisionTests/Fixtures")
  private static let question = "What is this? One line, please."

  private func json(_ value: Any) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
  }

  @Test func imagesAreReadInEveryAPIsWords() async throws {
    let models = try ModelsFolder()
    let folder = Self.fixtures.appending(path: "tiny-smolvlm").path
    let added = try await Command.thalamus(
      "experts", "add", folder + "/model.gguf", "--projector", folder + "/mmproj.gguf", "--id",
      "eyes", "--models", models.path)
    #expect(added.status == 0, "\(added.errors)")
    for name in ["smollm2-135m", "router"] {
      try FileManager.default.createSymbolicLink(
        atPath: models.path + "/\(name)",
        withDestinationPath: Binary.packageRoot.appending(path: "models/\(name)").path)
    }
    let server = try await models.serve()
    let golden = JSON(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: Self.fixtures.appending(path: "tiny-smolvlm.json"))))
    let text = try #require(golden["text"].string)
    let image = try Data(
      contentsOf: Self.fixtures.appending(path: "images/\(golden["chatImage"].string ?? "")")
    ).base64EncodedString()
    let url = "data:image/png;base64," + image

    let chat: [String: Any] = [
      "temperature": 0, "max_tokens": 16,
      "messages": [
        [
          "role": "user",
          "content": [
            ["type": "image_url", "image_url": ["url": url]],
            ["type": "text", "text": Self.question],
          ],
        ]
      ],
    ]
    // Asked for or chosen: nobody else sees.
    for model in ["eyes", "auto"] {
      let reply = try await server.post(
        "/v1/chat/completions", json(chat.merging(["model": model]) { $1 }))
      #expect(reply.status == 200, "\(reply.text)")
      #expect(try reply.json["choices"][0]["message"]["content"].string == text)
      #expect(try reply.json["usage"]["prompt_tokens"].int == golden["prompt"].array.count)
      #expect(reply.headers["x-thalamus-expert"] == "eyes")
    }
    let routed = try await server.post("/route", json(chat))
    #expect(try routed.json["completion"]["text"].string == text, "\(routed.text)")
    let timings = try routed.json["timings"]
    let read = try #require(timings["image_ms"].double, "\(routed.text)")
    #expect(try #require(timings["first_token_ms"].double) > read)
    let reasons = try routed.json["decision"]["experts"].array
      .first { $0["expert"].string == "smollm2-135m" }?["reason"]
    #expect(reasons?["code"].string == "images", "\(routed.text)")

    let responses = try await server.post(
      "/v1/responses",
      json([
        "model": "eyes", "temperature": 0, "max_output_tokens": 16,
        "input": [
          [
            "role": "user",
            "content": [
              ["type": "input_image", "image_url": url],
              ["type": "input_text", "text": Self.question],
            ],
          ]
        ],
      ]))
    #expect(try responses.json["output"][0]["content"][0]["text"].string == text)
    let messages = try await server.post(
      "/v1/messages",
      json([
        "model": "eyes", "temperature": 0, "max_tokens": 16,
        "messages": [
          [
            "role": "user",
            "content": [
              [
                "type": "image",
                "source": ["type": "base64", "media_type": "image/png", "data": image],
              ],
              ["type": "text", "text": Self.question],
            ],
          ]
        ],
      ]))
    #expect(try messages.json["content"][0]["text"].string == text, "\(messages.text)")
    for path in ["/api/chat", "/api/generate"] {
      let message: [String: Any] = [
        "role": "user", "content": Self.question, "images": [image],
      ]
      let reply = try await server.post(
        path,
        json([
          "model": "eyes", "stream": false, "options": ["temperature": 0, "num_predict": 16],
          "messages": [message], "prompt": Self.question, "images": [image],
        ]))
      let found =
        try path == "/api/chat" ? reply.json["message"]["content"] : reply.json["response"]
      #expect(found.string == text, "\(reply.text)")
    }
    let shown = try await server.post("/api/show", #"{"model": "eyes"}"#)
    #expect(try shown.json["capabilities"].array.contains { $0.string == "vision" })

    // The image is nowhere in what is kept.
    let decisions = try await server.get("/decisions?limit=20")
    #expect(!decisions.text.contains(image.prefix(60)))
    #expect(decisions.text.contains(Self.question))

    // What is no image is the client's mistake, and the server goes on.
    for broken in [String(image.prefix(400)), "iVBORw0KGgo=", "aGVsbG8="] {
      let reply = try await server.post(
        "/api/generate",
        json(["model": "eyes", "prompt": "x", "images": [broken], "stream": false]))
      #expect(reply.status == 400, "\(reply.text)")
    }
    #expect(try await server.get("/healthz").status == 200)
  }
}
