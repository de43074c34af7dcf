"""Content moderation (内容审核)."""
