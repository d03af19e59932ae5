"""Clips become crops, faces and transcripts, and only what changed is computed again."""
