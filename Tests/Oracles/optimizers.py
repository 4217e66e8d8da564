"""Makes optimizers.json: what optimizers, schedulers and clipping do to three parameters.

    python3 Tests/Oracles/optimizers.py > Tests/Oracles/optimizers.json

Made with torch 2.13.0, pytorch_optimizer 4.1.0 (Lion, AdEMAMix) and schedulefree 1.4.1 on a CPU; the
others are PyTorch's. Muon's iteration runs in single precision here, where PyTorch's runs in bfloat16. Numbers are written with nine digits, which single out a float32.
"""

import inspect
import json
import torch
from pytorch_optimizer import AdEMAMix, Lion
from schedulefree import AdamWScheduleFree
from torch.optim import ASGD, SGD, Adagrad, Adam, AdamW, Muon, RMSprop, _muon, lr_scheduler

source = inspect.getsource(_muon._zeropower_via_newtonschulz)
assert "torch.bfloat16" in source
exec(source.replace("torch.bfloat16", "torch.float32"), vars(_muon))

SHAPES = {"weight": (3, 7), "bias": (17,), "slow": (2, 5)}
RATE_FACTOR = {"weight": 1.0, "bias": 1.0, "slow": 0.25}
UPDATES = 5
MANY = 100
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

# The same for the rules of other libraries; their numbers are compared after many updates, too.
LATER = [
    ("lion", {}, Lion, {"weight_decay": 0.0, "weight_decouple": True}, 0.01),
    ("lion", {"betas": [0.95, 0.98], "weight_decay": 0.3, "decay": "matrices"}, Lion,
     {"betas": (0.95, 0.98), "weight_decay": 0.3, "weight_decouple": True}, 0.01),
    ("ademamix", {}, AdEMAMix, {"weight_decouple": True}, 0.01),
    ("ademamix", {"betas": [0.8, 0.95], "slow": 0.99, "alpha": 3, "warmup": 60, "epsilon": 0.001,
                  "weight_decay": 0.2}, AdEMAMix,
     {"betas": (0.8, 0.95, 0.99), "alpha": 3.0, "t_alpha_beta3": 60, "eps": 0.001,
      "weight_decay": 0.2, "weight_decouple": True}, 0.01),
    ("schedule_free", {}, AdamWScheduleFree, {}, 0.02),
    ("schedule_free", {"betas": [0.95, 0.98], "epsilon": 0.001, "weight_decay": 0.1, "r": 1,
                       "weight_lr_power": 1}, AdamWScheduleFree,
     {"betas": (0.95, 0.98), "eps": 0.001, "weight_decay": 0.1, "r": 1.0,
      "weight_lr_power": 1.0}, 0.02),
    ("muon", {}, Muon, {}, 0.02),
    ("muon", {"momentum": 0.8, "nesterov": False, "steps": 3, "scale": "match_rms_adamw",
              "weight_decay": 0.3, "adamw": {"betas": [0.8, 0.95], "weight_decay": 0.2},
              "adamw_rate": 0.5}, Muon,
     {"momentum": 0.8, "nesterov": False, "ns_steps": 3, "adjust_lr_fn": "match_rms_adamw",
      "weight_decay": 0.3}, 0.02),
]


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def tables(tensors):
    return {name: numbers(tensor) for name, tensor in tensors.items()}


def with_vectors_by_adamw(groups, options, rate, arguments):
    vectors = [g for g in groups if g["params"][0].dim() == 1]
    matrices = [g for g in groups if g["params"][0].dim() == 2]
    factor = options.get("adamw_rate", 0.1)
    for group in vectors:
        group["lr"] *= factor
    other = {"weight_decay": 0.01, **options.get("adamw", {})}
    return [Muon(matrices, lr=rate, **arguments), AdamW(vectors, lr=rate * factor, foreach=False, **other)]


def run(case, start, gradients, updates=UPDATES, recorded_at=RECORDED):
    rule, options, kind, arguments, rate = case
    parameters = {n: torch.nn.Parameter(x.clone()) for n, x in start.items()}
    groups = []
    for name, parameter in parameters.items():
        group = {"params": [parameter], "lr": rate * RATE_FACTOR[name]}
        if options.get("decay") == "matrices" and parameter.dim() == 1:
            group["weight_decay"] = 0.0
        groups.append(group)
    if kind is Muon:
        optimizers = with_vectors_by_adamw(groups, options, rate, arguments)
    else:
        optimizers = [kind(groups, lr=rate, foreach=False, **arguments)]
    if kind is AdamWScheduleFree:
        optimizers[0].train()
    recorded = {}
    for update in range(1, updates + 1):
        for name, parameter in parameters.items():
            # A multiplication in single precision.
            factor = 1 if updates == UPDATES else 1 - 0.005 * (update - 1)
            parameter.grad = gradients[(update - 1) % UPDATES][name] * factor
        for optimizer in optimizers:
            optimizer.step()
        if update in recorded_at:
            recorded[str(update)] = tables(parameters)
    states = {n: next((o.state[p] for o in optimizers if p in o.state), {})
              for n, p in parameters.items()}
    if kind is Muon:
        # Both have a mean of gradients, which is one vector here.
        for name, state in states.items():
            state.setdefault("exp_avg", state.get("momentum_buffer"))
            state.setdefault("exp_avg_sq", torch.zeros_like(parameters[name]))
    names = [k for k, v in states["weight"].items()
             if torch.is_tensor(v) and k != "step" and (kind is not Muon or k != "momentum_buffer")]
    if kind is ASGD:
        names = ["ax"]
    found = {
        "rule": rule, "options": options, "rate": rate, "weights": recorded,
        "moments": {k: {n: numbers(states[n][k]) for n in parameters} for k in names},
    }
    if kind is AdamWScheduleFree:
        optimizers[0].eval()
        found["average"] = tables(parameters)
    return found


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
        "cases": [run(case, start, gradients) for case in CASES + LATER],
        "long": [run(case, start, gradients, MANY, [MANY]) for case in LATER],
        "mean": run(("sgd", {"weight_decay": 0.02}, ASGD,
                     {"lambd": 0, "t0": 0, "weight_decay": 0.02}, 0.05),
                    start, gradients, MANY, [MANY]),
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
