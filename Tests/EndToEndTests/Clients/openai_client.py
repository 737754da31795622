"""Drives a running server through the official openai package. usage: openai_client.py BASE_URL"""

import math
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused", max_retries=0, timeout=120)

models = [model.id for model in client.models.list()]
assert models[0] == "auto", models
assert {"smollm2-135m", "gemma3-270m"} <= set(models), models
assert client.models.retrieve("smollm2-135m").id == "smollm2-135m"

question = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": [{"type": "text", "text": "What is the capital of France?"}]},
]
raw = client.chat.completions.with_raw_response.create(
    model="auto", messages=question, max_tokens=16, temperature=0, seed=-1)
answer = raw.parse()
assert answer.choices[0].message.role == "assistant"
assert answer.choices[0].message.content
assert answer.choices[0].finish_reason in ("stop", "length")
assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
assert raw.headers["x-thalamus-expert"] == answer.model, (raw.headers, answer.model)
assert raw.headers["x-thalamus-decision"]

direct = client.chat.completions.create(
    model="smollm2-135m", messages=question, max_tokens=16, temperature=0)
assert direct.model == "smollm2-135m"
assert "Paris" in direct.choices[0].message.content, direct

pieces, reasons, usage = [], [], None
for chunk in client.chat.completions.create(
        model="smollm2-135m", messages=question, max_tokens=16, temperature=0, stream=True,
        stream_options={"include_usage": True}):
    if chunk.usage:
        usage = chunk.usage
    for choice in chunk.choices:
        pieces.append(choice.delta.content or "")
        if choice.finish_reason:
            reasons.append(choice.finish_reason)
assert "".join(pieces) == direct.choices[0].message.content, pieces
assert reasons == [direct.choices[0].finish_reason], reasons
assert usage and usage.completion_tokens == direct.usage.completion_tokens, usage

routed = client.chat.completions.create(
    model="auto", messages=question, max_tokens=4,
    extra_body={"thalamus": {"constraints": {"experts": ["gemma3-270m"]}}})
assert routed.model == "gemma3-270m"

text = client.completions.create(
    model="smollm2-135m", prompt="The capital of France is", max_tokens=4, temperature=0)
assert "Paris" in text.choices[0].text, text

several = client.embeddings.create(model="minilm-l6-v2", input=["a cat", "a kitten", "a lorry"])
vectors = [item.embedding for item in several.data]
assert all(len(vector) == 384 for vector in vectors)
assert all(abs(math.fsum(x * x for x in vector) - 1) < 1e-3 for vector in vectors)
near = sum(a * b for a, b in zip(vectors[0], vectors[1]))
far = sum(a * b for a, b in zip(vectors[0], vectors[2]))
assert near > far, (near, far)

for arguments, kind in [
    ({"model": "gpt-9", "messages": question}, openai.NotFoundError),
    ({"model": "auto", "messages": []}, openai.BadRequestError),
    ({"model": "auto", "messages": question, "n": 2}, openai.BadRequestError),
    ({"model": "auto", "messages": question,
      "extra_body": {"thalamus": {"constraints": {"max_parameters": 1}}}},
     openai.UnprocessableEntityError),
]:
    try:
        client.chat.completions.create(**arguments)
    except kind as error:
        assert error.body["message"], error
    else:
        raise AssertionError(f"{arguments} was answered")

print("all checks passed")
