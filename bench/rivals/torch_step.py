"""The training step with PyTorch: in one process, or in one process a device over gloo.

    python3 torch_step.py in-process|ddp DEVICES SIZE,SIZE,...

Says `ready`, then takes commands, one a line, until its input ends:

    step TIMES   does the step TIMES times: `took` all of it, then each, in microseconds
    check        two steps from zero: `wrong` and how many weights are not what they should be

Exits with code 3 where PyTorch is not installed.
"""

import os
import sys
import time

try:
    import torch
    import torch.distributed as dist
    import torch.multiprocessing as multiprocessing
except ImportError:
    sys.exit(3)

LR = 0.5
MOMENTUM = 0.5
CHECK_STEPS = 2
MEGABYTE = 1 << 20
# The first bucket that DistributedDataParallel sends is small, so that sending begins early.
FIRST_BUCKET_BYTES = 1 * MEGABYTE
BUCKET_BYTES = 25 * MEGABYTE
# Idle threads of OpenMP look for work for a moment before they sleep.
SPINNING_SECONDS = 0.005


def gradients_of(device, sizes):
    """Gradients of one device, cut from one row of small integers."""
    index = torch.arange(sum(sizes))
    return ((index * 7 + device * 3) % 11 + 1).float().split(sizes)


def expected_weights(devices, sizes):
    """Weights after two steps: m1 = -sum / 2, m2 = m1 / 2 - sum / 2, w2 = m1 + m2."""
    total = gradients_of(0, sizes)
    for device in range(1, devices):
        total = [x + y for x, y in zip(total, gradients_of(device, sizes))]
    return [-1.25 * x for x in total]


def count_wrong(weights, expected):
    return sum(int((w.detach() != e).sum()) for w, e in zip(weights, expected))


def optimizer_of(weights, foreach):
    return torch.optim.SGD(weights, lr=LR, momentum=MOMENTUM, foreach=foreach)


class InProcess:
    """Lists of tensors, one list a device: add them up, update, copy the weights to each list."""

    def __init__(self, devices, sizes):
        self.devices, self.sizes = devices, sizes
        # Two at least, so that one pass makes the first sum.
        zeros = [[torch.zeros(size) for size in sizes]] if devices == 1 else []
        self.gradients = [gradients_of(device, sizes) for device in range(devices)] + zeros
        self.outs = [[torch.zeros(size) for size in sizes] for _ in range(devices)]
        self.weights = [torch.nn.Parameter(torch.zeros(size)) for size in sizes]
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)
        self.optimizer = optimizer_of(self.weights, foreach=False)

    @torch.no_grad()
    def step(self):
        first, second, *others = self.gradients
        for key, weight in enumerate(self.weights):
            torch.add(first[key], second[key], out=weight.grad)
            for gradients in others:
                weight.grad.add_(gradients[key])
        self.optimizer.step()
        for out in self.outs:
            for mine, weight in zip(out, self.weights):
                mine.copy_(weight)

    def steps(self, times):
        begin = time.perf_counter()
        each = timed_steps(self.step, times)
        total = time.perf_counter() - begin
        time.sleep(SPINNING_SECONDS)
        return total, each

    @torch.no_grad()
    def check(self):
        for weight in self.weights:
            weight.zero_()
        self.optimizer.state.clear()
        for _ in range(CHECK_STEPS):
            self.step()
        expected = expected_weights(self.devices, self.sizes)
        return sum(count_wrong(out, expected) for out in self.outs)

    def close(self):
        pass


class BucketedRank:
    """What DistributedDataParallel does after the backward pass, without the copy into buckets.

    Gradients are views of buckets, last parameter first. All buckets are summed at the same time,
    in place; then every rank updates all of its weights.
    """

    def __init__(self, rank, devices, sizes):
        self.rank, self.devices, self.sizes = rank, devices, sizes
        self.weights = [torch.nn.Parameter(torch.zeros(size)) for size in sizes]
        self.buckets = [self.bucket_of(keys) for keys in bucket_keys(sizes)]
        self.optimizer = optimizer_of(self.weights, foreach=True)

    def bucket_of(self, keys):
        bucket = torch.zeros(sum(self.sizes[key] for key in keys))
        for key, view in zip(keys, bucket.split([self.sizes[key] for key in keys])):
            self.weights[key].grad = view
        return bucket

    def step(self):
        works = [dist.all_reduce(bucket, async_op=True) for bucket in self.buckets]
        for work in works:
            work.wait()
        self.optimizer.step()

    def steps(self, times):
        dist.barrier()
        begin = time.perf_counter()
        each = timed_steps(self.step, times)
        dist.barrier()
        return time.perf_counter() - begin, each

    @torch.no_grad()
    def check(self):
        self.clear()
        for _ in range(CHECK_STEPS):
            for weight, gradient in zip(self.weights, gradients_of(self.rank, self.sizes)):
                weight.grad.copy_(gradient)
            self.step()
        expected = expected_weights(self.devices, self.sizes)
        wrong = torch.tensor([count_wrong(self.weights, expected)])
        dist.all_reduce(wrong)
        # The sums are where the gradients were. Zeros stay zeros, however often they are added.
        self.clear()
        return int(wrong)

    def clear(self):
        for bucket in self.buckets:
            bucket.zero_()
        for weight in self.weights:
            weight.detach().zero_()
        self.optimizer.state.clear()


def bucket_keys(sizes):
    """Which parameters share a bucket, as DistributedDataParallel deals them out."""
    buckets, keys, held, most = [], [], 0, FIRST_BUCKET_BYTES
    for key in reversed(range(len(sizes))):
        keys.append(key)
        held += sizes[key] * 4
        if held >= most:
            buckets.append(keys)
            keys, held, most = [], 0, BUCKET_BYTES
    return buckets + [keys] if keys else buckets


def run_rank(rank, devices, sizes, port, pipe):
    """The process of one rank: obeys the first process, which it hears through `pipe`."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=devices)
    mine = BucketedRank(rank, devices, sizes)
    pipe.send(None)
    while (command := pipe.recv()) is not None:
        name, arguments = command
        pipe.send(getattr(mine, name)(*arguments))
    dist.destroy_process_group()


class Ddp:
    """One process a device; this one only passes commands on."""

    def __init__(self, devices, sizes):
        context = multiprocessing.get_context("spawn")
        port = free_port()
        self.pipes, self.processes = [], []
        for rank in range(devices):
            pipe, other = context.Pipe()
            arguments = (rank, devices, sizes, port, other)
            process = context.Process(target=run_rank, args=arguments, daemon=True)
            process.start()
            self.pipes.append(pipe)
            self.processes.append(process)
            other.close()
        self.answers()

    def answers(self):
        return [pipe.recv() for pipe in self.pipes]

    def ask(self, command):
        for pipe in self.pipes:
            pipe.send(command)
        return self.answers()[0]

    def steps(self, times):
        return self.ask(("steps", (times,)))

    def check(self):
        return self.ask(("check", ()))

    def close(self):
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join()


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def timed_steps(step, times):
    each = []
    for _ in range(times):
        begin = time.perf_counter()
        step()
        each.append(time.perf_counter() - begin)
    return each


def main(way, devices, sizes):
    ways = {"in-process": InProcess, "ddp": Ddp}
    rival = ways[way](int(devices), [int(size) for size in sizes.split(",")])
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = line.split()
        if name == "check":
            print("wrong", rival.check(), flush=True)
        elif name == "step":
            total, each = rival.steps(int(arguments[0]))
            print("took", *(f"{seconds * 1e6:.3f}" for seconds in (total, *each)), flush=True)
        else:
            sys.exit(f"expected step TIMES or check, got {line}")
    rival.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
