"""Optimizers as their papers write them down, in NumPy and double precision.

Each takes a function `gradients(weights)`, the start and the number of steps, and
returns the weights.
"""

import numpy as np


def lamb(gradients, start, steps, rate, wd, b1=0.9, b2=0.999, eps=1e-6):
    """arXiv 1904.00962, algorithm 2: the decay is part of what is normalized."""
    x = [w.astype("float64") for w in start]
    m, v = [0 * w for w in x], [0 * w for w in x]
    for t in range(1, steps + 1):
        for i, g in enumerate(gradients(x)):
            m[i] = b1 * m[i] + (1 - b1) * g
            v[i] = b2 * v[i] + (1 - b2) * g**2
            r = m[i] / (1 - b1**t) / (np.sqrt(v[i] / (1 - b2**t)) + eps)
            r = r + wd * x[i]
            x[i] = x[i] - rate * np.linalg.norm(x[i]) / np.linalg.norm(r) * r
    return x


def lars(gradients, start, steps, rate, wd, momentum=0.9, trust=0.001):
    """arXiv 1708.03888, algorithm 1."""
    x = [w.astype("float64") for w in start]
    velocity = [0 * w for w in x]
    for _ in range(steps):
        for i, g in enumerate(gradients(x)):
            size = np.linalg.norm(x[i])
            local = trust * size / (np.linalg.norm(g) + wd * size)
            velocity[i] = momentum * velocity[i] + rate * local * (g + wd * x[i])
            x[i] = x[i] - velocity[i]
    return x


def radam(gradients, start, steps, rate, wd=0.0, b1=0.9, b2=0.999, eps=1e-8):
    """arXiv 1908.03265, algorithm 2, with decoupled decay."""
    x = [w.astype("float64") for w in start]
    m, v = [0 * w for w in x], [0 * w for w in x]
    most = 2 / (1 - b2) - 1
    for t in range(1, steps + 1):
        length = most - 2 * t * b2**t / (1 - b2**t)
        for i, g in enumerate(gradients(x)):
            v[i] = b2 * v[i] + (1 - b2) * g**2
            m[i] = b1 * m[i] + (1 - b1) * g
            update = m[i] / (1 - b1**t)
            if length > 4:
                rectified = (length - 4) * (length - 2) * most
                rectified /= (most - 4) * (most - 2) * length
                update = np.sqrt(rectified) * update
                update = update / (np.sqrt(v[i] / (1 - b2**t)) + eps)
            x[i] = x[i] - rate * (update + wd * x[i])
    return x


def adan(gradients, start, steps, rate, wd, b1=0.02, b2=0.08, b3=0.01, eps=1e-8):
    """arXiv 2208.06677, algorithm 1, with the betas of the paper, means unbiased."""
    x = [w.astype("float64") for w in start]
    m, v, n = [0 * w for w in x], [0 * w for w in x], [0 * w for w in x]
    last = gradients(x)
    for k in range(1, steps + 1):
        current = gradients(x)
        for i, (g, g_last) in enumerate(zip(current, last, strict=True)):
            m[i] = (1 - b1) * m[i] + b1 * g
            v[i] = (1 - b2) * v[i] + b2 * (g - g_last)
            n[i] = (1 - b3) * n[i] + b3 * (g + (1 - b2) * (g - g_last)) ** 2
            m_hat = m[i] / (1 - (1 - b1) ** k)
            v_hat = v[i] / (1 - (1 - b2) ** k)
            step = rate / (np.sqrt(n[i] / (1 - (1 - b3) ** k)) + eps)
            x[i] = (x[i] - step * (m_hat + (1 - b2) * v_hat)) / (1 + wd * rate)
        last = current
    return x


def adabelief(gradients, start, steps, rate, wd, b1=0.9, b2=0.999, eps=1e-16):
    """arXiv 2010.07468, algorithm 2, with decoupled decay."""
    x = [w.astype("float64") for w in start]
    m, s = [0 * w for w in x], [0 * w for w in x]
    for t in range(1, steps + 1):
        for i, g in enumerate(gradients(x)):
            m[i] = b1 * m[i] + (1 - b1) * g
            s[i] = b2 * s[i] + (1 - b2) * (g - m[i]) ** 2 + eps
            update = m[i] / (1 - b1**t) / (np.sqrt(s[i] / (1 - b2**t)) + eps)
            x[i] = x[i] - rate * (update + wd * x[i])
    return x


def schedule_free(
    gradients,
    start,
    steps,
    rate,
    wd,
    base="adamw",
    b1=0.9,
    b2=0.999,
    eps=1e-8,
    warmup=0,
    r=0.0,
):
    """arXiv 2405.15682, with the weights of the authors' code. Returns y, x.

    Rates may be a number or a list of one a step.
    """
    rates = np.broadcast_to(rate, (steps,))
    y = [w.astype("float64") for w in start]
    x, z, v = list(y), list(y), [0 * w for w in y]
    total = peak = 0.0
    most = 2 / (1 - b2) - 1
    for k in range(1, steps + 1):
        gamma = rates[k - 1] * (min(1.0, k / warmup) if warmup else 1.0)
        if base == "radam":
            length = most - 2 * k * b2**k / (1 - b2**k)
            rectified = (length - 4) * (length - 2) * most
            rectified /= (most - 4) * (most - 2) * length
            gamma = gamma * np.sqrt(rectified) if length > 4 else 0.0
        peak = max(peak, gamma)
        weight = k**r * peak**2
        total += weight
        c = weight / total if total else 0.0
        for i, g in enumerate(gradients(y)):
            v[i] = b2 * v[i] + (1 - b2) * g**2
            if base != "sgd":
                g = g / (np.sqrt(v[i] / (1 - b2**k)) + eps)
            z[i] = z[i] - gamma * (g + wd * y[i])
            x[i] = (1 - c) * x[i] + c * z[i]
            y[i] = (1 - b1) * z[i] + b1 * x[i]
    return y, x


def prodigy(gradients, start, steps, gamma, wd, b1=0.9, b2=0.999, eps=1e-8, d=1e-6):
    """arXiv 2306.06101, algorithm 4, with decoupled decay. Returns also the last d."""
    x = [w.astype("float64") for w in start]
    first = [w.copy() for w in x]
    m, v, s = ([0 * w for w in x] for _ in range(3))
    r, root = 0.0, np.sqrt(b2)
    for _ in range(steps):
        last, r = d, root * r
        for i, g in enumerate(gradients(x)):
            m[i] = b1 * m[i] + (1 - b1) * d * g
            v[i] = b2 * v[i] + (1 - b2) * d**2 * g**2
            r += (1 - root) * gamma * d**2 * np.sum(g * (first[i] - x[i]))
            s[i] = root * s[i] + (1 - root) * gamma * d**2 * g
            x[i] = x[i] - gamma * d * (m[i] / (np.sqrt(v[i]) + d * eps) + wd * x[i])
        d = max(d, r / sum(np.abs(part).sum() for part in s))
    return x, last


def soap(
    gradients, start, steps, rate, wd, b1=0.95, b2=0.95, eps=1e-8, f=10, most=10000
):
    """arXiv 2409.11321, algorithms 3 and 4; the first step is for the bases alone."""
    x = [w.astype("float64") for w in start]
    m, v = [0 * w for w in x], [0 * w for w in x]
    products, bases = [{} for _ in x], [{} for _ in x]

    def side_product(g, side):
        return g @ g.T if side == 0 else g.T @ g

    def turn(g, q, inverse=False):
        shape, g = g.shape, g.reshape(-1, g.shape[-1])
        if 0 in q:
            g = (q[0] if inverse else q[0].T) @ g
        if 1 in q:
            g = g @ (q[1].T if inverse else q[1])
        return g.reshape(shape)

    for t in range(1, steps + 1):
        for i, g in enumerate(gradients(x)):
            flat, q = g.reshape(-1, g.shape[-1]), bases[i]
            if t > 1:
                m[i] = b1 * m[i] + (1 - b1) * g
                v[i] = b2 * v[i] + (1 - b2) * turn(g, q) ** 2
                n = turn(m[i], q) / (1 - b1 ** (t - 1))
                n = n / (np.sqrt(v[i] / (1 - b2 ** (t - 1))) + eps)
                x[i] = x[i] - rate * (turn(n, q, inverse=True) + wd * x[i])
            for side, size in enumerate(flat.shape if g.ndim > 1 else ()):
                if size <= most:
                    product = side_product(flat, side)
                    if t == 1:
                        products[i][side] = np.zeros_like(product)
                        q[side] = np.linalg.eigh(product)[1][:, ::-1]
                    products[i][side] = b2 * products[i][side] + (1 - b2) * product
                    if t % f == 0:
                        q[side] = np.linalg.qr(products[i][side] @ q[side])[0]
    return x
