"""The AppServer: holds inputs and outputs to their contract, and has a solver do the work between."""
