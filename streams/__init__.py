"""How events move: Kafka, state, metrics, settings and the command line."""
