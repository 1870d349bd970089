"""A browser as camera, microphone, screen and speaker, by WebRTC."""
