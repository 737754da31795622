"""Load on an OpenAI-compatible server: several clients at once, streamed completions.

Only the standard library; one thread a client. Used on both sides, so that both are measured by
the same code. The prompts are raw text on /v1/completions: no chat template differs.
"""

import http.client
import json
import random
import statistics
import threading
import time

WORDS = (
    "river mountain letter engine garden history market window doctor science planet music bridge "
    "winter summer forest village teacher machine question answer paper silver water copper field "
    "the a of and to in with from under over between because while when after before often never"
).split()


def prompt(words, seed):
    """Different words for each seed, so that no cache of beginnings serves two prompts."""
    source = random.Random(seed)
    return " ".join(source.choice(WORDS) for _ in range(words)).capitalize() + "."


def uniform_work(clients, requests, words, tokens):
    """`requests` equal requests for each client."""
    return [[(prompt(words, 1000 * c + r), tokens) for r in range(requests)] for c in range(clients)]


def mixed_work(clients, requests, seed=1):
    """Prompts of 20 to 1,500 tokens and answers of 10 to 300, evenly on a logarithmic scale."""
    source = random.Random(seed)
    between = lambda low, high: int(round(low * (high / low) ** source.random()))
    return [
        [(prompt(between(16, 1150), 1000 * c + r), between(10, 300)) for r in range(requests)]
        for c in range(clients)
    ]


class Answer:
    def __init__(self):
        self.first_token_seconds = None
        self.seconds = None
        self.tokens = 0
        self.prompt_tokens = 0
        self.error = None


def ask(host, port, model, text, tokens, cache=False):
    answer, start = Answer(), time.perf_counter()
    body = {
        "model": model, "prompt": text, "max_tokens": tokens, "temperature": 0, "stream": True,
        "stream_options": {"include_usage": True}, "ignore_eos": True, "cache_prompt": cache,
    }
    connection = http.client.HTTPConnection(host, port, timeout=600)
    pieces = 0
    try:
        connection.request(
            "POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        if response.status != 200:
            answer.error = f"{response.status}: {response.read(300).decode(errors='replace')}"
            return answer
        for line in response:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                break
            event = json.loads(data)
            if event.get("error"):
                answer.error = str(event["error"])
            if event.get("choices"):
                if event["choices"][0].get("text"):
                    pieces += 1
                    if answer.first_token_seconds is None:
                        answer.first_token_seconds = time.perf_counter() - start
            if event.get("usage"):
                answer.tokens = event["usage"]["completion_tokens"]
                answer.prompt_tokens = event["usage"]["prompt_tokens"]
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        answer.error = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    answer.seconds = time.perf_counter() - start
    answer.tokens = answer.tokens or pieces
    return answer


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def load(host, port, model, work):
    """Runs every client's requests one after another, all clients at once."""
    answers, lock = [], threading.Lock()
    gate = threading.Barrier(len(work) + 1)

    def client(requests):
        gate.wait()
        for text, tokens in requests:
            answer = ask(host, port, model, text, tokens)
            with lock:
                answers.append(answer)

    threads = [threading.Thread(target=client, args=(requests,)) for requests in work]
    for thread in threads:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    good = [a for a in answers if a.error is None]
    errors = [a.error for a in answers if a.error is not None]
    first = [a.first_token_seconds for a in good if a.first_token_seconds is not None]
    return {
        "tokens_per_second": sum(a.tokens for a in good) / seconds,
        "prompt_tokens": sum(a.prompt_tokens for a in good),
        "completion_tokens": sum(a.tokens for a in good),
        "first_token_p50_seconds": statistics.median(first) if first else None,
        "first_token_p95_seconds": percentile(first, 0.95) if first else None,
        "errors": len(errors), "error": errors[0] if errors else None,
    }
