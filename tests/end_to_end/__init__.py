"""The whole of it on real servers: from an event to the page and back, and the demo."""
