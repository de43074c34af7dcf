"""Events that contradict the contract: no law, but nothing can be checked without it."""
