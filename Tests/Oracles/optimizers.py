"""Makes optimizers.json: what PyTorch's optimizers, schedulers and clipping do to three parameters.

    python3 Tests/Oracles/optimizers.py > Tests/Oracles/optimizers.json

Made with torch 2.13.0 on a CPU. Numbers are written with nine digits, which single out a float32.
"""

import json
import torch
from torch.optim import SGD, Adagrad, Adam, AdamW, RMSprop, lr_scheduler

SHAPES = {"weight": (3, 7), "bias": (17,), "slow": (2, 5)}
RATE_FACTOR = {"weight": 1.0, "bias": 1.0, "slow": 0.25}
UPDATES = 5
RECORDED = [1, 2, 5]

# A rule of the configuration, its options there, its PyTorch class, arguments and learning rate.
CASES = [
    ("sgd", {}, SGD, {}, 0.1),
    ("sgd", {"weight_decay": 0.03}, SGD, {"weight_decay": 0.03}, 0.1),
    ("sgd", {"momentum": 0.9}, SGD, {"momentum": 0.9}, 0.1),
    ("sgd", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.03}, SGD,
     {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.03}, 0.1),
    ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.03}, SGD,
     {"momentum": 0.8, "nesterov": True, "weight_decay": 0.03}, 0.1),
    ("adam", {}, Adam, {}, 0.02),
    ("adam", {"betas": [0.7, 0.95], "epsilon": 0.01, "weight_decay": 0.05}, Adam,
     {"betas": (0.7, 0.95), "eps": 0.01, "weight_decay": 0.05}, 0.02),
    ("adamw", {}, AdamW, {}, 0.02),
    ("adamw", {"weight_decay": 0.2, "decay": "matrices"}, AdamW, {"weight_decay": 0.2}, 0.02),
    ("adam", {"weight_decay": 0.2, "decay": "matrices"}, Adam, {"weight_decay": 0.2}, 0.02),
    ("rmsprop", {}, RMSprop, {}, 0.01),
    ("rmsprop", {"alpha": 0.9, "momentum": 0.7}, RMSprop, {"alpha": 0.9, "momentum": 0.7}, 0.01),
    ("rmsprop", {"alpha": 0.9, "centered": True, "weight_decay": 0.05}, RMSprop,
     {"alpha": 0.9, "centered": True, "weight_decay": 0.05}, 0.01),
    ("rmsprop", {"centered": True, "momentum": 0.7, "epsilon": 0.001}, RMSprop,
     {"centered": True, "momentum": 0.7, "eps": 0.001}, 0.01),
    ("adagrad", {}, Adagrad, {}, 0.1),
    ("adagrad", {"learning_rate_decay": 0.1, "initial_sum": 0.5, "weight_decay": 0.05,
                 "epsilon": 0.001}, Adagrad,
     {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.05, "eps": 0.001}, 0.1),
]


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def tables(tensors):
    return {name: numbers(tensor) for name, tensor in tensors.items()}


def run(case, start, gradients):
    rule, options, kind, arguments, rate = case
    parameters = {n: torch.nn.Parameter(x.clone()) for n, x in start.items()}
    groups = []
    for name, parameter in parameters.items():
        group = {"params": [parameter], "lr": rate * RATE_FACTOR[name]}
        if options.get("decay") == "matrices" and parameter.dim() == 1:
            group["weight_decay"] = 0.0
        groups.append(group)
    optimizer = kind(groups, lr=rate, foreach=False, **arguments)
    recorded = {}
    for update in range(1, UPDATES + 1):
        for name, parameter in parameters.items():
            parameter.grad = gradients[update - 1][name].clone()
        optimizer.step()
        if update in RECORDED:
            recorded[str(update)] = tables(parameters)
    states = {n: optimizer.state[p] for n, p in parameters.items()}
    names = [k for k, v in states["weight"].items() if torch.is_tensor(v) and k != "step"]
    return {
        "rule": rule, "options": options, "rate": rate, "weights": recorded,
        "moments": {k: {n: numbers(states[n][k]) for n in parameters} for k in names},
    }


def rates(make, count, rate=0.1):
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler, found = make(optimizer), []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def plateau(losses, rate=0.1, **arguments):
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    scheduler, found = lr_scheduler.ReduceLROnPlateau(optimizer, **arguments), []
    for loss in losses:
        scheduler.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    return {"losses": losses, "rates": found}


def warm_up_then_cosine(optimizer):
    return lr_scheduler.SequentialLR(
        optimizer,
        [lr_scheduler.LinearLR(optimizer, 1 / 6, 1.0, total_iters=5),
         lr_scheduler.CosineAnnealingLR(optimizer, T_max=13, eta_min=0.004)],
        milestones=[6])


def clipping(gradient, limit):
    parameters = []
    for x in gradient.values():
        parameter = torch.nn.Parameter(torch.zeros_like(x))
        parameter.grad = x.clone()
        parameters.append(parameter)
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
    return {"limit": limit, "norm": float(norm),
            "clipped": {n: numbers(p.grad) for n, p in zip(gradient, parameters)}}


def main():
    torch.manual_seed(11)
    start = {n: torch.randn(s) for n, s in SHAPES.items()}
    gradients = [{n: torch.randn(s) * (0.3 + u) for n, s in SHAPES.items()} for u in range(UPDATES)]
    # A number whose gradient stays zero must not move or divide by zero.
    for gradient in gradients:
        gradient["bias"][3] = 0
    losses = [5.0, 4.0, 4.1, 3.99985, 3.9, 3.9, 3.95, 4.2, 3.8, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 1.0]
    made = {
        "start": tables(start),
        "gradients": [tables(g) for g in gradients],
        "cases": [run(case, start, gradients) for case in CASES],
        "schedules": {
            "step": rates(lambda o: lr_scheduler.StepLR(o, step_size=4, gamma=0.3), 14),
            "exponential": rates(lambda o: lr_scheduler.ExponentialLR(o, gamma=0.93), 14),
            "linear": rates(
                lambda o: lr_scheduler.LinearLR(o, 1.0, 0.05, total_iters=9), 14),
            "cosine": rates(
                lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=13, eta_min=0.004), 14),
            "restarts": rates(
                lambda o: lr_scheduler.CosineAnnealingWarmRestarts(
                    o, T_0=3, T_mult=2, eta_min=0.004), 30),
            "equal restarts": rates(
                lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=5, eta_min=0.004), 16),
            "warm-up": rates(warm_up_then_cosine, 20),
        },
        "plateaus": {
            "patience 0": plateau(losses, factor=0.25, patience=0, threshold=0),
            "patience 2": plateau(losses, factor=0.5, patience=2, min_lr=0.03),
        },
        "clipping": clipping(gradients[2], 5.0),
    }
    print(json.dumps(made, separators=(",", ":")).replace('},"', '},\n"').replace('},{', '},\n{'))


main()
