"""The training step with PyTorch on one GPU: add gradients up, update, write the replicas.

    python3 torch_gpu_step.py eager|foreach|compiled|graph SOURCES REPLICAS SIZE,SIZE,...

    eager      a sum a key, the fused optimizer, a copy a replica
    foreach    the same on lists, with torch._foreach functions
    compiled   torch.compile of the sums, the update and the copies
    graph      `foreach`, captured once as a CUDA graph

Says `ready`, then takes commands, one a line, until its input ends:

    step TIMES   does the step TIMES times: `took` all of it, in microseconds, the GPU's work included
    check        two steps from zero: `wrong` and how many weights are not what they should be

Exits with code 3 where PyTorch or a GPU is missing.
"""

import sys
import time

try:
    import torch
except ImportError:
    sys.exit(3)
if not torch.cuda.is_available():
    sys.exit(3)

LR = 0.5
MOMENTUM = 0.5
CHECK_STEPS = 2
WARM_UP_STEPS = 3


def gradients_of(source, sizes):
    """Gradients of one source, cut from one row of small integers."""
    index = torch.arange(sum(sizes), device="cuda")
    return [part.contiguous() for part in ((index * 7 + source * 3) % 11 + 1).float().split(sizes)]


class Step:
    """Weights, momenta, gradients of each source, and replicas."""

    def __init__(self, sources, replicas, sizes):
        self.gradients = [gradients_of(source, sizes) for source in range(sources)]
        self.replicas = [self.zeros(sizes) for _ in range(replicas)]
        self.weights, self.momenta, self.sums = (self.zeros(sizes) for _ in range(3))

    @staticmethod
    def zeros(sizes):
        return [torch.zeros(size, device="cuda") for size in sizes]

    def reset(self):
        for each in (*self.weights, *self.momenta):
            each.zero_()

    def wrong(self):
        """Weights after two steps: m1 = -sum / 2, m2 = m1 / 2 - sum / 2, w2 = m1 + m2."""
        expected = [-1.25 * sum(parts) for parts in zip(*self.gradients)]
        copies = self.replicas or [self.weights]
        return sum(int((w != e).sum()) for copy in copies for w, e in zip(copy, expected))


class Eager(Step):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.parameters = [torch.nn.Parameter(weight) for weight in self.weights]
        for parameter, total in zip(self.parameters, self.sums):
            parameter.grad = total
        self.optimizer = torch.optim.SGD(self.parameters, lr=LR, momentum=MOMENTUM, fused=True)

    def reset(self):
        super().reset()
        self.optimizer.state.clear()

    @torch.no_grad()
    def step(self):
        first, *others = self.gradients
        for key, total in enumerate(self.sums):
            if others:
                torch.add(first[key], others[0][key], out=total)
            else:
                total.copy_(first[key])
            for gradients in others[1:]:
                total.add_(gradients[key])
        self.optimizer.step()
        for replica in self.replicas:
            for mine, weight in zip(replica, self.weights):
                mine.copy_(weight)


class Foreach(Step):
    @torch.no_grad()
    def step(self):
        first, *others = self.gradients
        torch._foreach_copy_(self.sums, first)
        for gradients in others:
            torch._foreach_add_(self.sums, gradients)
        torch._foreach_mul_(self.momenta, MOMENTUM)
        torch._foreach_add_(self.momenta, self.sums, alpha=-LR)
        torch._foreach_add_(self.weights, self.momenta)
        for replica in self.replicas:
            torch._foreach_copy_(replica, self.weights)


class Compiled(Step):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.run = torch.compile(self.update)

    @staticmethod
    def update(gradients, momenta, weights, replicas):
        for key, weight in enumerate(weights):
            total = gradients[0][key]
            for each in gradients[1:]:
                total = total + each[key]
            momenta[key].mul_(MOMENTUM).sub_(total * LR)
            weight.add_(momenta[key])
            for replica in replicas:
                replica[key].copy_(weight)

    @torch.no_grad()
    def step(self):
        self.run(self.gradients, self.momenta, self.weights, self.replicas)


class Graph(Foreach):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                Foreach.step(self)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            Foreach.step(self)

    def step(self):
        self.graph.replay()


def main(way, sources, replicas, sizes):
    ways = {"eager": Eager, "foreach": Foreach, "compiled": Compiled, "graph": Graph}
    rival = ways[way](int(sources), int(replicas), [int(size) for size in sizes.split(",")])
    for _ in range(WARM_UP_STEPS):
        rival.step()
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = line.split()
        torch.cuda.synchronize()
        if name == "check":
            rival.reset()
            for _ in range(CHECK_STEPS):
                rival.step()
            print("wrong", rival.wrong(), flush=True)
        elif name == "step":
            begin = time.perf_counter()
            for _ in range(int(arguments[0])):
                rival.step()
            torch.cuda.synchronize()
            print("took", f"{(time.perf_counter() - begin) * 1e6:.3f}", flush=True)
        else:
            sys.exit(f"expected step TIMES or check, got {line}")


if __name__ == "__main__":
    main(*sys.argv[1:])
