#!/usr/bin/env python3
"""The table of `make gpu`. Usage: gpu_table.py ROWS.tsv CEILINGS.tsv COSTS.tsv TORCH.tsv DEVICE

ROWS: model, training (0, 1), batch, precision, milliseconds (empty: failed).
CEILINGS: name, figure, unit, as bench_ceilings prints them.
COSTS: model, then a line of `vittm cost --by op --format csv`: op, calls, params, macs, macs_fvcore, other_flops, bytes.
TORCH: what gpu_torch.py says; empty without PyTorch.

Roofline: the least time that a model needs, its ops one after the other, each at the measured copy or the measured
product of its precision, whichever takes longer; bytes of an op are those of its operands and results, each once (2 a
value in bf16, else 4). A training step is three times that. The figure is that time over the time taken.
"""

import sys


def read(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip()]


def ops_of(costs, model):
    """(multiply-adds, bytes) of each op of a model, an image."""
    rows = [row[1].split(",") for row in costs if row[0] == model]
    if not rows:
        return []
    macs, size = rows[0].index("macs"), rows[0].index("bytes")
    return [(float(r[macs]), float(r[size])) for r in rows[1:]]


def least_ms(ops, batch, precision, training, most):
    product, copy = most.get(f"product {precision}"), most.get("copy")
    if not ops or not product or not copy:
        return None
    share = 0.5 if precision == "bf16" else 1.0
    s = sum(max(2 * macs / (product * 1e12), share * size / (copy * 1e9)) for macs, size in ops)
    return 1e3 * s * batch * (3 if training else 1)


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def main():
    rows, ceilings, costs, torch = (read(path) for path in sys.argv[1:5])
    most = {name: float(figure) for name, figure, _ in ceilings}
    theirs = {tuple(row[:5]): float(row[5]) for row in torch if row[0] != "about"}
    about = [row[1] for row in torch if row[0] == "about"]
    lines = []
    for model, training, batch, precision, text in rows:
        ms = float(text) if text else None
        least = least_ms(ops_of(costs, model), int(batch), precision, training == "1", most)
        eager, compiled = (theirs.get((model, training, batch, precision, how)) for how in ("eager", "compiled"))
        lines.append((model, "train" if training == "1" else "infer", batch, precision, f"{ms:.2f}" if ms else "failed",
                      f"{1e3 * int(batch) / ms:.4g}" if ms else "-", ratio(least, ms),
                      f"{eager:.2f}" if eager else "-", f"{compiled:.2f}" if compiled else "-",
                      ratio(compiled or eager, ms)))
    print(f"device {sys.argv[5]}; most that it did in this run:",
          "; ".join(f"{name} {figure} {unit}" for name, figure, unit in ceilings) or "not measured")
    print("PyTorch:", about[0] if about else "not here, or no GPU")
    head = ("model", "what", "batch", "precision", "ms", "img/s", "of roofline", "torch ms", "compiled ms", "torch/ours")
    widths = [max(len(r[i]) for r in [head, *lines]) for i in range(len(head))]
    for r in (head, *lines):
        print("  ".join(x.ljust(w) if i in (0, 1, 3) else x.rjust(w) for i, (x, w) in enumerate(zip(r, widths))))


if __name__ == "__main__":
    main()
