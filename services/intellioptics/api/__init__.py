"""The HTTP face of IntelliOptics: detectors, and questions about images."""
