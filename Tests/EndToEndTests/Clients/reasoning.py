"""Thinking before the answer, by the official clients. usage: reasoning.py BASE_URL

The expert `thinker` is SmolLM2 under a template that opens its thinking; a budget ends it."""

import json
import sys

import anthropic
import ollama
import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0, timeout=120)
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
ASKED = {"model": "thinker", "temperature": 0, "max_tokens": 40, "messages": QUESTION}
BUDGET = {"thinking_budget_tokens": 5}

whole = client.chat.completions.create(**ASKED, extra_body=BUDGET)
message = whole.choices[0].message
assert message.reasoning_content and message.content, whole
assert "think>" not in message.reasoning_content + message.content, whole
assert message.content == message.content.lstrip(), whole
count = whole.usage.completion_tokens_details.reasoning_tokens
assert 5 <= count < 15 and count < whole.usage.completion_tokens, whole.usage

stream = list(client.chat.completions.create(
    **ASKED, extra_body=BUDGET, stream=True, stream_options={"include_usage": True}))
deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]
thought = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
assert "".join(thought) == message.reasoning_content, thought
assert len([piece for piece in thought if piece]) > 2, thought
assert "".join(delta.content or "" for delta in deltas) == message.content
assert stream[-1].usage.completion_tokens_details.reasoning_tokens == count, stream[-1]

# Thinking counts for the limit, and what is not ended is thinking.
cut = client.chat.completions.create(**{**ASKED, "max_tokens": 5})
assert cut.choices[0].finish_reason == "length" and not cut.choices[0].message.content, cut
assert cut.choices[0].message.reasoning_content, cut
assert cut.usage.completion_tokens_details.reasoning_tokens == 5, cut

# Turned off, whichever way; the template is told.
ways = [{"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}, {"thinking_budget_tokens": 0}]
answers = [client.chat.completions.create(**ASKED, extra_body=way) for way in ways]
assert not any(hasattr(answer.choices[0].message, "reasoning_content") for answer in answers), answers
assert len({answer.choices[0].message.content for answer in answers}) == 1, answers
assert answers[0].usage.completion_tokens_details is None, answers[0]

# A format is the answer's alone.
schema = {"type": "object", "properties": {"capital": {"type": "string", "maxLength": 12}}, "required": ["capital"]}
form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
kept = client.chat.completions.create(**ASKED, extra_body=BUDGET, response_format=form).choices[0]
assert kept.message.reasoning_content and kept.finish_reason == "stop", kept
assert list(json.loads(kept.message.content)) == ["capital"], kept
tool = {"type": "function", "function": {"name": "find", "parameters": schema}}
called = client.chat.completions.create(
    **{**ASKED, "max_tokens": 150}, extra_body=BUDGET, tools=[tool], tool_choice="required").choices[0]
assert called.finish_reason == "tool_calls" and called.message.reasoning_content, called
assert called.message.tool_calls[0].function.name == "find", called

# What was thought goes back to the template, which here gives it to the model.
def prompt_tokens(**fields):
    chat = [*QUESTION, {"role": "assistant", "content": "Paris.", **fields}, {"role": "user", "content": "Sure?"}]
    return client.chat.completions.create(**{**ASKED, "messages": chat, "max_tokens": 1}).usage.prompt_tokens
assert prompt_tokens(reasoning_content="It is Paris.") > prompt_tokens()
assert prompt_tokens(reasoning="It is Paris.") == prompt_tokens(reasoning_content="It is Paris.")

# An answer that was begun within its thinking.
begun = [*QUESTION, {"role": "assistant", "content": "<think>\nThe user asks for Paris.\n</think>\n\nIt is"}]
on = client.chat.completions.create(**{**ASKED, "messages": begun, "max_tokens": 8}).choices[0].message
assert on.content and not hasattr(on, "reasoning_content"), on

# OpenAI's newer API.
reply = client.responses.create(model="thinker", input=QUESTION, temperature=0, max_output_tokens=40, extra_body=BUDGET)
assert [item.type for item in reply.output] == ["reasoning", "message"], reply
assert reply.output[0].content[0].text == message.reasoning_content, reply
assert reply.output_text == message.content, reply
assert reply.usage.output_tokens_details.reasoning_tokens == count, reply.usage
with client.responses.stream(
    model="thinker", input=QUESTION, temperature=0, max_output_tokens=40, extra_body=BUDGET) as events:
    seen = list(events)
    final = events.get_final_response()
assert final.output_text == message.content and final.output[0].content[0].text == message.reasoning_content, final
deltas = [event.delta for event in seen if event.type == "response.reasoning_text.delta"]
assert "".join(deltas) == message.reasoning_content and len(deltas) > 2, deltas
assert [event.sequence_number for event in seen] == list(range(len(seen))), seen
none = client.responses.create(
    model="thinker", input=QUESTION, temperature=0, max_output_tokens=40, reasoning={"effort": "none"})
assert [item.type for item in none.output] == ["message"], none
assert none.output_text == answers[0].choices[0].message.content, none
again = client.responses.create(
    model="thinker", input=[*QUESTION, *reply.output, {"role": "user", "content": "Sure?"}], max_output_tokens=1)
assert again.usage.input_tokens > 0, again

# Ollama's.
other = ollama.Client(host=sys.argv[1], timeout=120)
assert other.show("thinker").capabilities == ["completion", "tools", "thinking"]
assert other.show("plain").capabilities == ["completion", "tools"]
options = {"temperature": 0, "num_predict": 5}
chat = other.chat(model="thinker", messages=QUESTION, think=True, options=options)
assert chat.message.thinking and chat.done_reason == "length", chat
pieces = list(other.chat(model="thinker", messages=QUESTION, think="low", options=options, stream=True))
assert "".join(piece.message.thinking or "" for piece in pieces) == chat.message.thinking, pieces
still = other.chat(model="thinker", messages=QUESTION, think=False, options=options)
assert not still.message.thinking and still.message.content, still
made = other.generate(model="thinker", prompt=QUESTION[0]["content"], think=True, options=options)
assert made.thinking == chat.message.thinking and not made.response, made
made = other.generate(model="thinker", prompt=QUESTION[0]["content"], think=False, options=options)
assert made.response == still.message.content and not made.thinking, made
other.chat(model="thinker", messages=[*QUESTION, chat.message, QUESTION[0]], options=options)

# Anthropic's: what is thought is a block of its own, for who asks for it.
claude = anthropic.Anthropic(base_url=sys.argv[1], api_key="unused", max_retries=0, timeout=120)
asked = {"model": "thinker", "max_tokens": 40, "messages": QUESTION, "extra_body": {"temperature": 0}}
enabled = {"type": "enabled", "budget_tokens": 5}
reply = claude.messages.create(**asked, thinking=enabled)
assert [block.type for block in reply.content] == ["thinking", "text"], reply
assert reply.content[0].thinking == message.reasoning_content and reply.content[1].text == message.content, reply
with claude.messages.stream(**asked, thinking=enabled) as events:
    kinds = [event.type for event in events]
    final = events.get_final_message()
assert [block.type for block in final.content] == ["thinking", "text"], final
assert final.content[0].thinking == message.reasoning_content and final.content[1].text == message.content, final
assert "thinking" in kinds and kinds.count("content_block_stop") == 2, kinds
silent = claude.messages.create(**asked)
assert [block.type for block in silent.content] == ["text"], silent
assert silent.content[0].text == answers[0].choices[0].message.content, silent
claude.messages.create(**{**asked, "messages": [
    *QUESTION, {"role": "assistant", "content": reply.content}, {"role": "user", "content": "Sure?"}]})

# A model that does not think takes no notice.
plain = client.chat.completions.create(
    **{**ASKED, "model": "plain"}, reasoning_effort="high", extra_body=BUDGET).choices[0].message
assert plain.content and not hasattr(plain, "reasoning_content"), plain

print("all checks passed")
