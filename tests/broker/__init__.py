"""The promises of the design (section 6) on a real Apache Kafka."""
