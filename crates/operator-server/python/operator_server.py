"""Serves the operators of extensions to one host, which starts this file: `PYTHON -I -X utf8 -u operator_server.py`.

Standard library only, Python 3.8 and newer. The protocol is described in docs/formats/operator-protocol.md. The main
thread runs operators, one after another; one thread reads the connection, one watches whether the host is still there.
Modules that not every call needs are imported where they are used, since a host waits for the start.
"""

import contextlib
import enum
import importlib
import importlib.util
import io
import json
import logging
import mmap
import os
import pathlib
import queue
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback
import types
import typing

try:
    # What hmac has, without the library for digests that it loads.
    from _operator import _compare_digest as compare_digest
except ImportError:
    from hmac import compare_digest

PROTOCOL = 1
MAGIC = b"PDL1"
FRAME = struct.Struct("<4sII")
LARGEST_HEADER = 16 << 20
LARGEST_CHUNK = 8 << 20
HELLO_LIMIT = 5.0
LONGEST_LOG = 8 << 10
NO_PORT = 75
DEEPEST_LIST = 8


class UserError(Exception):
    """An operator raises this for a fault of its user: the message is shown alone, without a traceback."""


class Cancelled(BaseException):
    """The host asked to stop."""


class ProtocolError(Exception):
    pass


class SerializeError(Exception):
    """A value cannot cross the boundary: which one, and why."""


class HandleLost(Exception):
    pass


# --- The connection -------------------------------------------------------------------------------------------------


class Connection:
    """Frames in both directions. Only the reading thread receives; any thread sends."""

    def __init__(self, sock, largest_body):
        self.sock = sock
        # Small, because bodies are read past it, into their place.
        self.stream = sock.makefile("rb", buffering=1 << 16)
        self.sending = threading.Lock()
        self.largest_body = largest_body
        self.bodies = {}

    def receive(self, place=None):
        """The next header and body, or None at the end of the connection. `place(header, size)` may give memory for the body."""
        start = self.stream.read(FRAME.size)
        if not start:
            return None
        if len(start) < FRAME.size:
            raise ProtocolError("a frame was cut")
        magic, header_size, body_size = FRAME.unpack(start)
        if magic != MAGIC:
            raise ProtocolError("not a frame of this protocol")
        if header_size > LARGEST_HEADER or body_size > LARGEST_CHUNK:
            raise ProtocolError("a frame is larger than allowed")
        header = self.stream.read(header_size)
        if len(header) < header_size:
            raise ProtocolError("a frame was cut")
        try:
            header = json.loads(header)
        except (ValueError, RecursionError):
            raise ProtocolError("a header is not JSON") from None
        if not isinstance(header, dict) or not isinstance(header.get("t"), str):
            raise ProtocolError("a header has no message name")
        body = place(header, body_size) if place else None
        if body is None:
            body = self.stream.read(body_size)
            received = len(body)
        else:
            received = self.stream.readinto(body)
        if received < body_size:
            raise ProtocolError("a frame was cut")
        return header, body

    def send(self, header, body=b""):
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode()
        if len(text) > LARGEST_HEADER:
            raise SerializeError("the result has more than 16 MiB beside its tables and files")
        with self.sending:
            self.sock.sendall(FRAME.pack(MAGIC, len(text), len(body)) + text)
            if len(body):
                self.sock.sendall(body)

    def send_body(self, number, pieces):
        """Streams bytes in chunks. `pieces` yields bytes-like objects of any length."""
        part, total = 0, 0
        for piece in pieces:
            view = memoryview(piece).cast("B")
            total += len(view)
            if total > self.largest_body:
                raise SerializeError(f"a value is larger than {self.largest_body} bytes (loader.maxBody)")
            for begin in range(0, len(view), LARGEST_CHUNK):
                self.send({"t": "BODY", "id": number, "part": part, "last": False}, view[begin : begin + LARGEST_CHUNK])
                part += 1
        self.send({"t": "BODY", "id": number, "part": part, "last": True})

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.sock.close()


class ReceivedBody:
    """A value on its way in: in memory, as a table will be anyway, or in a file if it is very large."""

    IN_MEMORY = 2 << 30
    # Smaller ones are not worth pages of their own.
    SMALL = 1 << 20

    def __init__(self, scratch, announced):
        self.scratch, self.parts, self.size, self.is_complete = scratch, 0, 0, False
        self.chunks, self.file, self.memory = [], None, None
        if self.SMALL < announced <= self.IN_MEMORY:
            self.memory = memoryview(fresh_memory(announced))

    def room(self, size):
        """Where the next bytes go, if their place is known before they come."""
        if self.memory is None:
            return None
        if size > len(self.memory) - self.size:
            raise ProtocolError("a body is longer than announced")
        return self.memory[self.size : self.size + size]

    def append(self, chunk):
        self.parts += 1
        self.size += len(chunk)
        if self.memory is not None:
            # It was received there.
            return
        if self.file is None and self.size > self.IN_MEMORY:
            self.file = tempfile.TemporaryFile(dir=self.scratch or None)
            self.file.writelines(self.chunks)
            self.chunks = []
        if self.file is None:
            self.chunks.append(chunk)
        else:
            self.file.write(chunk)

    def content(self):
        """All bytes, or an open file with them."""
        if self.file is not None:
            self.file.seek(0)
            return self.file
        if self.memory is not None:
            content, self.memory = self.memory[: self.size], None
            return content
        content, self.chunks = b"".join(self.chunks), []
        return memoryview(content)


def fresh_memory(size):
    """Pages that the system fills with zeros when they are touched, large ones where it has such."""
    if os.name == "nt":
        return mmap.mmap(-1, size)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


class BodySink:
    """A file-like object that sends what is written to it, small pieces together."""

    LARGE = 1 << 16

    def __init__(self, connection, number):
        self.connection, self.number = connection, number
        self.part, self.total, self.pending = 0, 0, bytearray()
        self.closed = False

    def writable(self):
        return True

    def readable(self):
        return False

    def seekable(self):
        return False

    def flush(self):
        pass

    def write(self, data):
        view = memoryview(data).cast("B")
        self.total += len(view)
        if self.total > self.connection.largest_body:
            raise SerializeError(f"a value is larger than {self.connection.largest_body} bytes (loader.maxBody)")
        if len(view) >= self.LARGE:
            # Sent from where it lies.
            self._send_pending()
            for begin in range(0, len(view), LARGEST_CHUNK):
                self._send(view[begin : begin + LARGEST_CHUNK], False)
        else:
            self.pending += view
            if len(self.pending) >= LARGEST_CHUNK // 2:
                self._send_pending()
        return len(view)

    def _send_pending(self):
        if self.pending:
            self._send(self.pending, False)
            self.pending = bytearray()

    def _send(self, chunk, last):
        self.connection.send({"t": "BODY", "id": self.number, "part": self.part, "last": last}, chunk)
        self.part += 1

    def close(self):
        if not self.closed:
            self.closed = True
            self._send(self.pending, True)


# --- Logs -----------------------------------------------------------------------------------------------------------


class LogHandler(logging.Handler):
    """Python's own logging becomes LOG frames."""

    def __init__(self, server):
        super().__init__()
        self.server = server

    def emit(self, record):
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info))
        except Exception as error:
            text = f"{record.msg!r} (cannot be formatted: {error})"
        self.server.log(record.levelno, record.name, text, record.created)


# --- The server -----------------------------------------------------------------------------------------------------


class Server:
    def __init__(self, settings):
        self.settings = settings
        self.largest_body = int(settings.get("max_body", 8 << 30))
        self.connection = None
        # Whose call is worked on: its answer goes nowhere else, even if another host is there by then.
        self.caller = None
        self.calls = queue.SimpleQueue()
        self.modules = {}
        self.handles = {}
        self.hints = {}
        self.run = None
        self.codecs = {}
        self.cancelled = set()
        self.activity = time.monotonic()
        self.lock = threading.Lock()
        self.stopping = None
        # An interrupt is raised in code of extensions alone: in ours it could cut a frame, or be lost.
        self.interruptible = False
        self.pipes = [pipe_identity(descriptor) for descriptor in (1, 2)]
        self.numbers = iter(range(1, 1 << 62))

    # Connections: any number may try, one at a time is the host's.

    def listen(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.greet, args=(sock,), daemon=True).start()

    def greet(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(HELLO_LIMIT)
        connection = Connection(sock, self.largest_body)
        limit = threading.Timer(HELLO_LIMIT, connection.close)
        limit.daemon = True
        limit.start()
        try:
            frame = connection.receive()
        except (ProtocolError, OSError):
            frame = None
        limit.cancel()
        token = frame and frame[0].get("t") == "HELLO" and frame[0].get("token")
        accepted = isinstance(token, str) and compare_digest(token.encode(), self.settings["token"].encode())
        with self.lock:
            accepted = accepted and self.connection is None
            if accepted:
                self.connection = connection
        if not accepted:
            connection.close()
            return
        sock.settimeout(None)
        self.activity = time.monotonic()
        try:
            connection.send(
                {
                    "t": "WELCOME",
                    "protocol": PROTOCOL,
                    "pid": os.getpid(),
                    "python": "%d.%d.%d" % sys.version_info[:3],
                    "platform": sys.platform,
                    "codecs": (["arrow"] if has_module("pyarrow") else []) + ["json"],
                    "shim": self.settings.get("shim", ""),
                }
            )
            self.read(connection)
        except OSError:
            pass
        except ProtocolError as error:
            with contextlib.suppress(OSError):
                connection.send({"t": "ERROR", "run": None, "kind": "protocol", "type": "ProtocolError",
                                 "message": str(error), "user": False, "traceback": [], "notes": []})
        finally:
            connection.close()
            with self.lock:
                self.connection = None
            self.interrupt(self.run)

    def read(self, connection):
        while True:
            frame = connection.receive(self.place_of_body)
            if frame is None:
                return
            header, body = frame
            name = header["t"]
            if name == "PING":
                connection.send({"t": "PONG"})
                continue
            self.activity = time.monotonic()
            if name == "BODY":
                self.take_body(header, body)
            elif name in ("LOAD", "RUN"):
                number_of_run(header)
                self.calls.put((name, header, connection))
            elif name == "RELEASE":
                handles = header.get("handles")
                if not isinstance(handles, list) or not all(isinstance(handle, str) for handle in handles):
                    raise ProtocolError("RELEASE has no list of handles")
                self.calls.put((name, header, connection))
            elif name == "CANCEL":
                run = number_of_run(header)
                self.cancelled.add(run)
                self.interrupt(run)
            elif name == "SHUTDOWN":
                grace = header.get("grace") or 0
                if not isinstance(grace, (int, float)):
                    raise ProtocolError("the grace of SHUTDOWN is not a number")
                self.stop("shutdown", min(float(grace), 3600.0))
            else:
                raise ProtocolError(f"unknown message {name[:40]!r}")

    def place_of_body(self, header, size):
        """Checks a part of a body before it is received, and says where it goes if that is known."""
        if header["t"] != "BODY":
            return None
        bodies, number, part, largest = self.connection.bodies, header.get("id"), header.get("part"), self.largest_body
        if not isinstance(number, int):
            raise ProtocolError("a body has no number")
        entry = bodies.get(number)
        if entry is None:
            if part != 0:
                raise ProtocolError("a body does not begin with its first part")
            announced = header.get("size")
            announced = announced if isinstance(announced, int) and announced <= largest else 0
            entry = bodies[number] = ReceivedBody(self.settings.get("scratch"), announced)
        if part != entry.parts or entry.is_complete:
            raise ProtocolError("parts of a body are not in order")
        if entry.size + size > largest:
            raise ProtocolError("a body is larger than loader.maxBody")
        return entry.room(size)

    def take_body(self, header, body):
        entry = self.connection.bodies[header["id"]]
        entry.append(body)
        entry.is_complete = bool(header.get("last"))

    def on_interrupt(self, _signal, _frame):
        if self.interruptible:
            raise KeyboardInterrupt

    def interrupt(self, run):
        """Raises KeyboardInterrupt in the main thread if that run is what it does."""
        with self.lock:
            if run is None or self.run != run:
                return
            if hasattr(signal, "raise_signal") and os.name != "nt":
                # Wakes system calls such as sleep, too.
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            else:
                import _thread

                _thread.interrupt_main()

    # Ends.

    def stop(self, reason, grace=0.0):
        with self.lock:
            if self.stopping:
                return
            self.stopping = reason
        connection = self.connection
        end = time.monotonic() + grace
        while self.run is not None and time.monotonic() < end:
            time.sleep(0.02)
        if connection:
            with contextlib.suppress(OSError):
                connection.send({"t": "BYE", "reason": reason})
            connection.close()
        os._exit(0)

    def watch_host(self, pipe):
        """Standard input ends when the host does."""
        while True:
            try:
                if not os.read(pipe, 4096):
                    break
            except OSError:
                break
        self.stop("host-gone")

    def watch_idle(self, limit):
        while True:
            quiet = time.monotonic() - self.activity
            if self.run is None and not self.handles and quiet >= limit:
                self.stop("idle")
            time.sleep(min(1.0, max(0.05, limit - quiet)) if quiet < limit else 0.5)

    # What the main thread does.

    def serve(self):
        while True:
            try:
                name, header, self.caller = self.calls.get()
                # What a host asked that is gone by now is not begun.
                if self.caller is self.connection:
                    getattr(self, "do_" + name.lower())(header)
            except KeyboardInterrupt:
                # Came after the run that it was for.
                continue
            except OSError:
                # The host is gone; the next one, or the end of standard input, follows.
                continue
            finally:
                self.activity = time.monotonic()

    def send(self, header, body=b""):
        if self.caller is not None:
            self.caller.send(header, body)

    def log(self, level, logger, text, moment=None):
        run = self.run
        if len(text) > LONGEST_LOG:
            text = text[:LONGEST_LOG] + "…"
        with contextlib.suppress(OSError):
            self.send({"t": "LOG", "run": run, "level": level, "logger": logger, "time": moment or time.time(), "text": text})

    def do_release(self, header):
        for handle in header.get("handles", []):
            self.handles.pop(handle, None)

    def do_load(self, header):
        run, extension, module = header.get("run"), header.get("ext"), header.get("module")
        try:
            for path in reversed(header.get("paths", [])):
                if path not in sys.path:
                    sys.path.insert(0, path)
                    EXTENSION_FOLDERS.append(path)
            importlib.invalidate_caches()
            with self.lock:
                self.run = run
            self.modules[extension] = self.in_extension(run, importlib.import_module, module)
            self.hints.clear()
            answer = {"t": "LOADED", "run": run, "ext": extension, "file": getattr(self.modules[extension], "__file__", None)}
        except KeyboardInterrupt:
            answer = failure(run, "cancelled", Cancelled("loading was cancelled"), extension)
        except BaseException as error:
            answer = failure(run, "load", error, extension)
        self.interruptible = False
        with self.lock:
            self.run = None
        self.cancelled.discard(run)
        answer["marks"] = self.mark_end(run)
        self.send(answer)

    def in_extension(self, run, function, *arguments, **named):
        """Calls code of an extension, which a cancelled run leaves by KeyboardInterrupt."""
        self.interruptible = True
        try:
            if run in self.cancelled:
                raise KeyboardInterrupt
            return function(*arguments, **named)
        finally:
            self.interruptible = False

    def do_run(self, header):
        run, extension = header.get("run"), header.get("ext")
        folder = tempfile.mkdtemp(prefix="run-", dir=self.settings.get("scratch") or None)
        answer = None
        here = os.getcwd()
        began = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None
        try:
            with self.lock:
                self.run = run
            os.chdir(folder)
            values = self.call(header, extension, folder)
            if run in self.cancelled:
                raise KeyboardInterrupt
            self.codecs = header.get("codecs") or {}
            outputs = [self.to_host(port, value, folder) for port, value in values]
            answer = {"t": "RESULT", "run": run, "outputs": outputs}
        except KeyboardInterrupt:
            answer = failure(run, "cancelled", Cancelled("the run was cancelled"), extension)
            answer["swept"] = end_children(began)
        except HandleLost as error:
            answer = failure(run, "handle_lost", error, extension)
        except SerializeError as error:
            answer = failure(run, "serialize", error, extension)
        except SystemExit as error:
            answer = failure(run, "python", error, extension)
        except BaseException as error:
            answer = failure(run, "python", error, extension)
        self.interruptible = False
        with self.lock:
            self.run = None
        self.cancelled.discard(run)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        answer["marks"] = self.mark_end(run)
        with contextlib.suppress(OSError):
            os.chdir(here)
        if not self.settings.get("keep_runs"):
            try:
                os.rmdir(folder)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
        self.send(answer)

    def mark_end(self, run):
        """Tells the host that what comes on these pipes from now on belongs to no run before; on how many, the answer says."""
        marks = 0
        for descriptor, pipe in zip((1, 2), self.pipes):
            # An operator may have closed or replaced it.
            if pipe is not None and pipe_identity(descriptor) == pipe:
                with contextlib.suppress(OSError):
                    os.write(descriptor, b"\n\x1ePYDIST-END %d\n" % run)
                    marks += 1
        return marks

    def call(self, header, extension, folder):
        module = self.modules.get(extension)
        if module is None:
            raise SerializeError(f"extension {extension!r} is not loaded in this server")
        function = getattr(module, header["function"])
        name = (extension, header["function"])
        if name not in self.hints:
            self.hints[name] = type_hints(function)
        hints = self.hints[name]
        arguments = {}
        for name, value in header.get("params", {}).items():
            # Nobody said anything: what the function says itself counts.
            if value is not None or not has_default(function, name):
                arguments[name] = from_parameter(value, hints.get(name))
        for value in header.get("inputs", []):
            arguments[value["port"]] = self.from_host(value, folder, 0, wants_arrow(hints.get(value["port"])))
        seed = header.get("seed")
        if seed is not None:
            import inspect

            kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
            if inspect.Parameter.VAR_KEYWORD in kinds and "random_seed" not in arguments:
                arguments["random_seed"] = seed
        result = self.in_extension(header.get("run"), function, **arguments)
        ports = header.get("outputs", [])
        if len(ports) == 1:
            return [(ports[0], result)]
        if not ports:
            return []
        if not isinstance(result, tuple) or len(result) != len(ports):
            kind = f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__
            raise SerializeError(f"the operator has {len(ports)} outputs and returned {kind}")
        return list(zip(ports, result))

    # Values.

    def from_host(self, value, folder, depth, as_arrow):
        form = value.get("form")
        if form == "none":
            return None
        if form == "list":
            if depth >= DEEPEST_LIST:
                raise SerializeError(f"port {value.get('port')}: lists are nested deeper than {DEEPEST_LIST}")
            return [self.from_host(item, folder, depth + 1, as_arrow) for item in value.get("items", [])]
        if form == "handle":
            try:
                return self.handles[value["handle"]]
            except KeyError:
                raise HandleLost(
                    f"port {value.get('port')}: the object is no longer in this server; run the operator that made it again"
                ) from None
        if form == "connection":
            return HostConnection(value.get("values", {}), value.get("secrets", []))
        if form == "file" and "path" in value:
            return pathlib.Path(value["path"])
        bodies = self.caller.bodies
        entry = bodies.get(value.get("body"))
        if entry is None or not entry.is_complete:
            raise SerializeError(f"port {value.get('port')}: its content was not sent")
        del bodies[value["body"]]
        content = entry.content()
        try:
            if form == "bytes":
                return io.BytesIO(all_of(content))
            if form == "file":
                path = pathlib.Path(folder, "in-" + safe_name(value.get("name") or value["port"]))
                with open(path, "xb") as file:
                    shutil.copyfileobj(opened(content), file, 1 << 20)
                return path
            if form == "table":
                return read_table(value.get("codec"), content, value["port"], as_arrow)
            if form == "object":
                return read_object(value, bytes(all_of(content)))
        finally:
            if not isinstance(content, memoryview):
                content.close()
        raise SerializeError(f"port {value.get('port')}: unknown form {form!r}")

    def to_host(self, port, value, folder, depth=0):
        if value is None:
            return {"port": port, "form": "none"}
        if isinstance(value, HostConnection):
            raise SerializeError(f"output {port}: connections are passed on by the host and are not returned")
        if isinstance(value, pathlib.PurePath):
            return {"port": port, "form": "file", "body": self.send_file(port, value, folder), "name": value.name}
        if isinstance(value, io.BytesIO):
            number = next(self.numbers)
            self.caller.send_body(number, [value.getbuffer()])
            return {"port": port, "form": "bytes", "body": number}
        if is_frame(value) or is_arrow_table(value):
            number = next(self.numbers)
            codec = self.codecs.get(port) or self.codec()
            sink = BodySink(self.caller, number)

            def warn(text):
                self.log(logging.WARNING, "pydist", text)

            if is_frame(value):
                facts = HostTable(value, port, warn).write(codec, sink)
            elif codec == "arrow":
                facts = write_arrow_table(value, port, warn, sink)
            else:
                facts = HostTable(frame_of_arrow(value, f"output {port}"), port, warn).write(codec, sink)
            sink.close()
            return {"port": port, "form": "table", "body": number, "codec": codec, **facts}
        if isinstance(value, list) and value and all(is_port_value(item) for item in value):
            if depth >= DEEPEST_LIST:
                raise SerializeError(f"output {port}: lists are nested deeper than {DEEPEST_LIST}")
            return {"port": port, "form": "list", "items": [self.to_host(port, item, folder, depth + 1) for item in value]}
        blob = write_object(value)
        if blob is not None:
            number = next(self.numbers)
            self.caller.send_body(number, [blob])
            return {"port": port, "form": "object", "type": type_name(type(value)), "body": number}
        handle = os.urandom(8).hex()
        self.handles[handle] = value
        return {"port": port, "form": "handle", "handle": handle, "type": type_name(type(value))}

    def codec(self):
        wanted = self.settings.get("codec", "auto")
        if wanted == "json" or (wanted == "auto" and not has_module("pyarrow")):
            return "json"
        if not has_module("pyarrow"):
            raise SerializeError("loader.tableCodec is arrow, and pyarrow is not installed in this distribution")
        return "arrow"

    def send_file(self, port, path, folder):
        try:
            real = os.path.realpath(path)
            allowed = [os.path.realpath(folder), os.path.realpath(tempfile.gettempdir())]
            inside = any(os.path.commonpath([real, root]) == root for root in allowed if same_drive(real, root))
            if not inside and not self.settings.get("allow_outside_files"):
                raise SerializeError(
                    f"output {port}: {str(path)!r} lies outside of the run's folder and of the temporary folder; "
                    "set loader.allowOutsideFiles to allow that"
                )
            if not os.path.isfile(real):
                raise SerializeError(f"output {port}: {str(path)!r} is not a file")
            number = next(self.numbers)
            with open(real, "rb") as file:
                self.caller.send_body(number, iter(lambda: file.read(LARGEST_CHUNK), b""))
            return number
        except OSError as error:
            if isinstance(error, (ConnectionError, TimeoutError)):
                raise
            raise SerializeError(f"output {port}: cannot read {str(path)!r}: {error}") from None


def end_children(since):
    """Ends what this process has started since then, and what that started. False where it cannot see that: then the host has
    to end the server, with everything."""
    if since is None or not sees_processes():
        return has_no_children()
    ticks, processes = os.sysconf("SC_CLK_TCK"), {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            processes[int(name)] = int(fields[1]), int(fields[19]) / ticks
    # A tick is the smallest step of what the system says.
    ending = [pid for pid, (parent, start) in processes.items() if parent == os.getpid() and start >= since - 2 / ticks]
    for pid in ending:
        ending += [child for child, (parent, _) in processes.items() if parent == pid]
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in ending:
            with contextlib.suppress(OSError):
                os.kill(pid, how)
        time.sleep(0.2 if ending and how == signal.SIGTERM else 0)
    return True


def sees_processes():
    return os.path.isdir("/proc/self")


def has_no_children():
    """Whether this process has none for certain. On Windows and on macOS before Python 3.13 nothing says so."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    except (AttributeError, OSError):
        pass
    return False


def number_of_run(header):
    run = header.get("run")
    if not isinstance(run, int) or isinstance(run, bool):
        raise ProtocolError(f"{header['t']} has no number of a run")
    return run


class HostConnection(dict):
    """A connection of the host: dotted keys. Secret values do not show when printed."""

    def __init__(self, values, secret_keys):
        super().__init__(values)
        self._secret = frozenset(secret_keys)

    def __repr__(self):
        shown = {key: "****" if key in self._secret else value for key, value in self.items()}
        return f"Connection({shown!r})"

    __str__ = __repr__

    def _refuse(self, *_arguments, **_named):
        raise TypeError("a connection cannot be changed")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse


# --- Parameters -----------------------------------------------------------------------------------------------------


def type_hints(function):
    try:
        return typing.get_type_hints(function)
    except Exception:
        # Names that exist only for type checkers.
        return {}


def has_default(function, name):
    import inspect

    parameter = inspect.signature(function).parameters.get(name)
    return parameter is not None and parameter.default is not parameter.empty


def from_parameter(value, hint):
    """A JSON value as the function's annotation wants it."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Union or (hasattr(types, "UnionType") and isinstance(hint, getattr(types, "UnionType"))):
        if value is None:
            return None
        kinds = [kind for kind in arguments if kind is not type(None)]
        return from_parameter(value, kinds[0]) if len(kinds) == 1 else value
    if value is None:
        return None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint[value]
    if hint is int and isinstance(value, (str, float)) and not isinstance(value, bool):
        return int(value)
    if hint is float and not isinstance(value, bool):
        return float(value)
    if hint is tuple or origin is tuple:
        kinds = list(arguments)
        if len(kinds) == 2 and kinds[1] is Ellipsis:
            kinds = [kinds[0]] * len(value)
        kinds += [None] * (len(value) - len(kinds))
        return tuple(from_parameter(item, kind) for item, kind in zip(value, kinds))
    if origin is list and arguments:
        return [from_parameter(item, arguments[0]) for item in value]
    if origin is dict and len(arguments) == 2:
        return {key: from_parameter(item, arguments[1]) for key, item in value.items()}
    return value


# --- Objects --------------------------------------------------------------------------------------------------------


def opened(content):
    return io.BytesIO(content) if isinstance(content, memoryview) else content


def all_of(content):
    return content if isinstance(content, memoryview) else content.read()


def type_name(kind):
    return f"{kind.__module__}.{kind.__qualname__}"


def write_object(value):
    """Bytes of a custom data object, or None if it is one that stays here. Never by pickle."""
    kind = type(value)
    if callable(getattr(value, "to_bytes", None)) and callable(getattr(kind, "from_bytes", None)) and not isinstance(value, int):
        return bytes(value.to_bytes())
    return None


def read_object(value, blob):
    module, _, name = value.get("type", "").rpartition(".")
    kind = importlib.import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    return kind.from_bytes(blob)


def is_frame(value):
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, getattr(pandas, "DataFrame", ()))


def is_arrow_table(value):
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and isinstance(value, getattr(pyarrow, "Table", ()))


def wants_arrow(hint):
    """Whether an argument is annotated as a table of pyarrow, a list of them, or either of these or None."""
    return is_arrow_class(hint) or any(wants_arrow(kind) for kind in typing.get_args(hint))


def is_arrow_class(hint):
    pyarrow = sys.modules.get("pyarrow")
    return pyarrow is not None and hint is getattr(pyarrow, "Table", None) and hint is not None


def is_port_value(value):
    return isinstance(value, (pathlib.PurePath, io.BytesIO, list)) or is_frame(value) or is_arrow_table(value)


def pipe_identity(descriptor):
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def same_drive(one, other):
    return os.path.splitdrive(one)[0].lower() == os.path.splitdrive(other)[0].lower()


def safe_name(name):
    name = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in str(name))[:100]
    return name.strip(".") or "file"


def has_module(name):
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


# --- Tables ---------------------------------------------------------------------------------------------------------
#
# A table of the host is a pandas DataFrame here. It crosses as an Arrow IPC stream, or as JSON where pyarrow is not
# installed. Types and roles of columns are in `DataFrame.attrs["pydist"]`, and in the metadata of Arrow's fields.

LARGEST_INTEGER = (1 << 53) - 1
ROWS_IN_GROUP = 1 << 16
NANOSECONDS = 1_000_000_000
DAY = 86_400 * NANOSECONDS
FIRST_NS, LAST_NS = -(1 << 63), (1 << 63) - 1
# Older names that may turn up in the metadata of tables.
TYPE_ALIASES = {
    "numeric": "real", "numerical": "real", "polynominal": "nominal", "file_path": "nominal", "date": "date-time",
    "date_time": "date-time", "datetime": "date-time", "53_bit_integer": "integer", "text_set": "text-set",
    "text_list": "text-list",
}


def read_table(codec, content, port, as_arrow=False):
    """A DataFrame, or a table of pyarrow for operators that ask for one."""
    if codec == "arrow":
        if not has_module("pyarrow"):
            raise SerializeError(f"port {port} came as Arrow, and pyarrow is not installed in this distribution")
        table = read_arrow(content, port)
        if as_arrow:
            return table
    if not has_module("pandas"):
        raise SerializeError(f"port {port} is a table, and pandas is not installed in this distribution")
    if codec == "arrow":
        return frame_of_arrow(table, f"port {port}", ReceivedValues(content))
    if codec == "json":
        frame = read_json_table(opened(content), port)
    elif codec == "csv":
        frame = read_csv(opened(content), port)
    else:
        raise SerializeError(f"port {port}: unknown codec {codec!r}")
    return HostTable(frame, port, lambda _: None).arrow_table() if as_arrow else frame


def read_arrow(content, port):
    import pyarrow

    try:
        table = pyarrow.ipc.open_stream(pyarrow.py_buffer(all_of(content))).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise SerializeError(f"port {port}: not an Arrow stream: {error}") from None
    if len(set(table.column_names)) != table.num_columns:
        raise SerializeError(f"port {port}: two columns have one name")
    return table


def facts_of_field(field):
    """What the metadata of a column says: its type and its role."""
    metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items() if key.startswith(b"pydist.")}
    return metadata.get("pydist.type"), metadata.get("pydist.role")


# Columns in one piece are used where they were received. Some readers take no buffer of 2 GiB.
ROWS_IN_BATCH = 1 << 27
# From this many values on, a frame keeps its columns as they were received instead of copying them together.
MANY_VALUES = 1 << 20


class ReceivedValues:
    """The memory that a table was received into. It is this server's own, so numbers can be used where they lie."""

    def __init__(self, content):
        self.memory = content if isinstance(content, memoryview) and not content.readonly else None
        self.taken = set()

    def view(self, column, kind):
        """Numbers in one piece as an array that operators may change, without a copy; None if they are not."""
        import numpy
        import pyarrow

        if self.memory is None or not len(column) or column.num_chunks != 1 or column.null_count:
            return None
        chunk = column.chunk(0)
        width = numpy.dtype(kind).itemsize
        begin = chunk.buffers()[1].address - pyarrow.py_buffer(self.memory).address + chunk.offset * width
        # What was compressed lies elsewhere; two columns could be one in the stream of somebody else.
        if not 0 <= begin <= len(self.memory) - len(chunk) * width or begin % width or begin in self.taken:
            return None
        self.taken.add(begin)
        return numpy.frombuffer(self.memory, kind, len(chunk), begin)


def frame_of_arrow(table, place, received=None):
    import pandas

    columns, facts = {}, {}
    for field, column in zip(table.schema, table.columns):
        declared, role = facts_of_field(field)
        columns[field.name], kind = series_of_arrow(column, declared, field.name, place, received)
        facts[field.name] = {"type": kind, **({"role": role} if role else {})}
    together = {"copy": False} if table.num_rows * table.num_columns >= MANY_VALUES else {}
    frame = pandas.DataFrame(columns, index=pandas.RangeIndex(table.num_rows), **together)
    frame.attrs["pydist"] = facts
    return frame


def numbers_of_arrow(column, kind, received):
    """A column as an array of its own, which operators may change; missing values are NaN."""
    import numpy

    in_place = received.view(column, kind) if received else None
    if in_place is not None:
        return in_place
    values, at = numpy.empty(len(column), kind), 0
    for chunk in column.chunks:
        values[at : at + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        at += len(chunk)
    return values


def read_csv(stream, port):
    """Types are those that pandas finds; texts are texts, and an empty field is missing."""
    import pandas

    try:
        return pandas.read_csv(stream, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise SerializeError(f"port {port}: not a table of comma-separated values: {error}") from None


def series_of_arrow(column, declared, name, place, received=None):
    """The values as pandas has them, and the host's type."""
    import numpy
    import pandas
    import pyarrow.types as kinds

    kind = TYPE_ALIASES.get(declared, declared)
    arrow = column.type
    if kinds.is_floating(arrow) or kinds.is_decimal(arrow):
        if not kinds.is_float64(arrow):
            column = column.cast("float64")
        # A missing value is NaN.
        return numbers_of_arrow(column, "float64", received), "real"
    if kinds.is_integer(arrow):
        if not kinds.is_int64(arrow):
            column = column.cast("int64")
        if not column.null_count:
            return numbers_of_arrow(column, "int64", received), "integer"
        mask = numpy.asarray(column.is_null().to_numpy(), dtype=bool)
        return pandas.arrays.IntegerArray(column.fill_null(0).to_numpy().copy(), mask), "integer"
    if kinds.is_boolean(arrow):
        return pandas.Series(column.to_pandas(), dtype="boolean"), "nominal"
    if kinds.is_dictionary(arrow):
        return pandas.Series(column.unify_dictionaries().to_pandas()), kind or "nominal"
    if kinds.is_string(arrow) or kinds.is_large_string(arrow):
        values = pandas.Series(column.to_pandas(), dtype="string")
        return (values.astype("category"), "nominal") if kind == "nominal" else (values, "text")
    if kinds.is_timestamp(arrow):
        return stamps_of_arrow(column.cast(kinds_timestamp(arrow.unit)), name, place), "date-time"
    if kinds.is_date(arrow):
        return stamps_of_arrow(column.cast("timestamp[ms]").cast(kinds_timestamp("ms")), name, place), "date-time"
    if kinds.is_time(arrow):
        return pandas.Series(column.to_pandas(), dtype="object"), "time"
    if kinds.is_list(arrow) or kinds.is_large_list(arrow):
        make = set if kind == "text-set" else list
        values = [None if value is None else make(value) for value in column.to_pylist()]
        return pandas.Series(values, dtype="object"), kind or "text-list"
    if kinds.is_null(arrow):
        return pandas.Series([float("nan")] * len(column)), "real"
    raise SerializeError(f"{place}: column {name!r} has the Arrow type {arrow}, which no table of the host has")


def stamps_of_arrow(column, name, place):
    import pandas
    import pyarrow

    try:
        return pandas.Series(column.to_pandas())
    except pyarrow.ArrowInvalid:
        # Before 2 pandas has nothing but nanoseconds, which end in 2262.
        units = {"s": NANOSECONDS, "ms": 10**6, "us": 1000, "ns": 1}
        values = column.cast(pyarrow.int64()).to_pylist()
        nanoseconds = [None if value is None else value * units[column.type.unit] for value in values]
        raise beyond_nanoseconds(nanoseconds, name, place) from None


def beyond_nanoseconds(nanoseconds, name, place):
    """The refusal of dates for a pandas that cannot hold one of them."""
    row = next((row for row, value in enumerate(nanoseconds) if value is not None and not FIRST_NS < value <= LAST_NS), None)
    return SerializeError(f"{place}: column {name!r} has a date in row {row} that pandas before 2 cannot hold")


def kinds_timestamp(unit):
    import pyarrow

    return pyarrow.timestamp(unit, tz="UTC")


def read_json_table(stream, port):
    import gzip

    import pandas

    with gzip.open(stream, "rt", encoding="utf-8") as lines:
        head = json.loads(lines.readline())
        columns = [[] for _ in head["columns"]]
        for line in lines:
            for values, more in zip(columns, json.loads(line)):
                values.extend(more)
    data, facts = {}, {}
    for column, values in zip(head["columns"], columns):
        kind = TYPE_ALIASES.get(column["type"], column["type"])
        if len(values) != head["rows"]:
            raise SerializeError(f"port {port}: column {column['name']!r} has {len(values)} of {head['rows']} rows")
        data[column["name"]] = series_of_json(kind, values, column["name"], port)
        facts[column["name"]] = {"type": kind, **({"role": column["role"]} if column.get("role") else {})}
    frame = pandas.DataFrame(data, index=pandas.RangeIndex(head["rows"]))
    frame.attrs["pydist"] = facts
    return frame


def series_of_json(kind, values, name, port):
    import numpy
    import pandas

    if kind == "real":
        return pandas.Series([float("nan") if value is None else float(value) for value in values], dtype="float64")
    if kind == "integer":
        return pandas.Series(values, dtype="Int64" if None in values else "int64")
    if kind == "nominal":
        return pandas.Series(pandas.Categorical(values))
    if kind == "text":
        return pandas.Series(values, dtype="string")
    if kind == "date-time":
        nanoseconds = [None if value is None else value[0] * NANOSECONDS + value[1] for value in values]
        if all(value is None or FIRST_NS < value <= LAST_NS for value in nanoseconds):
            return pandas.Series(pandas.to_datetime(pandas.Series(nanoseconds, dtype="Int64"), unit="ns", utc=True))
        if int(pandas.__version__.split(".")[0]) < 2:
            raise beyond_nanoseconds(nanoseconds, name, f"port {port}")
        raw = numpy.array(
            [numpy.datetime64("NaT" if value is None else value // 1000, "us") for value in nanoseconds],
            dtype="datetime64[us]",
        )
        return pandas.Series(raw).dt.tz_localize("UTC")
    if kind == "time":
        return pandas.Series([None if value is None else time_of_day(value) for value in values], dtype="object")
    if kind in ("text-set", "text-list"):
        make = set if kind == "text-set" else list
        return pandas.Series([None if value is None else make(value) for value in values], dtype="object")
    raise SerializeError(f"port {port}: column {name!r} has the unknown type {kind!r}")


def time_of_day(nanoseconds):
    import datetime

    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return datetime.time(seconds // 3600, seconds // 60 % 60, seconds % 60, rest // 1000)


class HostTable:
    """A DataFrame as the host has tables: checked columns, each of one of its types."""

    def __init__(self, frame, port, warn):
        import pandas

        if isinstance(frame.columns, pandas.MultiIndex):
            raise SerializeError(f"output {port}: the table has more than one level of column names")
        names = [column_name(name, port) for name in frame.columns]
        refuse_repeated(names, port)
        index = frame.index
        is_counted = isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1
        if not is_counted and len(frame):
            warn(f"output {port}: the index of the table is dropped")
        known = frame.attrs.get("pydist")
        known = known if isinstance(known, dict) else {}
        self.rows = len(frame)
        self.columns = [
            HostColumn(name, series if is_counted else series.reset_index(drop=True), known.get(name) or {}, port, warn)
            for name, (_, series) in zip(names, frame.items())
        ]

    def write(self, codec, sink):
        if codec == "arrow" and not has_module("pyarrow"):
            raise SerializeError("a table is wanted as Arrow, and pyarrow is not installed in this distribution")
        if codec == "arrow":
            self.write_arrow(sink)
        elif codec == "csv":
            self.write_csv(sink)
        elif codec != "json":
            raise SerializeError(f"unknown codec {codec!r}")
        else:
            self.write_json(sink)
        return {"rows": self.rows, "columns": [column.facts() for column in self.columns]}

    def arrow_table(self):
        import pyarrow

        arrays = [column.arrow() for column in self.columns]
        fields = [field_of(column.name, array.type, column.kind, column.role) for column, array in zip(self.columns, arrays)]
        schema = pyarrow.schema(fields)
        return pyarrow.Table.from_arrays(arrays, schema=schema) if arrays else schema.empty_table()

    def write_arrow(self, sink):
        write_stream(self.arrow_table(), sink)

    def write_csv(self, sink):
        import pandas

        data = {column.name: column.series for column in self.columns}
        frame = pandas.DataFrame(data, index=pandas.RangeIndex(self.rows))
        text = io.TextIOWrapper(sink, encoding="utf-8", newline="", write_through=True)
        frame.to_csv(text, index=False, lineterminator="\n")
        text.flush()
        text.detach()

    def write_json(self, sink):
        import gzip

        class Plain:
            """Keeps gzip from closing the sink."""

            write, flush = staticmethod(sink.write), staticmethod(sink.flush)

        # The lowest level: on loopback time counts more than size.
        with gzip.GzipFile(fileobj=Plain, mode="wb", compresslevel=1, mtime=0, filename="") as lines:
            head = {"columns": [column.facts() for column in self.columns], "rows": self.rows}
            lines.write(json.dumps(head).encode() + b"\n")
            for begin in range(0, self.rows, ROWS_IN_GROUP):
                group = [column.values(begin, begin + ROWS_IN_GROUP) for column in self.columns]
                lines.write(json.dumps(group).encode() + b"\n")


def field_of(name, arrow, kind, role):
    import pyarrow

    return pyarrow.field(name, arrow, metadata={"pydist.type": kind, **({"pydist.role": role} if role else {})})


def write_stream(table, sink):
    """An Arrow IPC stream. A small one is written at once, a large one without a copy of its columns."""
    import pyarrow

    if table.nbytes < BodySink.LARGE:
        whole = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(whole, table.schema) as writer:
            writer.write_table(table)
        sink.write(whole.getvalue())
        return
    with pyarrow.PythonFile(sink, mode="w") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=ROWS_IN_BATCH)


def write_arrow_table(table, port, warn, sink):
    """A table that an operator returned as pyarrow has it; pandas is not needed."""
    import pyarrow

    names = [column_name(name, port) for name in table.column_names]
    refuse_repeated(names, port)
    columns, fields, facts = [], [], []
    for field, column in zip(table.schema, table.columns):
        declared, role = facts_of_field(field)
        column, kind = host_column(column, TYPE_ALIASES.get(declared, declared), field.name, port, warn)
        columns.append(column)
        fields.append(field_of(field.name, column.type, kind, role))
        facts.append({"name": field.name, "type": kind, **({"role": role} if role else {})})
    schema = pyarrow.schema(fields)
    write_stream(pyarrow.Table.from_arrays(columns, schema=schema) if columns else schema.empty_table(), sink)
    return {"rows": table.num_rows, "columns": facts}


def host_column(column, wanted, name, port, warn):
    """A column in the one Arrow type that the host has for its values, and the host's type."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.types as kinds

    def cast(kind):
        return column if column.type == kind else column.cast(kind)

    arrow = column.type
    if kinds.is_floating(arrow) or kinds.is_decimal(arrow) or kinds.is_null(arrow):
        return cast(pyarrow.float64()), "real"
    if kinds.is_integer(arrow):
        bounds = pyarrow.compute.min_max(column).as_py()
        if bounds["min"] is not None and (bounds["min"] < -LARGEST_INTEGER or bounds["max"] > LARGEST_INTEGER):
            warn(f"output {port}: column {name!r} has integers beyond 53 bits; it became real and may have lost digits")
            return column.cast(pyarrow.float64(), safe=False), "real"
        return cast(pyarrow.int64()), "integer"
    if kinds.is_boolean(arrow):
        return column.cast(pyarrow.string()).dictionary_encode(), "nominal"
    if kinds.is_dictionary(arrow) and kinds.is_string(arrow.value_type):
        return column.unify_dictionaries(), "nominal"
    if kinds.is_dictionary(arrow) and kinds.is_large_string(arrow.value_type):
        return column.cast(pyarrow.string()).dictionary_encode().unify_dictionaries(), "nominal"
    if kinds.is_string(arrow) or kinds.is_large_string(arrow):
        if wanted == "text":
            return column, "text"
        return cast(pyarrow.string()).dictionary_encode().unify_dictionaries(), "nominal"
    if kinds.is_date(arrow):
        return column.cast(pyarrow.timestamp("ms")).cast(kinds_timestamp("us")), "date-time"
    if kinds.is_timestamp(arrow):
        if arrow.tz is None:
            warn(f"output {port}: column {name!r} has times without a zone; they were taken as UTC")
        return cast(kinds_timestamp("ns" if arrow.unit == "ns" else "us")), "date-time"
    if kinds.is_time(arrow):
        return cast(pyarrow.time64("ns")), "time"
    if kinds.is_list(arrow) and kinds.is_string(arrow.value_type):
        if any(item is None for value in column.to_pylist() for item in value or ()):
            raise SerializeError(f"output {port}: column {name!r} has an item that is not a text")
        return column, "text-set" if wanted == "text-set" else "text-list"
    raise SerializeError(f"output {port}: column {name!r} has the Arrow type {arrow}, which no table of the host has")


def refuse_repeated(names, port):
    seen = set()
    for name in names:
        if name in seen:
            raise SerializeError(f"output {port}: two columns are called {name!r}")
        seen.add(name)


def column_name(name, port):
    if isinstance(name, str) and name:
        return name
    if isinstance(name, (int, float)) and not isinstance(name, bool) and name == name:
        return str(name)
    raise SerializeError(f"output {port}: a column is called {name!r}; names are texts that are not empty")


class HostColumn:
    def __init__(self, name, series, known, port, warn):
        self.name, self.port, self.warn = name, port, warn
        self.role = known.get("role")
        self.wanted = TYPE_ALIASES.get(known.get("type"), known.get("type"))
        self.kind, self.series = self.settle(series)

    def facts(self):
        return {"name": self.name, "type": self.kind, **({"role": self.role} if self.role else {})}

    def refuse(self, why):
        return SerializeError(f"output {self.port}: column {self.name!r} {why}")

    def tell(self, text):
        self.warn(f"output {self.port}: column {self.name!r} {text}")

    def settle(self, series):
        """The host's type, and the values in the one form that the rest of this class knows."""
        import numpy
        import pandas
        from pandas.api import types as kinds

        dtype = series.dtype
        # Most columns are one of these, and to ask pandas takes longer than to send ten rows.
        if isinstance(dtype, numpy.dtype) and dtype.kind == "f":
            return "real", series if dtype == numpy.float64 else series.astype("float64")
        if isinstance(dtype, numpy.dtype) and dtype.kind in "iu":
            return self.settle_integers(series)
        if isinstance(dtype, pandas.CategoricalDtype):
            categories = series.cat.categories
            if not all(isinstance(value, str) for value in categories):
                self.tell("has categories that are not texts; they became texts")
                series = series.cat.rename_categories([str(value) for value in categories])
            return "nominal", series
        if isinstance(dtype, (pandas.PeriodDtype, pandas.IntervalDtype, pandas.SparseDtype)) or kinds.is_complex_dtype(dtype):
            raise self.refuse(f"has the type {dtype}, which no table of the host has")
        if kinds.is_bool_dtype(dtype):
            texts = series.astype("object").map({True: "true", False: "false"}, na_action="ignore")
            return "nominal", pandas.Series(pandas.Categorical(texts, categories=["false", "true"]))
        if kinds.is_integer_dtype(dtype):
            return self.settle_integers(series)
        if kinds.is_float_dtype(dtype):
            return "real", series.astype("float64") if dtype != "Float64" else pandas.Series(series.to_numpy("float64", na_value=float("nan")))
        if kinds.is_datetime64_any_dtype(dtype):
            if getattr(dtype, "tz", None) is None:
                self.tell("has times without a zone; they were taken as UTC")
                return "date-time", series.dt.tz_localize("UTC")
            return "date-time", series.dt.tz_convert("UTC")
        if kinds.is_timedelta64_dtype(dtype):
            return "time", series.map(self.of_timedelta).astype("object")
        if kinds.is_string_dtype(dtype) and dtype != "object":
            if self.wanted == "text":
                return "text", series
            return "nominal", pandas.Series(pandas.Categorical(series.astype("object")))
        if dtype == "object":
            return self.settle_objects(series)
        raise self.refuse(f"has the type {dtype}, which no table of the host has")

    def settle_integers(self, series):
        import numpy
        import pandas

        has_missing = not isinstance(series.dtype, numpy.dtype) and bool(series.isna().any())
        if len(series) and not (has_missing and series.isna().all()):
            low, high = int(series.min()), int(series.max())
            if low < -LARGEST_INTEGER or high > LARGEST_INTEGER:
                self.tell("has integers beyond 53 bits; it became real and may have lost digits")
                return "real", pandas.Series(series.to_numpy("float64", na_value=float("nan")))
        return "integer", series.astype("Int64") if has_missing else series if series.dtype == "int64" else series.astype("int64")

    def settle_objects(self, series):
        import datetime
        import decimal

        import pandas

        values = series.tolist()
        missing = [value is None or value is pandas.NA or value is pandas.NaT or value != value if is_scalar(value) else False for value in values]
        found = {type(value) for value, is_missing in zip(values, missing) if not is_missing}
        plain = pandas.Series([None if is_missing else value for value, is_missing in zip(values, missing)], dtype="object")
        if not found and self.wanted in ("time", "text-set", "text-list"):
            # Nothing says what it would hold; it stays what it was.
            return self.wanted, plain
        if not found and self.wanted in ("real", "integer"):
            return self.wanted, plain.astype("float64" if self.wanted == "real" else "Int64")
        if not found and self.wanted == "date-time":
            return self.settle(pandas.Series(self.stamps(values, missing)))
        if found <= {str}:
            if self.wanted == "text":
                return "text", plain.astype("string")
            return "nominal", pandas.Series(pandas.Categorical(plain))
        if found <= {bool}:
            return "nominal", pandas.Series(pandas.Categorical(plain.map({True: "true", False: "false"}, na_action="ignore"), categories=["false", "true"]))
        if found <= {int}:
            present = [value for value, is_missing in zip(values, missing) if not is_missing]
            if any(abs(value) > LARGEST_INTEGER for value in present):
                self.tell("has integers beyond 53 bits; it became real and may have lost digits")
                return "real", plain.astype("float64")
            return "integer", plain.astype("Int64") if any(missing) else plain.astype("int64")
        if found <= {int, float}:
            return "real", plain.astype("float64")
        if found <= {decimal.Decimal}:
            self.tell("has decimals; it became real")
            return "real", plain.map(float, na_action="ignore").astype("float64")
        if found <= {datetime.time}:
            return "time", plain
        if found <= {datetime.datetime, datetime.date, pandas.Timestamp}:
            return self.settle(pandas.Series(self.stamps(values, missing)))
        if found <= {set, frozenset}:
            return self.settle_lists("text-set", plain, found)
        if found <= {list, tuple}:
            return self.settle_lists("text-list", plain, found)
        if any(issubclass(kind, (dict, pandas.DataFrame, pandas.Series)) for kind in found):
            raise self.refuse("has nested values, which no table of the host has")
        self.tell("has values of several types; they became texts")
        return "nominal", pandas.Series(pandas.Categorical(plain.map(str, na_action="ignore")))

    def settle_lists(self, kind, plain, _found):
        for row, value in enumerate(plain):
            if value is not None and not all(isinstance(item, str) for item in value):
                raise self.refuse(f"has an item in row {row} that is not a text")
        order = sorted if kind == "text-set" else list
        return kind, plain.map(order, na_action="ignore")

    def stamps(self, values, missing):
        """Microseconds, which hold each year that a datetime can have."""
        import datetime

        import numpy

        result, naive = [], False
        for value, is_missing in zip(values, missing):
            if is_missing:
                result.append(numpy.datetime64("NaT", "us"))
                continue
            if not isinstance(value, datetime.datetime):
                value = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.timezone.utc)
            if value.tzinfo is None:
                naive = True
            else:
                value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
            result.append(numpy.datetime64(value, "us"))
        if naive:
            self.tell("has times without a zone; they were taken as UTC")
        import pandas

        return pandas.Series(numpy.array(result, dtype="datetime64[us]")).dt.tz_localize("UTC")

    def of_timedelta(self, value):
        import pandas

        if pandas.isna(value):
            return None
        if not 0 <= value.value < DAY:
            raise self.refuse(f"has the duration {value}, which is not a time of day")
        return time_of_day(value.value)

    def arrow(self):
        import pyarrow

        series = self.series
        if self.kind == "real":
            return arrow_of_reals(series.to_numpy())
        if self.kind == "integer":
            return pyarrow.array(series, type=pyarrow.int64(), from_pandas=True)
        if self.kind == "nominal":
            codes, categories = series.cat.codes.to_numpy("int32"), series.cat.categories
            indices = pyarrow.array(codes, type=pyarrow.int32(), mask=codes < 0)
            return pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array(list(categories), type=pyarrow.string()))
        if self.kind == "text":
            array = pyarrow.array(series, type=pyarrow.large_string(), from_pandas=True)
            array = array.combine_chunks() if hasattr(array, "combine_chunks") else array
            return array.cast(pyarrow.string()) if array.nbytes < 1 << 31 else array
        if self.kind == "date-time":
            unit = getattr(series.dtype, "unit", "ns")
            return pyarrow.array(series, type=pyarrow.timestamp("us" if unit in ("us", "ms", "s") else "ns", tz="UTC"), from_pandas=True)
        if self.kind == "time":
            return pyarrow.array(series.tolist(), type=pyarrow.time64("ns"))
        return pyarrow.array([None if value is None else value for value in series.tolist()], type=pyarrow.list_(pyarrow.string()))

    def values(self, begin, end):
        """JSON values of some rows."""
        import pandas

        part = self.series.iloc[begin:end]
        if self.kind == "real":
            return [None if value != value else value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity") for value in part.tolist()]
        if self.kind == "date-time":
            return [None if pandas.isna(value) else stamp_of(value) for value in part]
        if self.kind == "time":
            return [None if value is None else nanoseconds_of(value) for value in part.tolist()]
        return [value if isinstance(value, list) else None if pandas.isna(value) else value for value in part.tolist()]


def arrow_of_reals(values):
    """The array itself, with a map of the values that are there if one is missing: to search for them takes longer in pyarrow."""
    import numpy
    import pyarrow

    values = numpy.ascontiguousarray(values)
    count, buffers, missing = len(values), [None, pyarrow.py_buffer(values)], 0
    with numpy.errstate(invalid="ignore"):
        lacks = count and numpy.isnan(values.min())
    if lacks:
        present = ~numpy.isnan(values)
        missing = count - int(numpy.count_nonzero(present))
        buffers[0] = pyarrow.py_buffer(numpy.packbits(present, bitorder="little"))
    return pyarrow.Array.from_buffers(pyarrow.float64(), count, buffers, null_count=missing)


def is_scalar(value):
    return not isinstance(value, (list, tuple, set, frozenset, dict)) and not hasattr(value, "__array__")


def stamp_of(stamp):
    """Whole seconds since 1970 in UTC, and nanoseconds."""
    seconds = int(stamp.tz_localize(None).to_datetime64().astype("datetime64[s]").astype("int64"))
    return [seconds, stamp.microsecond * 1000 + stamp.nanosecond]


def nanoseconds_of(value):
    return ((value.hour * 60 + value.minute) * 60 + value.second) * NANOSECONDS + value.microsecond * 1000


# --- Failures -------------------------------------------------------------------------------------------------------


# Folders of extensions, of which people know only what is in them.
EXTENSION_FOLDERS = []


def shown_file(path):
    """A file of an extension as the zip has it; any other as it is."""
    for folder in EXTENSION_FOLDERS:
        if path.startswith(folder + os.sep):
            return path[len(folder) + 1 :].replace(os.sep, "/")
    return path


def failure(run, kind, error, extension):
    is_user = type(error).__name__ in ("UserError", "OperatorUserError")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if os.path.abspath(frame.filename) != os.path.abspath(__file__) and not frame.filename.startswith("<frozen importlib")
    ]
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be shown)"
    lines = [{"file": shown_file(frame.filename), "line": frame.lineno, "function": frame.name, "text": frame.line or ""} for frame in frames]
    notes = [str(note) for note in getattr(error, "__notes__", [])]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and not is_user:
        notes.append(f"after {type(cause).__name__}: {cause}"[:LONGEST_LOG])
    return {
        "t": "ERROR",
        "run": run,
        "kind": "user" if is_user and kind == "python" else kind,
        "type": type(error).__name__,
        "message": message[: 1 << 20],
        "user": is_user,
        "traceback": lines[-200:],
        "notes": notes,
        "ext": extension,
    }


# --- The start ------------------------------------------------------------------------------------------------------


def bind(low, high):
    """Listens on loopback: on any port, or on the first free one of the range, from a random start."""
    ports = list(range(low, high + 1)) if low else [0]
    start = int.from_bytes(os.urandom(8), "big") % len(ports)
    # Connections of a server that has just ended keep its port from others for a minute on Unix. On Windows the option of
    # that name would let two servers listen on one port.
    option = socket.SO_EXCLUSIVEADDRUSE if os.name == "nt" else socket.SO_REUSEADDR
    for port in ports[start:] + ports[:start]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            listener.bind(("127.0.0.1", port))
            # Two servers that start at once can both be bound; only one of them listens.
            listener.listen(8)
            return listener
        except OSError:
            listener.close()
    return None


def operator_api(server):
    """The module that operators may import: `from pydist_operator import UserError, progress`."""
    module = types.ModuleType("pydist_operator")
    module.__doc__ = "What a host offers to operators."
    module.UserError = UserError

    def progress(fraction, text=""):
        """Tells the host how far this run is, from 0 to 1."""
        fraction = min(1.0, max(0.0, float(fraction)))
        with contextlib.suppress(OSError):
            server.send({"t": "PROGRESS", "run": server.run, "fraction": fraction, "text": str(text)[:LONGEST_LOG]})

    def cancelled():
        """Whether the host asked to stop this run."""
        return server.run in server.cancelled

    module.progress, module.cancelled = progress, cancelled
    sys.modules["pydist_operator"] = module


def main():
    settings = json.loads(sys.stdin.buffer.readline(1 << 20))
    low, high = settings.get("ports") or (0, 0)
    listener = bind(low, high)
    if listener is None:
        print("PYDIST-SERVER-ERROR PORTS", flush=True)
        return NO_PORT
    server = Server(settings)
    operator_api(server)
    signal.signal(signal.SIGINT, server.on_interrupt)
    logging.basicConfig(handlers=[LogHandler(server)], level=settings.get("log_level", logging.INFO), force=True)

    # Operators and what they start get neither the pipe to the host nor the token.
    pipe = os.dup(0)
    os.set_inheritable(pipe, False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.path[:0] = settings.get("import_paths", [])
    threading.Thread(target=server.watch_host, args=(pipe,), daemon=True).start()
    threading.Thread(target=server.listen, args=(listener,), daemon=True).start()
    if settings.get("idle"):
        threading.Thread(target=server.watch_idle, args=(float(settings["idle"]),), daemon=True).start()
    print(f"PYDIST-SERVER {PROTOCOL} {listener.getsockname()[1]} {os.getpid()}", flush=True)
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
