#!/usr/bin/env python3
"""The sinusoid rows trained by JAX, to see how its seeds spread.

  tests/published/peer_sinusoid.py ROW [--seeds 10]       needs jax and optax

Adds to peer_sinusoid.json, which the table shows; seeds that are there are not trained again.
"""

import argparse
import functools
import json
import os
import re

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import optax

import rows as store

CHUNK, TASKS, META_BATCH, STEPS = 1000, 20_000, 25, 10
SHOWN = (1, 5, 10)


def net(weights, x):
    w1, b1, w2, b2, w3, b3 = weights
    return jax.nn.relu(jax.nn.relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def loss(weights, x, y):
    return ((net(weights, x) - y) ** 2).mean()


def draw(key, count, shots):
    """Support and query points of sinusoids, each [count, shots, 1]."""
    of_amplitude, of_phase, of_x = jax.random.split(key, 3)
    amplitude = jax.random.uniform(of_amplitude, (count, 1, 1), minval=0.1, maxval=5.0)
    phase = jax.random.uniform(of_phase, (count, 1, 1), minval=0.0, maxval=np.pi)
    x = jax.random.uniform(of_x, (count, 2 * shots, 1), minval=-5.0, maxval=5.0)
    y = amplitude * jnp.sin(x - phase)
    return x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]


def adapted_losses(rate, steps, weights, xs, ys, xq, yq):
    """Query loss before and after every inner step: [steps + 1]."""
    losses = [loss(weights, xq, yq)]
    for _ in range(steps):
        gradient = jax.grad(loss)(weights, xs, ys)
        weights = [w - rate * g for w, g in zip(weights, gradient)]
        losses.append(loss(weights, xq, yq))
    return jnp.stack(losses)


def initial(keys):
    def normal(key, shape):
        return 0.01 * jax.random.truncated_normal(key, -2.0, 2.0, shape)
    return [normal(keys[0], (1, 40)), jnp.zeros(40), normal(keys[1], (40, 40)), jnp.zeros(40),
            normal(keys[2], (40, 1)), jnp.zeros(1)]


def train(seed, shots, rate, steps, iterations):
    chunks = iterations // CHUNK
    keys = jax.random.split(jax.random.PRNGKey(seed), chunks + 10)
    weights = initial(keys)
    optimizer = optax.adam(1e-3)
    task = functools.partial(adapted_losses, rate, steps)

    def meta_loss(weights, key):
        tasks = draw(key, META_BATCH, shots)
        return jax.vmap(task, (None, 0, 0, 0, 0))(weights, *tasks)[:, -1].mean()

    def step(carry, key):
        weights, state = carry
        updates, state = optimizer.update(jax.grad(meta_loss)(weights, key), state)
        return (optax.apply_updates(weights, updates), state), None

    chunk = jax.jit(lambda carry, key: jax.lax.scan(step, carry, jax.random.split(key, CHUNK))[0])
    carry = (weights, optimizer.init(weights))
    for i in range(chunks):
        carry = chunk(carry, keys[5 + i])
    return carry[0], keys[-1]


def test(weights, key, shots, rate):
    """Mean over tasks below 20, by step, as the rows have it."""
    task = functools.partial(adapted_losses, rate, STEPS)
    tasks = draw(key, TASKS, shots)
    losses = np.array(jax.jit(jax.vmap(task, (None, 0, 0, 0, 0)))(weights, *tasks))
    kept = np.where(losses < 20, losses, np.nan)
    return {str(s): round(float(np.nanmean(kept[:, s])), 3) for s in SHOWN}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("row")
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    row = next((row for row in store.load_rows() if row.name == options.row), None)
    if row is None or not row.is_regression or "fomaml" in row.name:
        parser.error(f"{options.row} is not a sinusoid row trained by MAML")
    config = row.config_file.read_text()
    number = lambda section, key: float(
        re.search(rf"^{section}:\n(?:  .*\n)*?  {key}: (\S+)", config, re.MULTILINE).group(1))
    shots, rate = int(number("tasks", "shots")), number("inner", "rate")
    for seed in range(options.seeds):
        results = store.load_peer()
        seeds = results.setdefault(row.name, {})
        if str(seed) in seeds:
            continue
        trained = train(seed, shots, rate, int(number("inner", "steps")), row.iterations)
        seeds[str(seed)] = test(*trained, shots, rate)
        print(row.name, seed, seeds[str(seed)], flush=True)
        store.write_text(store.PEER, json.dumps(results, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
