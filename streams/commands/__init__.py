"""The sub-commands of hegui, one module each."""
