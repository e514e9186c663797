"""Figures from samples: medians, quartiles and paired ratios. Pure.

May import: record.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

from dari.record import Record


class Spread(Record):
    """A median with its quartiles, in the samples' own unit."""

    median: float
    low: float
    high: float


class Row(Record):
    """One operation, measured in pairs: the reference and dari in turn.

    Attributes:
        scenario: what was set up, such as ``bridge + host-local, ipMasq``.
        verb: ``ADD`` or ``DEL``.
        reference: milliseconds of each run of the reference plugins.
        dari: milliseconds of each run of dari, in the same order.
        budget: what the ratio may be at most; None where nothing was promised.
    """

    scenario: str
    verb: str
    reference: tuple[float, ...]
    dari: tuple[float, ...]
    budget: float | None = None


def spread(samples: Sequence[float]) -> Spread:
    """Median and quartiles of at least two samples (the inclusive method)."""
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return Spread(median=median(samples), low=low, high=high)


def paired_ratios(row: Row) -> list[float]:
    """dari's time over the reference's, for each pair.

    The two of a pair ran one right after the other, so that what else the
    machine did at that moment weighs on both.
    """
    return [ours / theirs for ours, theirs in zip(row.dari, row.reference, strict=True)]
