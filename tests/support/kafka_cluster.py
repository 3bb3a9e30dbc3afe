"""Three real brokers with three copies of each partition, in which leaders move.

Node 1 is the controller as well; nodes 2 and 3 may be killed. Topics are not created by themselves,
two copies have to take a record, and a broker that comes back leads its partitions again.
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

from aiokafka.admin import AIOKafkaAdminClient

from support.waiting import wait_until
from tailrace.console.local.children import Child
from tailrace.console.local.kafka import find_runtime
from tailrace.console.local.kafka_format import new_id
from tailrace.console.local.kafka_probe import ask_broker
from tailrace.console.local.kafka_settings import LOCALE, server_properties
from tailrace.console.local.ports import HOST, free_ports
from tailrace.console.local.processes import signal_process
from tailrace.schemas.cluster import describe_topics

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

NODES: tuple[int, ...] = (1, 2, 3)
_START_S = 60.0
_STOP_S = 10.0
# What stands later in a properties file counts.
_PROPERTIES = """
node.id={node}
process.roles={roles}
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port}{controller}
default.replication.factor=3
min.insync.replicas=2
auto.create.topics.enable=false
leader.imbalance.check.interval.seconds=1
leader.imbalance.per.broker.percentage=0
"""
_META = "version=1\ncluster.id={cluster}\nnode.id={node}\ndirectory.id={directory}\n"


class KafkaCluster:
    """Brokers by their node ids."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runtime = find_runtime()
        self._archive = self._runtime.archive.reading()
        *ports, self._controller_port = free_ports(len(NODES) + 1)
        self._ports = dict(zip(NODES, ports, strict=True))
        self._children: dict[int, Child] = {}

    @property
    def address(self) -> str:
        """The bootstrap servers: all nodes."""
        return ",".join(f"{HOST}:{port}" for port in self._ports.values())

    def start(self) -> None:
        """Format and start all nodes, and wait until they serve."""
        cluster_id = new_id(uuid.uuid4())
        for node in NODES:
            self._write_properties(node)
            if node != 1:
                self._format_broker(node, cluster_id)
        self._format_controller(cluster_id)
        with ThreadPoolExecutor(len(NODES)) as pool:
            list(pool.map(self.start_node, NODES))
        address = (HOST, self._ports[1], 1.0)
        wait_until(
            lambda: (answer := ask_broker(*address)) is not None and answer.brokers == len(NODES),
            "all brokers are there",
            timeout_s=_START_S,
        )

    def start_node(self, node: int) -> None:
        """Start one node, as it was before, and wait until it serves."""
        java, *rest = self._runtime.command("kafka.Kafka", str(self._properties(node)))
        log = self._folder / f"{node}.log"
        self._children[node] = child = Child.start(
            [java, *self._archive, *rest], log, variables=LOCALE
        )

        def serves() -> bool:
            assert child.exit_code() is None, child.output(30)
            return ask_broker(HOST, self._ports[node], 1.0) is not None

        wait_until(serves, f"node {node} serves", timeout_s=_START_S, poll_s=0.05)

    def kill(self, node: int) -> None:
        """End one node by SIGKILL."""
        child = self._children.pop(node)
        signal_process(child.identity, SIGKILL)
        child.stop(_STOP_S)

    def stop(self) -> None:
        """End all nodes: nothing that they hold is needed any more."""
        for node in list(self._children):
            self.kill(node)

    def leaders(self, topics: Sequence[str]) -> set[int]:
        """Return which nodes lead a partition of these topics, as a node that answers says."""
        return {partition["leader"] for partition in asyncio.run(self._partitions(topics))}

    async def _partitions(self, topics: Iterable[str]) -> list[dict[str, Any]]:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        try:
            described = await describe_topics(admin, topics)
        finally:
            await admin.close()
        return [partition for topic in described for partition in topic["partitions"]]

    def _properties(self, node: int) -> Path:
        return self._folder / f"{node}.properties"

    def _write_properties(self, node: int) -> None:
        port, controller_port = self._ports[node], self._controller_port
        text = server_properties(self._folder / str(node), port, controller_port)
        own = _PROPERTIES.format(
            node=node,
            roles="broker,controller" if node == 1 else "broker",
            host=HOST,
            port=port,
            controller_port=controller_port,
            controller=f",CONTROLLER://{HOST}:{controller_port}" if node == 1 else "",
        )
        self._properties(node).write_text(text + own, encoding="utf-8")

    def _format_broker(self, node: int, cluster_id: str) -> None:
        """Write what Kafka's tool would for a node that is no controller, without a Java more."""
        folder = self._folder / str(node)
        folder.mkdir()
        directory = base64.urlsafe_b64encode(b"\x01" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        text = _META.format(cluster=cluster_id, node=node, directory=directory)
        (folder / "meta.properties").write_text(text, encoding="utf-8")

    def _format_controller(self, cluster_id: str) -> None:
        tool = ("kafka.tools.StorageTool", "format", "-t", cluster_id)
        java, *rest = self._runtime.command(*tool, "-c", str(self._properties(1)))
        command = [java, *self._archive, *rest]
        environment = {**os.environ, **LOCALE}
        subprocess.run(command, check=True, capture_output=True, env=environment, timeout=_START_S)


@contextmanager
def running_cluster() -> Generator[KafkaCluster]:
    """Three brokers with nothing in them; gone at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="tailrace-cluster-") as folder:
        cluster = KafkaCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
