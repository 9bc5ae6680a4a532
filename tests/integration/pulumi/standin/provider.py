"""The stand-in of pulumi-resource-aws: the engine's gRPC, answered by boto3 towards a moto server on
loopback.

It is no copy of the real provider. What it knows of a type is in its kind (compute.py, network.py,
identity.py): which properties there are, which of them replace, and what AWS refuses. That table is ours,
written after AWS's and pulumi-aws' documentation. Everything else is refused: unknown types, unknown
properties, any endpoint but loopback.
"""

import os
import signal
import sys
import threading
import time
from concurrent import futures

import compute
import grpc
import identity
import network
from botocore.exceptions import ClientError, WaiterError
from clouds import Clouds, Refused
from google.protobuf import empty_pb2
from kind import Kind
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb
from values import UNKNOWN, plain, struct

VERSION = "7.51.1"
KINDS: dict[str, Kind] = {**compute.KINDS, **network.KINDS, **identity.KINDS}
OF_THE_PROVIDER = {
    "region",
    "version",
    "skipCredentialsValidation",
    "skipRegionValidation",
    "skipMetadataApiCheck",
}


class Aws(provider_pb2_grpc.ResourceProviderServicer):
    """One method for each question of the engine; never a schema, which the SDK has."""

    clouds: Clouds

    def Attach(self, request, context):
        return empty_pb2.Empty()

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def Handshake(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the engine goes on without")

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request, context):
        unknown = set(plain(request.news)) - OF_THE_PROVIDER
        return pb.CheckResponse(inputs=request.news, failures=_strange(unknown))

    def DiffConfig(self, request, context):
        region = [plain(each).get("region") for each in (request.olds, request.news)]
        if region[0] == region[1]:
            return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_SOME, diffs=["region"], replaces=["region"])

    def Configure(self, request, context):
        try:
            self.clouds = Clouds(os.environ.get("AWS_ENDPOINT_URL", ""), plain(request.args)["region"])
        except Refused as refused:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(refused))
        return pb.ConfigureResponse(supportsPreview=True, acceptSecrets=False)

    def Check(self, request, context):
        kind, news, olds = self._kind(request, context), plain(request.news), plain(request.olds)
        if kind.named and not news.get("name"):
            news["name"] = olds.get("name") or f"{request.name}-{request.randomSeed.hex()[:7]}"
        failures = _strange(kind.strange(news)) + [
            pb.CheckFailure(property=name, reason="is missing") for name in sorted(kind.required - set(news))
        ]
        failures += [pb.CheckFailure(property=name, reason=words) for name, words in kind.faults(news)]
        return pb.CheckResponse(inputs=struct(news), failures=failures)

    def Diff(self, request, context):
        kind = self._kind(request, context)
        changed = [
            name
            for name in kind.changed(plain(request.old_inputs), plain(request.olds), plain(request.news))
            if name not in request.ignoreChanges
        ]
        replacing = [name for name in changed if name in kind.replace]
        how = pb.PropertyDiff
        details = {
            name: how(kind=how.UPDATE_REPLACE if name in replacing else how.UPDATE) for name in changed
        }
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replacing,
            hasDetailedDiff=True,
            detailedDiff=details,
            deleteBeforeReplace=kind.delete_first,
        )

    def Create(self, request, context):
        kind, inputs = self._kind(request, context), plain(request.properties)
        if request.preview:
            return pb.CreateResponse(properties=struct({**dict.fromkeys(kind.computed, UNKNOWN), **inputs}))
        made = self._asked(context, lambda: kind.create(self.clouds, inputs))
        now = self._asked(context, lambda: kind.read(self.clouds, made))
        return pb.CreateResponse(id=made, properties=struct({**inputs, **now}))

    def Read(self, request, context):
        kind, inputs = self._kind(request, context), plain(request.inputs)
        now = self._asked(context, lambda: kind.read(self.clouds, request.id))
        if now is None:
            return pb.ReadResponse()
        known = {name: kind.as_said(name, now.get(name, value), value) for name, value in inputs.items()}
        return pb.ReadResponse(
            id=request.id,
            properties=struct({**plain(request.properties), **now}),
            inputs=struct(known or {name: now[name] for name in kind.inputs if name in now}),
        )

    def Update(self, request, context):
        kind, olds, news = self._kind(request, context), plain(request.olds), plain(request.news)
        if request.preview:
            return pb.UpdateResponse(properties=struct({**olds, **news}))
        self._asked(context, lambda: kind.update(self.clouds, request.id, olds, news))
        now = self._asked(context, lambda: kind.read(self.clouds, request.id))
        return pb.UpdateResponse(properties=struct({**news, **now}))

    def Delete(self, request, context):
        kind, state = self._kind(request, context), plain(request.properties)
        self._asked(context, lambda: kind.delete(self.clouds, request.id, state))
        return empty_pb2.Empty()

    def Invoke(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the AWS stand-in has no function {request.tok}")

    def _kind(self, request, context) -> Kind:
        name = request.urn.split("::")[2].rpartition("$")[2]
        if name not in KINDS:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the AWS stand-in has no type {name}")
        return KINDS[name]

    def _asked(self, context, work):
        """What AWS answers; its refusals in its own words, and None for what is not there."""
        try:
            return work()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if "NotFound" in code or code in ("NoSuchEntity", "NoSuchHostedZone"):
                return None
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except (Refused, WaiterError) as refused:
            context.abort(grpc.StatusCode.UNKNOWN, str(refused))


def _strange(names) -> list[pb.CheckFailure]:
    reason = "the AWS stand-in does not know this property"
    return [pb.CheckFailure(property=name, reason=reason) for name in sorted(names)]


def serve() -> None:
    """Until told to stop, or until the engine is gone."""
    engine = os.getppid()
    server = grpc.server(futures.ThreadPoolExecutor(16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Aws(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    while not stop.wait(0.2) and os.getppid() == engine:
        time.sleep(0)
    sys.stdout.flush()
    os._exit(0)
