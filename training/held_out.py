#!/usr/bin/env python3
"""What experts and mixtures lose on texts that none was trained on, as the server measures it.

  python training/held_out.py models/router/outcomes.jsonl --models models

reads the outcomes that `thalamus outcomes collect` and `export` wrote (training/router_prompts.py
takes held-out texts only) and prints, for each domain that has an expert, the mean bits per byte of the
base, of that expert and of each mixture. The same table goes into the mixtures' training.json
and README.md.
"""

import argparse
import json
from pathlib import Path

# Prompts' domains that an expert of another name is for.
EXPERT_OF = {"speeches": "literature"}


def means(outcomes):
    """{domain: {expert: mean loss}} over the prompts that all experts were measured on."""
    sums = {}
    with open(outcomes, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            for expert, loss in row["losses"].items():
                total, count = sums.setdefault(row["domain"], {}).get(expert, (0.0, 0))
                sums[row["domain"]][expert] = (total + loss, count + 1)
    return {domain: {expert: total / count for expert, (total, count) in found.items()}
            for domain, found in sums.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("outcomes", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--base", default="smollm2-135m")
    options = parser.parse_args()

    measured = means(options.outcomes)
    mixtures = [path.parent for path in sorted(options.models.glob(f"{options.base}-*/mixture.json"))]
    rows = []
    for domain, losses in measured.items():
        expert = f"{options.base}-{EXPERT_OF.get(domain, domain)}"
        if expert not in losses:
            continue
        adapters = [name for name in losses if (options.models / name / "adapter_config.json").exists()]
        rows.append({
            "domain": domain, "base": losses[options.base], "expert": losses[expert],
            "best": min(losses[name] for name in adapters),
            **{path.name: losses[path.name] for path in mixtures if path.name in losses},
        })
    names = [path.name for path in mixtures if rows and path.name in rows[0]]
    print("| domain | base | its expert | better by | " + "".join(f"{name} | " for name in names))
    print("|---|---|---|---|" + "---|" * len(names))
    for row in rows:
        cells = "".join(f"{row[name]:.3f} ({row[name] / row['best'] - 1:+.1%}) | " for name in names)
        print(f"| {row['domain']} | {row['base']:.3f} | {row['expert']:.3f} | "
              f"{1 - row['expert'] / row['base']:.1%} | {cells}")
    print("\nIn brackets: beside the best single adapter on that domain.")

    from train_mixture import readme

    for path in mixtures:
        if path.name not in names:
            continue
        table = [{
            "domain": row["domain"], "base": round(row["base"], 4), "expert": round(row["expert"], 4),
            "mixture": round(row[path.name], 4),
            "above_expert": round(row[path.name] / row["expert"] - 1, 4),
        } for row in rows]
        file = path / "training.json"
        record = json.loads(file.read_text())
        record["held_out_bits_per_byte"] = table
        file.write_text(json.dumps(record, indent=1) + "\n")
        gate = {"dynmole": "DynMoLE", "llava": "LLaVA-MoLE"}.get(record["kind"], record["kind"])
        (path / "README.md").write_text(readme(
            path.name, gate, len(record["adapters"]), record["tokens_seen"], table))


if __name__ == "__main__":
    main()
