"""A real gRPC server with a health service, for tests: prints its port, or two if it is given a certificate and a key.

The messages are read and written by hand, so that it needs python3-grpcio and nothing else. (A file named grpc_health
would be imported by grpc itself.)
"""

import asyncio
import sys

import grpc

STATUS = {"": 1, "order": 1, "payment": 2}


async def check(request, context):
    service = request[2:].decode()
    if service == "slow":
        await asyncio.Event().wait()
    if dict(context.invocation_metadata()).get("x-shop") == "closed":
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the shop is closed")
    if service not in STATUS:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such service: " + service)
    return bytes([0x08, STATUS[service]])


async def main():
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
    ports = [server.add_insecure_port("127.0.0.1:0")]
    if len(sys.argv) == 3:
        with open(sys.argv[1], "rb") as certificate, open(sys.argv[2], "rb") as key:
            credentials = grpc.ssl_server_credentials([(key.read(), certificate.read())])
        ports.append(server.add_secure_port("127.0.0.1:0", credentials))
    await server.start()
    print(*ports, flush=True)
    await server.wait_for_termination()


asyncio.run(main())
