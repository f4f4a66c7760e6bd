"""What stands, as the rest of the stack talks to it: one class a kind of server, whoever has started it."""
