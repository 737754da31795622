"""Checks /openapi.json: its shape, its schemas, and that real requests and replies are by them. usage: openapi.py BASE_URL"""

import json
import sys
import urllib.error
import urllib.request

import jsonschema

base = sys.argv[1]
dialect = jsonschema.Draft202012Validator


def call(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(base + path, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


document = json.loads(call("GET", "/openapi.json")[1])

# The shape of a document, of OpenAPI 3.1's own rules those that it makes use of.
content = {"type": "object", "minProperties": 1, "additionalProperties": {
    "type": "object", "required": ["schema"], "additionalProperties": False,
    "properties": {"schema": {"type": "object"}}}}
response = {"type": "object", "required": ["description"], "additionalProperties": False, "properties": {
    "description": {"type": "string"}, "content": content}}
operation = {
    "type": "object", "additionalProperties": False, "required": ["responses", "operationId"],
    "properties": {
        "tags": {"type": "array", "items": {"type": "string"}}, "summary": {"type": "string"},
        "operationId": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "security": {"type": "array", "items": {"type": "object"}},
        "parameters": {"type": "array", "items": {
            "type": "object", "required": ["name", "in", "schema"], "additionalProperties": False,
            "properties": {
                "name": {"type": "string"}, "in": {"enum": ["path", "query"]},
                "required": {"type": "boolean"}, "schema": {"type": "object"}},
            "if": {"properties": {"in": {"const": "path"}}},
            "then": {"properties": {"required": {"const": True}}, "required": ["required"]}}},
        "requestBody": {
            "type": "object", "required": ["content"], "additionalProperties": False,
            "properties": {"content": content, "required": {"type": "boolean"}}},
        "responses": {"type": "object", "minProperties": 1, "additionalProperties": False, "patternProperties": {
            "^([1-5][0-9][0-9]|default)$": {"anyOf": [
                response, {"type": "object", "required": ["$ref"], "additionalProperties": False,
                           "properties": {"$ref": {"type": "string"}}}]}}}}}
shape = {
    "type": "object", "additionalProperties": False, "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"], "properties": {
            "title": {"type": "string"}, "version": {"type": "string"}}},
        "security": {"type": "array", "items": {"type": "object"}},
        "paths": {"type": "object", "additionalProperties": False, "patternProperties": {
            "^/": {"type": "object", "minProperties": 1, "additionalProperties": False,
                   "properties": {"get": operation, "post": operation}}}},
        "components": {"type": "object", "additionalProperties": False, "properties": {
            "schemas": {"type": "object"}, "securitySchemes": {"type": "object"},
            "responses": {"type": "object", "additionalProperties": response}}}}}
dialect(shape).validate(document)


def parts(value):
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from parts(part)


# Every reference leads somewhere, and what is described is used.
used = set()
for part in parts(document):
    if isinstance(part, dict) and isinstance(part.get("$ref"), str):
        place = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        used.add(part["$ref"].split("/")[-1])
assert used == set(document["components"]["schemas"]), used ^ set(document["components"]["schemas"])
for path, methods in document["paths"].items():
    inside = {name.strip("{}") for name in path.split("/") if name.startswith("{")}
    for found in methods.values():
        named = {p["name"] for p in found.get("parameters", []) if p["in"] == "path"}
        assert named == inside, (path, named)
for part in parts(document):
    if isinstance(part, dict) and isinstance(part.get("schema"), dict):
        dialect.check_schema(part["schema"])
for schema in document["components"]["schemas"].values():
    dialect.check_schema(schema)


def check(schema, value):
    dialect(schema | {"components": document["components"]}).validate(value)


def run(method, path, body=None, pattern=None, status=200):
    """A request and its reply, both as the document has them."""
    found = document["paths"][pattern or path.split("?")[0]][method.lower()]
    if body is not None and status == 200:
        check(found["requestBody"]["content"]["application/json"]["schema"], body)
    code, reply = call(method, path, body)
    assert code == status, (path, code, reply)
    reply = json.loads(reply)
    described = found["responses"]["200"] if status == 200 else found["responses"]["default"]
    if "$ref" in described:
        described = document["components"]["responses"][described["$ref"].split("/")[-1]]
    check(described["content"]["application/json"]["schema"], reply)
    return reply


chat = [{"role": "user", "content": "Say hello."}]
short = {"model": "smollm2-135m", "max_tokens": 4, "temperature": 0}
routed = run("POST", "/route", {
    "prompt": "Say hello.", "max_tokens": 4, "constraints": {"experts": ["smollm2-135m"]}, "flags": {"size": 0.5}})
run("POST", "/v1/chat/completions", {**short, "messages": chat, "logprobs": True})
run("POST", "/v1/completions", {**short, "prompt": [[1, 2], [3]], "thalamus": {"constraints": {"local_only": True}}})
run("POST", "/v1/responses", {"model": "smollm2-135m", "input": "Hi", "max_output_tokens": 4})
run("POST", "/v1/embeddings", {"input": ["a", "b"]})
run("POST", "/v1/messages", {**short, "messages": chat})
run("POST", "/v1/messages/count_tokens", {"model": "smollm2-135m", "messages": chat})
run("POST", "/api/chat", {"model": "smollm2-135m", "messages": chat, "stream": False, "options": {"num_predict": 4}})
run("POST", "/api/generate", {"model": "smollm2-135m", "prompt": "Hi", "stream": False, "options": {"num_predict": 4}})
run("POST", "/api/embed", {"model": "minilm-l6-v2", "input": "a"})
run("POST", "/api/embeddings", {"model": "minilm-l6-v2", "prompt": "a"})
run("POST", "/api/show", {"model": "smollm2-135m"})
for path in ("/api/tags", "/api/ps", "/api/version", "/v1/models", "/experts", "/decisions?limit=3", "/readyz"):
    run("GET", path)
run("GET", "/pareto?prompt=Hello&goal=size")
run("POST", "/pareto", {"prompt": "Hello", "goal": "size"})
run("GET", "/experts/smollm2-135m", pattern="/experts/{id}")
run("GET", "/v1/models/smollm2-135m", pattern="/v1/models/{id}")
run("GET", "/decisions/" + routed["id"], pattern="/decisions/{id}")
run("POST", "/feedback", {"decision": routed["id"], "score": 0.5})
tokens = run("POST", "/tokenize", {"model": "smollm2-135m", "content": "Hi", "with_pieces": True})["tokens"]
run("POST", "/detokenize", {"model": "smollm2-135m", "tokens": [token["id"] for token in tokens]})
for path in ("/route", "/v1/chat/completions", "/v1/messages", "/api/chat"):
    run("POST", path, {"model": 1, "unknown": 2}, status=400)

print("all checks passed")
