"""The page by which a browser is camera, microphone, screen and speaker, and WHIP and WHEP for other programs."""
