"""Width and depth: how many traces to start, how long to let each think, and when to stop, on recorded thinking models.

Run `python benchmarks/depth.py DATA_FOLDER`. It reads `qwen3-probes` (Qwen3-0.6B, 1.7B, 4B and 8B, thinking, AIME 2024:
30 problems × 128 traces, each asked for its answer every 500 tokens) and `boinf` (11 other thinking models on the same
problems, 6 of them on GPQA Diamond: answers and lengths only), and prints Markdown tables.

The goal: the accuracy of a vote over 64 whole traces (SC@64) for at most 20 % of its tokens, probes included, at every
size; and more than that accuracy where the data allow. What follows was written down before any of it was run.

**Baselines.** SC@64; adaptive consistency, one trace after another (Beta .95, at most 64); short-m@k with m, k = 3, 8 and
the grid m in 1, 3, 5 × k in 8, 16; adaptive consistency in order of finish (16 at once, Beta .95, from 3 votes on);
parallel probing with its published defaults.

**Families.** Every trace casts one vote, at a time of its own: when it ends, or sooner where a family says so. It then
frees its slot. `n` traces are started at most, `width` run at once, and the next one starts where a slot is free (n =
width: all at once). When the stop rule is content with the votes so far, the rest is cut and charged. Probes cost 16
tokens each, and are charged only to rules that read them.

- finish: votes at the end only. n, width in (8, 8), (12, 12), (16, 16), (24, 24), (32, 32), (16, 8), (32, 8), (64, 8),
  (32, 16), (64, 16), (16, 4), (32, 4), (64, 4); stop: Beta c in .8, .9, .95, .98 or the Dirichlet odds of best-of-∞, B
  in 3, 10, 30; from 3 votes on (and 2 for Beta .8).
- cap: the same, each trace cut at `depth` in 8, 12, 16, 20, 24 thousand tokens, where it votes by its forced answer (one
  probe) or, without probes, not at all.
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
Differences from baselines are paired on problems, with `stats.paired_interval`. Search with 100 orders of the traces,
final tables with 2,000.

**Without probes.** The finish and cap families, and whatever is chosen above without what needs probes, are run on
`boinf` for each model, so that no finding rests on one family of models.
"""
