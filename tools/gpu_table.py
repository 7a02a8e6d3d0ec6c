#!/usr/bin/env python3
"""The table of `make gpu`: what was measured beside what the device does at most and, where python3 has torch and
the device is a GPU, PyTorch on the same shapes. Usage: gpu_table.py ROWS.tsv CEILINGS.tsv DEVICE

ROWS: model, training (0, 1), batch, precision, milliseconds (empty: failed), multiply-adds an image.
CEILINGS: name, figure, unit, as bench_ceilings prints them.
Roofline: multiply-adds over the measured product of that precision, the least time that the products alone need.
"""

import sys
import time

SECONDS = 1.0  # a PyTorch model, after the warm-up


def read(path):
    with open(path, encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip()]


def config_of(model):
    """The keys of experiments/models/MODEL.yaml that the peer needs."""
    keys = {}
    with open(f"experiments/models/{model}.yaml", encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].strip().split(": ")
            if len(words) == 2 and words[0] not in keys:
                keys[words[0]] = words[1]
    names = {"image_size": "image", "channels": "channels", "classes": "classes", "dim": "dim", "depth": "depth",
             "heads": "heads", "mlp_ratio": "ratio", "patch": "patch", "memory_patch": "memory_patch",
             "process_patch": "process_patch", "latent_dim": "latent"}
    o = {to: int(float(keys[key])) for key, to in names.items() if key in keys}
    o["family"] = keys["family"]
    return o


def torch_ms(torch, peer, model, training, batch, precision, compiled):
    """Milliseconds a call on the GPU, or None where PyTorch cannot."""
    try:
        o = config_of(model)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        net = {"vit": peer.ViT, "vittm": peer.ViTTM}[o["family"]](o).cuda().train(training)
        image = torch.randn(batch, o["channels"], o["image"], o["image"], device="cuda")
        label = torch.arange(batch, device="cuda") % o["classes"]
        call = torch.compile(net, mode="max-autotune") if compiled else net
        update = torch.optim.AdamW(net.parameters(), 1e-4, fused=True) if training else None

        def once():
            with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
                if not training:
                    with torch.inference_mode():
                        call(image)
                    return
                loss = sum(torch.nn.functional.cross_entropy(y, label) for y in call(image))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            update.step()
            update.zero_grad()

        for _ in range(3):
            once()
        torch.cuda.synchronize()
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            once()
            torch.cuda.synchronize()
            calls += 1
        return 1e3 * (time.perf_counter() - start) / calls
    except Exception as e:  # the table goes on without this figure
        print(f"PyTorch, {model}, {precision}: {type(e).__name__}: {str(e).splitlines()[0][:150]}")
        return None


def find_torch(device):
    if device != "cuda":
        return None, None
    try:
        import torch

        sys.path.insert(0, "tools")
        import bench_torch

        return (torch, bench_torch) if torch.cuda.is_available() else (None, None)
    except ImportError:
        return None, None


def main():
    rows, ceilings, device = read(sys.argv[1]), read(sys.argv[2]), sys.argv[3]
    torch, peer = find_torch(device)
    most = {name: float(figure) for name, figure, _ in ceilings}
    lines = []
    for model, training, batch, precision, ms, macs in rows:
        train = training == "1"
        peak = most.get(f"product {precision}")
        work = 2 * float(macs) * int(batch) * (3 if train else 1)
        floor = f"{1e3 * work / (peak * 1e12) / float(ms):.2f}" if ms and peak else "-"
        theirs = []
        for compiled in (False, True):
            t = torch and torch_ms(torch, peer, model, train, int(batch), precision, compiled)
            theirs.append(f"{t:.2f}" if t else "-")
        lines.append((model, "train" if train else "infer", batch, precision, f"{float(ms):.2f}" if ms else "failed",
                      floor, *theirs))
    print(f"device {device}; most that it did in this run:",
          "; ".join(f"{name} {figure} {unit}" for name, figure, unit in ceilings))
    print("PyTorch:", f"{torch.__version__}, {torch.cuda.get_device_name()}" if torch else "not here, or no GPU")
    head = ("model", "what", "batch", "precision", "ms", "of roofline", "torch ms", "compiled ms")
    widths = [max(len(str(r[i])) for r in [head, *lines]) for i in range(len(head))]
    for r in (head, *lines):
        print("  ".join(str(x).ljust(w) if i in (0, 1, 3) else str(x).rjust(w) for i, (x, w) in enumerate(zip(r, widths))))


if __name__ == "__main__":
    main()
