"""Azure's samples, as the source distributions of its packages have them: run unmodified, led by environment variables only."""
