# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read an sros2 policy: its form, and which DDS topics each enclave may write and read.

The mapping is sros2's: a topic NAME is ``rt/NAME``, a service is a request ``rq/NAMERequest`` and
a reply ``rr/NAMEReply``, an action is three services and two topics below ``NAME/_action``.
"""

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

POLICY = Path(__file__).resolve().parents[1] / 'config' / 'sros2' / 'wm_ros.policy.xml'

# Of the policy format; sros2 of Jazzy takes no other.
VERSION = '0.2.0'
# The graph cache of the middleware, which every enclave writes and reads; sros2 adds it as well.
DISCOVERY_TOPIC = 'ros_discovery_info'

# Group of rules: (element of one rule, its qualifiers).
GROUPS = {
    'topics': ('topic', ('publish', 'subscribe')),
    'services': ('service', ('request', 'reply')),
    'actions': ('action', ('call', 'execute')),
}
_GOAL_SERVICES = ('send_goal', 'cancel_goal', 'get_result')


@dataclass(frozen=True)
class Enclave:
    """
    What one enclave may do, as DDS topic expressions.

    :param path: its name, which is also the common name of its certificate.
    """

    path: str
    publish: set[str] = field(default_factory=set)
    subscribe: set[str] = field(default_factory=set)

    def may_publish(self, topic: str) -> bool:
        """Tell whether the enclave may write a DDS topic."""
        return any(fnmatch.fnmatchcase(topic, expression) for expression in self.publish)

    def may_subscribe(self, topic: str) -> bool:
        """Tell whether the enclave may read a DDS topic."""
        return any(fnmatch.fnmatchcase(topic, expression) for expression in self.subscribe)


def load_policy(path: Path = POLICY) -> etree._Element:
    """Parse a policy with what it includes."""
    tree = etree.parse(str(path))
    tree.xinclude()
    return tree.getroot()


def form_errors(policy: etree._Element) -> list[str]:
    """
    Compare a policy with the rules of sros2's policy schema.

    :returns: what is wrong, in words.
    """
    found = [] if policy.tag == 'policy' else [f'the root is {policy.tag}, not policy']
    if policy.get('version') != VERSION:
        found.append(f'the version of policy is {policy.get("version")}, not {VERSION}')
    if [child.tag for child in elements(policy)] != ['enclaves']:
        found.append('policy must hold exactly one enclaves')
    described = policy.findall('enclaves/*')
    if not described:
        found.append('enclaves is empty')
    for element in described:
        found += _check_element(element, 'enclave', {'path'}, {'path'}, {'profiles'})
        for profiles in elements(element):
            found += _check_element(profiles, 'profiles', set(), {'type'}, {'profile', 'metadata'})
            for profile in profiles.findall('profile'):
                found += _check_element(
                    profile, 'profile', {'ns', 'node'}, {'ns', 'node'}, set(GROUPS), empty=True)
                for group in elements(profile):
                    found += _check_group(group)
    return found


def elements(parent: etree._Element) -> list[etree._Element]:
    """List the children that are elements; comments are not."""
    return [child for child in parent if isinstance(child.tag, str)]


def enclaves(policy: etree._Element) -> dict[str, Enclave]:
    """Translate a policy to DDS topics, one entry for each enclave."""
    found: dict[str, Enclave] = {}
    for element in policy.findall('enclaves/enclave'):
        enclave = found[element.get('path')] = Enclave(element.get('path'))
        enclave.publish.add(DISCOVERY_TOPIC)
        enclave.subscribe.add(DISCOVERY_TOPIC)
        for group in element.iterfind('profiles/profile/*'):
            for qualifier in GROUPS[group.tag][1]:
                if group.get(qualifier) == 'ALLOW':
                    for name in expand_names(group):
                        _allow(enclave, qualifier, name)
    return found


def expand_names(group: etree._Element) -> Iterator[str]:
    """Yield the full names of a group's rules: ~ is the node, no slash the namespace."""
    profile = group.getparent()
    namespace = profile.get('ns').rstrip('/') + '/'
    for rule in elements(group):
        name = rule.text or ''
        if name.startswith('~'):
            name = namespace + profile.get('node') + name[1:]
        yield name if name.startswith('/') else namespace + name


def _allow(enclave: Enclave, qualifier: str, name: str) -> None:
    written, read = {
        'publish': ({f'rt{name}'}, set()),
        'subscribe': (set(), {f'rt{name}'}),
        'request': (_requests(name), _replies(name)),
        'reply': (_replies(name), _requests(name)),
        'call': (_goal(name, _requests), _goal(name, _replies) | _progress(name)),
        'execute': (_goal(name, _replies) | _progress(name), _goal(name, _requests)),
    }[qualifier]
    enclave.publish.update(written)
    enclave.subscribe.update(read)


def _requests(name: str) -> set[str]:
    return {f'rq{name}Request'}


def _replies(name: str) -> set[str]:
    return {f'rr{name}Reply'}


def _goal(name: str, side) -> set[str]:
    return {topic for service in _GOAL_SERVICES for topic in side(f'{name}/_action/{service}')}


def _progress(name: str) -> set[str]:
    return {f'rt{name}/_action/feedback', f'rt{name}/_action/status'}


def _check_element(
        element: etree._Element, tag: str, required: set[str], allowed: set[str],
        children: set[str], *, empty: bool = False) -> list[str]:
    where = f'line {element.sourceline}: {element.tag}'
    found = [] if element.tag == tag else [f'{where} stands where {tag} belongs']
    given = {name for name in element.attrib if not name.startswith('{')}
    found += [f'{where} lacks {name}' for name in sorted(required - given)]
    found += [f'{where} has an attribute {name}' for name in sorted(given - allowed)]
    inner = [child.tag for child in elements(element)]
    found += [f'{where} holds {name}' for name in inner if name not in children]
    if not inner and not empty:
        found.append(f'{where} is empty')
    return found


def _check_group(group: etree._Element) -> list[str]:
    if group.tag not in GROUPS:
        return []
    rule, qualifiers = GROUPS[group.tag]
    found = _check_element(group, group.tag, set(), set(qualifiers), {rule})
    values = [group.get(name) for name in qualifiers if group.get(name) is not None]
    found += [f'line {group.sourceline}: {value} is neither ALLOW nor DENY'
              for value in values if value not in ('ALLOW', 'DENY')]
    if not values:
        found.append(f'line {group.sourceline}: {group.tag} says neither of {qualifiers}')
    found += [f'line {child.sourceline}: {rule} has no name'
              for child in elements(group) if not (child.text or '').strip()]
    return found
