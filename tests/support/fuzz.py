# SPDX-License-Identifier: GPL-2.0-or-later
"""Inputs that nobody planned for: how many are tried, and records that are damaged field by field."""

import copy
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

fuzzed = settings(
    max_examples=int(os.environ.get("TOY_FUZZ", "600")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
"""TOY_FUZZ in the environment says how many inputs each of these tests has, instead of a few hundred."""

TEXTS = [
    "",
    "/",
    "..",
    "/../x",
    "\0",
    "/a\0",
    "\ud800",
    "/\ud800",
    "\udcff",
    "x" * 300,
    "9" * 5000,
    "a-1-1.x.hdr",
    "\u20ac",
]
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.sampled_from(TEXTS), inner),
    max_leaves=6,
) | st.integers(1, 3000).map(lambda depth: _deep(depth))  # fmt: skip
"""What JSON can have."""


unhurried = pytest.mark.timeout(0 if "TOY_FUZZ" in os.environ else 120)
"""For tests that may have so many inputs."""


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth % 200 if depth > 300 else depth):
        value = [value]
    return value


@st.composite
def damaged(draw: st.DrawFn, record: object) -> Any:
    """Return a record in which something, at any depth, is something else, missing, or there twice."""
    value: Any = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 3))):
        here: Any = None
        key: Any = None
        there = value
        while isinstance(there, dict | list) and there and (here is None or draw(st.integers(0, 5))):
            here = there
            key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
            there = here[key]
        if here is None or not draw(st.integers(0, 20)):
            value = draw(ODD)
            continue
        match draw(st.integers(0, 4)):
            case 0:
                del here[key]
            case 1 if isinstance(here, dict):
                here[draw(st.sampled_from(TEXTS))] = here.pop(key)
            case 2 if isinstance(here, list):
                here.append(copy.deepcopy(there))
            case _:
                here[key] = draw(ODD)
    return value


def mutated(raw: bytes) -> st.SearchStrategy[bytes]:
    """Return bytes of which some are others, or missing; or that end before, or any at all."""
    place = st.integers(0, len(raw))
    cut = st.tuples(place, place, st.binary(max_size=20)).map(
        lambda at: raw[: min(at[:2])] + at[2] + raw[max(at[:2]) :]
    )
    flipped = st.tuples(place, st.binary(min_size=1, max_size=4)).map(
        lambda at: raw[: at[0]] + at[1] + raw[at[0] + len(at[1]) :]
    )
    return cut | flipped | place.map(lambda end: raw[:end]) | st.binary(max_size=200)
