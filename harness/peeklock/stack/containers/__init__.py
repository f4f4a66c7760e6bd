"""The backend that runs everything in containers, and the images that it runs."""
