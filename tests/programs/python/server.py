"""A web server of the standard library, a thread for each connection: `PORT`."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ITEMS = [{"name": f"item {number * 7919 % 1000}", "price": number} for number in range(200)]


def render(items):
    kept = [item for item in items if item["price"] > 10]
    return json.dumps(sorted(kept, key=lambda item: item["name"]), indent=1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = render(ITEMS).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
