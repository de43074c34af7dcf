"""Thin drivers that carry the judgement on a Kafka client."""
