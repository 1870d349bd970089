"""The modes of a scene: fields of things, of persons and of the ground."""
