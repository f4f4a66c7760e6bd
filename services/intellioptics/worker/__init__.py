"""The inference worker of IntelliOptics: takes image queries off the queue and answers them with a model."""
