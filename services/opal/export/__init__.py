"""The export worker of OPAL: cuts each finished picture out, enlarges it, and leaves it in the sizes that shops ask for."""
