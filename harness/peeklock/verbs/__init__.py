"""The verbs of the scenario language, one file each.

Add one: a file with its arguments as a `Model`, a `run` function and a `VERB`, and its line here.
"""

from __future__ import annotations

from peeklock.engine.verb import Verb
from peeklock.verbs import (
    alert,
    blob,
    clock,
    crash,
    db,
    fault,
    http,
    identity,
    job,
    load,
    logs,
    messages,
    metrics,
    never,
    path,
    pause,
    preflight,
    queue,
    requests,
    run,
    scale,
    send,
    service,
    session,
    set_,
    settle,
    spans,
    use,
    wait,
)

VOCABULARY: dict[str, Verb] = {
    module.VERB.name: module.VERB
    for module in (
        http,
        blob,
        send,
        load,
        messages,
        path,
        queue,
        requests,
        spans,
        metrics,
        db,
        logs,
        service,
        session,
        fault,
        crash,
        pause,
        clock,
        identity,
        scale,
        job,
        alert,
        preflight,
        settle,
        never,
        set_,
        use,
        run,
        wait,
    )
}

__all__ = ["VOCABULARY"]
