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

# Nobody here sees: an error that says so, whoever was asked.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
for model in ("auto", "smollm2-135m"):
    try:
        client.chat.completions.create(model=model, max_tokens=4, messages=[{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}}]}])
        raise AssertionError("taken")
    except openai.BadRequestError as error:
        assert error.code == "unsupported_value" and "reads no images" in error.message, error

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

scored = client.chat.completions.create(
    model="smollm2-135m", messages=question, max_tokens=8, temperature=0, logprobs=True,
    top_logprobs=2)
content = scored.choices[0].logprobs.content
assert b"".join(bytes(token.bytes) for token in content).decode() == scored.choices[0].message.content
assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in content), content
assert all(token.top_logprobs[0].logprob == token.logprob for token in content), "greedy"
streamed = [
    choice.logprobs.content
    for chunk in client.chat.completions.create(
        model="smollm2-135m", messages=question, max_tokens=8, temperature=0, logprobs=True,
        stream=True)
    for choice in chunk.choices if choice.logprobs]
assert [t.token for piece in streamed for t in piece] == [t.token for t in content], streamed

echoed = client.completions.create(
    model="gemma3-270m", prompt="The capital of France is Paris.", max_tokens=0, echo=True, logprobs=1)
logprobs = echoed.choices[0].logprobs
assert echoed.choices[0].text == "The capital of France is Paris." == "".join(logprobs.tokens)
assert all(x is not None and x <= 0 for x in logprobs.token_logprobs), logprobs
paris = logprobs.tokens.index(" Paris")
assert logprobs.text_offset[paris] == len("The capital of France is"), logprobs
assert logprobs.token_logprobs[paris] > -4, logprobs

# Prompts by token ids, as those who measure models send them.
def post(path, **body):
    return client.post(f"{sys.argv[1]}/{path}", body=body, cast_to=object)


ids = post("tokenize", model="gemma3-270m", content="The capital of France is Paris.")["tokens"]
assert len(ids) == len(logprobs.tokens), ids
by_ids = client.completions.create(
    model="gemma3-270m", prompt=[[2] + ids], max_tokens=0, echo=True, logprobs=1).choices[0].logprobs
assert by_ids.tokens[1:] == logprobs.tokens and by_ids.token_logprobs[0] is None, by_ids
assert by_ids.token_logprobs[1:] == logprobs.token_logprobs, (by_ids, logprobs)
assert post("detokenize", model="gemma3-270m", tokens=ids)["content"] == "The capital of France is Paris."
for prompt in ([10**9], [[-1]]):
    try:
        client.completions.create(model="gemma3-270m", prompt=prompt)
        raise AssertionError("taken")
    except openai.BadRequestError as error:
        assert error.param == "prompt", error

# Several answers to one prompt, each its own decision; the prompt counts once.
asked = {"model": "smollm2-135m", "messages": question, "temperature": 1.2, "seed": 7, "max_tokens": 12}
one = client.chat.completions.create(**asked)
many = client.chat.completions.create(**asked, n=3)
texts = [choice.message.content for choice in many.choices]
assert [choice.index for choice in many.choices] == [0, 1, 2], many
assert texts[0] == one.choices[0].message.content and len(set(texts)) == 3, texts
assert many.usage.prompt_tokens == one.usage.prompt_tokens, many.usage
assert many.usage.completion_tokens > 2 * one.usage.completion_tokens, many.usage
assert len({choice.decision for choice in many.choices}) == 3 and many.id.endswith(many.choices[0].decision), many
streamed, ended, usage = ["", "", ""], [None] * 3, None
for chunk in client.chat.completions.create(**asked, n=3, stream=True, stream_options={"include_usage": True}):
    assert chunk.id == f"chatcmpl-{chunk.id.removeprefix('chatcmpl-')}" and len(chunk.choices) <= 1, chunk
    usage = chunk.usage or usage
    for choice in chunk.choices:
        streamed[choice.index] += choice.delta.content or ""
        ended[choice.index] = choice.finish_reason or ended[choice.index]
assert streamed == texts and all(ended), (streamed, ended)
assert usage.completion_tokens == many.usage.completion_tokens, usage

# Several texts to go on with, as those who measure models send them.
prompts = ["The capital of France is", "def add(a, b):"]
asked = {"model": "smollm2-135m", "temperature": 0, "max_tokens": 8}
alone = [client.completions.create(prompt=prompt, **asked).choices[0].text for prompt in prompts]
many = client.completions.create(prompt=prompts, **asked, n=2)
assert [choice.text for choice in many.choices] == [alone[0], alone[0], alone[1], alone[1]], many
scored = client.completions.create(
    model="smollm2-135m", prompt=prompts, max_tokens=0, echo=True, logprobs=1)
assert [choice.text for choice in scored.choices] == prompts, scored
assert all(len(choice.logprobs.token_logprobs) > 3 for choice in scored.choices), scored
streamed = ["", ""]
for chunk in client.completions.create(prompt=prompts, **asked, stream=True):
    for choice in chunk.choices:
        streamed[choice.index] += choice.text
assert streamed == alone, streamed

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
    ({"model": "auto", "messages": question, "n": 129}, openai.BadRequestError),
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
