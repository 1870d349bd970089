"""What a show's other desks speak: light by DMX, timecode, a common tempo."""
