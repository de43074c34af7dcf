"""Face and voice of identifiable persons (肖像与声音)."""
