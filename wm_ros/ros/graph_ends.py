# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read off a graph who writes and who reads what."""

from collections.abc import Collection

from rclpy.node import Node

from wm_ros.ros.doctor_facts import End, Wire


def full_name(namespace: str, name: str) -> str:
    """Join a namespace and a name."""
    return f'{namespace.rstrip("/")}/{name}'


def node_names(node: Node) -> list[str]:
    """Return the full names of all other nodes, one for each time that it is there."""
    own = node.get_fully_qualified_name()
    found = [full_name(namespace, name)
             for name, namespace in node.get_node_names_and_namespaces()]
    return sorted(name for name in found if name != own)


def make_wire(node: Node, topic: str, role: str, kind: str = '') -> Wire:
    """Return a topic with both its ends; those of ``node`` itself are left out."""
    own = node.get_fully_qualified_name()
    ends = []
    for infos in (node.get_publishers_info_by_topic(topic),
                  node.get_subscriptions_info_by_topic(topic)):
        made = [End(full_name(info.node_namespace, info.node_name), info.topic_type,
                    info.qos_profile) for info in infos]
        ends.append(tuple(end for end in made if end.node != own))
    return Wire(topic, role, kind, *ends)


def topics_of(node: Node, name: str, kinds: Collection[str], *, is_written: bool) -> list[str]:
    """Return the topics of some types that a node writes or reads; none if it is not there."""
    namespace, _, base = name.rpartition('/')
    if name not in node_names(node):
        return []
    ask = (node.get_publisher_names_and_types_by_node if is_written
           else node.get_subscriber_names_and_types_by_node)
    return sorted(topic for topic, types in ask(base, namespace or '/')
                  if not set(types).isdisjoint(kinds))
