"""The orchestrator of OPAL: the one consumer of ``jobs``, which has the model make each picture."""
