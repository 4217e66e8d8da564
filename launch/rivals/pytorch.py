"""The network of `unroll bench` in PyTorch, as its users would write it for speed: one JSON object.

The same generated symbols (--text, written by `unroll bench --write-text`) and the same first weights
(--weights, by --write-weights) give the same losses. One process, one thread; several processes, told
by RANK, WORLD_SIZE and MEETING_FILE, train with DistributedDataParallel over gloo.
"""

import argparse
import json
import os
import statistics
import struct
import time

parser = argparse.ArgumentParser()
parser.add_argument("--task", choices=["train", "evaluate", "generate"], default="train")
parser.add_argument("--cell", choices=["lstm", "gru", "elman"], default="lstm")
parser.add_argument("--layers", type=int, default=2)
parser.add_argument("--hidden", type=int, default=650)
parser.add_argument("--vocabulary", type=int, default=10000)
parser.add_argument("--batch-size", type=int, default=20, help="streams of each process")
parser.add_argument("--bptt", type=int, default=35)
parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--warm-up", type=int, default=2)
parser.add_argument("--text", required=True)
parser.add_argument("--weights")
arguments = parser.parse_args()


def status(name):
    """A figure of /proc/self/status in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def seconds_since_start():
    with open("/proc/self/stat") as file:
        ticks = float(file.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


import torch  # noqa: E402: its import is part of the start
from torch import nn  # noqa: E402

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
start_memory = status("VmRSS")
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
is_bfloat16 = arguments.precision == "bfloat16"
is_training = arguments.task == "train"
T, B, V = arguments.bptt, arguments.batch_size, arguments.vocabulary
if arguments.task == "generate":
    T = B = 1


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, output layer: the word_language_model example without dropout."""

    def __init__(self):
        super().__init__()
        module = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}[arguments.cell]
        self.encoder = nn.Embedding(V, arguments.hidden)
        self.rnn = module(arguments.hidden, arguments.hidden, arguments.layers)
        self.decoder = nn.Linear(arguments.hidden, V)

    def forward(self, symbols, state):
        output, state = self.rnn(self.encoder(symbols), state)
        return self.decoder(output.flatten(0, 1)), state


def load(path):
    """The tensors of a .safetensors file of float32."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            numbers = torch.frombuffer(data, dtype=torch.float32, count=(end - begin) // 4, offset=begin)
            tensors[name] = numbers.reshape(entry["shape"])
    return tensors


torch.manual_seed(1)
model = LanguageModel()
if arguments.weights:
    model.load_state_dict(load(arguments.weights), strict=True)
if not is_training:
    model.eval()
    if is_bfloat16:
        # Converted once: autocast would convert the weights in every call.
        model.bfloat16()
parameters = list(model.parameters())
count = sum(p.numel() for p in parameters)
network = model
if world > 1:
    import torch.distributed as dist

    # A file needs no port and no name of the host.
    meeting = "file://" + os.environ["MEETING_FILE"]
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    network = nn.parallel.DistributedDataParallel(
        model, gradient_as_bucket_view=True, static_graph=True
    )

with open(arguments.text, "rb") as file:
    symbols = torch.frombuffer(bytearray(file.read()), dtype=torch.int32).long()
streams = symbols.reshape(B * world, -1)[rank * B : (rank + 1) * B].t().contiguous()
criterion = nn.CrossEntropyLoss()
place = 0


def zero_state():
    dtype = torch.bfloat16 if is_bfloat16 and not is_training else torch.float32
    zeros = torch.zeros(arguments.layers, B, arguments.hidden, dtype=dtype)
    return (zeros, zeros.clone()) if arguments.cell == "lstm" else zeros


def detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def next_window():
    global place, state
    if place + T >= streams.shape[0]:
        place, state = 0, zero_state()
    elif place == 0:
        state = zero_state()
    window = streams[place : place + T], streams[place + 1 : place + T + 1].reshape(-1)
    place += T
    return window


def score(inputs, targets, state):
    logits, state = network(inputs, state)
    return criterion(logits.float() if is_bfloat16 else logits, targets), state


def read(symbol, state):
    logits, state = network(symbol, state)
    return torch.softmax(logits.float(), dim=-1), state


if arguments.compile:
    score, read = torch.compile(score), torch.compile(read)
autocast = torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_bfloat16 and is_training)
optimizers = {}
if is_training:
    optimizers = {
        "plain": torch.optim.SGD(parameters, lr=1.0, foreach=False),
        "foreach": torch.optim.SGD(parameters, lr=1.0, foreach=True),
        "fused": torch.optim.SGD(parameters, lr=1.0, fused=True),
    }
optimizer = "plain"
state = zero_state()
symbol = symbols[:1].reshape(1, 1)


def update(name):
    torch.nn.utils.clip_grad_norm_(parameters, 0.25, foreach=name != "plain")
    optimizers[name].step()


def train():
    global state
    inputs, targets = next_window()
    state = detached(state)
    optimizers[optimizer].zero_grad(set_to_none=True)
    with autocast:
        loss, state = score(inputs, targets, state)
    loss.backward()
    update(optimizer)
    return loss.item()


def evaluate():
    global state
    inputs, targets = next_window()
    with torch.inference_mode():
        loss, state = score(inputs, targets, state)
        return loss.item()


def generate():
    global state, symbol
    with torch.inference_mode():
        probabilities, state = read(symbol, state)
        symbol = torch.multinomial(probabilities, 1)
        symbol.item()
        return 0.0


def fastest_optimizer():
    """What of plain, foreach and fused takes the least time here; the weights stay as they are."""
    for p in parameters:
        p.grad = torch.zeros_like(p)
    times = {}
    for name in optimizers:
        taken = []
        for _ in range(4):
            begin = time.perf_counter()
            update(name)
            taken.append(time.perf_counter() - begin)
        times[name] = min(taken)
    for p in parameters:
        p.grad = None
    return min(times, key=times.get)


setup_seconds = seconds_since_start()
step = {"train": train, "evaluate": evaluate, "generate": generate}[arguments.task]
if is_training and world == 1:
    optimizer = fastest_optimizer()
elif is_training:
    # Gradients are views of DDP's buckets; all processes take the same.
    optimizer = "fused"
losses = [step() for _ in range(arguments.warm_up)]
times = []
for _ in range(arguments.steps):
    begin = time.perf_counter()
    losses.append(step())
    times.append(time.perf_counter() - begin)
if world > 1:
    middle = torch.tensor([losses[0], losses[-1]], dtype=torch.float64)
    dist.all_reduce(middle)
    losses[0], losses[-1] = (middle / world).tolist()
    dist.destroy_process_group()
median = statistics.median(times)
if rank == 0:
    print(
        json.dumps(
            {
                "torch": torch.__version__,
                "precision": arguments.precision,
                "compile": arguments.compile,
                "optimizer": optimizer if is_training else None,
                "parameters": count,
                "tokens_per_second": T * B * world / median,
                "step_milliseconds": {
                    "median": 1000 * median,
                    "shortest": 1000 * min(times),
                    "longest": 1000 * max(times),
                },
                "first_loss": losses[0],
                "last_loss": losses[-1],
                "peak_memory_bytes": status("VmHWM") - start_memory,
                "start_memory_bytes": start_memory,
                "setup_seconds": setup_seconds,
            }
        )
    )
