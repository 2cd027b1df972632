#!/usr/bin/env python3
"""Writes src/ops/coefficients.h: polynomials for the scalar functors (needs mpmath).

    python3 tools/coefficients/coefficients.py > src/ops/coefficients.h

Each one interpolates its function at the Chebyshev nodes of the interval, in 60 digits, which is
within a small factor of the minimax polynomial. The comment states the largest error over the
interval, relative to the whole function that the functor builds from the polynomial.
"""
import mpmath as mp

mp.mp.dps = 60

LN2, HALF_PI = mp.log(2), mp.pi / 2
NUDGE = mp.mpf(10) ** -8  # keeps the middle node away from 0, where the formulas are 0 / 0


def interpolate(function, low, high, degree):
    """Monomial coefficients, lowest first."""
    n = degree + 1
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    table = [function(x) for x in nodes]  # Newton's divided differences
    for level in range(1, n):
        for i in range(n - 1, level - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (nodes[i] - nodes[i - level])
    coefficients = [mp.mpf(0)]
    for i in range(n - 1, -1, -1):
        shifted = [mp.mpf(0)] + coefficients
        for k, c in enumerate(coefficients):
            shifted[k] -= nodes[i] * c
        shifted[0] += table[i]
        coefficients = shifted
    return coefficients[:n]


def worst(polynomial, function, weight, low, high):
    """Largest |polynomial - function| * weight over a grid that avoids 0."""
    points = [low + (high - low) * (i + mp.mpf(1) / 3) / 997 for i in range(997)]
    return max(abs(mp.polyval(polynomial[::-1], x) - function(x)) * abs(weight(x)) for x in points)


def split(value, bits, parts):
    """Leading parts of `bits` significant bits each, the last one a double."""
    result = []
    for _ in range(parts - 1):
        exponent = mp.floor(mp.log(abs(value), 2)) - bits + 1
        part = mp.nint(value / mp.power(2, exponent)) * mp.power(2, exponent)
        result.append(part)
        value -= part
    return result + [value]


# name, comment, function, relative weight, interval, degree for f32 and f64
TABLES = [
    ("Exp", "exp(r) = 1 + r + r^2 P(r), |r| <= ln(2) / 2",
     lambda r: (mp.exp(r) - 1 - r) / r**2, lambda r: r**2 / mp.exp(r), -LN2 / 2, LN2 / 2 + NUDGE, 4, 10),
    ("Exp2", "2^r = 1 + r P(r), |r| <= 1/2",
     lambda r: (mp.power(2, r) - 1) / r, lambda r: r / mp.power(2, r), -mp.mpf(1) / 2, mp.mpf(1) / 2 + NUDGE, 6, 12),
    ("Log", "log(1 + f) = 2 s + s z P(z), s = f / (2 + f), z = s^2, sqrt(1/2) <= 1 + f <= sqrt(2)",
     lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z, lambda z: z / 2,
     mp.mpf(10) ** -12, (3 - 2 * mp.sqrt(2)) ** 2, 3, 7),
    ("Sin", "sin(r) = r + r z P(z), z = r^2, |r| <= pi / 4",
     lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)),
     mp.mpf(10) ** -12, (mp.pi / 4) ** 2, 2, 5),
    ("Cos", "cos(r) = 1 - z / 2 + z^2 P(z), z = r^2, |r| <= pi / 4",
     lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2 / mp.cos(mp.sqrt(z)),
     mp.mpf(10) ** -12, (mp.pi / 4) ** 2, 2, 5),
]


def literal(value):
    return mp.nstr(mp.mpf(float(value)), 17, min_fixed=0, max_fixed=0)


def main():
    print("#pragma once")
    print("// Written by tools/coefficients/coefficients.py, which says how; lowest power first.\n")
    print("namespace outerloop::coefficients {\n")
    for name, text, function, weight, low, high, *degrees in TABLES:
        print(f"// {text}")
        for suffix, degree in zip(("F32", "F64"), degrees):
            polynomial = interpolate(function, low, high, degree)
            error = worst(polynomial, function, weight, low, high)
            print(f"// relative error {mp.nstr(error, 2)}")
            print(f"inline constexpr double k{name}{suffix}[] = {{{', '.join(map(literal, polynomial))}}};")
        print()
    print("// Leading parts are short, so that products with small whole numbers are exact.")
    for name, value, bits in (("Ln2F32", LN2, 15), ("Ln2F64", LN2, 33)):
        print(f"inline constexpr double k{name}[] = {{{', '.join(map(literal, split(value, bits, 2)))}}};")
    for name, value, bits in (("HalfPiF32", HALF_PI, 24), ("HalfPiF64", HALF_PI, 53)):
        print(f"inline constexpr double k{name}[] = {{{', '.join(map(literal, split(value, bits, 3)))}}};")
    print(f"inline constexpr double kLog2E = {literal(1 / LN2)};")
    print(f"inline constexpr double kTwoOverPi = {literal(1 / HALF_PI)};")
    print("\n}  // namespace outerloop::coefficients")


main()
