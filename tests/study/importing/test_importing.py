"""Files in every form become the same pool, and what cannot be used is counted with its reason."""

import math

import pytest

from perpend.core import ConfigError, Finish, PoolField
from perpend.study.importing import import_file, preview_file
from perpend.study.importing.fields import guess, parse_map
from tests.study.importing.files import MAP, PROBLEMS, SAMPLES, write

FORMS = [
    *[(f"s.{ending}", SAMPLES) for ending in ("jsonl", "json", "csv", "parquet", "jsonl.gz", "csv.xz")],
    *[(f"p.{ending}", PROBLEMS) for ending in ("jsonl", "json", "parquet")],
    ("nested.json", {"about": "x", "results": PROBLEMS}),
]


@pytest.mark.parametrize(("name", "rows"), FORMS, ids=[name for name, _ in FORMS])
def test_every_form_tells_the_same(tmp_path, name, rows):
    columns = MAP.replace("=", "=results.") if isinstance(rows, dict) else MAP
    preview = preview_file(write(tmp_path, name, rows), [columns])
    assert not preview.left_out
    (problems,) = preview.arranged.tasks.values()
    assert list(problems) == ["a", "b"]
    assert [each.answer for each in problems["b"].samples["imported"]] == ["0.5", None, "2"]
    assert [each.scores["rm"] for each in problems["a"].samples["imported"]] == [0.9, 0.1, 0.8]
    assert (problems["b"].key, problems["b"].prompt) == ("1/2", "Half?")
    assert preview.arranged.held["imported"] == {PoolField.ANSWERS, PoolField.TOKENS}


def test_a_wrong_map_is_refused_by_name(tmp_path):
    file = write(tmp_path, "s.jsonl", SAMPLES)
    for columns, said in (
        ("problem=problem,answer=answer", "which samples are right"),
        ("problem=problem,key=gold", "nothing to compare"),
        ("key=gold,answer=answer", "answer the same problem"),
        ("problem=nope,key=gold,answer=answer", "'nope', which problem is mapped to"),
        ("speed=fast", "'speed=fast' maps no field"),
        ("key=gold,key=answer", "mapped twice"),
        ("score.=reward", "maps no field"),
        ("problem=problem,key=gold,answer=answer,probes=reward", "tokens between two"),
        ("score.exact=reward", "maps no field"),
    ):
        with pytest.raises(ConfigError, match=said):
            preview_file(file, [columns])
    with pytest.raises(ConfigError, match="no way to read an answer"):
        preview_file(file, [MAP], "(")


def test_files_that_are_none_are_refused(tmp_path):
    for name, content, said in (
        ("a.txt", b"x", "ends in none of"),
        ("a.json", b"{", "is not JSON"),
        ("a.jsonl", b" \n", "is empty"),
        ("a.parquet", b"PAR", "is not Parquet"),
        ("a.csv", b'q\n"open', "is not CSV"),
        ("a.jsonl.gz", b"no", "cannot be unpacked"),
        ("a.eval", b"no", "no Inspect log"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            preview_file(tmp_path / name, [MAP])
    with pytest.raises(ConfigError, match="cannot be read"):
        preview_file(tmp_path / "missing.jsonl", [MAP])


def test_what_cannot_be_used_is_counted_with_its_reason(tmp_path):
    rows = [
        *SAMPLES,
        {"problem": None, "gold": "2", "answer": "2"},
        {"problem": "a", "gold": "3", "answer": "3"},
        {"problem": "a", "gold": "2", "answer": "2", "tokens": "many"},
        {"problem": "c", "gold": None, "answer": "2"},
    ]
    file = write(tmp_path, "s.jsonl", rows)
    file.write_text(file.read_text() + "{broken\n")
    preview = preview_file(file, ["problem=problem,key=gold,answer=answer,completion_tokens=tokens"])
    assert preview.arranged.samples == 6
    assert sorted(preview.left_out) == [
        ("line 10", "neither a key nor a verdict tells whether it is right"),
        ("line 11", "it is not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("line 7", "it names no problem"),
        ("line 8", "its key is '3', and that of the same problem was '2'"),
        ("line 9", "its completion_tokens (tokens of the completion) cannot be 'many'"),
    ]
    assert preview.rows == 11


def test_fields_are_read_as_what_they_mean(tmp_path):
    row = {
        "gold": "1", "problem": 7.0,
        "model": "m", "correct": "C", "finish": "max_tokens", "seconds": "1.5", "n_votes": [1, 0, None],
        "sample": 4, "probes": ["1", None], "logprob": -3,
    }  # fmt: skip
    columns = "problem=problem,model=model,correct=correct,finish=finish,seconds=seconds,score=n_votes,index=sample"
    preview = preview_file(
        write(tmp_path, "s.jsonl", [row]), [f"{columns},key=gold,probes=probes,probe_every=250,logprob=logprob"]
    )
    (found,) = preview.found
    assert (found.problem, found.correct, found.finish, found.seconds) == ("7", 1.0, Finish.LENGTH, 1.5)
    assert (found.scores, found.index, found.probes, found.probe_every) == ({"score": 0.5}, 4, ("1", None), 250)
    assert math.isclose(found.logprob or 0, -3.0)


def test_verdicts_may_be_words_and_shares_and_nothing_else(tmp_path):
    said = [True, 0, "True", "incorrect", "P", 0.4, 0.5, "1.0"]
    rows = [{"problem": i, "correct": verdict} for i, verdict in enumerate([*said, "maybe", 7])]
    preview = preview_file(write(tmp_path, "s.jsonl", rows), ["problem=problem,correct=correct"])
    assert [each.correct for each in preview.found] == [1, 0, 1, 0, 0, 0.4, 0.5, 1]
    assert len(preview.left_out) == 2


def test_samples_of_one_prompt_are_one_problems_where_none_is_named(tmp_path):
    preview = preview_file(write(tmp_path, "s.csv", SAMPLES), ["prompt=question,key=gold,answer=answer"])
    (problems,) = preview.arranged.tasks.values()
    assert [(name, of.prompt) for name, of in problems.items()] == [("0", "1 + 1?"), ("1", "Half?")]


def test_samples_stand_in_the_order_of_their_index_and_once(tmp_path):
    rows = [{"p": "a", "ok": i % 2, "i": i} for i in (3, 1, 2, 1)]
    preview = preview_file(write(tmp_path, "s.jsonl", rows), ["problem=p,correct=ok,index=i"])
    assert [each.index for each in preview.arranged.tasks["s"]["a"].samples["imported"]] == [1, 2, 3]
    assert preview.left_out == [("line 4", "its problem has sample 1 already")]


def test_models_are_compared_on_the_same_problems(tmp_path):
    rows = [{"p": p, "m": m, "ok": 1} for m, problems in (("x", "ab"), ("y", "b")) for p in problems]
    preview = preview_file(write(tmp_path, "s.jsonl", rows), ["problem=p,model=m,correct=ok"])
    assert list(preview.arranged.tasks["s"]) == ["b"]
    assert any("1 problems of s were left out" in note for note in preview.notes)


def test_what_some_samples_lack_is_not_measured(tmp_path):
    rows = [{"p": "a", "ok": 1, "t": 5}, {"p": "a", "ok": 0, "t": None}]
    preview = preview_file(write(tmp_path, "s.jsonl", rows), ["problem=p,correct=ok,completion_tokens=t"])
    assert PoolField.TOKENS not in preview.arranged.held["imported"]
    assert preview.notes == [
        "tokens are missing for 1 of 2 samples of imported, so that they are taken as not measured."
    ]


def test_counts_stand_for_samples_and_may_be_repeated_but_not_contradicted(tmp_path):
    rows = [{"p": "a", "n": 10, "c": 4, "k": k} for k in (1, 2)] + [
        {"p": "b", "n": 10, "c": 11},
        {"p": "a", "n": 9, "c": 4},
    ]
    preview = preview_file(write(tmp_path, "s.jsonl", rows), ["problem=p,n=n,c=c"])
    assert (preview.arranged.samples, preview.arranged.counts) == (10, True)
    assert [reason for _, reason in preview.left_out] == [
        "11 of 10 samples cannot be right",
        "it counts 4 of 9 right, and another row 4 of 10",
    ]


def test_columns_are_guessed_by_their_names(tmp_path):
    assert guess(["question", "answer", "generated_answer"]) == {
        "prompt": "question", "text": "generated_answer", "key": "answer",
    }  # fmt: skip
    assert guess(["idx", "gt", "pred", "score", "score.rm"]) == {
        "problem": "idx", "key": "gt", "answer": "pred", "score": "score", "score.rm": "score.rm",
    }  # fmt: skip
    preview = preview_file(write(tmp_path, "s.csv", SAMPLES))
    assert preview.guessed
    assert preview.mapping == {
        "problem": "problem", "prompt": "question", "key": "gold", "answer": "answer", "score": "reward",
        "completion_tokens": "tokens",
    }  # fmt: skip


def test_a_map_may_come_in_parts():
    assert parse_map(["key=gold", "answer=a.b,score.rm='odd, name'"]) == {
        "key": "gold", "answer": "a.b", "score.rm": "odd, name",
    }  # fmt: skip


def test_an_import_is_whole_or_not_there(tmp_path, monkeypatch):
    preview = preview_file(write(tmp_path, "s.jsonl", SAMPLES), [MAP])
    monkeypatch.setattr("perpend.study.importing.folder.Writing._engines", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_file(preview, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    preview = preview_file(write(tmp_path, "s.jsonl", SAMPLES), [MAP])
    import_file(preview, tmp_path / "out")
    with pytest.raises(ConfigError, match="is there already"):
        import_file(preview, tmp_path / "out")
