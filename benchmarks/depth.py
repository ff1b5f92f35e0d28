"""Width and depth: how many traces to start, how long to let each think, and when to stop, on recorded thinking models.

Run `python -m benchmarks.depth DATA_FOLDER`. It reads `qwen3-probes` (Qwen3-0.6B, 1.7B, 4B and 8B, thinking, AIME 2024:
30 problems × 128 traces, each asked for its answer every 500 tokens) and `boinf` (11 other thinking models on the same
problems, 6 of them on GPQA Diamond: answers and lengths only), and prints Markdown tables.

The goal: the accuracy of a vote over 64 whole traces (SC@64) for at most 20 % of its tokens, probes included, at every
size; and more than that accuracy where the data allow. What follows was written down before any of it was run.

**Baselines.** SC@64; adaptive consistency, one trace after another (Beta .95, at most 64); short-m@k with m, k = 3, 8
and the grid m in 1, 3, 5 × k in 8, 16; adaptive consistency in order of finish (16 at once, Beta .95, from 3 votes on);
parallel probing with its published defaults.

**Families.** Every trace casts one vote, at a time of its own: when it ends, or sooner where a family says so. It then
frees its slot. `n` traces are started at most, `width` run at once, and the next one starts where a slot is free (n =
width: all at once). When the stop rule is content with the votes so far, the rest is cut and charged. Probes cost 16
tokens each, and are charged only to rules that read them.

- finish: votes at the end only. n, width in (8, 8), (12, 12), (16, 16), (24, 24), (32, 32), (16, 8), (32, 8), (64, 8),
  (32, 16), (64, 16), (16, 4), (32, 4), (64, 4); stop: Beta c in .8, .9, .95, .98 or the Dirichlet odds of best-of-∞,
  B in 3, 10, 30; from 3 votes on (and 2 for Beta .8).
- cap: the same, each trace cut at `depth` in 8, 12, 16, 20, 24 thousand tokens, where it votes by its forced answer
  (one probe) or, without probes, not at all.
- settled: a trace votes and ends once its forced answer has been the same in `patience` probes in a row, in 2, 3, 4, 6,
  8, 12, 16, 24; probes every 500, 1,000 or 2,000 tokens; with and without a cap; n, width and stop as above.
- provisional: as settled, but the trace runs on after its vote and may change it until the stop rule is content, asked
  at every probe; patience in 2, 4, 8, 12, 16; n = width.
- give up: any of the above, and it also stops once 8 votes or more have been cast and the leader has less than .3 of
  them.
- weights: settled and finish, where a vote counts 1, or by its rank in order of voting (the first of k counts k), or by
  how long its answer has stood over how long the trace is.

**Choice.** By repeated 5-fold cross-validation over problems (20 repeats): on four folds the setting of the highest
accuracy among those that cost at most 20 % of SC@64 on those folds, ties to the cheaper; scored on the fifth. Once for
each model by itself, and once for all four together (the mean accuracy, the tokens within 20 % for the mean of the four
ratios). The figure of a rule is the cross-validated one; that of the setting chosen on all problems stands beside it.
Differences from baselines are paired on problems, with `stats.paired_interval`. Search with 100 orders of the traces
(30 where a family is read step by step), cross-validated figures with 400, strategies and baselines with 2,000.

**Without probes.** The finish and cap families, and whatever is chosen above without what needs probes, are run on
`boinf` for each model, so that no finding rests on one family of models.

**Added after the first run, and so to be read with more doubt.** Those families came out below SC@64 at the two smaller
sizes, settled ones below finish; what stood out was that a late trace had better have no vote than a forced one.

- dropped: finish, each trace cut without a vote at `depth` in 16, 18, 20, 22, 24, 30 thousand tokens or never; n in 24,
  32, 40, 48, 64, width in 1, 2, 4, 8, 16; Beta c in .8, .85, .9, .95, from 2 or 3 votes on.
- undecided: dropped at 20 or 24 thousand tokens, and a trace is also cut where at 8, 10, 12 or 14 thousand tokens (and
  every 2,000 from there on, or not) its forced answer has not been the same in the last 2 or 4 probes; n in 24, 32, 48,
  width 4.
- confirmed: a running trace votes, and ends, once its forced answer has stood for 2, 4 or 8 probes and 1, 2 or 3 traces
  that ended gave the same; n = 32, width 4; Beta .8 or .9.

The Dirichlet odds are tried in finish alone; weights in finish and settled where n = width, with c = .9.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.depth_families import (
    Figures,
    Provisional,
    Race,
    Stop,
    Votes,
    at_the_end,
    beta,
    cut,
    odds,
    settled,
    undecided_cut,
    walked,
)
from perpend.core import Floats, Ints, Pool
from perpend.stats import paired_interval, permutations
from perpend.strategies import describe
from perpend.strategies.confidence_momentum import ConfidenceMomentum
from perpend.strategies.parallel_probing import ParallelProbing
from perpend.strategies.timely_vote import TimelyVote
from tests.data import boinf, qwen3_probes

SEARCH_ORDERS, CROSS_ORDERS, ORDERS, AT_ONCE = 100, 400, 2000, 100
SHARE, FOLDS, REPEATS = 0.2, 5, 20
WALKED, WALKED_ORDERS = ("provisional", "confirmed"), 30
"""Families that look into traces step by step, and take long."""
EACH_WIDTH = (
    *((8, 8), (12, 12), (16, 16), (24, 24), (32, 32), (16, 8), (32, 8), (64, 8), (32, 16), (64, 16)),
    *((16, 4), (32, 4), (64, 4)),
)
ALL_AT_ONCE = tuple((n, n) for n in (8, 12, 16, 24, 32))
CAPS = (8_000, 12_000, 16_000, 20_000, 24_000)
STOPS = {
    "never": Stop(lambda vote: np.zeros(vote.leader.shape, bool), 0),
    **{f"Beta .{c} from {least}": Stop(beta(c / 100), least) for c in (80, 85, 90, 95, 98) for least in (1, 2, 3)},
    **{f"Beta .{c}, give up": Stop(beta(c / 100), 3, give_up=True) for c in (80, 90, 95, 98)},
    **{f"odds {bar}": Stop(odds(bar), 3) for bar in (3, 10, 30)},
    **{f"first {m}": Stop(lambda vote, m=m: turns(vote) >= m, 0) for m in (1, 3, 5)},  # type: ignore[misc]
}
FIRST = [f"Beta .{c} from {3 if c > 80 else 2}" for c in (80, 90, 95, 98)]
GIVING_UP = [f"Beta .{c}, give up" for c in (80, 90, 95, 98)]


def turns(vote: Any) -> Any:
    """Traces heard."""
    return np.broadcast_to(np.arange(1, len(vote.leader) + 1)[:, None, None], vote.leader.shape)


@dataclass(frozen=True)
class Setting:
    """A rule.

    Attributes:
        family: its name above.
        when: when traces vote; what `votes_of` takes, or the arguments of Provisional.
        n, width: traces at most, and at once.
        stop: of STOPS.
        weights: of votes.
    """

    family: str
    when: tuple[Any, ...]
    n: int
    width: int
    stop: str = ""
    weights: str | None = None


def votes_of(pool: Pool, when: tuple[Any, ...]) -> Votes:
    """When each trace of a pool votes."""
    kind, *numbers = when
    match kind:
        case "end":
            return at_the_end(pool)
        case "asked" | "dropped":
            return cut(at_the_end(pool), pool, numbers[0], asked=kind == "asked")
        case "settled":
            return cut(settled(pool, *numbers[:2]), pool, numbers[2], asked=True)
        case "undecided":
            return cut(undecided_cut(pool, *numbers[:3]), pool, numbers[3], asked=False)
    raise ValueError(kind)


def settings() -> Iterator[Setting]:
    """All that is tried."""
    for (n, width), stop in product(EACH_WIDTH, FIRST + GIVING_UP):
        yield Setting("finish", ("end",), n, width, stop)
        for depth, kind in product(CAPS, ("asked", "dropped")):
            yield Setting(f"cap, late {kind}", (kind, depth), n, width, stop)
        for when in product((2, 3, 4, 6, 8, 12, 16, 24), (500, 1000, 2000), (None, 16_000, 24_000)):
            yield Setting("settled", ("settled", *when), n, width, stop)
    for (n, width), bar in product(EACH_WIDTH, (3, 10, 30)):
        yield Setting("finish", ("end",), n, width, f"odds {bar}")
    for n, width in ALL_AT_ONCE:
        yield Setting("weights", ("end",), n, width, "Beta .90 from 3", "rank")
        for patience, weights in product((4, 8, 16), ("rank", "stood")):
            yield Setting("weights", ("settled", patience, 500, None), n, width, "Beta .90 from 3", weights)
        for patience, confidence in product((2, 4, 8, 12, 16), (0.8, 0.9, 0.95, 0.98)):
            yield Setting("provisional", (patience, confidence), n, n)
    depths = (16_000, 18_000, 20_000, 22_000, 24_000, 30_000, None)
    for by, n, width, c, least in product(depths, (24, 32, 40, 48, 64), (1, 2, 4, 8, 16), (80, 85, 90, 95), (2, 3)):
        yield Setting("dropped", ("dropped", by), n, width, f"Beta .{c} from {least}")
    checks = product((8_000, 10_000, 12_000, 14_000), (2, 4), (None, 2000), (20_000, 24_000))
    for check, n, stop in product(checks, (24, 32, 48), FIRST[:2]):
        yield Setting("undecided", ("undecided", *check), n, 4, stop)
    for patience, confirmed, confidence, n in product((2, 4, 8), (1, 2, 3), (0.8, 0.9), (32,)):
        yield Setting("confirmed", (patience, confidence, 4, confirmed), n, 4)


def figures(setting: Setting, pool: Pool, order: Ints, races: dict[Any, Race] | None = None) -> Figures:
    """What it comes to over some orders; races that differ in the stop alone are run once."""
    if setting.family in WALKED:
        return walked(pool, order, Provisional(*setting.when), setting.n)
    races = {} if races is None else races
    key = (setting.when, setting.n, setting.width)
    if key not in races:
        races.clear()
        races[key] = Race(pool, votes_of(pool, setting.when), order, setting.n, setting.width)
    return races[key].until(STOPS[setting.stop], setting.weights)


def over_orders(evaluate: Any, pool: Pool, orders: int = ORDERS) -> Figures:
    """The mean of `evaluate(pool, order)` over many orders, some at a time."""
    order = permutations(0, orders, pool.samples, len(pool.problems)).astype(np.int64)
    parts = [evaluate(pool, order[start : start + AT_ONCE]) for start in range(0, orders, AT_ONCE)]
    return Figures(*(np.mean([getattr(p, f) for p in parts], axis=0) for f in ("correct", "tokens", "samples")))


# ---- choosing by cross-validation


class Tried:
    """Every setting on every model: arrays [setting, model, problem]; and what SC@64 takes, [model, problem]."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self.settings = list(dict.fromkeys(sorted(settings(), key=lambda s: (s.family, str(s.when), s.n, s.width))))
        self.pools = list(pools.values())
        self.chosen: dict[tuple[Setting, int], Figures] = {}
        found = [self._on(pool) for pool in self.pools]
        self.correct = np.stack([correct for correct, _ in found], axis=1)
        self.tokens = np.stack([tokens for _, tokens in found], axis=1)
        self.whole = [over_orders(partial(figures, SC64), pool) for pool in self.pools]

    def _on(self, pool: Pool) -> tuple[Floats, Floats]:
        order = permutations(0, SEARCH_ORDERS, pool.samples, len(pool.problems)).astype(np.int64)
        races: dict[Any, Race] = {}
        found = []
        for setting in self.settings:
            walks = setting.family in WALKED
            found.append(figures(setting, pool, order[:WALKED_ORDERS] if walks else order, races))
        print(pool.engine, "searched", file=sys.stderr, flush=True)
        return np.array([each.correct for each in found]), np.array([each.tokens for each in found])

    def best(self, among: Ints, models: Sequence[int], problems: Ints) -> int | None:
        """The most accurate setting that keeps to the share, on these problems; ties to the cheaper."""
        whole = np.array([self.whole[m].tokens[problems].mean() for m in models])
        some = np.ix_(among, np.array(models), problems)
        correct = self.correct[some].mean(axis=(1, 2)).round(6)
        share = (self.tokens[some].mean(axis=2) / whole).mean(axis=1)
        allowed = np.flatnonzero(share <= SHARE)
        return int(among[allowed[np.lexsort((share[allowed], -correct[allowed]))[0]]]) if allowed.size else None

    def final(self, setting: int, model: int) -> Figures:
        """Over more orders than it was searched with; each setting once."""
        key = self.settings[setting], model
        if key not in self.chosen:
            self.chosen[key] = over_orders(partial(figures, key[0]), self.pools[model], CROSS_ORDERS)
        return self.chosen[key]

    def cross_validated(
        self, among: Ints, groups: Sequence[Sequence[int]]
    ) -> tuple[list[Figures], Counter[Setting]] | None:
        """Each model's figures, the settings chosen for each group of models without the problems they are used on."""
        problems = self.correct.shape[2]
        sums = np.zeros((len(self.pools), 3, problems))
        choices: Counter[Setting] = Counter()
        rng = np.random.default_rng(0)
        for _ in range(REPEATS):
            fold = rng.permutation(problems) % FOLDS
            for group, part in product(groups, range(FOLDS)):
                best = self.best(among, group, np.flatnonzero(fold != part))
                if best is None:
                    return None
                choices[self.settings[best]] += 1
                held = fold == part
                for model in group:
                    final = self.final(best, model)
                    sums[model][:, held] += np.array([final.correct, final.tokens, final.samples])[:, held]
        return [Figures(*(each / REPEATS)) for each in sums], choices


SC64 = Setting("SC@64", ("end",), 64, 64, "never")
BASELINES = {
    "adaptive consistency, Beta .95, at most 64": Setting("", ("end",), 64, 1, "Beta .95 from 1"),
    "short-3@8": Setting("", ("end",), 8, 8, "first 3"),
    **{
        f"short-{m}@{k}": Setting("", ("end",), k, k, f"first {m}")
        for k in (8, 16)
        for m in (1, 3, 5)
        if (m, k) != (3, 8)
    },
    "the same in order of finish, 16 at once": Setting("", ("end",), 16, 16, "Beta .95 from 3"),
}


# ---- tables


def main(data: Path) -> None:
    pools = qwen3_probes.load_probed(data)
    tried = Tried(pools)
    print_sizes(pools, tried)
    print_plane(pools)
    for problems in ("aime2024", "gpqa_diamond"):
        print_others(boinf.load(data, problems), problems)


def print_sizes(pools: Mapping[str, Pool], tried: Tried) -> None:
    """Rules × sizes."""
    print(f"## Qwen3 on AIME 2024, {ORDERS:,} orders\n")
    print("accuracy in % / thousand tokens, probes included / traces; difference from SC@64 in points [95 %]\n")
    heading(["rule", *pools])
    row("SC@64", tried.whole, tried.whole)
    for name, setting in BASELINES.items():
        row(name, [over_orders(partial(figures, setting), pool) for pool in pools.values()], tried.whole)
    for rule in (ParallelProbing(), ConfidenceMomentum()):
        found = [over_orders(lambda pool, order, r=rule: walked(pool, order, r, r.n), p) for p in pools.values()]
        row(f"`{rule.name}`", found, tried.whole)
    for timely in (TimelyVote(), TimelyVote(depth=24_000), TimelyVote(depth=20_000)):
        found = [over_orders(partial(figures, as_setting(timely)), pool) for pool in pools.values()]
        row(f"`{describe(timely)}`", found, tried.whole)
    everything = np.arange(len(tried.settings))
    families = dict.fromkeys(setting.family for setting in tried.settings)
    every_model = list(range(len(tried.pools)))
    said = []
    for family in [*families, "all families"]:
        among = np.array([i for i in everything if family in (tried.settings[i].family, "all families")])
        for how, groups in (("each model", [[m] for m in every_model]), ("all models", [every_model])):
            crossed = tried.cross_validated(among, groups)
            if crossed is None:
                said.append(f"{family}, chosen for {how}: no setting of it keeps to {SHARE:.0%} of the tokens.")
                continue
            row(f"{family}, cross-validated for {how}", crossed[0], tried.whole)
            said.append(f"{family}, for {how}: {len(among)} settings; most chosen {spelled(crossed[1])}.")
        best = tried.best(among, every_model, np.arange(tried.correct.shape[2]))
        if best is not None:
            row(
                f"{family}, the best on all: {short(tried.settings[best])}",
                [tried.final(best, m) for m in every_model],
                tried.whole,
            )
    print("\n" + "\n".join(f"- {line}" for line in said) + "\n")


def print_plane(pools: Mapping[str, Pool]) -> None:
    """Accuracy over N and depth."""
    print("## Width and depth: accuracy in % / thousand tokens of a vote over N traces, none longer than depth\n")
    for kind in ("asked", "dropped"):
        for model, pool in pools.items():
            print(f"{model}, late traces {kind}\n")
            heading(["depth", *map(str, (4, 8, 16, 32, 64))])
            for depth in (4000, 8000, 12_000, 16_000, 20_000, 24_000, 32_000):
                found = [
                    over_orders(partial(figures, Setting("", (kind, depth), n, n, "never")), pool, SEARCH_ORDERS * 2)
                    for n in (4, 8, 16, 32, 64)
                ]
                cells = [f"{100 * f.correct.mean():.1f} / {f.tokens.mean() / 1000:.0f}" for f in found]
                print(f"| {depth:,} | " + " | ".join(cells) + " |")
            print()


def print_others(pools: Mapping[str, Pool], problems: str) -> None:
    """The rules that need no probes, on other families of models."""
    print(f"## Other models, {problems}: accuracy in % / tokens as a share of SC@64's, difference in points [95 %]\n")
    heading(["model", "mean tokens", "SC@64", *without_probes(1)])
    differences: dict[str, list[Floats]] = {name: [] for name in without_probes(1)}
    for model, pool in pools.items():
        mean = float(pool.completion_tokens[pool.mask].mean())
        whole = over_orders(partial(figures, SC64), pool, ORDERS // 10)
        cells = [f"{mean:,.0f}", f"{100 * whole.correct.mean():.1f}"]
        for name, setting in without_probes(mean).items():
            found = over_orders(partial(figures, setting), pool, ORDERS // 10)
            differences[name].append(found.correct - whole.correct)
            share = found.tokens.mean() / whole.tokens.mean()
            cells.append(f"{100 * found.correct.mean():.1f} / {share:.0%}, {difference(found, whole)}")
        print(f"| {model} | " + " | ".join(cells) + " |")
    cells = [points(np.mean(each, axis=0)) for each in differences.values()]
    print("| all, mean over models | | | " + " | ".join(cells) + " |\n")


def without_probes(mean: float) -> dict[str, Setting]:
    """Rules for a model whose traces have so many tokens on average."""
    return {
        "adaptive consistency": BASELINES["adaptive consistency, Beta .95, at most 64"],
        "in order of finish, 16": BASELINES["the same in order of finish, 16 at once"],
        "`timely_vote`": as_setting(TimelyVote()),
        "`timely_vote(depth=20000)`": as_setting(TimelyVote(depth=20_000)),
        **{f"depth = {f:g} × mean": as_setting(TimelyVote(depth=round(f * mean))) for f in (1.33, 1.67, 2)},
    }


def as_setting(rule: TimelyVote) -> Setting:
    """The strategy as a setting of the dropped family."""
    stop = f"Beta .{round(100 * rule.confidence)} from 2"
    return Setting("dropped", ("dropped", rule.depth), rule.n, min(rule.n, rule.at_once), stop)


def heading(columns: Sequence[str]) -> None:
    print("| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns))


def row(name: str, found: Sequence[Figures], whole: Sequence[Figures]) -> None:
    cells = [
        f"{100 * each.correct.mean():.1f} / {each.tokens.mean() / 1000:.0f} / {each.samples.mean():.1f}"
        + ("" if each is sc else f", {difference(each, sc)}")
        for each, sc in zip(found, whole, strict=True)
    ]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def difference(found: Figures, whole: Figures) -> str:
    return points(found.correct - whole.correct)


def points(differences: Floats) -> str:
    interval = paired_interval(differences)
    return f"{100 * interval.estimate:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def short(setting: Setting) -> str:
    when = " ".join("–" if part is None else str(part) for part in setting.when)
    return f"{when}, n {setting.n}, width {setting.width}, {setting.stop} {setting.weights or ''}".strip(" ,")


def spelled(choices: Counter[Setting]) -> str:
    total = sum(choices.values())
    return "; ".join(f"{short(setting)} ({times / total:.0%})" for setting, times in choices.most_common(3))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
