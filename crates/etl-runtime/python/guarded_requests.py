"""What stands around the SDK's server classes: which files are objects, and requests that these classes leave open.

What is asked for each request is kept short: whether a class needs more of a processor than without it shows
`scripts/bench/etl-requests`.
"""

import contextvars
import io
import os
import stat
import threading
import time


class NotAnObject(FileNotFoundError):
    """What `etl_fqn` names is not the file of an object. The SDK's servers answer a FileNotFoundError with 404."""

    def __init__(self, path, reason, status):
        super().__init__(2, reason, f"{path} ({reason})")
        self.status = status
        self.told = f"etl_fqn {path!r}: {reason}"


# The latest of them in this thread or task. Where the SDK's class catches the error, the answer it makes of it takes the
# reason from here.
REFUSAL = contextvars.ContextVar("refusal", default=None)


def taken_refusal():
    refusal = REFUSAL.get()
    REFUSAL.set(None)
    return refusal


def within_mounts(sanitize):
    """`sanitize_fqn`, refusing what is not an object's file: every server opens what it returns."""
    given = [root.rstrip("/") + "/" for root in os.environ.get("ETL_FQN_ROOTS", "").split(":") if root]
    roots = [os.path.realpath(root).rstrip("/") + "/" for root in given]
    folders = Folders()

    def sanitized(fqn):
        path = sanitize(fqn)
        try:
            real, is_file, is_readable = look_at(path, folders)
        except ValueError as error:
            refuse(path, str(error), 404)
        except OSError as error:
            # What lies outside is not told apart from what is not there.
            if not any(path.startswith(root) for root in given + roots):
                refuse(path, "outside ETL_FQN_ROOTS and the mounted volumes", 404)
            refuse(path, error.strerror, 403 if isinstance(error, PermissionError) else 404)
        if not any(real.startswith(root) for root in roots):
            refuse(path, "outside ETL_FQN_ROOTS and the mounted volumes", 404)
        if not is_file:
            refuse(path, "not a regular file", 404)
        if not is_readable:
            refuse(path, "this user may not read it", 403)
        return path

    def refuse(path, reason, status):
        import logging

        refusal = NotAnObject(path, reason, status)
        REFUSAL.set(refusal)
        logging.getLogger("etl-runtime").error("%s", refusal.told)
        raise refusal

    return sanitized


ANYBODY = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Folders:
    """Where the folders of objects really lead, for those that were asked for within the last second."""

    KEPT, SECONDS = 4096, 1.0

    def __init__(self):
        self.known = {}
        self.until = 0.0

    def real(self, folder):
        now = time.monotonic()
        if now >= self.until or len(self.known) >= self.KEPT:
            # Replaced whole, since threads read it without a lock.
            self.known, self.until = {}, now + self.SECONDS
        known = self.known
        real = known.get(folder)
        if real is None:
            real = known[folder] = os.path.realpath(folder)
        return real


def look_at(path, folders):
    """Where a path really leads, whether to a regular file, and whether this user may read it.

    Every request with a path waits for this, and each call to the system gives the other threads of a server their turn:
    so an object in a folder that is known costs one call. Nothing is opened: pipes and devices are not touched.
    """
    folder, slash, name = path.rpartition("/")
    if name in ("", ".", "..") or not slash:
        found, real = os.stat(path), os.path.realpath(path)
    else:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            found, real = os.stat(path), os.path.realpath(path)
        else:
            real = f"{folders.real(folder or '/').rstrip('/')}/{name}"
    # What everybody may read is not asked for.
    return real, stat.S_ISREG(found.st_mode), found.st_mode & ANYBODY == ANYBODY or os.access(path, os.R_OK)


class EmptyPuts:
    """Counts PUT requests that bring no body and name no file, in all workers together.

    An empty object is one. So is an object whose name holds `#`: the target builds the pod's URL unescaped, and
    everything from `#` on, the file's path included, is lost on the way.
    """

    # Numbers in memory that all workers share: whether the first was explained, the total that is logged next, and a
    # count for each worker. Nobody waits for anybody, and a worker that is killed takes nothing along.
    EXPLAINED, NEXT, FIRST, COUNTS = 0, 1, 2, 512

    def __init__(self):
        import mmap

        self.numbers = memoryview(mmap.mmap(-1, 8 * (self.FIRST + self.COUNTS))).cast("Q")
        self.numbers[self.NEXT] = 10
        self.own = self.FIRST
        self.turn = threading.Lock()

    def belongs_to(self, worker):
        """Called in a new worker; `worker` is how many there were before it."""
        self.own = self.FIRST + worker % self.COUNTS

    def total(self):
        return sum(self.numbers[self.FIRST :])

    def note(self, path):
        import logging

        with self.turn:
            self.numbers[self.own] += 1
            if not self.numbers[self.EXPLAINED]:
                self.numbers[self.EXPLAINED] = 1
                logging.getLogger("etl-runtime").warning(
                    "PUT %s has no body and no etl_fqn: either the object is empty, or its name holds `#`, from "
                    "which on AIStore cuts the request; then nothing was transformed. Further ones are only counted.",
                    path,
                )
            elif self.total() >= self.numbers[self.NEXT]:
                self.numbers[self.NEXT] *= 10
                self.sum_up()

    def sum_up(self):
        total = self.total()
        if total > 1:
            import logging

            logging.getLogger("etl-runtime").warning("%d PUT requests without body and etl_fqn so far", total)


NO_DOWNLOADS = "ETL servers do not download: this request of a download job is not supported\n"


# The three frameworks.


# Of files that are read where a request is worked on: no longer than `transform` keeps the others waiting anyway.
SMALL = 1 << 18


def read_small_files_at_once(server):
    """The SDK reads a file with three visits to other threads, which take longer than reading a small one does."""
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

    theirs = getattr(FastAPIServer, "_get_fqn_content", None)
    if theirs is None or getattr(type(server), "_get_fqn_content", None) is not theirs:
        return

    async def content(path):
        with open(server.sanitize_fqn(path), "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= SMALL:
                return file.read()
        return await theirs(server, path)

    server._get_fqn_content = content  # pylint: disable=protected-access


def asgi_app(server, empty):
    """The FastAPI application with what is ours around it."""
    from fastapi.exception_handlers import http_exception_handler
    from starlette.exceptions import HTTPException
    from starlette.responses import JSONResponse, PlainTextResponse

    def refuse_download(_request):
        return PlainTextResponse(NO_DOWNLOADS, status_code=501)

    async def answer(request, error):
        cause = error.__cause__ or error.__context__
        if isinstance(cause, NotAnObject):
            return JSONResponse({"detail": cause.told}, status_code=cause.status)
        return await http_exception_handler(request, error)

    server.app.add_route("/download", refuse_download, methods=["POST"])
    server.app.add_exception_handler(HTTPException, answer)
    read_small_files_at_once(server)
    inner = server.app

    async def outer(scope, receive, send):
        if scope["type"] == "http" and scope["method"] == "PUT" and b"etl_fqn=" not in scope["query_string"]:
            for name, value in scope["headers"]:
                if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
                    break
            else:
                empty.note(scope["path"])
        await inner(scope, receive, send)

    return outer


def wsgi_app(server, empty):
    """The Flask application with what is ours around it."""
    from flask import Response, jsonify

    def refuse_download():
        return Response(NO_DOWNLOADS, status=501, mimetype="text/plain")

    def answer(response):
        if response.status_code == 404:
            refusal = taken_refusal()
            if refusal is not None:
                response = jsonify({"error": refusal.told})
                response.status_code = refusal.status
        return response

    server.app.add_url_rule("/download", "etl_runtime_download", refuse_download, methods=["POST"])
    server.app.after_request(answer)
    inner = server.app

    def outer(environ, start_response):
        if (
            environ["REQUEST_METHOD"] == "PUT"
            and environ.get("CONTENT_LENGTH", "0") in ("", "0")
            and "HTTP_TRANSFER_ENCODING" not in environ
            and "etl_fqn=" not in environ.get("QUERY_STRING", "")
        ):
            empty.note(environ.get("PATH_INFO", ""))
        return inner(environ, start_response)

    return outer


class HeadWithBody(io.BufferedIOBase):
    """Sends what was written first, the head of an answer, together with what follows, and so wakes the client once.

    A buffer of Python's own does as much, and costs each request more than the call that it saves.
    """

    TOGETHER = 1 << 16

    def __init__(self, connection):
        self.connection = connection
        self.head = b""

    def writable(self):
        return True

    def write(self, data):
        count = memoryview(data).nbytes
        if not self.head:
            self.head = bytes(data)
        elif count > self.TOGETHER:
            self.flush()
            self.connection.write(data)
        else:
            head, self.head = self.head, b""
            self.connection.write(b"".join((head, data)))
        return count

    def flush(self):
        if self.head:
            head, self.head = self.head, b""
            self.connection.write(head)


def threaded_handler(server, empty):
    """The request handler of the threaded server with what is ours around it."""

    class Handler(server.RequestHandler):
        def setup(self):
            super().setup()
            # Streams are not held back.
            if not getattr(server, "use_streaming", False):
                self.wfile = HeadWithBody(self.wfile)

        def do_PUT(self):  # pylint: disable=invalid-name
            if (
                "etl_fqn=" not in self.path
                and self.headers.get("Content-Length", "0") == "0"
                and "Transfer-Encoding" not in self.headers
            ):
                empty.note(self.path.partition("?")[0])
            super().do_PUT()

        def do_POST(self):  # pylint: disable=invalid-name
            if self.path.partition("?")[0] != "/download":
                self.send_error(501, f"Unsupported method ({self.command!r})")
                return
            body = NO_DOWNLOADS.encode()
            self.send_response(501)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_error(self, code, message=None, explain=None):
            refusal = taken_refusal() if code == 404 else None
            if refusal is not None:
                # The line of the status takes no text of others.
                code, message, explain = refusal.status, None, refusal.told
            super().send_error(code, message, explain)

    return Handler
