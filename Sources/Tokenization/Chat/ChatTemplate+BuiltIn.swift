extension ChatTemplate {
  /// Templates for files that bring none, by the name that an expert's card gives.
  package enum BuiltIn: String, Sendable, CaseIterable {
    /// `<|im_start|>` and `<|im_end|>` around each message; Qwen, SmolLM and many others.
    case chatml
    /// Gemma's turns; a system message goes in front of the first user message.
    case gemma
    case llama3
    /// `[INST]`; a system message goes in front of the last user message.
    case mistral

    /// The template's text.
    package var source: String {
      switch self {
      case .chatml:
        """
        {%- for message in messages -%}
        {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}
        {%- endfor -%}
        {%- if add_generation_prompt -%}
        {{ '<|im_start|>assistant\\n' }}
        {%- endif -%}
        """
      case .gemma:
        """
        {{ bos_token }}
        {%- if messages and messages[0]['role'] == 'system' -%}
        {%- set prefix = messages[0]['content'] + '\\n\\n' -%}
        {%- set turns = messages[1:] -%}
        {%- else -%}
        {%- set prefix = '' -%}
        {%- set turns = messages -%}
        {%- endif -%}
        {%- for message in turns -%}
        {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
        {%- endif -%}
        {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
        {{ '<start_of_turn>' + role + '\\n' + (prefix if loop.first else '') }}
        {{- message['content'] | trim + '<end_of_turn>\\n' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}
        {{ '<start_of_turn>model\\n' }}
        {%- endif -%}
        """
      case .llama3:
        """
        {{ bos_token }}
        {%- for message in messages -%}
        {{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] | trim + '<|eot_id|>' -}}
        {%- endfor -%}
        {%- if add_generation_prompt -%}
        {{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {%- endif -%}
        """
      case .mistral:
        """
        {%- if messages and messages[0]['role'] == 'system' -%}
        {%- set system = messages[0]['content'] + '\\n\\n' -%}
        {%- set turns = messages[1:] -%}
        {%- else -%}
        {%- set system = '' -%}
        {%- set turns = messages -%}
        {%- endif -%}
        {{ bos_token }}
        {%- for message in turns -%}
        {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
        {%- endif -%}
        {%- if message['role'] == 'user' -%}
        {{ '[INST] ' + (system if loop.last else '') + message['content'] + '[/INST]' }}
        {%- else -%}
        {{ ' ' + message['content'] | trim + eos_token }}
        {%- endif -%}
        {%- endfor -%}
        """
      }
    }
  }

  package init(_ builtIn: BuiltIn) throws(ChatTemplateError) {
    try self.init(source: builtIn.source)
  }
}
