"""Asks a server on this machine by HTTPS, and prints whether its certificate is believed.

usage: https.py SERVER.pem BUNDLE [FILE…]: as on a system that has nothing where OpenSSL looks, with the FILEs where other
systems have their certificates. BUNDLE stands for the interpreter's own; `-` keeps it.
"""

import http.server
import ssl
import sys
import threading
import types
import urllib.error
import urllib.request

server_pem, bundle, *others = sys.argv[1:]
nowhere = ("SSL_CERT_FILE", "/nowhere/cert.pem", "SSL_CERT_DIR", "/nowhere/certs")
ssl._ssl = types.SimpleNamespace(**{**vars(ssl._ssl), "get_default_verify_paths": lambda: nowhere})
ssl._pydist_certificates = (*others, ssl._pydist_certificates[-1] if bundle == "-" else bundle)

server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(server_pem)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.RequestHandlerClass.do_GET = lambda handler: handler.send_error(204)
server.RequestHandlerClass.log_message = lambda *_: None
server.handle_error = lambda *_: None
threading.Thread(target=server.serve_forever, daemon=True).start()
try:
    urllib.request.urlopen(f"https://localhost:{server.server_port}/", timeout=30).close()
    print("believed")
except urllib.error.URLError as error:
    print("refused" if isinstance(error.reason, ssl.SSLCertVerificationError) else error)
