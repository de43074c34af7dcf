"""What is forbidden, and how we decide: events, facts, law, rules, violations, issues, findings. Pure."""
