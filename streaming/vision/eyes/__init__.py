"""Sees a person in the camera's frames: a body and two hands, tracked by the published eyes."""
