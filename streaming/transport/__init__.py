"""Messages between processes: encoding, sockets, links, bus."""
