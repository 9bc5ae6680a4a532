"""The provider's process: it answers the engine over gRPC and ends with it.

The engine's death by kill -9 would leave it behind. An operation that runs then is finished first: half a
change (a server stopped to become larger) would wait for the next `pulumi up`.
"""

import asyncio
import os
import sys
from pathlib import Path

import grpc

sys.path.insert(1, str(Path(__file__).parents[3]))  # lab/ and orchestrator/ of this checkout

from lab_server import LabServers, Refused
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

VERSION = "1.0.0"
LOOK_EVERY_S = 0.5
GRACE_S = 300.0
MESSAGES = [("grpc.max_receive_message_length", 400 * 2**20)]


class Servicer(ProviderServicer):
    """The SDK's, except that a refusal reaches the user as its words, without a traceback."""


def _plainly(name: str) -> None:
    inherited = getattr(ProviderServicer, name)

    async def call(self: Servicer, request: object, context: grpc.aio.ServicerContext) -> object:
        try:
            return await inherited(self, request, context)
        except Exception as error:
            if isinstance(error.__context__, Refused):
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error.__context__))
            raise

    setattr(Servicer, name, call)


for method in ("Check", "Create", "Read", "Update", "Delete"):
    _plainly(method)


async def serve(engine: str) -> None:
    """Print the port and answer until the engine is gone."""
    servers = LabServers()
    parent = os.getppid()
    server = grpc.aio.server(options=MESSAGES)
    servicer = Servicer(sys.argv[1:], VERSION, servers, engine_address=engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    while os.getppid() == parent:
        await asyncio.sleep(LOOK_EVERY_S)
    async with asyncio.timeout(GRACE_S):
        await servers.finished()


if __name__ == "__main__":
    os.umask(0o022)  # a server's files are for all of its users, whatever the caller keeps to itself
    try:
        asyncio.run(serve(next(word for word in sys.argv[1:] if not word.startswith("-"))))
    except (KeyboardInterrupt, TimeoutError):
        pass
    finally:
        os._exit(0)  # no thread of a lab's wait may keep an orphan alive
