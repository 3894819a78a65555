"""Every setting once, with its default and the reason for it.

Settings are read from the environment (``ISOCENTER_…``) or given by the command line; the manual's page is made from
this class. Nothing here has a default password, and nothing listens beyond loopback unless it is told to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from isocenter.errors import Refused

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Where things are kept, who may reach them, and how much they may take.

    Raises:
        Refused: a value that cannot be read or lies beyond its limits; the message names the variable.
    """

    model_config = SettingsConfigDict(env_prefix="ISOCENTER_", extra="ignore", frozen=True, env_ignore_empty=True)

    folder: Path = Field(Path("isocenter-archive"), description="Where the archive lives: database, blobs, secrets.")
    database: str = Field("", description="SQLAlchemy URL; empty means SQLite in the folder.")
    blobs: str = Field("", description="Object store URL (s3://bucket/prefix); empty means a folder in the folder.")
    master_key: str = Field(
        "", description="What opens the keys of sealed projects: file:/PATH, env:NAME or command:PROGRAM; empty: none."
    )
    keys: str = Field("", description="Folder of the keys of sealed projects; empty means a folder in the folder.")
    host: str = Field("127.0.0.1", description="Address of web server and DICOM listener: loopback unless told.")
    port: int = Field(8042, ge=0, le=65535, description="Port of the web server; 0 takes a free one.")
    dicom_port: int = Field(
        11112, ge=0, le=65535, description="Port of the DICOM listener (IANA dicom); 0 takes a free one."
    )
    aet: str = Field("ISOCENTER", description="Our application entity title.")
    peers: str = Field("", description="DICOM peers as AET@host:port, separated by commas. Nobody else may associate.")
    names: str = Field("", description="Host names under which browsers may reach us, beside loopback; by commas.")
    tls_certificate: str = Field(
        "", description="PEM certificate with its chain; empty: that of `isocenter certificate`."
    )
    tls_key: str = Field("", description="PEM key of the certificate.")
    tls_authorities: str = Field("", description="PEM authorities whose DICOM clients and peers are trusted.")
    dicom_tls_port: int = Field(
        2762, ge=0, le=65535, description="Port of DICOM over TLS (IANA dicom-tls), where there is a certificate."
    )
    behind_proxy: bool = Field(False, description="A proxy speaks TLS for us: serve HTTP beyond loopback without it.")
    dicom_plain: bool = Field(False, description="DICOM without TLS beyond loopback: only on a network of its own.")
    hl7_port: int = Field(
        -1, ge=-1, le=65535, description="Port of the HL7 listener (MLLP); 0 takes a free one, -1 keeps it closed."
    )
    hl7_senders: str = Field("127.0.0.1", description="Addresses that HL7 messages are taken from, by commas.")
    hl7_processing: str = Field("P", description="Processing IDs that are taken, by commas; P,T in a test archive.")
    hl7_results: str = Field("", description="Where signed reports go as HL7 (ORU^R01): host:port, by commas.")
    dicom_results: str = Field(
        "", description="DICOM peers, by AE title and commas, that get signed reports and results (PDF, SR, SEG)."
    )
    hl7_plain: bool = Field(False, description="HL7 without TLS: only on a network of its own.")
    audit_collector: str = Field(
        "", description="Where every entry of the journal goes as a DICOM audit message (syslog over TLS): host:port."
    )
    journal_ends: Path | None = Field(
        None,
        description="File to which the signed end of the journal is appended as it grows, every five minutes and when"
        " something was taken out; lay it where this machine can only append.",
    )
    requests_per_min: int = Field(12_000, ge=0, description="Requests that one address may make a minute; 0: no limit.")
    address: str = Field("", description="Address under which others reach us, https://…; empty: host and port.")
    password_words: str = Field(
        "", description="Words that no password may rest on, by commas: names of hospital, town, systems."
    )
    password_file: Path | None = Field(
        None, description="File with the password of who acts by a command, readable by its owner alone; none: ask."
    )
    oidc_issuer: str = Field("", description="OpenID Connect issuer through which people may sign in; empty for none.")
    oidc_client: str = Field(
        "isocenter", description="Our name at the issuer; it returns to ADDRESS/sign-in/oidc/back."
    )
    oidc_secret: Path | None = Field(None, description="File with the secret that the issuer gave us; none if public.")
    oidc_roles: str = Field("", description="Which value of the claim gives which role: radiologists=reader,it=admin.")
    oidc_claim: str = Field("groups", description="The claim that gives the role, with dots into objects.")
    oidc_name: str = Field("preferred_username", description="The claim that is shown as the account's name.")
    oidc_acr: str = Field("", description="Classes of sign-in (acr) there, by commas: a token must tell one of them.")
    oidc_amr: str = Field("", description="Methods of sign-in (amr) there, by commas: a token must tell one, as mfa.")
    oidc_age_min: int = Field(0, ge=0, description="How long ago the sign-in there may be (auth_time); 0: any time.")
    workers: int = Field(2, ge=0, description="Analyses that run at the same time: one a core of a small machine.")
    quiet_s: float = Field(0.4, ge=0, description="A study is analysed when nothing has arrived for it for so long.")
    workitem_lease_min: float = Field(
        240, ge=0, description="Silence after which the performer of a work item counts as gone; 0: it keeps its claim."
    )
    models: str = Field("", description="Folder with a site's own models, looked at before those that ship.")
    demo: bool = Field(False, description="Marks every screen and print as a demonstration.")

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as fault:
            first = fault.errors(include_url=False)[0]
            name = str(first["loc"][0])
            raise Refused(
                f"ISOCENTER_{name.upper()}={first['input']}", first["msg"][:1].lower() + first["msg"][1:],
                f"as shipped it is {type(self).model_fields[name].default}",
            ) from None  # fmt: skip

    @property
    def tls(self) -> tuple[Path, Path, Path | None] | None:
        """Certificate, key, and authorities of clients; None where there is no certificate."""
        made = self.folder / "secrets" / "tls"
        certificate = Path(self.tls_certificate) if self.tls_certificate else made / "server.pem"
        if not self.tls_certificate and not certificate.exists():
            return None
        key = Path(self.tls_key) if self.tls_key else certificate.with_suffix(".key")
        trusted = Path(self.tls_authorities) if self.tls_authorities else made / "ca.pem"
        return certificate, key, trusted if self.tls_authorities or trusted.exists() else None

    @property
    def database_url(self) -> str:
        """The database, SQLite in the folder when none was named."""
        return self.database or f"sqlite:///{(self.folder / 'archive.sqlite').resolve()}"

    @property
    def keys_folder(self) -> Path:
        """Where the sealed keys lie, a folder when none was named."""
        return Path(self.keys).resolve() if self.keys else (self.folder / "keys").resolve()

    @property
    def blobs_url(self) -> str:
        """The object store, a folder when none was named."""
        return self.blobs or str((self.folder / "blobs").resolve())
