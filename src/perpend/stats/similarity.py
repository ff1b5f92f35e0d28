"""How alike texts are: character n-grams, weighed by TF-IDF."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from perpend.stats.arrays import Floats

LENGTH = 3
"""Characters of an n-gram."""


def ngram_counts(texts: Sequence[str], length: int = LENGTH) -> Floats:
    """[text, n-gram], how often each sequence of so many characters occurs; case and runs of white space are levelled.

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
    return np.hstack([shared, np.diag(alone)]).astype(np.float32)


def mean_similarity(counts: Floats, members: Floats) -> Floats:
    """How like the texts of a group each text is on average: the mean cosine over the group, itself included.

    Args:
        counts: [S, n-gram], as `ngram_counts` gives them.
        members: [groups, S], 1 for the texts of a group and 0 for the rest.

    Returns:
        [groups, S]; of texts outside the group it means nothing. An n-gram counts as often as it occurs, times
        log((1 + n)/(1 + df)) + 1 where df of the group's n texts have it. A text without n-grams is like nothing.
    """
    size = members.sum(axis=1, keepdims=True)
    inverse = np.log((1 + size) / (1 + members @ (counts > 0))) + 1
    weight = (inverse**2).astype(counts.dtype)
    norm = np.sqrt(np.maximum(weight @ (counts**2).T, 0))
    scale = np.where(norm > 0, 1 / np.where(norm > 0, norm, 1), 0)
    centre = (members * scale).astype(counts.dtype) @ counts
    mean = (centre * weight) @ counts.T * scale / np.maximum(size, 1)
    return np.asarray(mean, dtype=np.float64).round(5)  # what single precision keeps, so that like texts tie
