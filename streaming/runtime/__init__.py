"""The processes of a show: spawned, hosted, watched, restarted, ended."""
