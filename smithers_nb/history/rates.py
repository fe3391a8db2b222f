"""Means and proportions with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin, sqrt, tan
from statistics import fmean, stdev

from ..records import Rate

CONFIDENCE = 0.95
Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


def rate(values: Sequence[bool | float]) -> Rate:
    """Return the mean of values: of booleans with Wilson's interval, of numbers with Student's.

    >>> rate([True] * 9 + [False])
    Rate(mean=0.9, n=10, low=0.5958499732047615, high=0.9821237869049271)
    """
    if all(isinstance(value, bool) for value in values):
        return _wilson(sum(values), len(values))
    return _student([float(value) for value in values])


def _wilson(successes: float, n: int) -> Rate:
    # E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). Unlike the
    # interval from the normal distribution it holds for few values, and for none or all of them.
    share = successes / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return Rate(share, n, max(0.0, middle - half), min(1.0, middle + half))


def _student(values: Sequence[float]) -> Rate:
    n, mean = len(values), fmean(values)
    if n < 2:
        return Rate(mean, n, None, None)
    half = _quantile(n - 1) * stdev(values, mean) / sqrt(n)
    return Rate(mean, n, mean - half, mean + half)


def _quantile(freedom: int) -> float:
    """Return t such that a value of Student's distribution is between -t and t with ``CONFIDENCE``."""
    low, high = 0.0, pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _between(middle, freedom) < CONFIDENCE:
            low = middle
        else:
            high = middle
    return sqrt(freedom) * tan(low)


def _between(angle: float, freedom: int) -> float:
    """Return the probability between -t and t, where ``angle`` is atan(t / sqrt(freedom)).

    M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3 and 26.7.4.
    """
    even = freedom % 2 == 0
    term = 1.0 if even else cos(angle)
    total = term if freedom > 1 else 0.0
    for k in range(2 if even else 3, freedom - 1, 2):
        term *= cos(angle) ** 2 * (k - 1) / k
        total += term
    if even:
        return sin(angle) * total
    return 2 / pi * (angle + sin(angle) * total)
