"""The rig of the latency bench: what stands around a show, and hands over what it saw in log files.

Who owns what:
    `trial_plan` the random times of the trials and the names of the log files, which every process reads.
    `flash_camera`, `stamp_screen` the show's devices at its edges; `bench_stage` is the show's stage process with these
    in place of the usual camera and screen. The audio device stays the show's own: JACK.
    `jack_client` a client of JACK through its C library; `private_jack` a server of the bench's own.
    `probe` a process that records the show's output port and writes impulses into its microphone's port.
    `null_instrument` a process that answers each flash with a click and each impulse with a picture: the floor.
    `stamp_listener` hears on the show's sockets what its own stamps say.

What flows where: the camera logs each flash with the first frame that shows it, the probe logs the time of each JACK
cycle beside the recorded samples, the screen logs the time and a checksum of each picture. All times are monotonic.
"""
