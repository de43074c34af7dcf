"""The sweep: finds what was ingested before an opt-out that covers it. See `streams/optouts.md` and `streams/adr/0017-sweep.md`."""
