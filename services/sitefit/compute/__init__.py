"""A stand-in for Rhino.Compute: speaks its `/grasshopper` protocol, and places houses with shapely instead of Grasshopper."""
