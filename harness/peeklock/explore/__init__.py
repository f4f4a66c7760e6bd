"""`peeklock explore`: every moment of a case that passes is disturbed, and the end compared with the undisturbed one.

`search` leads: it records `moments`, makes `disturbances` of them, runs each as a `variant` of the case, and lets the `judge` compare
what is left behind once `noise` is taken away. `shrink` reduces what was found; `written` makes a scenario of it.
"""

from __future__ import annotations
