import http.server

version = 1
print("version", version)
http.server.ThreadingHTTPServer(("", 8090), http.server.SimpleHTTPRequestHandler).serve_forever()
