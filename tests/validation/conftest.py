"""Studies take seconds: each runs once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from hwsim.validate import Report, validate


@pytest.fixture(scope="session")
def reported() -> Callable[[str], Report]:
    """The report of a study that brings its figures along."""
    return cache(lambda name: validate(name))
