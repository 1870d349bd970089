"""The supervision of a running show: start, watch, restart, control and end its processes."""
