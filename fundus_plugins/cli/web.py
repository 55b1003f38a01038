"""`fundus web`: the page that outlines photographs in a browser."""

from pathlib import Path

import rich_click as click

from .options import PATH, Command

SOURCES = Path(__file__).resolve().parents[2] / "web"
DIST = SOURCES / "dist"


@click.command(cls=Command)
@click.option("--build", is_flag=True, help="build the page and stop; with Node and npm, in a checkout")
@click.option("--folder", type=PATH, help="of the built page; default: web/dist of the checkout")
@click.option("--port", type=int, default=8321, show_default=True, help="0: any that is free")
@click.option("--weights", metavar="FILE.onnx", help="with --build: of `fundus export`; default: the packaged")
def command(build, folder, port, weights):
    """Serve a page that outlines disc and cup in the browser, on this computer alone.

    Photographs do not leave the browser, and once opened the page works without a network. --build makes it; the folder
    can be served by any web server.
    """
    folder = folder or DIST
    if build:
        _build(folder, weights)
        return
    if weights:
        raise click.UsageError("a model is built into the page: --weights needs --build")

    from fundus_plugins.prediction.web_server import ADDRESS, page_server

    with page_server(folder, port) as server:
        print(f"http://{ADDRESS}:{server.server_port}/  (Ctrl+C stops)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _build(folder, weights):
    from fundus_plugins.prediction.predictor import PACKAGED
    from fundus_plugins.prediction.web_build import build_page

    build_page(Path(weights or PACKAGED), SOURCES, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB; fundus web serves it")
