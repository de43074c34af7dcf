"""Real servers for the tests: Kafka, Prometheus, Alertmanager, a webhook receiver."""
