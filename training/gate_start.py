"""Where a gate over domain experts begins: at the most probable domain of each token.

A layer's gate is fitted as a multinomial logistic regression from the feed-forward's inputs to the
domain of the text. Inputs are taken twice: from the base model, and from the mixture as the first fit
makes it run, since the gate will see what the experts it chose before have made of a token. (Inputs
with each text's own expert running would tell the answer: that expert leaves its mark.)
"""

from train_expert import windows

DECAY = 3e-3
ITERATIONS = 80
# Of the texts' windows, every so many is kept aside to see how well the fit does.
ASIDE = 8


def inputs(model, items_by_expert, autocast):
    """What each layer's feed-forward reads. Gives ([(tokens, width)] by layer, experts (tokens),
    aside (tokens), as bool)"""
    import torch

    layers = model.model.layers
    found, experts, aside = [[] for _ in layers], [], []
    handles = [
        layer.mlp.register_forward_pre_hook(
            lambda _, values, kept=kept: kept.append(values[0][0].to(torch.bfloat16)))
        for layer, kept in zip(layers, found)
    ]
    with torch.no_grad(), autocast():
        for expert, items in enumerate(items_by_expert):
            for index, item in enumerate(items):
                model.model(input_ids=torch.tensor([item]))
                experts += [expert] * len(item)
                aside += [index % ASIDE == 0] * len(item)
    for handle in handles:
        handle.remove()
    return [torch.cat(kept) for kept in found], torch.tensor(experts), torch.tensor(aside)


def fitted(x, experts, aside, count, with_bias):
    """Weights (experts, width) and bias (experts) or None; accuracy and mean nats on what was kept
    aside."""
    import torch

    x = x.float()
    spread = x.std(0) + 1e-6
    z = x / spread
    weight = torch.zeros(count, x.shape[1], requires_grad=True)
    bias = torch.zeros(count, requires_grad=True)
    parameters = [weight, bias] if with_bias else [weight]
    seen, known = z[~aside], experts[~aside]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(seen @ weight.T + bias, known)
        value = value + DECAY * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        scores = z[aside] @ weight.T + bias
        right = float((scores.argmax(1) == experts[aside]).float().mean())
        nats = float(torch.nn.functional.cross_entropy(scores, experts[aside]))
        return (weight / spread).detach(), bias.detach() if with_bias else None, right, nats


def some_windows(tokenizer, texts, length, tokens):
    """Whole windows of training texts, about as many tokens as asked for."""
    items, count = [], 0
    for item in windows(tokenizer, texts, length):
        if count >= tokens:
            break
        items.append(item)
        count += len(item)
    return items


def begin(model, gates, items_by_expert, autocast, seen=None):
    """Fits every layer's gate to the inputs of the model as it is, and to those `seen` before; sets
    the gates and gives all inputs, for the next time."""
    import torch

    taken = [*(seen or []), inputs(model, items_by_expert, autocast)]
    experts = torch.cat([part[1] for part in taken])
    aside = torch.cat([part[2] for part in taken])
    rights, losses = [], []
    for index, gate in enumerate(gates):
        weight, bias, right, nats = fitted(
            torch.cat([part[0][index] for part in taken]), experts, aside, len(items_by_expert),
            gate.bias is not None)
        with torch.no_grad():
            gate.weight.copy_(weight)
            if bias is not None:
                gate.bias.copy_(bias)
        rights.append(right)
        losses.append(nats)
    print(f"gates fitted to {len(experts)} tokens: the right domain for "
          + ", ".join(f"{rights[i]:.0%}" for i in range(0, len(rights), 5))
          + f" in every fifth layer; {sum(losses) / len(losses):.2f} nats", flush=True)
    return taken
