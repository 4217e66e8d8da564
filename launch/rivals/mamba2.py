"""Times training steps of Mamba-2 in transformers, on one thread, for the figure in docs/modern.md.

Needs torch and transformers; without its kernels for GPUs, transformers computes the chunks with PyTorch.

    taskset -c 0 python launch/rivals/mamba2.py
"""

import time

import torch
from transformers import Mamba2Config, Mamba2ForCausalLM

STREAMS, STEPS = 8, 256


def main():
    torch.set_num_threads(1)
    config = Mamba2Config(vocab_size=65, hidden_size=512, num_hidden_layers=6, state_size=128, expand=2, head_dim=64,
                          num_heads=16, n_groups=1, chunk_size=256)
    model = Mamba2ForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    symbols = torch.randint(0, 65, (STREAMS, STEPS))
    print(sum(parameter.numel() for parameter in model.parameters()), "parameters")
    for _ in range(3):
        begin = time.time()
        model(symbols, labels=symbols).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        print(f"{STREAMS * STEPS / (time.time() - begin):.0f} tokens/s", flush=True)


if __name__ == "__main__":
    main()
