"""The engine's pure parts: text, marks, frames."""

from collections.abc import Collection, Sequence

import pytest

from perpend.engines.embedded.admission import BLOCK_TOKENS, chain
from perpend.engines.embedded.marks import Left, Marks, Written, shareable_blocks
from perpend.engines.embedded.protocol import (
    Cancel,
    Done,
    Metrics,
    Piece,
    Progress,
    Score,
    engine_frames,
    frame,
    worker_frames,
)
from perpend.engines.embedded.text import FREEZE_AT, Transcript

LETTERS = "abcdefghijklmnopqrstuvwxyz \n"


def decode(sequences: Sequence[Sequence[int]]) -> list[str]:
    return ["".join(LETTERS[i] for i in ids) for ids in sequences]


def write(text: str, *stop: str) -> tuple[list[str], Transcript]:
    """The pieces that come out as a text's letters are generated one by one."""
    transcript, pieces = Transcript(stop), []
    for letter in text:
        transcript.add(LETTERS.index(letter))
        transcript.update(decode([transcript.open_tokens])[0], decode)
        pieces.append(transcript.piece())
        if transcript.stopped:
            break
    return pieces, transcript


def test_pieces_come_at_once_where_no_stop_string_can_begin() -> None:
    assert write("abc", "zz")[0] == ["a", "b", "c"]


def test_what_may_begin_a_stop_string_is_held_back() -> None:
    pieces, transcript = write("ab\n\nc", "\n\nq")
    assert pieces == ["a", "b", "", "", "\n\nc"]
    assert not transcript.stopped


def test_a_stop_string_and_what_follows_are_cut() -> None:
    pieces, transcript = write("abcdef", "cd")
    assert ("".join(pieces), transcript.text, transcript.stopped) == ("ab", "ab", True)


def test_the_first_of_several_stop_strings_counts() -> None:
    assert write("hello world", "world", "lo", "l")[1].text == "he"


def test_the_end_gives_out_what_was_held_back() -> None:
    _, transcript = write("abc", "cd")
    assert transcript.piece(final=True) == "c"


def test_long_texts_are_decoded_in_parts() -> None:
    text = "the quick brown fox jumps over the lazy dog " * 20
    pieces, transcript = write(text, "zzz")
    assert "".join([*pieces, transcript.piece(final=True)]) == transcript.text == text
    assert len(transcript.open_tokens) < FREEZE_AT


def test_a_broken_character_is_held_back_until_it_is_whole() -> None:
    transcript = Transcript()
    transcript.add(0)
    transcript.update("a\ufffd", decode)
    assert transcript.piece() == "a"
    transcript.update("aé", decode)
    assert transcript.piece() == "é"


@pytest.mark.parametrize(("tokens", "blocks"), [(1, 0), (32, 0), (33, 0), (34, 1), (64, 1), (65, 1), (66, 2)])
def test_two_prompt_tokens_are_always_left_to_compute(tokens: int, blocks: int) -> None:
    assert shareable_blocks(tokens) == blocks


def written(marks: Marks, tokens: int, busy: Collection[Left] = ()) -> Written:
    prompt = tuple(range(tokens))
    return marks.write(prompt, chain(prompt), busy)


def test_marked_tokens_are_the_same_ones_counted_from_the_end() -> None:
    ids = written(Marks(1000), 50).ids
    assert ids != tuple(range(50))
    assert [token % 1000 for token in ids] == list(range(50))


@pytest.mark.parametrize("tokens", [40, 64, 65, 66, 100])
def test_marks_leave_the_blocks_that_may_be_shared_alone(tokens: int) -> None:
    ids, shared = written(Marks(1000), tokens).ids, shareable_blocks(tokens) * BLOCK_TOKENS
    assert ids[:shared] == tuple(range(shared))
    assert min(ids[shared : shared + BLOCK_TOKENS]) < 0


def test_no_prompt_begins_with_what_an_ended_sample_left_behind() -> None:
    marks, left = Marks(1000), set[Left]()
    for tokens in (34, 36, 35, 40, 34, 34, 34, 34, 37, 64, 64):  # short tails, and prompts that extend each other
        new = written(marks, tokens)
        tail = new.ids[new.tail :]
        assert not any((new.before, tail[:n]) in left for n in range(1, len(tail) + 1))
        ended = new.left([tokens])  # as if the model had gone on as the longer prompts do
        left.add(ended)
        marks.end(ended)


def test_a_tail_without_a_free_name_takes_a_block_more() -> None:
    marks = Marks(1000)
    for _ in range(3):  # a tail of two has three
        marks.end(written(marks, 34).left([7]))
    assert written(marks, 34).tail == 0


def test_what_running_samples_have_in_the_cache_is_avoided() -> None:
    marks = Marks(1000)
    running = {written(marks, 34).left([7]) for _ in range(2)}
    assert written(marks, 34, running).left([7]) not in running


def test_all_but_the_last_generated_token_are_left_up_to_the_blocks_end() -> None:
    new = written(Marks(1000), 40)
    assert len(new.left([1])[1]) == 8
    assert len(new.left([1, 2, 3])[1]) == 10
    assert len(new.left(list(range(50)))[1]) == BLOCK_TOKENS


def test_frames_arrive_whole_however_the_bytes_are_cut() -> None:
    messages = [Cancel(3), Score(1, "a" * 1000, [("user", "hé")], "b"), Cancel(2**40)]
    stream = b"".join(map(frame, messages))
    for size in (1, 3, 7, len(stream)):
        frames = worker_frames()
        parts = (stream[at : at + size] for at in range(0, len(stream), size))
        assert [m for part in parts for m in frames.feed(part)] == messages


def test_progress_survives_its_frame() -> None:
    sent = Progress([Piece(1, "a", 2)], [Done(3, "stop", "b", tokens=[(5, -0.5)])], Metrics(running=2))
    assert list(engine_frames().feed(frame(sent))) == [sent]
