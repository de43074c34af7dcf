"""Where data is stored and where it goes (数据本地化与出境)."""
