"""The policy that all engines of the benchmark judge by: the example's."""

from pathlib import Path

from hegui.streams import simulation

POLICY = Path(simulation.__file__).parent / "examples" / "policy.yaml"
