

# Added by pydist. Where OpenSSL looks, a system may have nothing: it keeps its certificates elsewhere, or it is a bare
# container. Then the first of these files is loaded, the last of which lies beside this one: the bundle that pip has
# from certifi. What the environment names goes before, as always.
_pydist_certificates = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "_pydist_cacert.pem"),
)


def _pydist_other_certificates():
    """The files that are there, in order; none where OpenSSL's own places or the environment have certificates."""
    file_variable, file, folder_variable, folder = _ssl.get_default_verify_paths()
    if file_variable in os.environ or folder_variable in os.environ or os.path.isfile(file):
        return []
    try:
        # OpenSSL looks for names such as `5ed36f99.0`; a folder may have others alone.
        if any(name.rpartition(".")[2].isdigit() for name in os.listdir(folder)):
            return []
    except OSError:
        pass
    return [path for path in _pydist_certificates if os.path.isfile(path)]


def _pydist_set_default_verify_paths(self):
    super(SSLContext, self).set_default_verify_paths()
    for path in _pydist_other_certificates():
        try:
            self.load_verify_locations(cafile=path)
        except OSError:  # It may not be read, or has no certificates in it; SSLError is one of these.
            continue
        break


def _pydist_get_default_verify_paths(usual=get_default_verify_paths):
    paths = usual()
    others = _pydist_other_certificates()
    return paths._replace(cafile=others[0]) if others else paths


_pydist_get_default_verify_paths.__doc__ = get_default_verify_paths.__doc__
SSLContext.set_default_verify_paths = _pydist_set_default_verify_paths
get_default_verify_paths = _pydist_get_default_verify_paths
