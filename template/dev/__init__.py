"""What a developer's machine runs and production never sees."""
