import Tokenization

/// `images` of Ollama's routes: files in base64, or `data:` addresses.
enum OllamaImages {
  static func images(
    _ texts: [String], at path: String
  ) throws(APIError) -> [ChatMessage.Part] {
    var parts: [ChatMessage.Part] = []
    for (index, text) in texts.enumerated() {
      do throws(ChatImage.Problem) {
        parts.append(
          .image(
            text.contains(":") ? try ChatImage(url: text) : try ChatImage(base64: text)))
      } catch {
        throw .unreadableImage(error, at: "\(path)[\(index)]")
      }
    }
    return parts
  }
}
