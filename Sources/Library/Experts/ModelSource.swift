import Kernels
import ModelFiles
import Tokenization
import Transformer

/// The files of a model that stands alone: a GGUF file, or a folder as Hugging Face's libraries save
/// it. Opening one touches no weight.
package enum ModelSource: Sendable {
  case gguf(GGUFFile)
  case checkpoint(CheckpointFolder)

  /// The model of an expert that is added to no base.
  package init(_ manifest: ExpertManifest) throws {
    if let folder = manifest.checkpointFolder {
      self = .checkpoint(try CheckpointFolder(path: folder))
    } else {
      self = .gguf(try GGUFFile(path: manifest.modelPath))
    }
  }

  package func tokenizer() throws(TokenizerError) -> any Tokenizer {
    switch self {
    case .gguf(let file): try makeTokenizer(from: file)
    case .checkpoint(let folder): try makeTokenizer(checkpoint: folder.path)
    }
  }

  /// The chat template that comes with the weights; nil if none does.
  package func chatTemplate() throws -> ChatTemplate? {
    switch self {
    case .gguf(let file): try ChatTemplate(file: file)
    case .checkpoint(let folder): try ChatTemplate(checkpoint: folder.path)
    }
  }

  package func decoder(
    pool: ComputePool, options: DecoderOptions
  ) throws(ModelError) -> Decoder {
    switch self {
    case .gguf(let file): try Decoder(file: file, pool: pool, options: options)
    case .checkpoint(let folder): try Decoder(checkpoint: folder, pool: pool, options: options)
    }
  }

  /// What the files say of the model.
  package func facts() throws -> ModelFacts {
    switch self {
    case .gguf(let file): ModelFacts(file)
    case .checkpoint(let folder): try ModelFacts(folder)
    }
  }
}
