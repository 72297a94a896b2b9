"""Loads one ETL class and serves it with the AIStore SDK's own server classes, unchanged.

Started by `etl-runtime`, in two processes. The first starts nothing but the second, hands signals on to it, ends it if
loading the class takes too long, and reports what became of it; so whatever the class does while it is loaded, the
outcome has a name and an exit code. The second loads the class once and forks the workers, which share its memory and
one listening socket. Where packages are installed first, the second one begins meanwhile (`import_ahead.py`).

With ETL_PRELOAD=false it becomes `uvicorn` or `gunicorn` instead, whose workers each import `app` from this module.

Exit codes: 0 after SIGTERM or SIGINT, 1 otherwise.
"""

import os
import signal
import sys
import time

import guarded_requests

LOADED = b"L"
REPORTED = b"R"
# What gunicorn and kubelets wait for, too.
GRACE = 30.0
# A worker that ends this soon was not killed; it cannot serve.
SOON = 2.0
MOST_FAILURES = 5
CANNOT_LISTEN = 98


class Refused(Exception):
    """Why the class is not served: one line, which names the variable to look at."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# The first process.


def supervise(pid, report, limit, begun_ahead=False):
    """Returns the exit code for this program."""
    stopping = []

    def stop(number, _frame):
        stopping.append(number)
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    if begun_ahead:
        # It serves once there is somebody to hand signals on to it.
        os.write(report, b"S")
    heard = await_report(report, limit)
    if heard is None:
        # faulthandler says where it hangs.
        end(pid, signal.SIGABRT, 1.0)
        sweep(pid)
        say(
            "error: ETL_CLASS_PAYLOAD: the class was not loaded within "
            f"{limit:g} s (ETL_LOAD_TIMEOUT)"
        )
        return 1
    status = reap(pid)
    sweep(pid)
    if stopping:
        return 0
    code, ending = how_it_ended(status)
    if heard == REPORTED:
        return code or 1
    if heard != LOADED:
        say(
            "error: ETL_CLASS_PAYLOAD: the class ended its process while it was loaded "
            f"({ending})"
        )
        return 1
    if code == 0:
        return 0
    say(f"error: the server ended ({ending})")
    return 1


def await_report(report, limit):
    """What the second process said: a byte, b"" if it ended silently, None if it said nothing in time."""
    import select

    until = time.monotonic() + limit
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return None
        if select.select([report], [], [], left)[0]:
            return os.read(report, 1)


def reap(pid):
    """Waits for this process; as the first process of a container it inherits others, which are waited for as well."""
    while True:
        found, status = os.waitpid(-1, 0)
        if found == pid:
            return status


def end(pid, number, patience):
    os.kill(pid, number)
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def sweep(group):
    """Ends what the class started and left."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def how_it_ended(status):
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return 128 + number, name
    code = os.WEXITSTATUS(status)
    return code, f"exit code {code}"


# The class.


def payload():
    import base64

    return base64.b64decode(os.environ["ETL_CLASS_PAYLOAD"], validate=True)


def load_class(pickled):
    """The class that `pickled` holds; its code runs here for the first time."""
    import cloudpickle

    try:
        loaded = cloudpickle.loads(pickled)
    except SystemExit as error:
        raise Refused(f"the class called exit({error.code}) while it was loaded") from None
    except BaseException as error:  # pylint: disable=broad-except
        raise Refused(f"the class cannot be deserialized: {said(error)}") from error
    from aistore.sdk.etl.webserver.base_etl_server import ETLServer

    if not isinstance(loaded, type) or not issubclass(loaded, ETLServer):
        raise Refused(f"{one_line(repr(loaded))} is not a subclass of ETLServer")
    return loaded


def make(kind, port):
    """The server of this class, which listens nowhere yet."""
    try:
        server = kind()
    except SystemExit as error:
        raise Refused(f"{kind.__name__} called exit({error.code}) while it was made") from None
    except BaseException as error:  # pylint: disable=broad-except
        raise Refused(f"{kind.__name__} cannot be instantiated: {said(error)}") from error
    server.port = port
    server.sanitize_fqn = guarded_requests.within_mounts(server.sanitize_fqn)
    return server


def said(error):
    return one_line(f"{type(error).__name__}: {error}")


def one_line(text):
    return " ".join(text.split())[:500]


# The three frameworks.


def framework_of(kind):
    """`threaded`, `fastapi` or `flask`, told by the names of the classes: importing the other frameworks takes time."""
    module = "aistore.sdk.etl.webserver."
    known = {
        (module + "http_multi_threaded_server", "HTTPMultiThreadedServer"): "threaded",
        (module + "fastapi_server", "FastAPIServer"): "fastapi",
        (module + "flask_server", "FlaskServer"): "flask",
    }
    for base in kind.__mro__:
        name = known.get((base.__module__, base.__qualname__))
        if name is not None:
            return name
    raise Refused(f"{kind.__name__} is a subclass of none of FastAPIServer, FlaskServer and HTTPMultiThreadedServer")


def listen(port):
    import socket

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("0.0.0.0", port))
    except OSError as error:
        raise PortTaken(port, error) from None
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


class PortTaken(Exception):
    """Somebody else listens at the port, or this user may not."""

    def __init__(self, port, error):
        super().__init__(f"error: ETL_PORT: cannot listen on port {port}: {error.strerror}")


def uvicorn_worker(app, port, listener):
    """What each worker runs. Everything is imported here, before it forks."""
    import uvicorn

    config = uvicorn.Config(
        app,
        host="0.0.0.0",
        port=port,
        log_level="info",
        ws_max_size=17179869184,
        ws_ping_interval=0,
        ws_ping_timeout=86400,
        access_log=False,
    )
    config.load()
    return lambda: uvicorn.Server(config).run(sockets=[listener])


def threaded_worker(server, port):
    def work():
        try:
            server.start()
        except OSError as error:
            say(str(PortTaken(port, error)))
            os._exit(CANNOT_LISTEN)

    return work


def serve_forked(work, workers, empty):
    """Keeps `workers` processes that run `work`. Returns the exit code."""
    running = {}
    stopping = []
    begun = 0

    def stop(number, _frame):
        stopping.append(number)
        for pid in list(running):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass

    def start():
        nonlocal begun
        # A signal between the fork and the end of this function would be lost for the new worker.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            empty.belongs_to(begun)
            run_and_end(work)
        begun += 1
        running[pid] = time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        return pid

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for _ in range(workers):
        start()
    failures = 0
    while running:
        pid, status = os.waitpid(-1, 0)
        started = running.pop(pid, None)
        if started is None or stopping:
            continue
        code, ending = how_it_ended(status)
        if code == CANNOT_LISTEN:
            stop(None, None)
            return 1
        failures = failures + 1 if time.monotonic() - started < SOON else 0
        if failures >= MOST_FAILURES:
            say(f"error: {failures} workers in a row ended as soon as they started ({ending})")
            stop(None, None)
            return 1
        say(f"worker {pid} ended ({ending}); worker {start()} takes its place")
    return 0


def run_and_end(work):
    """Ends the process with the exit code that `work` returns, if any."""
    code = 1
    try:
        code = work() or 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # pylint: disable=broad-except
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve_gunicorn(app, port, workers, empty):
    """gunicorn's arbiter forks workers from the process it runs in, by itself."""
    from gunicorn.app.base import BaseApplication

    settings = {
        "bind": f"0.0.0.0:{port}",
        "workers": workers,
        # `debug`, as AIStore's own runtime has it, writes a line for each request.
        "loglevel": "info",
        "post_fork": lambda _arbiter, worker: empty.belongs_to(worker.age),
        "on_exit": lambda _arbiter: empty.sum_up(),
    }

    class Application(BaseApplication):
        def load_config(self):
            for name, value in settings.items():
                self.cfg.set(name, value)
            # Newer versions open a socket in the user's home to be steered by.
            if "control_socket_disable" in self.cfg.settings:
                self.cfg.set("control_socket_disable", True)

        def load(self):
            return app

    Application().run()


def stock_command(framework, port, workers):
    """The program that serves instead with ETL_PRELOAD=false, as AIStore's own runtime starts it."""
    if framework == "fastapi":
        return (
            f"uvicorn server:app --host 0.0.0.0 --port {port} --workers {workers} --log-level info "
            "--ws-max-size 17179869184 --ws-ping-interval 0 --ws-ping-timeout 86400 --no-access-log"
        ).split()
    return f"gunicorn server:app --bind 0.0.0.0:{port} --workers {workers} --log-level debug".split()


# The second process.


def prepare():
    """Before anything is imported that takes time."""
    import resource

    # Container engines give few open files; hundreds of connections need more.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        pass
    import lazy_packages

    lazy_packages.install_sdk()


def load():
    """The class of the payload, after a look at the Python it was made by: code of another one crashes later."""
    import pickled_code

    pickled = payload()
    pickled_code.check(pickled, Refused)
    return load_class(pickled)


def serve(report, port, workers, preload):
    import faulthandler
    import gc

    faulthandler.enable()
    # Nothing that imports make is garbage; looking for some takes a tenth of the time.
    gc.disable()
    try:
        prepare()
        kind = load()
        framework = framework_of(kind)
        server = make(kind, port)
        empty = guarded_requests.EmptyPuts()
        if not preload and framework != "threaded":
            command = stock_command(framework, port, workers)
            say(f"starting {' '.join(command)}")
            os.write(report, LOADED)
            os.execvp(command[0], command)
        work = None
        if framework == "fastapi":
            app = guarded_requests.asgi_app(server, empty)
            listener = listen(port)
            work = uvicorn_worker(app, port, listener)
        elif framework == "flask":
            app = guarded_requests.wsgi_app(server, empty)
            # gunicorn tries a port for seconds before it gives up.
            listen(port).close()
        else:
            server.RequestHandler = guarded_requests.threaded_handler(server, empty)
            listen(port).close()
            work = threaded_worker(server, port)
    except Refused as error:
        if error.__cause__ is not None:
            import traceback

            cause = error.__cause__
            traceback.print_exception(type(cause), cause, cause.__traceback__)
        say(f"error: ETL_CLASS_PAYLOAD: {error}")
        os.write(report, REPORTED)
        return 1
    except PortTaken as error:
        say(str(error))
        os.write(report, REPORTED)
        return 1
    except FileNotFoundError as error:
        say(f"error: ETL_PRELOAD: `{error.filename or 'the server'}` is not on PATH")
        os.write(report, REPORTED)
        return 1
    gc.enable()
    # What is loaded now stays, and is shared by all workers as long as nobody writes to it.
    gc.freeze()
    os.write(report, LOADED)
    os.close(report)
    if framework == "flask":
        serve_gunicorn(app, port, workers, empty)
        return 0
    try:
        return serve_forked(work, workers if framework == "fastapi" else 1, empty)
    finally:
        empty.sum_up()


def second(report):
    """The second process. Never returns."""
    port, workers = int(os.environ["ETL_PORT"]), int(os.environ["NUM_WORKERS"])
    run_and_end(lambda: serve(report, port, workers, os.environ["ETL_PRELOAD"] == "true"))


def begin_ahead():
    """The second process, begun while packages are being installed; the first comes when they are."""
    import gc

    import import_ahead

    os.setpgid(0, 0)
    gc.disable()
    prepare()
    second(import_ahead.ready(payload()))


def main():
    role, *rest = sys.argv[1:] or [""]
    if role == "ahead":
        begin_ahead()
    elif role == "again":
        second(int(rest[0]))
    limit = float(os.environ["ETL_LOAD_TIMEOUT"])
    if role == "supervise":
        sys.exit(supervise(int(rest[0]), 0, limit, begun_ahead=True))
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        # Whatever the class starts belongs to this group, and ends with it.
        os.setpgid(0, 0)
        os.close(reading)
        second(writing)
    os.close(writing)
    sys.exit(supervise(pid, reading, limit))


if __name__ == "__main__":
    main()
else:
    # In a worker of uvicorn or gunicorn, which counts for itself.
    prepare()
    _server = make(load(), int(os.environ["ETL_PORT"]))
    _empty = guarded_requests.EmptyPuts()
    if framework_of(type(_server)) == "fastapi":
        _server.app.router.on_shutdown.append(_empty.sum_up)
        app = guarded_requests.asgi_app(_server, _empty)
    else:
        import atexit

        atexit.register(_empty.sum_up)
        app = guarded_requests.wsgi_app(_server, _empty)
