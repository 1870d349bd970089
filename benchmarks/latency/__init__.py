"""The latency bench: from light to sample and from sound to light, measured from outside a whole show.

`measurement` runs the floor and the show between the same camera and audio device (see `benchmarks.rig`). `trials` are
pure functions from the logs to one latency for each trial; `figures` their statistics and verdicts. `result_page` and
`plots` make what a person reads, `command` is the command line's part. `docs/latency-bench.md` is the page about it.
"""
