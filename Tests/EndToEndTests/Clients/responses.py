"""OpenAI's Responses API, by its own client. usage: responses.py BASE_URL"""

import json
import sys

import openai
import pydantic

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0, timeout=120)
MODEL = {"model": "smollm2-135m", "temperature": 0}

reply = client.responses.create(input="Say hello.", max_output_tokens=100, **MODEL)
assert reply.status == "completed" and reply.output_text, reply
assert reply.model == "smollm2-135m" and reply.id.startswith("resp_"), reply
assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens > 0, reply.usage

routed = client.responses.create(model="auto", input="Write a Python function that adds.", max_output_tokens=5)
assert routed.status == "incomplete" and routed.incomplete_details.reason == "max_output_tokens", routed

# A conversation is sent as it was, the answers among it.
chat = [{"role": "user", "content": "My name is Anna."}, *reply.output,
        {"role": "user", "content": [{"type": "input_text", "text": "What is my name?"}]}]
went_on = client.responses.create(input=chat, instructions="Answer in a word.", max_output_tokens=30, **MODEL)
same = client.chat.completions.create(max_tokens=30, **MODEL, messages=[
    {"role": "system", "content": "Answer in a word."}, {"role": "user", "content": "My name is Anna."},
    {"role": "assistant", "content": reply.output_text}, {"role": "user", "content": "What is my name?"}])
assert went_on.output_text == same.choices[0].message.content, (went_on, same)
assert went_on.usage.input_tokens == same.usage.prompt_tokens, (went_on, same)


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0, le=150)


parsed = client.responses.parse(
    input="Anna is 31. Describe her as JSON.", text_format=Person, max_output_tokens=100, **MODEL)
assert parsed.output_parsed == Person(name="Anna", age=31), parsed

# Streamed: the client puts the same answer together from its events.
with client.responses.stream(input="Say hello.", max_output_tokens=100, **MODEL) as stream:
    events = list(stream)
    final = stream.get_final_response()
assert final.output_text == reply.output_text, final.output_text
kinds = [event.type for event in events]
assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed", kinds
assert [event.sequence_number for event in events] == list(range(len(events))), events
assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == final.output_text

# Functions: called, answered, and the answer read on.
tools = [{"type": "function", "name": "add", "description": "Adds two numbers", "strict": True, "parameters": {
    "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"],
    "additionalProperties": False}}]
asked = [{"role": "user", "content": "What is 17 plus 25?"}]
called = client.responses.create(input=asked, tools=tools, tool_choice="required", **MODEL)
assert [item.type for item in called.output] == ["function_call"], called.output
call = called.output[0]
assert call.name == "add" and json.loads(call.arguments) == {"a": 17, "b": 25}, call
answered = client.responses.create(
    input=asked + called.output + [{"type": "function_call_output", "call_id": call.call_id, "output": "42"}],
    tools=tools, max_output_tokens=60, **MODEL)
assert answered.output_text and "42" in answered.output_text, answered.output

with client.responses.stream(input=asked, tools=tools, tool_choice={"type": "function", "name": "add"}, **MODEL) as stream:
    events = list(stream)
    final = stream.get_final_response()
assert final.output[0].arguments == call.arguments, final.output
assert sum(event.type == "response.function_call_arguments.delta" for event in events) > 3, events

for fields, param in [({"input": []}, "input"), ({"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
                      ({"input": [{"type": "item_reference", "id": "1"}]}, "input[0].type"),
                      ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
                       "input[0].content[0].image_url"),
                      ({"input": [{"role": "user", "content": [
                          {"type": "input_image", "image_url": "https://example.com/a.png"}]}]}, "messages"),
                      ({"input": "x", "text": {"format": {"type": "json_schema", "name": "a", "schema": {"not": {}}}}}, "text.format"),
                      ({"input": "x", "tools": [{"type": "web_search"}]}, "tools[0].type")]:
    try:
        client.responses.create(**MODEL, **fields)
        raise AssertionError(f"taken: {fields}")
    except openai.BadRequestError as error:
        assert error.param == param, (fields, error)

print("all checks passed")
