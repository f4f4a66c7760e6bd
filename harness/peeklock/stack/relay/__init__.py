"""The relay: a small process between the services of one environment and what they reach, where faults strike."""
