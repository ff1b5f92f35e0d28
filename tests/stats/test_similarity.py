"""Character n-grams against plain dictionaries."""

import math
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from perpend.stats import mean_similarity, ngrams


def plainly(texts):
    """The mean cosine of each text with all, by dictionaries."""
    grams = [Counter(t[i : i + 3] for i in range(len(t) - 2)) for t in (" ".join(t.lower().split()) for t in texts)]
    having = Counter(gram for counts in grams for gram in counts)
    weigh = {gram: math.log((1 + len(texts)) / (1 + df)) + 1 for gram, df in having.items()}
    vectors = [{gram: count * weigh[gram] for gram, count in counts.items()} for counts in grams]
    norms = [math.sqrt(sum(w * w for w in vector.values())) for vector in vectors]

    def cosine(a, b):
        dot = sum(w * vectors[b].get(gram, 0) for gram, w in vectors[a].items())
        return dot / (norms[a] * norms[b]) if norms[a] and norms[b] else 0.0

    return [sum(cosine(a, b) for b in range(len(texts))) / len(texts) for a in range(len(texts))]


@given(st.lists(st.text("ab c", max_size=12), min_size=1, max_size=6), st.data())
def test_it_is_tf_idf_within_the_group(texts, data):
    group = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)).filter(any))
    found = mean_similarity(ngrams(texts), np.array([group], float))[0][group]
    expected = plainly([text for text, inside in zip(texts, group, strict=True) if inside])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_like_texts_are_nearer_than_others():
    texts = ["So the answer is 42.", "so the  answer is 42", "Therefore x = 17.", ""]
    found = mean_similarity(ngrams(texts), np.ones((1, 4)))[0]
    assert found[0] > 0.4
    assert 0.25 <= found[2] < 0.3
    assert found[3] == 0
