"""A bill of what is in dist/ and of what it needs, in CycloneDX's form."""

import hashlib
import tomllib
import uuid
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def write_bill(folder, epoch):
    """Write folder/cnnkit-VERSION.cdx.json: the files in `folder`, and the libraries they need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    files = sorted(path for path in folder.iterdir() if path.suffix in (".whl", ".gz"))
    version = files[0].name.split("-")[1].removesuffix(".tar.gz")
    whole = Component(
        name="cnnkit",
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref="cnnkit",
        purl=PackageURL("pypi", name="cnnkit", version=version),
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    parts = [
        Component(
            name=path.name,
            version=version,
            type=ComponentType.FILE,
            bom_ref=path.name,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256(path))],
        )
        for path in files
    ]
    needed = [
        Component(
            name=requirement.name,
            version=str(requirement.specifier),
            type=ComponentType.LIBRARY,
            bom_ref=requirement.name,
            purl=PackageURL("pypi", name=requirement.name),
        )
        for requirement in map(Requirement, project["dependencies"])
    ]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, " ".join(map(sha256, files))),
        components=[*parts, *needed],
    )
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = whole
    bom.register_dependency(whole, needed)
    target = folder / f"cnnkit-{version}.cdx.json"
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    target.write_text(text + "\n")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
