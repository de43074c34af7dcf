"""Opt-outs on disk: a snapshot that processes map, and the records of the topic since then in memory."""
