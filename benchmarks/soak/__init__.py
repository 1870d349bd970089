"""The soak: what becomes of a show after hours. Underruns, drift, memory, descriptors, the tail of the latency.

`watch` samples a real show from outside, `virtual_show` drives the stages' own steps on a clock that does not wait,
`verdicts` judges both, `command` runs them and makes the page.
"""
