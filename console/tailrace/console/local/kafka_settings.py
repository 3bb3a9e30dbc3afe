"""What the embedded broker is told: a KRaft node of its own on loopback, sized for a laptop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.console.local.ports import HOST

if TYPE_CHECKING:
    from pathlib import Path

NODE_ID = 1

SERVER_PROPERTIES = """\
# Written by `tailrace up` at each start: changes here are lost.
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={node_id}@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}
num.partitions=4
# One node: every internal topic has one replica, and few partitions, as each costs start-up time.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A first consumer of a group starts at once instead of waiting 3 s for others.
group.initial.rebalance.delay.ms=0
# A broker that was killed may register again only once its former session has expired: after 2 s
# instead of 9 s. Broker and controller are one process, so a pause is one for both.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
# No empty metadata record twice a second, each of them forced to the disk: there is no other
# controller that would have to see that this one lives.
metadata.max.idle.interval.ms=0
# 128 MiB at most for one message batch's segment: a laptop's disk is not filled by empty segments.
log.segment.bytes=134217728
# The cleaner's default of 128 MiB is a quarter of this heap.
log.cleaner.dedupe.buffer.size=16777216
# Bodies of a megabyte and more are sent as they are.
message.max.bytes=8388608
replica.fetch.max.bytes=8388608
auto.create.topics.enable=true
"""

HEAP_OPTIONS = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",  # the fewest threads, and the quickest start on two cores
    "-XX:TieredStopAtLevel=1",  # the optimising compiler costs more here than it brings
)
LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    "-Djava.awt.headless=true",
)
LOCALE = {"LC_ALL": "C.UTF-8"}
"""What Java needs in its environment to find a folder whose name is not ASCII."""
_QUIET_SINCE = 24
_ASCII_END = 128


def server_properties(folder: Path, port: int, controller_port: int) -> str:
    """Return the text of `server.properties` for a broker that keeps its log in `folder`."""
    return SERVER_PROPERTIES.format(
        node_id=NODE_ID,
        host=HOST,
        port=port,
        controller_port=controller_port,
        folder=_escaped(folder),
    )


def java_options(major: int) -> tuple[str, ...]:
    """Return the options of every Java process of ours, for Java's major version."""
    quiet = (
        # zstd, snappy and the log's own memory maps: Java warns of both since 24.
        ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")
        if major >= _QUIET_SINCE
        else ()
    )
    return (*HEAP_OPTIONS, *LOG_OPTIONS, *quiet)


def _escaped(path: Path) -> str:
    """Write a path so that Java reads it: a properties file is Latin-1 with UTF-16 escapes."""
    units = str(path).replace("\\", "\\\\").encode("utf-16-be")
    codes = [units[at] << 8 | units[at + 1] for at in range(0, len(units), 2)]
    return "".join(chr(code) if code < _ASCII_END else f"\\u{code:04x}" for code in codes)
