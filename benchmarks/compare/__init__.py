"""Others under the same harness: instruments between the same camera and audio device, and single steps, in turns.

`adapters` is the table: an instrument is a module whose `build()` makes a responder (see
`benchmarks.rig.null_instrument`), a step is a function that opens what is timed, or says why it cannot. `steps` has
these functions, `hand_mapping` the mapped instrument, `command` runs all of it. To add one, add a row.
"""
