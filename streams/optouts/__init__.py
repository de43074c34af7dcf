"""Opt-outs from outside: importers, the local store, and the explanation of what covers a record. See streams/optouts.md."""
