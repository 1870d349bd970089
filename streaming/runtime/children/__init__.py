"""The processes of a show from their parent's side: spawn, fork, watch, measure, replace."""
