"""IntelliOptics: questions about images, answered by a model behind a queue."""
