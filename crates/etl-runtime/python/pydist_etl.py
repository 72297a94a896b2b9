"""Registers ETL classes with AIStore, to be served by pydist's runtime.

The SDK's own `init_class` always asks for the image `aistorage/runtime_python:MAJOR.MINOR`. This one names another:

    import pydist_etl

    @pydist_etl.init_class(client.etl("my-etl"), image="registry.example.com/etl:3.12", NUM_WORKERS="8")
    class MyETL(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data.upper()
"""

import sys

# Linux passes 128 KiB at most in one variable, with its name; pods come through layers with limits of their own.
LARGEST_PAYLOAD = 120 * 1024


def init_class(
    etl,
    *,
    image,
    command=("etl-runtime",),
    dependencies=(),
    os_packages=(),
    comm_type="hpush://",
    init_timeout="5m",
    obj_timeout="45s",
    arg_type="",
    direct_put=True,
    direct_file_access=False,
    **environment,
):
    """A decorator that registers a subclass of the SDK's server classes, and returns it unchanged.

    `comm_type` may be written with or without `://`. `arg_type="fqn"`, or `direct_file_access`, gives `transform` the
    path of the object's file instead of its bytes. Every other keyword becomes a variable in the pod.
    """
    if arg_type not in ("", "fqn"):
        raise ValueError(f"arg_type is {arg_type!r}: only '' and 'fqn' are known")
    comm_type = comm_type[:-3] if comm_type.endswith("://") else comm_type

    def register(cls):
        variables = {"ETL_CLASS_PAYLOAD": payload_of(cls)}
        if dependencies:
            variables["PACKAGES"] = ",".join(dependencies)
        if os_packages:
            variables["OS_PACKAGES"] = ",".join(os_packages)
        variables["ETL_PYTHON_VERSION"] = "{}.{}".format(*sys.version_info[:2])
        variables.update({name: str(value) for name, value in environment.items()})
        if direct_file_access or arg_type == "fqn":
            variables["ETL_DIRECT_FQN"] = "true"
        etl.init(
            image=image,
            command=command if isinstance(command, str) else list(command),
            comm_type=comm_type,
            init_timeout=init_timeout,
            obj_timeout=obj_timeout,
            direct_put=direct_put,
            **variables,
        )
        return cls

    return register


def payload_of(cls):
    """The class as ETL_CLASS_PAYLOAD has it. ValueError if a pod cannot be given that much."""
    from aistore.sdk.etl import serialize_class

    payload = serialize_class(cls)
    if len(payload) > LARGEST_PAYLOAD:
        raise ValueError(
            f"{cls.__name__} takes {len(payload)} bytes pickled, and a pod can be given {LARGEST_PAYLOAD}: "
            "load large data in `__init__` instead of keeping it in the class or in globals that it uses"
        )
    return payload
