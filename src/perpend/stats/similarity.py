"""How alike texts are: character n-grams, weighed by TF-IDF."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpend.stats.arrays import Floats

Singles = NDArray[np.float32]

LENGTH = 3
"""Characters of an n-gram."""


@dataclass(frozen=True)
class Ngrams:
    """How often each n-gram occurs in each text: [text, n-gram], in single precision.

    Attributes:
        counts: how often.
        squares: of those.
        there: 1 where it occurs.
    """

    counts: Singles
    squares: Singles
    there: Singles


def ngrams(texts: Sequence[str], length: int = LENGTH) -> Ngrams:
    """The sequences of so many characters of each text; case and runs of white space are levelled.

    N-grams that a text has alone match nothing and weigh alike, so they are one column, the root of their squares' sum:
    no cosine is changed by that.
    """
    plain = [" ".join(text.lower().split()) for text in texts]
    each = [Counter(text[i : i + length] for i in range(len(text) - length + 1)) for text in plain]
    having = Counter(gram for counts in each for gram in counts)
    column = {gram: i for i, gram in enumerate(gram for gram, texts_with in having.items() if texts_with > 1)}
    shared, alone = np.zeros((len(texts), len(column))), np.zeros(len(texts))
    for i, counts in enumerate(each):
        alone[i] = sum(count**2 for gram, count in counts.items() if having[gram] == 1) ** 0.5
        for gram, count in counts.items():
            if gram in column:
                shared[i, column[gram]] = count
    all_counts = np.hstack([shared, np.diag(alone)]).astype(np.float32)
    return Ngrams(all_counts, all_counts**2, (all_counts > 0).astype(np.float32))


def mean_similarity(of: Ngrams, members: NDArray[Any]) -> Floats:
    """How like the texts of a group each text is on average: the mean cosine over the group, itself included.

    Args:
        of: the texts' n-grams.
        members: [groups, text], 1 for the texts of a group and 0 for the rest.

    Returns:
        [groups, text]; of texts outside the group it means nothing. An n-gram counts as often as it occurs, times
        log((1 + n)/(1 + df)) + 1 where df of the group's n texts have it. A text without n-grams is like nothing.
    """
    group = members.astype(np.float32)
    size = group.sum(axis=1, keepdims=True)
    weight = (np.log((1 + size) / (1 + group @ of.there)) + 1) ** 2
    norm = np.sqrt(weight @ of.squares.T)
    scale = np.where(norm > 0, 1 / np.where(norm > 0, norm, 1), 0)
    mean = (group * scale) @ of.counts * weight @ of.counts.T * scale / np.maximum(size, 1)
    return np.asarray(mean, dtype=np.float64).round(5)  # what single precision keeps, so that like texts tie
