# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A key store as ``ros2 security`` lays it out, made of the shipped policy, for tests.

Keys are on the curve that DDS-Security asks for and live for a day. A real key store is made with
``ros2 security`` (docs/security.md).
"""

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from policy_rig import Enclave

_SCHEMA = 'http://www.omg.org/spec/DDS-SECURITY/20170901/omg_shared_ca_'
_INSTANCE = 'http://www.w3.org/2001/XMLSchema-instance'


@dataclass(frozen=True)
class Signer:
    """
    A key with its certificate.

    :param key: of the subject.
    :param certificate: names the subject.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def sign(self, text: str) -> bytes:
        """Sign a document as S/MIME with the text in clear, as DDS-Security wants it."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(text.encode()).add_signer(
            self.certificate, self.key, hashes.SHA256())
        return builder.sign(
            serialization.Encoding.SMIME,
            [pkcs7.PKCS7Options.Text, pkcs7.PKCS7Options.DetachedSignature])

    def certificate_pem(self) -> bytes:
        """Encode the certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """Encode the private key, without a password."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())


class Keystore:
    """
    One authority and the enclaves that it vouches for.

    :param root: an empty directory; the enclaves come below ``enclaves``.
    :param domain: the only DDS domain that governance and permissions speak of.
    """

    def __init__(self, root: Path, domain: int) -> None:
        self.root = root
        self.domain = domain
        self.authority = make_signer('wm_ros test authority')
        self._governance = self.authority.sign(governance_xml(domain))

    def directory(self, path: str) -> Path:
        """Return where an enclave's files are."""
        return self.root / 'enclaves' / path.strip('/')

    def add(self, enclave: Enclave, *, permissions_authority: Signer | None = None,
            identity_authority: Signer | None = None) -> Path:
        """
        Write the six files of an enclave.

        :param permissions_authority: who signs its permissions; the store's own if None.
        :param identity_authority: who signs its certificate; the store's own if None.
        :returns: the directory.
        """
        permissions_ca = permissions_authority or self.authority
        identity_ca = identity_authority or self.authority
        member = make_signer(enclave.path, issuer=identity_ca)
        governance = permissions_ca.sign(governance_xml(self.domain))
        folder = self.directory(enclave.path)
        folder.mkdir(parents=True)
        for name, content in {
            'identity_ca.cert.pem': identity_ca.certificate_pem(),
            'permissions_ca.cert.pem': permissions_ca.certificate_pem(),
            'cert.pem': member.certificate_pem(), 'key.pem': member.key_pem(),
            'governance.p7s': governance if permissions_authority else self._governance,
            'permissions.p7s': permissions_ca.sign(permissions_xml(enclave, self.domain)),
        }.items():
            (folder / name).write_bytes(content)
        return folder


def make_signer(name: str, *, issuer: Signer | None = None) -> Signer:
    """Make a key and its certificate; without an issuer it is an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None),
                       critical=issuer is None)
        .sign(issuer.key if issuer else key, hashes.SHA256()))
    return Signer(key, certificate)


def governance_xml(domain: int) -> str:
    """Write the rules of the domain: nobody unknown, everything encrypted and checked."""
    return f'''<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns:xsi="{_INSTANCE}" xsi:noNamespaceSchemaLocation="{_SCHEMA}governance.xsd">
<domain_access_rules><domain_rule>
<domains><id>{domain}</id></domains>
<allow_unauthenticated_participants>false</allow_unauthenticated_participants>
<enable_join_access_control>true</enable_join_access_control>
<discovery_protection_kind>ENCRYPT</discovery_protection_kind>
<liveliness_protection_kind>ENCRYPT</liveliness_protection_kind>
<rtps_protection_kind>ENCRYPT</rtps_protection_kind>
<topic_access_rules><topic_rule>
<topic_expression>*</topic_expression>
<enable_discovery_protection>true</enable_discovery_protection>
<enable_liveliness_protection>true</enable_liveliness_protection>
<enable_read_access_control>true</enable_read_access_control>
<enable_write_access_control>true</enable_write_access_control>
<metadata_protection_kind>ENCRYPT</metadata_protection_kind>
<data_protection_kind>ENCRYPT</data_protection_kind>
</topic_rule></topic_access_rules>
</domain_rule></domain_access_rules>
</dds>
'''


def permissions_xml(enclave: Enclave, domain: int) -> str:
    """Write what an enclave may do; whatever is not named is denied."""
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (f'{now + datetime.timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}'
                  for hours in (-1, 24))
    return f'''<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns:xsi="{_INSTANCE}" xsi:noNamespaceSchemaLocation="{_SCHEMA}permissions.xsd">
<permissions><grant name="{enclave.path}">
<subject_name>CN={enclave.path}</subject_name>
<validity><not_before>{begin}</not_before><not_after>{end}</not_after></validity>
<allow_rule>
<domains><id>{domain}</id></domains>
<publish><topics>{_topics(enclave.publish)}</topics></publish>
<subscribe><topics>{_topics(enclave.subscribe)}</topics></subscribe>
</allow_rule>
<default>DENY</default>
</grant></permissions>
</dds>
'''


def _topics(expressions: set[str]) -> str:
    return ''.join(f'<topic>{expression}</topic>' for expression in sorted(expressions))
