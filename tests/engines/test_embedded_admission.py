"""Who joins the batch, and when."""

import pytest

from perpend.engines.embedded.admission import BLOCK_TOKENS, Admission, Waiting, blocks_for, chain


def tokens(*blocks: int, tail: int = 5) -> list[int]:
    """A prompt of whole blocks, each of one token repeated, and a tail."""
    return [b for b in blocks for _ in range(BLOCK_TOKENS)] + [7] * tail


def waiting(id: int, prompt: list[int], most: int = 100) -> Waiting:
    return Waiting(id, len(prompt), chain(prompt), blocks_for(len(prompt) + most))


@pytest.fixture
def admission() -> Admission:
    return Admission(max_seqs=8, cache_blocks=1000)


def test_chain_keys_depend_on_everything_before_them() -> None:
    assert chain(tokens(1, 2))[0] == chain(tokens(1, 3))[0]
    assert chain(tokens(1, 2))[1] != chain(tokens(3, 2))[1]
    assert chain(tokens(1, 2)) == chain(tokens(1, 2), start=chain(tokens(1)))
    assert len(chain(tokens(1, tail=31))) == 1


def test_siblings_wait_a_step_for_the_first_and_then_find_its_blocks(admission: Admission) -> None:
    prompt = tokens(1, 2)
    for id in range(3):
        admission.add(waiting(id, prompt))
    assert admission.admit() == [(0, 0)]
    assert admission.admit() == []
    admission.computed(0)
    assert admission.admit() == [(1, 64), (2, 64)]
    assert (admission.running, admission.queued) == (3, 0)


def test_problems_that_share_shots_compute_their_own_blocks_side_by_side(admission: Admission) -> None:
    for id, own in enumerate((5, 6, 5)):
        admission.add(waiting(id, tokens(1, own)))
    assert admission.admit() == [(0, 0)]
    admission.computed(0)
    assert admission.admit() == [(1, 32), (2, 64)]


def test_a_request_with_nothing_in_common_overtakes_those_that_wait_for_a_block(admission: Admission) -> None:
    admission.add(waiting(0, tokens(1)))
    admission.add(waiting(1, tokens(1)))
    admission.add(waiting(2, tokens(2)))
    assert [id for id, _ in admission.admit()] == [0, 2]


def test_blocks_of_a_request_that_left_before_it_computed_them_are_up_for_others(admission: Admission) -> None:
    admission.add(waiting(0, tokens(1)))
    admission.add(waiting(1, tokens(1)))
    admission.admit()
    admission.end(0)
    assert admission.admit() == [(1, 0)]


def test_at_least_one_prompt_token_is_computed(admission: Admission) -> None:
    for id in range(2):
        admission.add(waiting(id, tokens(1, tail=0)))
        admission.admit()
        if id == 0:
            admission.computed(0)
    assert admission.running == 2
    admission.add(waiting(2, tokens(1, tail=0)))
    assert admission.admit() == [(2, 31)]


def test_uncached_tokens_of_a_step_are_bounded_but_a_long_prompt_goes_alone() -> None:
    admission = Admission(max_seqs=8, cache_blocks=1000, step_tokens=100)
    for id in range(3):
        admission.add(waiting(id, tokens(10 + id, tail=8)))
    admission.add(waiting(3, [99] * 500))
    assert [id for id, _ in admission.admit()] == [0, 1]
    assert [id for id, _ in admission.admit()] == [2]
    assert [id for id, _ in admission.admit()] == [3]


def test_a_request_is_admitted_with_all_the_blocks_that_it_may_need_and_in_order() -> None:
    admission = Admission(max_seqs=8, cache_blocks=10)
    admission.add(waiting(0, [1] * 10, most=200))  # 7 blocks
    admission.add(waiting(1, [2] * 10, most=100))  # 4 blocks
    admission.add(waiting(2, [3] * 10, most=10))  # 1 block
    assert admission.admit() == [(0, 0)]
    admission.end(0)
    assert [id for id, _ in admission.admit()] == [1, 2]


def test_no_more_than_max_seqs_run(admission: Admission) -> None:
    for id in range(10):
        admission.add(waiting(id, [id] * 5))
    assert len(admission.admit()) == 8
    assert admission.admit() == []
    admission.end(3)
    assert admission.admit() == [(8, 0)]


def test_withdrawn_requests_are_never_admitted(admission: Admission) -> None:
    admission.add(waiting(0, [1]))
    assert admission.withdraw(0)
    assert not admission.withdraw(0)
    assert admission.admit() == []


def test_blocks_left_behind_by_a_completion_are_known(admission: Admission) -> None:
    admission.add(waiting(0, tokens(1)))
    admission.admit()
    admission.computed(0)
    admission.end(0, chain(tokens(1, 2)))
    admission.add(waiting(1, tokens(1, 2)))
    assert admission.admit() == [(1, 64)]


def test_what_the_cache_cannot_hold_any_more_is_forgotten_oldest_first() -> None:
    admission = Admission(max_seqs=8, cache_blocks=6)
    for id in range(8):
        admission.add(waiting(id, tokens(id + 1), most=5))
        admission.admit()
        admission.computed(id)
        admission.end(id)
    admission.add(waiting(100, tokens(1), most=5))
    admission.add(waiting(101, tokens(8), most=5))
    assert dict(admission.admit()) == {100: 0, 101: 32}
