"""A server of the built page for this computer alone."""

import functools
import os
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS = "127.0.0.1"
HEADERS = {
    # Isolated from other pages: then a browser gives WebAssembly threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # As in the page itself; its workers obey this one.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
        "style-src 'self'; img-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked for anew when the files have changed
}


def page_server(folder: str | os.PathLike, port: int) -> ThreadingHTTPServer:
    """A server of a built page on 127.0.0.1, which `serve_forever` starts.

    Args:
        folder: what `build_page` wrote.
        port: 0 for any that is free; `server_port` tells which.

    Raises:
        FileNotFoundError: there is no page in the folder.
        OSError: the port is taken.
    """
    if not all((Path(folder) / name).is_file() for name in ("index.html", "model.onnx", "model.json")):
        raise FileNotFoundError(f"no page in {folder}: fundus web --build makes one, with Node and npm")
    return ThreadingHTTPServer((ADDRESS, port), functools.partial(_Handler, directory=os.fspath(folder)))


class _Handler(SimpleHTTPRequestHandler):
    # Python asks the system for the rest, and systems differ.
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".svg": "image/svg+xml",
        ".json": "application/json",
        ".webmanifest": "application/manifest+json",
        ".onnx": "application/octet-stream",
    }

    def end_headers(self):
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def list_directory(self, path):
        self.send_error(404, "File not found")

    def log_message(self, format, *args):
        """Nothing: what is asked for is in the browser's own tools."""
