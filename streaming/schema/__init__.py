"""The three tables: messages, topics, processes. Imports nothing else of `streaming` but its constants."""
