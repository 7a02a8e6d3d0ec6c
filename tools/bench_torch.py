#!/usr/bin/env python3
"""The peer of `make bench`: the benchmark's models in plain PyTorch, timed by whoever asks.

Reads requests from stdin, a line each, and answers each with one line on stdout:
  open ID key=value ...   builds a model          -> ok PARAMETERS | no REASON
  run ID N                N calls                 -> seconds a call
  resident                largest resident memory -> bytes
  about                                           -> version of PyTorch and its settings
Keys: family (vit, vittm), image, channels, classes, dim, depth, heads, ratio, patch (vit), memory_patch,
process_patch, latent (vittm), batch, training, precision (fp32, bf16), compiled, threads.

The models are those of vittm: the same layers, the same parameters that are used (their number is compared).
bf16 is autocast: master weights in single precision. A training step is forward, backward, clipping and AdamW.
"""

import resource
import sys
import time

try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as e:
    print(f"no PyTorch: {e}", flush=True)
    sys.exit(3)

EPS = 1e-6


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.proj(y.transpose(1, 2).reshape(b, n, c))


class Block(nn.Module):
    def __init__(self, dim, heads, ratio):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, EPS)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, EPS)
        self.fc1 = nn.Linear(dim, int(ratio * dim))
        self.fc2 = nn.Linear(int(ratio * dim), dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Embed(nn.Module):
    """Patches and learned positions."""

    def __init__(self, image, channels, patch, dim, extra=0):
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)
        self.pos = nn.Parameter(0.02 * torch.randn(1, (image // patch) ** 2 + extra, dim))

    def forward(self, image, first=None):
        x = self.proj(image).flatten(2).transpose(1, 2)
        if first is not None:
            x = torch.cat([first.expand(x.shape[0], -1, -1), x], 1)
        return x + self.pos


class ViT(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.embed = Embed(o["image"], o["channels"], o["patch"], o["dim"], 1)
        self.token = nn.Parameter(torch.zeros(1, 1, o["dim"]))
        self.blocks = nn.ModuleList(Block(o["dim"], o["heads"], o["ratio"]) for _ in range(o["depth"]))
        self.norm = nn.LayerNorm(o["dim"], EPS)
        self.head = nn.Linear(o["dim"], o["classes"])

    def forward(self, image):
        x = self.embed(image, self.token)
        for block in self.blocks:
            x = block(x)
        return (self.head(self.norm(x)[:, 0]),)


class LinearHead(nn.Module):
    """Linear attention with elu + 1 and a normaliser: tokens of `query` read from `source`."""

    def __init__(self, dim, latent, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, latent)
        self.k = nn.Linear(dim, latent)
        self.v = nn.Linear(dim, dim)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)

    def forward(self, source, query):
        q = F.elu(self.split(self.q(query))) + 1
        k = F.elu(self.split(self.k(source))) + 1
        v = self.split(self.v(source))
        out = (q @ (k.transpose(2, 3) @ v)) / (q @ k.sum(2).unsqueeze(3) + 1e-6)
        return out.transpose(1, 2).reshape(query.shape)


class ViTTM(nn.Module):
    def __init__(self, o):
        super().__init__()
        dim, depth = o["dim"], o["depth"]
        self.memory = Embed(o["image"], o["channels"], o["memory_patch"], dim)
        self.process = Embed(o["image"], o["channels"], o["process_patch"], dim)
        self.blocks = nn.ModuleList(Block(dim, o["heads"], o["ratio"]) for _ in range(depth))
        self.read_norm = nn.ModuleList(nn.LayerNorm(dim, EPS) for _ in range(depth))
        self.write_norm = nn.ModuleList(nn.LayerNorm(dim, EPS) for _ in range(depth))
        self.read = nn.ModuleList(LinearHead(dim, o["latent"], o["heads"]) for _ in range(depth))
        self.write = nn.ModuleList(LinearHead(dim, o["latent"], o["heads"]) for _ in range(depth))
        self.process_norm = nn.LayerNorm(dim, EPS)
        self.fc_norm = nn.LayerNorm(dim, EPS)
        self.fc_norm_process = nn.LayerNorm(dim, EPS)
        self.head = nn.Linear(dim, o["classes"])
        self.process_head = nn.Linear(dim, o["classes"])

    def forward(self, image):
        m, p = self.memory(image), self.process(image)
        for i, block in enumerate(self.blocks):
            m, p = self.read_norm[i](m), self.read_norm[i](p)
            p = block(p + self.read[i](m, p))
            m, p = self.write_norm[i](m), self.write_norm[i](p)
            m = m + self.write[i](p, m)
        p = self.process_norm(p)
        return self.head(self.fc_norm(m.mean(1))), self.process_head(self.fc_norm_process(p.mean(1)))


class Subject:
    def __init__(self, o):
        self.training, self.precision, self.threads = o["training"], o["precision"], o["threads"]
        torch.set_num_threads(self.threads)
        self.net = {"vit": ViT, "vittm": ViTTM}[o["family"]](o)
        self.net.train(bool(self.training))
        self.image = torch.randn(o["batch"], o["channels"], o["image"], o["image"])
        self.label = torch.arange(o["batch"]) % o["classes"]
        self.call = torch.compile(self.net) if o["compiled"] else self.net
        if self.training:
            self.optimizer = torch.optim.AdamW(self.net.parameters(), 1e-4, weight_decay=0.05, fused=True)
        for _ in range(2):
            self.once()

    def autocast(self):
        return torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16")

    def once(self):
        if not self.training:
            with torch.inference_mode(), self.autocast():
                self.call(self.image)
            return
        with self.autocast():
            loss = sum(F.cross_entropy(y, self.label) for y in self.call(self.image))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def run(self, calls):
        torch.set_num_threads(self.threads)
        start = time.perf_counter()
        for _ in range(calls):
            self.once()
        return (time.perf_counter() - start) / calls


def value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def answer(words, subjects):
    if words[0] == "open":
        subject = Subject({k: value(v) for k, v in (w.split("=") for w in words[2:])})
        subjects[words[1]] = subject
        return f"ok {sum(p.numel() for p in subject.net.parameters())}"
    if words[0] == "run":
        return f"{subjects[words[1]].run(int(words[2])):.9f}"
    if words[0] == "resident":
        return str(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    if words[0] == "about":
        bf16 = "with" if torch.cpu._is_avx512_bf16_supported() else "without"
        return f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {bf16} AVX512-BF16"
    raise ValueError(f"unknown request {words[0]}")


def main():
    subjects = {}
    for line in sys.stdin:
        if not line.split():
            continue
        try:
            text = answer(line.split(), subjects)
        except Exception as e:  # the asker goes on without this subject, and says why
            text = "no " + " ".join(f"{type(e).__name__}: {e}".split())[:300]
        print(text, flush=True)


if __name__ == "__main__":
    main()
