"""In the place of Microsoft's emulator: it insists on what that one is given, and becomes ready in the same awkward order.

The line comes first, /health answers 503 before it answers 200, and the entities are there last of all.
"""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading

CONFIG = "/ServiceBus_Emulator/ConfigFiles/Config.json"
asked = 0
go = threading.Event()


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        healthy = self.path == "/health" and asked > 2
        self.send_response(200 if healthy else 503)
        self.end_headers()
        if healthy:
            go.set()

    def log_message(self, *parts):
        pass


given = {name: os.environ.get(name) for name in ("ACCEPT_EULA", "SQL_SERVER", "MSSQL_SA_PASSWORD", "SQL_WAIT_INTERVAL")}
if given["ACCEPT_EULA"] != "Y" or given["SQL_WAIT_INTERVAL"] != "0" or not all(given.values()):
    sys.exit("it was not given what it needs")
# at once, as SQL_WAIT_INTERVAL says
socket.create_connection((given["SQL_SERVER"], 1433), timeout=5).close()
server = http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["EMULATOR_HTTP_PORT"])), Health)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("Emulator Service is Successfully Up!", flush=True)
go.wait()
child = subprocess.Popen(
    [sys.executable, "-m", "peeklock.servicebus", "--host", "0.0.0.0", "--config", CONFIG, "--http-port", "0"],
    cwd="/opt/peeklock",
)
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
sys.exit(child.wait())
