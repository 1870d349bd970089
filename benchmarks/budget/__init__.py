"""The latency budget: where each millisecond of a show goes, from the stamps that its messages carry.

`tick_log` keeps the stamps of every tick and picture while a show runs, `segments` cuts them into waits and work,
`trace` writes them as a Chrome trace, `command` runs the show and makes the page.
"""
