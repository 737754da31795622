import Generation
import Thalamus

extension ThalamusService {
  /// What a request in OpenAI's words asks of the router and of the expert; what it leaves open, the configuration says.
  func request(
    model: String, input: PromptInput, _ routing: RoutingExtension, _ fields: GenerationFields
  ) -> (routing: RoutingRequest, parameters: SamplingParameters) {
    let generation = configuration.generation
    return (
      routing.routingRequest(
        model: aliases.model(model), input: input,
        maxTokens: fields.maxTokens ?? generation.defaultMaxTokens, seed: fields.seed),
      fields.parameters(
        defaultMaxTokens: generation.defaultMaxTokens,
        defaultTemperature: generation.defaultTemperature)
    )
  }
}
