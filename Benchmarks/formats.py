"""`formats`: answers by a JSON schema beside llama-server's, and beside answers without one."""

import contextlib
import json

import serving
from measuring import EXPERTS, Table, best, ratio, say

EXPERT = "smollm2-135m"
TOKENS = 200
SEEDS = 6


def an_object(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def texts(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# (name, prompt, schema, whether a value is as the schema says)
TASKS = [
    ("a person", "Anna is 31, lives in Porto and likes chess, tea and long walks. Describe her as JSON.",
     an_object(name={"type": "string"}, age={"type": "integer", "minimum": 0, "maximum": 150},
               city={"type": "string"}, likes={"type": "array", "items": {"type": "string"}, "maxItems": 6}),
     lambda v: set(v) == {"name", "age", "city", "likes"} and isinstance(v["name"], str)
     and isinstance(v["age"], int) and 0 <= v["age"] <= 150 and isinstance(v["city"], str)
     and texts(v["likes"]) and len(v["likes"]) <= 6),
    ("a review", "Classify this review as JSON: 'The hotel was clean and the staff were kind, but it was loud.'",
     an_object(sentiment={"enum": ["positive", "negative", "mixed"]}, stars={"type": "integer", "minimum": 1, "maximum": 5},
               summary={"type": "string", "maxLength": 120}),
     lambda v: set(v) == {"sentiment", "stars", "summary"} and v["sentiment"] in ("positive", "negative", "mixed")
     and isinstance(v["stars"], int) and 1 <= v["stars"] <= 5 and isinstance(v["summary"], str)
     and len(v["summary"]) <= 120),
    ("a list", "List four planets as JSON, each with its name and whether it has rings.",
     {"type": "array", "minItems": 4, "maxItems": 4, "items": an_object(name={"type": "string"}, rings={"type": "boolean"})},
     lambda v: isinstance(v, list) and len(v) == 4 and all(
         isinstance(item, dict) and set(item) == {"name", "rings"} and isinstance(item["name"], str)
         and isinstance(item["rings"], bool) for item in v)),
]


def ask(port, prompt, schema, seed):
    """(text, tokens, seconds)"""
    format = {"response_format": {"type": "json_schema", "json_schema": {
        "name": "x", "strict": True, "schema": schema}}} if schema else {}
    return serving.chat(port, EXPERT, prompt, TOKENS, temperature=0.8, top_p=0.95, seed=seed, cache_prompt=True,
                        **format)


def is_valid(text, holds):
    try:
        return bool(holds(json.loads(text)))
    except (ValueError, TypeError, KeyError):
        return False


def bench_formats(options, binaries, record):
    """Tokens a second from the request to the whole answer, one client, the prompt known already."""
    table, valid, asked = Table(), {}, {}
    file = options.models / EXPERT / EXPERTS[EXPERT]
    with contextlib.ExitStack() as stack:
        ports = {}
        if not options.peers_only:
            ports["Thalamus"] = stack.enter_context(serving.thalamus(options, 4))
        for attention in (0, 1):
            port = serving.free_port()
            command = serving.llama_server(options, binaries, file, port, 1, attention, "--jinja")
            stack.enter_context(serving.server(command, port, "/health"))
            ports[f"llama{attention}"] = port
        for turn in range(options.rounds):
            say(f"formats, round {turn + 1} of {options.rounds}")
            for name, prompt, schema, holds in TASKS:
                for side, port in ports.items():
                    for kind, format in (("schema", schema), ("free", None)):
                        if turn == 0:
                            ask(port, prompt, format, 1000)  # leaves the prompt in the cache
                        tokens = seconds = 0
                        for seed in range(SEEDS):
                            text, count, took = ask(port, prompt, format, turn * SEEDS + seed)
                            tokens, seconds = tokens + count, seconds + took
                            key = side, kind
                            asked[key] = asked.get(key, 0) + 1
                            valid[key] = valid.get(key, 0) + is_valid(text, holds)
                        table[side, name, kind].values.append(tokens / seconds)
    print(f"### Answers by a JSON schema, {EXPERT}, one client, temperature 0.8\n")
    print("| tokens/s | | Thalamus | llama-server | llama-server, flash attention | ratio to the better |\n"
          "|---|---|---|---|---|---|")
    for name, *_ in TASKS:
        for kind, title in (("schema", "by its schema"), ("free", "without")):
            mine, peers = table["Thalamus", name, kind], [table[f"llama{a}", name, kind] for a in (0, 1)]
            print(f"| {name} | {title} | {mine.text(0)} | {peers[0].text(0)} | {peers[1].text(0)} | "
                  f"{ratio(mine, best(peers))} |")
    for kind, title in (("schema", "by its schema"), ("free", "without")):
        cells = " | ".join(f"{valid[side, kind]} of {asked[side, kind]}" if (side, kind) in asked else ""
                           for side in ("Thalamus", "llama0", "llama1"))
        print(f"| valid answers | {title} | {cells} | |")
    print()
    record["formats"] = {" ".join(name): series.values for name, series in table.items()}
    record["formats"]["valid"] = {" ".join(key): [valid[key], asked[key]] for key in asked}
