"""Samples to score."""

from dataclasses import replace

import pytest

from perpend.core import Finish, Sample, Usage


@pytest.fixture
def sample():
    """Makes a sample with an answer."""
    blank = Sample("p", "pool", 0, "engine", "text", None, None, Finish.STOP, Usage(10, 0, 5))

    def made(answer=None, **fields):
        return replace(blank, answer=answer, key=answer, text=f"The answer is {answer}.", **fields)

    return made
