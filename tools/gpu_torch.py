#!/usr/bin/env python3
"""PyTorch on the rows of `make gpu`, eager and compiled, in a given time. Usage: gpu_torch.py ROWS.tsv SECONDS > OUT.tsv

ROWS: model, training (0, 1), batch, precision, then whatever. OUT: a line a figure, as soon as it is known: model,
training, batch, precision, eager or compiled, milliseconds a call. Without torch or a GPU: nothing, exit code 3.

All rows are timed eager first, a row at a time. Compiling takes a core a minute or so, so several processes compile at
once, bf16 first; when they are ready they are timed in turn while the others wait. What does not fit into the time is left
out. GPU_TORCH_MODE: the mode of torch.compile (reduce-overhead, which captures CUDA graphs as vittm does; max-autotune
takes minutes a model); GPU_TORCH_DEVICE=cpu tries this program out.
"""

import os
import select
import subprocess
import sys
import time

MOST_AT_ONCE = 8  # processes that compile: each holds a model and its activations on the GPU
LEAST_S = 0.5  # timed, after the warm-up
DEVICE = os.environ.get("GPU_TORCH_DEVICE", "cuda")
KEYS = {"image_size": "image", "channels": "channels", "classes": "classes", "dim": "dim", "depth": "depth",
        "heads": "heads", "mlp_ratio": "ratio", "patch": "patch", "memory_patch": "memory_patch",
        "process_patch": "process_patch", "latent_dim": "latent"}


def config_of(model):
    """The keys of experiments/models/MODEL.yaml that the models of bench_torch.py need."""
    found = {}
    with open(f"experiments/models/{model}.yaml", encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].strip().split(": ")
            if len(words) == 2 and words[0] not in found:
                found[words[0]] = words[1]
    o = {to: int(float(found[key])) for key, to in KEYS.items() if key in found}
    return o | {"family": found["family"]}


class Subject:
    """One row, ready to be timed: built, compiled where asked, and run a few times."""

    def __init__(self, row, compiled):
        import torch

        import bench_torch

        self.torch = torch
        model, training, batch, self.precision = row
        o = config_of(model)
        if DEVICE == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.precision == "tf32"
        self.training = training == "1"
        net = {"vit": bench_torch.ViT, "vittm": bench_torch.ViTTM}[o["family"]](o).to(DEVICE).train(self.training)
        self.net = net
        self.image = torch.randn(int(batch), o["channels"], o["image"], o["image"], device=DEVICE)
        self.label = torch.arange(int(batch), device=DEVICE) % o["classes"]
        mode = os.environ.get("GPU_TORCH_MODE", "reduce-overhead")
        self.call = torch.compile(net, mode=mode) if compiled else net
        if self.training:
            self.update = torch.optim.AdamW(net.parameters(), 1e-4, weight_decay=0.05, fused=True)
        for _ in range(4):
            self.once()
        self.wait()

    def wait(self):
        if DEVICE == "cuda":
            self.torch.cuda.synchronize()

    def once(self):
        torch = self.torch
        with torch.autocast(DEVICE, torch.bfloat16, enabled=self.precision == "bf16"):
            if not self.training:
                with torch.inference_mode():
                    self.call(self.image)
                return
            loss = sum(torch.nn.functional.cross_entropy(y, self.label) for y in self.call(self.image))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.update.step()
        self.update.zero_grad()

    def milliseconds(self):
        calls, start, spent = 0, time.perf_counter(), 0.0
        while spent < LEAST_S:
            for _ in range(3):
                self.once()
            self.wait()
            calls += 3
            spent = time.perf_counter() - start
        return 1e3 * spent / calls


def in_one_line(e):
    return f"{type(e).__name__}: {' '.join(str(e).split())}"[:200]


def serve(row):
    """A process of its own: says ready, waits for a line, says the milliseconds."""
    try:
        subject = Subject(row, True)
        print("ready", flush=True)
        sys.stdin.readline()
        print(f"{subject.milliseconds():.4f}", flush=True)
    except Exception as e:  # the others go on
        print(f"no {in_one_line(e)}", flush=True)


def tell(row, how, ms):
    print("\t".join([*row, how, ms]), flush=True)


def line_of(process, until):
    """A line that the process says before then; None where it says none."""
    if select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        return process.stdout.readline().strip() or None
    return None


def time_compiled(rows, until):
    cores = os.cpu_count() or 1
    threads = str(max(1, cores // MOST_AT_ONCE))
    env = os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": threads, "OMP_NUM_THREADS": threads}
    for first in range(0, len(rows), MOST_AT_ONCE):
        if time.monotonic() > until:
            print("gpu_torch: out of time: the remaining rows are not compiled", file=sys.stderr)
            return
        some = rows[first : first + MOST_AT_ONCE]
        processes = [subprocess.Popen([sys.executable, __file__, "--serve", *row], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, env=env) for row in some]
        try:
            said = [line_of(p, until) for p in processes]
            for row, p, word in zip(some, processes, said):
                if word == "ready":
                    p.stdin.write("go\n")
                    p.stdin.flush()
                    word = line_of(p, until + 5)
                if word and not word.startswith("no"):
                    tell(row, "compiled", word)
                else:
                    print(f"gpu_torch: {' '.join(row)}, compiled: {word or 'not in time'}", file=sys.stderr)
        finally:
            for p in processes:
                p.kill()
                p.wait()


def time_eager(rows, until):
    for row in rows:
        if time.monotonic() > until:
            print("gpu_torch: out of time", file=sys.stderr)
            return
        try:
            tell(row, "eager", f"{Subject(row, False).milliseconds():.4f}")
        except Exception as e:
            print(f"gpu_torch: {' '.join(row)}, eager: {in_one_line(e)}", file=sys.stderr)


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    if sys.argv[1] == "--serve":
        serve(sys.argv[2:6])
        return 0
    try:
        import torch
    except ImportError:
        print(f"gpu_torch: {sys.executable} has no torch", file=sys.stderr)
        return 3
    if DEVICE == "cuda" and not torch.cuda.is_available():
        print(f"gpu_torch: PyTorch {torch.__version__} sees no GPU", file=sys.stderr)
        return 3
    until = time.monotonic() + float(sys.argv[2])
    with open(sys.argv[1], encoding="utf-8") as f:
        rows = [line.split("\t")[:4] for line in f if line.strip()]
    rows.sort(key=lambda row: row[3] != "bf16")  # what the goals are about comes first; else as given
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else "processor"
    print(f"about\t{torch.__version__}, {name}", flush=True)
    time_eager(rows, until)
    if DEVICE == "cuda":
        torch.cuda.empty_cache()
    time_compiled(rows, until)
    return 0


if __name__ == "__main__":
    sys.exit(main())
