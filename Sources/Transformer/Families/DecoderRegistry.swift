/// The decoder families that this build knows.
package enum DecoderRegistry {
  /// All families, in the order of their names.
  package static var families: [any DecoderFamily.Type] {
    [
      DeepSeek2.self,
      Ernie45.self,
      Ernie45MoE.self,
      GLM4.self,
      GLM4MoE.self,
      GPTOSS.self,
      Gemma.self,
      Gemma2.self,
      Gemma3.self,
      Gemma4.self,
      Granite.self,
      GraniteHybrid.self,
      GraniteMoE.self,
      LFM2.self,
      LFM2MoE.self,
      Llama.self,
      Mamba2.self,
      Mistral3.self,
      NemotronH.self,
      NemotronHMoE.self,
      OLMo2.self,
      OLMoE.self,
      Phi3.self,
      Qwen2.self,
      Qwen2MoE.self,
      Qwen3.self,
      Qwen35.self,
      Qwen35MoE.self,
      Qwen3MoE.self,
      Qwen3Next.self,
      Qwen3VL.self,
      Qwen3VLMoE.self,
      SmolLM3.self,
    ]
  }

  /// The family of a `general.architecture`.
  package static func family(
    architecture: String
  ) throws(ModelError) -> any DecoderFamily.Type {
    guard let family = families.first(where: { $0.architecture == architecture }) else {
      throw .unknownArchitecture(architecture, known: families.map { $0.architecture })
    }
    return family
  }
}
