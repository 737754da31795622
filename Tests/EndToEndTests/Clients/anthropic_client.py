"""Anthropic's Messages API, by its own client. usage: anthropic_client.py BASE_URL KEYED_URL KEY

The second server asks for a key, and has the alias claude-test=smollm2-135m."""

import http.client
import json
import sys

import anthropic
import httpx2
import pydantic

base, keyed, key = sys.argv[1:]
client = anthropic.Anthropic(base_url=base, api_key="unused", max_retries=0, timeout=120)
# Newer ones have no `temperature` of their own.
MODEL = {"model": "smollm2-135m", "max_tokens": 100, "extra_body": {"temperature": 0}}
HELLO = [{"role": "user", "content": "Say hello."}]

raw = client.messages.with_raw_response.create(messages=HELLO, **MODEL)
reply = raw.parse()
assert reply.type == "message" and reply.role == "assistant" and reply.model == "smollm2-135m", reply
assert [block.type for block in reply.content] == ["text"] and reply.content[0].text, reply
assert reply.stop_reason == "end_turn" and reply.stop_sequence is None, reply
assert reply.usage.output_tokens > 0 and reply.usage.cache_creation_input_tokens == 0, reply.usage
decision = raw.headers["x-thalamus-decision"]
assert reply.id == "msg_" + decision and reply._request_id == "req_" + decision, raw.headers
assert raw.headers["x-thalamus-expert"] == "smollm2-135m", raw.headers

# The decision is found by the reply's id, and feedback taken.
assert httpx2.get(f"{base}/decisions/{reply.id}").json()["id"] == decision
said = httpx2.post(f"{base}/feedback", json={"decision": reply.id, "score": 1}).json()
assert said["decision"] == decision and said["expert"] == "smollm2-135m", said

# What is counted before is what was read, wherever it comes from.
read = client.messages.count_tokens(model="smollm2-135m", messages=HELLO).input_tokens
assert reply.usage.input_tokens + reply.usage.cache_read_input_tokens == read, reply.usage
long = {"system": "You are kind. " * 100, "messages": HELLO}
first, again = (client.messages.create(**{**MODEL, **long, "max_tokens": 8}) for _ in range(2))
assert again.content == first.content and again.usage.cache_read_input_tokens > 100, again
assert client.messages.count_tokens(model="smollm2-135m", **long).input_tokens == \
    again.usage.input_tokens + again.usage.cache_read_input_tokens
assert client.messages.count_tokens(model="auto", messages=HELLO).input_tokens > 0

routed = client.messages.create(
    model="auto", messages=[{"role": "user", "content": "Write a Python function that adds."}], max_tokens=4,
    extra_body={"thalamus": {"constraints": {"experts": ["gemma3-270m"]}}})
assert routed.model == "gemma3-270m" and routed.stop_reason == "max_tokens", routed
flagged = client.messages.create(
    model="auto", system="[Flag: expert=smollm2-135m-law]", messages=HELLO, max_tokens=4)
assert flagged.model == "smollm2-135m-law", flagged

# A conversation in blocks is the same as one in texts.
blocks = client.messages.create(
    system=[{"type": "text", "text": "Answer in a word.", "cache_control": {"type": "ephemeral"}}], **MODEL,
    messages=[{"role": "user", "content": [{"type": "text", "text": "My name is Anna."}]},
              {"role": "assistant", "content": [
                  {"type": "thinking", "thinking": "So Anna it is.", "signature": "x"},
                  {"type": "text", "text": "Hello "}, {"type": "text", "text": "Anna."}]},
              {"role": "user", "content": "I ask you:"}, {"role": "user", "content": "What is my name?"}])
texts = client.messages.create(system="Answer in a word.", **MODEL, messages=[
    {"role": "user", "content": "My name is Anna."}, {"role": "assistant", "content": "Hello Anna."},
    {"role": "user", "content": "I ask you:\n\nWhat is my name?"}])
assert blocks.content == texts.content, (blocks, texts)

# An answer that was begun is gone on with; a text to stop at ends it, and is told.
begun = client.messages.create(**MODEL, stop_sequences=["5", "4"], messages=[
    {"role": "user", "content": "Count from 1 to 9."}, {"role": "assistant", "content": "1, 2, 3,"}])
assert begun.stop_reason == "stop_sequence" and begun.stop_sequence == "4", begun
assert begun.content == [] or not begun.content[0].text.strip(), begun

# Streamed: the same answer, put together by hand and by the client.
events = list(client.messages.create(messages=HELLO, stream=True, **MODEL))
kinds = [event.type for event in events]
assert kinds[:2] == ["message_start", "content_block_start"], kinds
assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
assert kinds.count("content_block_delta") > 2, kinds
pieces = [event.delta.text for event in events if event.type == "content_block_delta"]
assert "".join(pieces) == reply.content[0].text, pieces
with client.messages.stream(messages=HELLO, **MODEL) as stream:
    assert "".join(stream.text_stream) == reply.content[0].text
    final = stream.get_final_message()
assert final.content[0].text == reply.content[0].text and final.stop_reason == "end_turn", final
assert final.usage.output_tokens == reply.usage.output_tokens, final.usage
assert final.usage.input_tokens + final.usage.cache_read_input_tokens == read, final.usage
with client.messages.stream(messages=HELLO, stop_sequences=["o"], **MODEL) as stream:
    final = stream.get_final_message()
assert final.stop_reason == "stop_sequence" and final.stop_sequence == "o", final
lines = httpx2.post(f"{base}/v1/messages", json={"model": "auto", "max_tokens": 4, "messages": HELLO, "stream": True}, timeout=120).text
assert 'event: ping\ndata: {"type":"ping"}\n\n' in lines, lines

# Functions: called, answered, and the answer read on.
tools = [{"name": "add", "description": "Adds two numbers", "strict": True, "input_schema": {
    "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"],
    "additionalProperties": False}}]
asked = [{"role": "user", "content": "What is 17 plus 25?"}]
for choice in ({"type": "any"}, {"type": "tool", "name": "add", "disable_parallel_tool_use": True}):
    called = client.messages.create(messages=asked, tools=tools, tool_choice=choice, **MODEL)
    assert called.stop_reason == "tool_use" and [block.type for block in called.content] == ["tool_use"], called
    call = called.content[0]
    assert call.name == "add" and call.input == {"a": 17, "b": 25}, call
assert client.messages.count_tokens(model="smollm2-135m", messages=asked, tools=tools, tool_choice=choice).input_tokens == \
    called.usage.input_tokens + called.usage.cache_read_input_tokens
for content in ("42", [{"type": "text", "text": "42"}]):
    answered = client.messages.create(tools=tools, **MODEL, messages=[
        *asked, {"role": "assistant", "content": called.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": content}]}])
    assert answered.stop_reason == "end_turn" and "42" in answered.content[0].text, answered
with client.messages.stream(messages=asked, tools=tools, tool_choice={"type": "any"}, **MODEL) as stream:
    kinds = [event.type for event in stream]
    final = stream.get_final_message()
assert final.content[0].input == call.input and final.stop_reason == "tool_use", final
assert kinds.count("input_json") > 3, kinds
wordy = client.messages.create(messages=asked, tools=tools, tool_choice={"type": "none"}, **MODEL)
assert [block.type for block in wordy.content] == ["text"], wordy
cut = client.messages.create(messages=asked, tools=tools, tool_choice={"type": "any"}, **{**MODEL, "max_tokens": 18})
assert cut.stop_reason == "max_tokens" and cut.content == [], cut


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0, le=150)


about = [{"role": "user", "content": "Anna is 31. Describe her as JSON."}]
parsed = client.messages.parse(messages=about, output_format=Person, **MODEL)
assert parsed.parsed_output == Person(name="Anna", age=31), parsed
plain = client.messages.create(messages=about, **MODEL, output_config={"format": {
    "type": "json_schema", "schema": {"type": "object", "properties": {"age": {"type": "integer"}},
                                      "required": ["age"], "additionalProperties": False}}})
assert json.loads(plain.content[0].text) == {"age": 31}, plain

# Models, page by page.
names = [model.id for model in client.models.list(limit=3)]
assert names[0] == "auto" and "smollm2-135m" in names and len(names) == len(set(names)), names
assert names == [model.id for model in client.models.list()], names
one = client.models.retrieve("gemma3-270m")
assert one.type == "model" and one.display_name != one.id and one.created_at.year == 2025, one

# Errors have their types.
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
for fields, kind, code, words in [
    ({"model": "claude-opus-4-1", "messages": HELLO}, anthropic.NotFoundError, "model_not_found", "models.aliases"),
    ({"messages": []}, anthropic.BadRequestError, "invalid_value", "messages"),
    ({"messages": [{"role": "user", "content": [IMAGE]}]}, anthropic.BadRequestError, "unsupported_value", "reads no images"),
    ({"messages": HELLO, "max_tokens": 0}, anthropic.BadRequestError, "invalid_value", "max_tokens"),
    ({"messages": HELLO, "tools": [{"type": "web_search_20250305", "name": "web_search"}]},
     anthropic.BadRequestError, "unsupported_parameter", "web_search_20250305"),
    ({"messages": HELLO, "extra_body": {"local_only": True}}, anthropic.BadRequestError, "misplaced_key", "thalamus"),
    ({"model": "auto", "messages": HELLO, "extra_body": {"thalamus": {"constraints": {"max_parameters": 1}}}},
     anthropic.UnprocessableEntityError, "no_eligible_expert", "parameters"),
]:
    try:
        client.messages.create(**{**MODEL, **fields})
        raise AssertionError(f"taken: {fields}")
    except kind as error:
        assert error.error_code == code and words in error.api_message, (fields, error)
        assert error.body["type"] == "error" and error.type == error.body["error"]["type"], error.body
try:
    client.models.retrieve("none")
    raise AssertionError("found")
except anthropic.NotFoundError as error:
    assert error.type == "not_found_error", error

try:
    client.messages.batches.create(requests=[])
    raise AssertionError("found")
except anthropic.NotFoundError as error:
    assert error.type == "not_found_error" and error.error_code == "not_found", error
large = http.client.HTTPConnection(base.removeprefix("http://"))
large.putrequest("POST", "/v1/messages")
large.putheader("Content-Length", str(1 << 30))
large.endheaders()
refused = large.getresponse()
said = json.loads(refused.read())
assert refused.status == 413 and said["error"]["type"] == "request_too_large", said

# Keys, by either header; another name for a model.
for arguments in ({"api_key": key}, {"auth_token": key}):
    known = anthropic.Anthropic(base_url=keyed, max_retries=0, timeout=120, **arguments)
    assert known.messages.create(messages=HELLO, **{**MODEL, "model": "claude-test"}).content == reply.content
    assert "claude-test" in [model.id for model in known.models.list()]
stranger = anthropic.Anthropic(base_url=keyed, api_key="another", max_retries=0, timeout=120)
for call in (lambda: stranger.messages.create(messages=HELLO, **MODEL), lambda: stranger.models.list()):
    try:
        call()
        raise AssertionError("let in")
    except anthropic.AuthenticationError as error:
        assert error.type == "authentication_error" and error.error_code == "invalid_api_key", error

print("all checks passed")
