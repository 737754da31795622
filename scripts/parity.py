#!/usr/bin/env python3
"""How far is Thalamus from the truth, and is that farther than llama.cpp?

The truth is Hugging Face transformers in float32 on the dequantised weights of the same GGUF.
Everything is teacher-forced on the same token ids: five kinds of text, one window a text, each
window longer than Gemma's sliding window of 512. For every candidate (Thalamus with plain C
kernels in float, Thalamus with its fast kernels, llama.cpp) the script takes the whole
distribution at every place and reports

  mean KL(truth || candidate) in nats, agreement on the most probable token (top-1),
  perplexity's difference in %, and 32 greedy tokens on 20 prompts.

It also compares token ids on 2,000 lines in many scripts, and MiniLM's vectors.
Prints Markdown. Exit status: 0 all within the limits, 1 something is not, 2 could not measure.

  python3 -m venv .venv-parity && .venv-parity/bin/pip install -r scripts/parity-requirements.txt
  .venv-parity/bin/python scripts/parity.py
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = pathlib.Path(__file__).resolve().parent / "parity-texts"
KINDS = ["prose", "code", "maths", "clinical", "multilingual"]
EXPERTS = {
    "smollm2-135m": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "gemma3-270m": "gemma-3-270m-q4_k_m.gguf",
}
GREEDY_TOKENS = 32

# Limits on plain C kernels in float.
GENERIC_MEAN_KL = 1e-6
GENERIC_GREEDY_EQUAL = 19
# Vectors of the encoder.
ENCODER_COSINE = 0.999


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Unmeasurable(Exception):
    """A side of the comparison could not be run."""


# --- The truth ------------------------------------------------------------------------------


class ByteLevelReference:
    """The tokenizer that transformers makes of a GGUF, with the pre-tokenizer that it forgets:
    "smollm" splits every digit off by itself before the words are split."""

    def __init__(self, folder, file):
        import transformers
        from tokenizers import pre_tokenizers

        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file)
        self.tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        self.beginning = None

    def encode(self, text):
        return self.tokenizer(text).input_ids

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)


class SentencePieceReference:
    """SentencePiece itself, on the pieces, scores and types that the GGUF holds (transformers'
    own conversion merges long runs of spaces in another order)."""

    def __init__(self, fields):
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2

        value = lambda name: fields[f"tokenizer.ggml.{name}"].contents()
        model = sentencepiece_model_pb2.ModelProto()
        user_defined, unknown = 4, value("unknown_token_id")
        for text, score, kind in zip(value("tokens"), value("scores"), value("token_type")):
            piece = model.pieces.add()
            # A GGUF stores user-defined runs of spaces as spaces.
            piece.piece = text.replace(" ", "\u2581") if kind == user_defined else text
            piece.score, piece.type = score, kind
        model.pieces[unknown].type = 2
        trainer, normalizer = model.trainer_spec, model.normalizer_spec
        trainer.model_type, trainer.byte_fallback = 2, True
        trainer.unk_id, trainer.pad_id = unknown, value("padding_token_id")
        trainer.bos_id, trainer.eos_id = value("bos_token_id"), value("eos_token_id")
        normalizer.name, normalizer.escape_whitespaces = "identity", True
        normalizer.add_dummy_prefix = normalizer.remove_extra_whitespaces = False
        self.processor = sentencepiece.SentencePieceProcessor()
        self.processor.LoadFromSerializedProto(model.SerializeToString())
        self.beginning = value("bos_token_id")

    def encode(self, text):
        return [self.beginning, *self.processor.encode(text)]

    def decode(self, ids):
        return self.processor.decode([i for i in ids if not self.processor.is_control(i)])


def reference_tokenizer(path, folder, file):
    import gguf

    fields = gguf.GGUFReader(path).fields
    if fields["tokenizer.ggml.model"].contents() == "llama":
        return SentencePieceReference(fields)
    return ByteLevelReference(folder, file)


def mixtral_of(path):
    """A Mixtral-style GGUF (`llama` with experts), which transformers does not read, as a
    MixtralForCausalLM on its dequantised weights; None if the file has no experts."""
    import gguf
    import torch
    import transformers
    from gguf.quants import dequantize

    reader = gguf.GGUFReader(path)
    value = lambda name: (field := reader.fields.get(f"llama.{name}")) and field.contents()
    if not value("expert_count"):
        return None
    weights = {t.name: torch.from_numpy(dequantize(t.data, t.tensor_type)) for t in reader.tensors}
    heads, kv_heads = value("attention.head_count"), value("attention.head_count_kv")
    config = transformers.MixtralConfig(
        vocab_size=weights["token_embd.weight"].shape[0], hidden_size=value("embedding_length"),
        intermediate_size=weights["blk.0.ffn_up_exps.weight"].shape[1],
        num_hidden_layers=value("block_count"), num_attention_heads=heads,
        num_key_value_heads=kv_heads, num_local_experts=value("expert_count"),
        num_experts_per_tok=value("expert_used_count"), sliding_window=None,
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        max_position_embeddings=value("context_length"),
        rope_parameters={"rope_type": "default", "rope_theta": value("rope.freq_base")},
        tie_word_embeddings="output.weight" not in weights, attn_implementation="eager",
    )

    def pairs_apart(weight, count):
        # GGUF has a rotary pair's rows side by side, transformers half a head apart.
        rows, columns = weight.shape
        return weight.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)

    state = {"model.embed_tokens.weight": weights["token_embd.weight"],
             "model.norm.weight": weights["output_norm.weight"]}
    state["lm_head.weight"] = weights.get("output.weight", weights["token_embd.weight"])
    for layer in range(config.num_hidden_layers):
        of = lambda name: weights[f"blk.{layer}.{name}.weight"]
        prefix = f"model.layers.{layer}."
        state |= {
            prefix + "self_attn.q_proj.weight": pairs_apart(of("attn_q"), heads),
            prefix + "self_attn.k_proj.weight": pairs_apart(of("attn_k"), kv_heads),
            prefix + "self_attn.v_proj.weight": of("attn_v"),
            prefix + "self_attn.o_proj.weight": of("attn_output"),
            prefix + "input_layernorm.weight": of("attn_norm"),
            prefix + "post_attention_layernorm.weight": of("ffn_norm"),
            prefix + "mlp.gate.weight": of("ffn_gate_inp"),
            prefix + "mlp.experts.gate_up_proj": torch.cat([of("ffn_gate_exps"), of("ffn_up_exps")], 1),
            prefix + "mlp.experts.down_proj": of("ffn_down_exps"),
        }
    with torch.device("meta"):
        model = transformers.MixtralForCausalLM(config)
    model = model.to_empty(device="cpu")
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise Unmeasurable(f"{path}: missing {missing}, unexpected {unexpected}")
    # What is not in the file, such as the rotary frequencies, was not made on the meta device.
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.float()


def file_of(models, expert):
    """The file that an expert's card names."""
    if expert in EXPERTS:
        return EXPERTS[expert]
    card = (models / expert / "expert.yaml").read_text(encoding="utf-8")
    return next(line.split(": ", 1)[1].strip() for line in card.splitlines()
                if line.startswith("file: "))


class Truth:
    """Hugging Face transformers, float32, on the dequantised weights of a GGUF."""

    def __init__(self, folder, file, threads):
        import torch
        import transformers

        transformers.logging.set_verbosity_error()
        torch.set_num_threads(threads)
        self.torch = torch
        self.tokenizer = reference_tokenizer(f"{folder}/{file}", folder, file)
        mixtral = mixtral_of(f"{folder}/{file}")
        if mixtral is not None:
            self.model = mixtral.eval()
            return
        model, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            gguf_file=file,
            dtype=torch.float32,
            attn_implementation="eager",
            output_loading_info=True,
        )
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            if report[kind]:
                raise Unmeasurable(f"{file}: transformers reports {kind}: {report[kind]}")
        self.model = model.eval()

    def ids(self, text):
        return self.tokenizer.encode(text)

    def window(self, text, token_count):
        """The longest beginning of `text`, cut between words, of at most `token_count` tokens."""
        places = [i for i, c in enumerate(text) if c in " \n"]
        low, high = 0, len(places) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if len(self.ids(text[: places[middle]])) <= token_count:
                low = middle
            else:
                high = middle - 1
        return text[: places[low]]

    def logits(self, ids):
        with self.torch.no_grad():
            return self.model(self.torch.tensor([ids])).logits[0].float().numpy()

    def greedy(self, prompt):
        ids = self.torch.tensor([self.ids(prompt)])
        with self.torch.no_grad():
            out = self.model.generate(
                ids, attention_mask=self.torch.ones_like(ids), max_new_tokens=GREEDY_TOKENS,
                do_sample=False, repetition_penalty=1.0,
            )
        return self.tokenizer.decode(out[0][ids.shape[1]:].tolist())


# --- The candidates -------------------------------------------------------------------------


class Thalamus:
    def __init__(self, binary, models, expert, kernels, kv_cache=None):
        self.binary, self.models, self.expert, self.kernels = binary, models, expert, kernels
        self.name = f"Thalamus, {kernels}" + (f", {kv_cache} cache" if kv_cache else "")
        self.cache = ["--kv-cache-type", kv_cache] if kv_cache else []

    def call(self, *arguments, stdin=None, timeout=1800):
        command = [str(self.binary), *arguments]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=timeout, cwd=ROOT
            )
        except OSError as error:
            raise Unmeasurable(f"{self.binary}: {error}") from error
        if done.returncode != 0:
            raise Unmeasurable(
                f"{' '.join(command)}: status {done.returncode}: "
                + done.stderr.decode(errors="replace").strip()[-500:]
            )
        return done.stdout

    @contextlib.contextmanager
    def logits(self, text, ids, vocabulary):
        import numpy

        with tempfile.TemporaryDirectory() as folder:
            source, target = f"{folder}/text", f"{folder}/logits"
            pathlib.Path(source).write_text(text, encoding="utf-8")
            answer = json.loads(
                self.call(
                    "score", "--models", str(self.models), "--expert", self.expert, "--file",
                    source, "--kernels", self.kernels, "--logits", target, "--json", *self.cache,
                )
            )
            if answer["tokens"] != ids:
                place = next(
                    (i for i, (a, b) in enumerate(zip(answer["tokens"], ids)) if a != b),
                    min(len(ids), len(answer["tokens"])),
                )
                raise Unmeasurable(
                    f"token ids differ at {place}: {answer['tokens'][place:place + 5]} "
                    f"instead of {ids[place:place + 5]}"
                )
            found = numpy.memmap(target, dtype="<f4", mode="r")
            if found.size != len(ids) * vocabulary:
                raise Unmeasurable(
                    f"logits file holds {found.size} values, not {len(ids)} x {vocabulary}"
                )
            found = found.reshape(len(ids), vocabulary)
            self.check_summary(answer, found, ids, text)
            yield found

    def check_summary(self, answer, logits, ids, text):
        """The printed figures must be those of the logits beside them."""
        chosen = logprobs_of(logits, ids)
        printed = answer["logprobs"]
        if printed[0] is not None or len(printed) != len(ids):
            raise Unmeasurable("logprobs: want null first and one value a token")
        worst = max(abs(a - b) for a, b in zip(printed[1:], chosen))
        nats = -sum(chosen)
        perplexity = math.exp(nats / len(chosen))
        bits = nats / math.log(2) / len(text.encode())
        for field, want, slack in (
            ("perplexity", perplexity, 1e-3 * perplexity),
            ("bits_per_byte", bits, 1e-3 * bits),
        ):
            if abs(answer[field] - want) > slack:
                raise Unmeasurable(f"{field} is {answer[field]}, the logits say {want}")
        if worst > 5e-2:
            raise Unmeasurable(f"logprobs differ from the logits by up to {worst}")
        best = logits.argmax(axis=1).tolist()
        same = max(
            sum(a == b for a, b in zip(answer["top"], best)),
            sum(a == b for a, b in zip(answer["top"][1:], best)),
        )
        if same < 0.99 * len(ids) - 2:
            raise Unmeasurable(f"top agrees with the logits at {same} of {len(ids)} places only")

    def greedy(self, prompt):
        out = self.call(
            "generate", "--models", str(self.models), "--expert", self.expert, "--prompt", prompt,
            "--max-tokens", str(GREEDY_TOKENS), "--raw", "--temperature", "0",
            *(["--kernels", "generic"] if self.kernels == "generic" else []), *self.cache,
        )
        return out.decode("utf-8", errors="replace")


class Llama:
    """llama.cpp, through llama-cpp-python; weights as in the file, two batches of 512 a window."""

    name = "llama.cpp"

    def __init__(self, path, token_count, threads):
        try:
            import llama_cpp
        except Exception as error:
            raise Unmeasurable(f"llama-cpp-python: {error}") from error
        self.name = f"llama.cpp ({llama_cpp.__version__})"
        self.model = llama_cpp.Llama(
            str(path), n_ctx=max(token_count + 64, 1024), n_batch=512, n_threads=threads,
            n_threads_batch=threads, logits_all=True, verbose=False,
        )

    @contextlib.contextmanager
    def logits(self, text, ids, vocabulary):
        self.model.reset()
        self.model.eval(ids)
        yield self.model.scores[: len(ids), :vocabulary]

    def ids(self, text):
        return self.model.tokenize(text.encode(), add_bos=True, special=False)

    def greedy(self, prompt):
        ids = self.ids(prompt)
        self.model.reset()
        out = []
        for token in self.model.generate(ids, temp=0.0, repeat_penalty=1.0):
            if token == self.model.token_eos() or len(out) == GREEDY_TOKENS:
                break
            out.append(token)
        return self.model.detokenize(out).decode("utf-8", errors="replace")


# --- Figures --------------------------------------------------------------------------------


def log_softmax(rows):
    import numpy

    rows = rows.astype(numpy.float64)
    rows -= rows.max(axis=1, keepdims=True)
    rows -= numpy.log(numpy.exp(rows).sum(axis=1, keepdims=True))
    return rows


def logprobs_of(logits, ids):
    """The natural logarithm of each token but the first, given those before it."""
    chosen = []
    for start in range(0, len(ids) - 1, 32):
        end = min(start + 32, len(ids) - 1)
        rows = log_softmax(logits[start:end])
        chosen += [float(rows[i - start, ids[i + 1]]) for i in range(start, end)]
    return chosen


def compare(truth, candidate, ids):
    """For each row: KL in nats, whether the most probable token is equal, both log-probabilities
    of the token that follows (None at the last row)."""
    import numpy

    kl, same, true_logprob, logprob = [], [], [], []
    for start in range(0, len(ids), 32):
        end = min(start + 32, len(ids))
        p, q = log_softmax(truth[start:end]), log_softmax(candidate[start:end])
        kl += (numpy.exp(p) * (p - q)).sum(axis=1).tolist()
        same += (p.argmax(axis=1) == q.argmax(axis=1)).tolist()
        for i in range(start, min(end, len(ids) - 1)):
            true_logprob.append(float(p[i - start, ids[i + 1]]))
            logprob.append(float(q[i - start, ids[i + 1]]))
    return {"kl": kl, "same": same, "true_logprob": true_logprob, "logprob": logprob}


class Figures:
    """What one candidate did over all texts."""

    def __init__(self, name):
        self.name = name
        self.kl, self.same, self.true_logprob, self.logprob = [], [], [], []
        self.kl_by_kind = {}
        self.greedy_equal = None
        self.error = None

    def add(self, kind, compared):
        for field, values in compared.items():
            getattr(self, field).extend(values)
        self.kl_by_kind[kind] = sum(compared["kl"]) / len(compared["kl"])

    @property
    def mean_kl(self):
        return sum(self.kl) / len(self.kl)

    @property
    def top1(self):
        return sum(self.same) / len(self.same)

    @property
    def nats_apart(self):
        """Mean difference of the log-probabilities of the text's own tokens, truth - candidate."""
        return (sum(self.true_logprob) - sum(self.logprob)) / len(self.logprob)

    @property
    def perplexity_change(self):
        return math.exp(self.nats_apart) - 1

    def summary(self):
        return {
            "mean_kl_nats": self.mean_kl, "top1": self.top1, "rows": len(self.kl),
            "perplexity_change": self.perplexity_change, "max_kl_nats": max(self.kl),
            "kl_by_kind": self.kl_by_kind, "greedy_equal": self.greedy_equal,
        }


def standard_error(values):
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


def judge_generic(figures):
    failures = []
    if not figures.mean_kl < GENERIC_MEAN_KL:
        failures.append(f"mean KL {figures.mean_kl:.2e}, limit {GENERIC_MEAN_KL:.0e}")
    if figures.greedy_equal is not None and figures.greedy_equal < GENERIC_GREEDY_EQUAL:
        failures.append(f"greedy equal on {figures.greedy_equal}, limit {GENERIC_GREEDY_EQUAL}")
    return failures


def judge_fast(figures, peer):
    """No farther than llama.cpp. KL, the sensitive measure, without allowance. Agreement and
    perplexity are noisy (a perplexity that happens to be right says little), so there one
    standard error of the difference between the two candidates is allowed."""
    failures = []
    if figures.mean_kl > peer.mean_kl:
        failures.append(f"mean KL {figures.mean_kl:.5f}, llama.cpp {peer.mean_kl:.5f}")
    slack = standard_error([a - b for a, b in zip(map(float, figures.same), map(float, peer.same))])
    if figures.top1 < peer.top1 - slack:
        failures.append(f"top-1 {figures.top1:.2%}, llama.cpp {peer.top1:.2%}")
    slack = standard_error([a - b for a, b in zip(figures.logprob, peer.logprob)])
    if abs(figures.nats_apart) > abs(peer.nats_apart) + slack:
        failures.append(
            f"perplexity {figures.perplexity_change:+.2%}, llama.cpp {peer.perplexity_change:+.2%}"
        )
    return failures


# --- Tokenizers and the encoder -------------------------------------------------------------


def without_beginning(ids, beginning):
    return ids[1:] if beginning is not None and ids[:1] == [beginning] else ids


def tokenizer_differences(thalamus, truth, lines):
    """[(text, reference ids, Thalamus' ids)] where they differ. Lines without line ends in them go
    through `tokenize --lines`; the others are joined and compared as one text."""
    beginning = truth.tokenizer.beginning

    def ids(text, *options):
        out = thalamus.call(
            "tokenize", "--models", str(thalamus.models), "--expert", thalamus.expert, *options,
            stdin=text.encode(),
        )
        found = [[int(i) for i in line.split()] for line in out.decode().split("\n")[:-1]]
        return [without_beginning(one, beginning) for one in found]

    single = [line for line in lines if not {"\n", "\r"} & set(line)]
    several = "\n".join(line for line in lines if {"\n", "\r"} & set(line))
    found = ids("".join(line + "\n" for line in single), "--lines")
    if len(found) != len(single):
        raise Unmeasurable(f"tokenize printed {len(found)} lines for {len(single)}")
    texts, found = single + [several], found + ids(several)
    wanted = [without_beginning(truth.ids(text), beginning) for text in texts]
    return [(t, w, f) for t, w, f in zip(texts, wanted, found) if w != f]


def encoder_cosines(binary, models):
    import numpy
    import torch
    import transformers

    folder = models / "minilm-l6-v2"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    lines = []
    for kind in KINDS:
        text = (TEXTS / f"{kind}.txt").read_text(encoding="utf-8")
        lines += [line.strip() for line in text.split("\n") if len(line.strip()) > 20][:20]
    out = Thalamus(binary, models, "minilm-l6-v2", "fast").call(
        "embed", "--models", str(models), stdin="".join(line + "\n" for line in lines).encode()
    )
    vectors = [json.loads(line) for line in out.decode().splitlines() if line.strip()]
    if len(vectors) != len(lines):
        raise Unmeasurable(f"embed printed {len(vectors)} vectors for {len(lines)} lines")
    cosines = []
    for line, vector in zip(lines, vectors):
        inputs = tokenizer(line, return_tensors="pt", truncation=True, max_length=256)
        with torch.no_grad():
            hidden = model(**inputs).last_hidden_state[0]
        want = torch.nn.functional.normalize(hidden.mean(dim=0), dim=0).numpy()
        have = numpy.asarray(vector["embedding"] if isinstance(vector, dict) else vector)
        cosines.append(float(want @ have / numpy.linalg.norm(have)))
    return cosines


# --- One expert -----------------------------------------------------------------------------


def measure(candidates, truth, token_count, greedy):
    results = {c.name: Figures(c.name) for c in candidates}
    rows = 0
    for kind in KINDS:
        text = truth.window((TEXTS / f"{kind}.txt").read_text(encoding="utf-8"), token_count)
        ids = truth.ids(text)
        rows += len(ids)
        started = time.monotonic()
        want = truth.logits(ids)
        say(f"  {kind}: {len(ids)} tokens; truth {time.monotonic() - started:.1f} s")
        for candidate in candidates:
            figures = results[candidate.name]
            if figures.error:
                continue
            started = time.monotonic()
            try:
                with candidate.logits(text, ids, want.shape[1]) as found:
                    figures.add(kind, compare(want, found, ids))
                say(
                    f"    {candidate.name}: mean KL {figures.kl_by_kind[kind]:.3e}, "
                    f"{time.monotonic() - started:.1f} s"
                )
            except Unmeasurable as error:
                figures.error = f"{kind}: {error}"
                say(f"    {candidate.name}: {error}")
        del want
    if greedy:
        prompts = json.loads((TEXTS / "prompts.json").read_text(encoding="utf-8"))
        wanted = [truth.greedy(prompt) for prompt in prompts]
        for candidate in candidates:
            figures = results[candidate.name]
            if figures.error:
                continue
            try:
                equal = 0
                for prompt, want in zip(prompts, wanted):
                    have = candidate.greedy(prompt)
                    equal += have.rstrip("\n") == want.rstrip("\n")
                figures.greedy_equal = equal
                say(f"    {candidate.name}: greedy equal on {equal} of {len(prompts)}")
            except Unmeasurable as error:
                figures.error = f"greedy: {error}"
                say(f"    {candidate.name}: {error}")
    return results, rows


def row(figures, verdict):
    if figures.error:
        return f"| {figures.name} | | | | | | could not be measured |"
    greedy = "" if figures.greedy_equal is None else f"{figures.greedy_equal}/20"
    return (
        f"| {figures.name} | {figures.mean_kl:.2e} | {max(figures.kl):.2e} | {figures.top1:.2%} "
        f"| {figures.perplexity_change:+.3%} | {greedy} | {verdict} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / ".build/release/thalamus")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--expert", action="append", help="of the models folder; default: both bases")
    parser.add_argument("--tokens", type=int, default=640, help="tokens of each text (five texts)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--kernels", choices=["generic", "fast"], action="append")
    parser.add_argument("--kv-cache", choices=["f16", "int8"], action="append", default=[],
                        help="also the fast kernels with such a key-value cache")
    parser.add_argument("--peer-only", action="store_true", help="measure llama.cpp only")
    parser.add_argument("--no-peer", action="store_true", help="leave llama.cpp out (not a verdict)")
    parser.add_argument("--no-greedy", action="store_true")
    parser.add_argument("--no-tokenizers", action="store_true")
    parser.add_argument("--no-encoder", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="also write the figures to this file")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # each table as soon as it is known
    options.binary, options.models = options.binary.resolve(), options.models.resolve()

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    failures, gaps, record = [], [], {}
    for expert in options.expert or EXPERTS:
        say(expert)
        folder = options.models / expert
        file = file_of(options.models, expert)
        if not (folder / file).exists():
            print(f"{folder / file} is missing: run `make models`", file=sys.stderr)
            return 2
        truth = Truth(folder, file, options.threads)
        candidates, peer = [], None
        if not options.peer_only:
            for kernels in options.kernels or ["generic", "fast"]:
                candidates.append(Thalamus(options.binary, options.models, expert, kernels))
            for kind in options.kv_cache:
                candidates.append(Thalamus(options.binary, options.models, expert, "fast", kind))
        if not options.no_peer:
            try:
                peer = Llama(folder / file, options.tokens, options.threads)
                candidates.append(peer)
            except Unmeasurable as error:
                gaps.append(f"{expert}: {error}")
        results, rows = measure(candidates, truth, options.tokens, not options.no_greedy)

        print(f"\n### {expert}: {rows} tokens of five kinds of text\n")
        print("| | mean KL (nats) | worst KL | top-1 | perplexity | greedy | |")
        print("|---|---|---|---|---|---|---|")
        for candidate in candidates:
            figures = results[candidate.name]
            verdict, found = "", []
            if figures.error:
                gaps.append(f"{expert}, {figures.name}: {figures.error}")
            elif isinstance(candidate, Thalamus) and candidate.kernels == "generic":
                found = judge_generic(figures)
                verdict = "within the limits" if not found else "**too far**"
            elif isinstance(candidate, Thalamus) and peer and not results[peer.name].error:
                found = judge_fast(figures, results[peer.name])
                verdict = "no farther than llama.cpp" if not found else "**farther**"
            failures += [f"{expert}, {figures.name}: {f}" for f in found]
            print(row(figures, verdict))
            if not figures.error:
                record[f"{expert}/{figures.name}"] = figures.summary()
        print("\nMean KL by kind of text:\n")
        print("| | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
        for candidate in candidates:
            by_kind = results[candidate.name].kl_by_kind
            cells = [f"{by_kind[k]:.2e}" if k in by_kind else "" for k in KINDS]
            print(f"| {candidate.name} | " + " | ".join(cells) + " |")

        if not options.no_tokenizers:
            source = (TEXTS / "tokenizer-lines.jsonl").read_text(encoding="utf-8")
            lines = [json.loads(line) for line in source.split("\n") if line]
            if peer:
                beginning = truth.tokenizer.beginning
                apart = sum(
                    without_beginning(peer.ids(line), beginning)
                    != without_beginning(truth.ids(line), beginning)
                    for line in lines
                )
                print(f"\nTokenizer, llama.cpp: ids equal on {len(lines) - apart} of {len(lines)}.")
                record[f"{expert}/tokenizer/llama.cpp"] = len(lines) - apart
            if not options.peer_only:
                try:
                    tokenizer = Thalamus(options.binary, options.models, expert, "fast")
                    apart = tokenizer_differences(tokenizer, truth, lines)
                    print(f"\nTokenizer, Thalamus: ids equal on {len(lines) - len(apart)} "
                          f"of {len(lines)} lines.")
                    record[f"{expert}/tokenizer/thalamus"] = len(lines) - len(apart)
                    if apart:
                        failures.append(f"{expert}: token ids differ on {len(apart)} lines")
                        for line, want, have in apart[:5]:
                            say(f"    {line[:60]!r}: {have[:20]} instead of {want[:20]}")
                except Unmeasurable as error:
                    gaps.append(f"{expert}, tokenizer: {error}")
        del truth, candidates, peer, results

    if not options.peer_only and not options.no_encoder:
        try:
            cosines = encoder_cosines(options.binary, options.models)
            print(f"\n### minilm-l6-v2\n\nCosine to transformers in float32 on {len(cosines)} "
                  f"lines: least {min(cosines):.6f}, mean {sum(cosines) / len(cosines):.6f}.")
            record["minilm-l6-v2"] = {"least_cosine": min(cosines)}
            if min(cosines) < ENCODER_COSINE:
                failures.append(f"minilm-l6-v2: cosine {min(cosines):.5f}, limit {ENCODER_COSINE}")
        except Unmeasurable as error:
            gaps.append(f"minilm-l6-v2: {error}")

    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    print()
    for failure in failures:
        print(f"- too far: {failure}")
    for gap in gaps:
        print(f"- not measured: {gap}")
    if failures:
        return 1
    if gaps:
        return 2
    print("llama.cpp only; no verdict." if options.peer_only else "All within the limits.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
