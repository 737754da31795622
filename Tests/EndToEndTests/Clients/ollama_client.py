"""Ollama's API, by its own client. usage: ollama_client.py BASE_URL"""

import json
import sys

import ollama

client = ollama.Client(host=sys.argv[1], timeout=120)
GREEDY = {"temperature": 0, "num_predict": 60}
QUESTION = [{"role": "user", "content": "Say hello."}]

names = [model.model for model in client.list().models]
assert "auto" in names and "smollm2-135m" in names, names
assert client.show("smollm2-135m:latest").capabilities == ["completion", "tools"]

# How its command line asks for a model to be loaded.
assert client.generate(model="smollm2-135m").done_reason == "load"
assert all(len(model.digest) == 64 for model in client.list().models)

whole = client.chat(model="smollm2-135m", messages=QUESTION, options=GREEDY)
assert whole.message.role == "assistant" and whole.message.content, whole
assert whole.done and whole.done_reason == "stop" and whole.eval_count > 0 and whole.prompt_eval_count > 0, whole
pieces = list(client.chat(model="smollm2-135m:latest", messages=QUESTION, options=GREEDY, stream=True))
assert "".join(piece.message.content for piece in pieces) == whole.message.content, pieces
assert len(pieces) > 2 and [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True], pieces
assert "smollm2-135m" in [model.model for model in client.ps().models]

routed = client.chat(model="auto", messages=[{"role": "user", "content": "Write a Python function that adds."}],
                     options={"num_predict": 4})
assert routed.done_reason == "length" and routed.model in names and routed.model != "auto", routed

made = client.generate(model="smollm2-135m", prompt="Say hello.", options=GREEDY)
assert made.response == whole.message.content, made
on = client.generate(model="smollm2-135m", prompt="The capital of France is", raw=True, options={**GREEDY, "num_predict": 4})
assert "Paris" in on.response, on

schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
          "required": ["name", "age"]}
about = [{"role": "user", "content": "Anna is 31. Describe her as JSON."}]
person = client.chat(model="smollm2-135m", messages=about, format=schema, options=GREEDY)
assert json.loads(person.message.content) == {"name": "Anna", "age": 31}, person
anything = client.chat(model="smollm2-135m", messages=about, format="json", options=GREEDY)
assert anything.message.content.startswith("{"), anything


def add(a: int, b: int) -> int:
    """Adds two numbers.

    Args:
      a: One number.
      b: The other.
    """
    return a + b


# Ollama has no word for "must": whether a model calls is its own affair. What it says is text or a call that is whole.
for stream in (False, True):
    asked = client.chat(model="smollm2-135m", messages=[{"role": "user", "content": "What is 17 plus 25?"}], tools=[add],
                        options=GREEDY, stream=stream)
    for part in asked if stream else [asked]:
        for call in part.message.tool_calls or []:
            assert call.function.name == "add" and set(call.function.arguments) == {"a", "b"}, call
answered = client.chat(model="smollm2-135m", tools=[add], options=GREEDY, messages=[
    {"role": "user", "content": "What is 17 plus 25?"},
    {"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 17, "b": 25}}}]},
    {"role": "tool", "tool_name": "add", "content": "42"}])
assert "42" in answered.message.content, answered

vectors = client.embed(model="minilm-l6-v2", input=["one", "two"]).embeddings
assert [len(vector) for vector in vectors] == [384, 384]
assert len(client.embeddings(model="minilm-l6-v2", prompt="one").embedding) == 384

# As `ollama stop` does. It is loaded again when it is asked.
assert [model.size > 50_000_000 for model in client.ps().models if model.model == "smollm2-135m"] == [True]
client.generate(model="smollm2-135m", keep_alive=0)
assert not [model for model in client.ps().models if model.model.startswith("smollm2-135m")]
again = client.chat(model="smollm2-135m", messages=QUESTION, options=GREEDY)
assert again.message.content == whole.message.content, again

for call, status in [(lambda: client.chat(model="none", messages=QUESTION), 404),
                     (lambda: client.chat(model="smollm2-135m", messages=QUESTION, format={"not": {}}), 400),
                     (lambda: client.chat(model="auto", messages=QUESTION, options={"local_only": True}), 400),
                     (lambda: client.generate(model="smollm2-135m", prompt="x", images=["aGk="]), 400),
                     (lambda: client.generate(model="smollm2-135m", prompt="x", images=["iVBORw0KGgo="]), 400),
                     (lambda: client.embed(model="smollm2-135m", input="x"), 404)]:
    try:
        call()
        raise AssertionError("taken")
    except ollama.ResponseError as error:
        assert error.status_code == status and not error.error.startswith("{"), error.__dict__

print("all checks passed")
