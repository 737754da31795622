"""Answers in the format that was asked for, checked by pydantic and jsonschema; functions. usage: formats.py BASE_URL"""

import json
import sys
import typing

import jsonschema
import openai
import pydantic

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0, timeout=120)


class Pet(pydantic.BaseModel):
    kind: typing.Literal["cat", "dog", "fish"]
    name: str | None


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0, le=150)
    pets: list[Pet] = pydantic.Field(max_length=3)
    city: str


def ask(text, **fields):
    fields = {"model": "smollm2-135m", "max_tokens": 300, "temperature": 0, **fields}
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **fields)


anna = "Anna is 31, lives in Porto and has a cat named Tom. Describe her as JSON."
parsed = client.chat.completions.parse(
    model="smollm2-135m", messages=[{"role": "user", "content": anna}], response_format=Person,
    max_tokens=300, temperature=0).choices[0]
assert parsed.finish_reason == "stop", parsed
assert isinstance(parsed.message.parsed, Person), parsed
assert (parsed.message.parsed.name, parsed.message.parsed.age) == ("Anna", 31), parsed

anything = ask("Describe Porto as a JSON object.", response_format={"type": "json_object"})
if anything.choices[0].finish_reason == "stop":
    assert isinstance(json.loads(anything.choices[0].message.content), dict), anything

# Streamed, and by the router's choice: the same rules.
pieces = [
    chunk.choices[0].delta.content or ""
    for chunk in client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": anna}], max_tokens=300, temperature=0, stream=True,
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": Person.model_json_schema()}})
    if chunk.choices]
Person.model_validate_json("".join(pieces))

# Random answers: what is whole is valid, whichever model and however it was drawn.
schemas = [
    {"type": "object", "properties": {"b": {"type": "number", "minimum": -2.5, "exclusiveMaximum": 7},
                                      "a": {"type": ["string", "null"], "maxLength": 12}}, "required": ["b"]},
    {"type": "array", "items": {"enum": ["red", "green", 3, None]}, "minItems": 1, "maxItems": 5},
    {"type": "object", "properties": {"when": {"type": "string", "format": "date-time"},
                                      "id": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"}}, "required": ["when", "id"]},
    {"$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer", "minimum": 1, "maximum": 250},
                                                          "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]}},
                        "required": ["v", "next"], "additionalProperties": False}}, "$ref": "#/$defs/node"},
    {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 8},
                                               "maxItems": 3}}, "additionalProperties": {"type": "boolean"}, "required": ["tags"]},
    {"anyOf": [{"const": {"ok": True}}, {"type": "integer", "exclusiveMinimum": 99, "maximum": 1200}]},
]
whole = 0
for model in ("smollm2-135m", "gemma3-270m", "smollm2-135m-code"):
    for index, schema in enumerate(schemas):
        for seed in range(2):
            answer = ask(f"Write something as JSON, number {seed}.", model=model, temperature=1.5, seed=seed, max_tokens=120,
                         response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
            choice = answer.choices[0]
            if choice.finish_reason == "length":
                continue
            whole += 1
            jsonschema.validate(json.loads(choice.message.content), schema,
                                format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
assert whole >= 18, whole

try:
    ask("x", response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}})
    raise AssertionError("a schema that can't be kept to was taken")
except openai.BadRequestError as error:
    assert error.param == "response_format" and "'not' is not supported" in str(error), error

# Functions: asked for, answered, and the answer read on.
tools = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Current weather in a city", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"]}}},
    {"type": "function", "function": {
        "name": "add", "description": "Adds two numbers", "strict": True, "parameters": {
            "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"], "additionalProperties": False}}},
]
called = ask("What is 17 plus 25?", tools=tools, tool_choice="required").choices[0]
assert called.finish_reason == "tool_calls", called
assert called.message.content is None and len(called.message.tool_calls) == 1, called
call = called.message.tool_calls[0]
assert call.function.name == "add" and json.loads(call.function.arguments) == {"a": 17, "b": 25}, call

named = ask("What is the weather in Porto, in celsius?", model="auto", tools=tools,
            tool_choice={"type": "function", "function": {"name": "get_weather"}}).choices[0].message
arguments = json.loads(named.tool_calls[0].function.arguments)
assert set(arguments) == {"city", "unit"} and arguments["unit"] in ("celsius", "fahrenheit"), arguments

went_on = client.chat.completions.create(
    model="smollm2-135m", max_tokens=60, temperature=0, tools=tools, tool_choice="none",
    messages=[{"role": "user", "content": "What is the weather in Porto?"}, named,
              {"role": "tool", "tool_call_id": named.tool_calls[0].id, "content": "21 degrees and sunny"}])
assert went_on.choices[0].message.content and not went_on.choices[0].message.tool_calls, went_on

# Streamed, the client puts the same call together.
with client.chat.completions.stream(
        model="smollm2-135m", messages=[{"role": "user", "content": "What is 17 plus 25?"}], tools=tools,
        tool_choice="required", max_tokens=300, temperature=0) as stream:
    final = stream.get_final_completion().choices[0]
assert final.finish_reason == "tool_calls", final
assert final.message.tool_calls[0].function.arguments == call.function.arguments, final

# The arguments come as they are written.
chunks = [chunk.choices[0].delta for chunk in ask(
    "What is 17 plus 25?", tools=tools, tool_choice="required", stream=True) if chunk.choices]
pieces = [piece for delta in chunks for piece in delta.tool_calls or []]
assert pieces[0].function.name == "add" and pieces[0].id and pieces[0].function.arguments == "", pieces
assert len(pieces) > 4 and all(piece.index == 0 for piece in pieces), pieces
assert "".join(piece.function.arguments for piece in pieces) == call.function.arguments, pieces
assert not any(delta.content for delta in chunks), chunks

# Of a call that the limit cuts off there is what came of it, and no markup.
cut = ask("What is 17 plus 25?", tools=tools, tool_choice="required", max_tokens=18).choices[0]
assert cut.finish_reason == "length" and not cut.message.content, cut
assert all(part.function.name == "add" for part in cut.message.tool_calls or []), cut

# Free to choose: a text, or calls that are valid.
free = ask("Hello!", tools=tools).choices[0]
assert free.message.content or free.message.tool_calls, free

try:
    ask("x", tools=tools, tool_choice={"type": "function", "function": {"name": "none_of_them"}})
    raise AssertionError("a function that is not there was taken")
except openai.BadRequestError as error:
    assert error.param == "tool_choice", error

print("all checks passed")
