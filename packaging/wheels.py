"""Build the sdist and the wheels, for other processors and systems too, with zig as the compiler.

    python packaging/wheels.py [TARGET ...]

`make wheels` runs it in an environment of its own, which has packaging/requirements.txt. TARGET is
a row of TARGETS; without one, all are built. dist/ then holds the sdist and the wheels that are
tested before they are published, their checksums, and a bill of what is in them; the wheels that
nobody has run lie in build/wheels/untested.

Two builds of a commit give the same bytes: times are those of the commit, and paths are left out.
"""

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import NamedTuple

from bill import sha256, write_bill
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "wheels"
UNTESTED = BUILD / "untested"
DIST = ROOT / "dist"
ZIG = [sys.executable, "-m", "ziglang"]
WINDOWS_LIBRARY = BUILD / "windows" / "python3.lib"


class Target(NamedTuple):
    """A system and its processor, as zig and as setuptools call it."""

    zig: str
    platform: str
    link: str = ""
    after: str | None = None  # the target whose wheel it is made with

    @property
    def published(self):
        return self.platform.startswith("manylinux")


TARGETS = {
    "linux-x86_64": Target("x86_64-linux-gnu.2.28", "manylinux_2_28-x86_64"),
    "linux-aarch64": Target("aarch64-linux-gnu.2.28", "manylinux_2_28-aarch64"),
    **{
        f"macos-{arm}": Target(
            f"{processor}-macos.11.0",
            f"macosx-11.0-{arm}",
            link="-Wl,-undefined,dynamic_lookup",  # Python's names are those of the process
        )
        for arm, processor in (("arm64", "aarch64"), ("x86_64", "x86_64"))
    },
    "windows-x86_64": Target(
        "x86_64-windows-gnu", "win-amd64", link=str(WINDOWS_LIBRARY), after="linux-x86_64"
    ),
}


def run(*words, cwd=ROOT, **environment):
    """Run a command, show what it says if it fails, and return its output."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(map(str, words))} failed.")
    return done.stdout


def build(kind, source, folder, **environment):
    """Build an sdist or a wheel from `source` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir")
    run(*command, folder, source, **environment)
    (built,) = folder.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return built


def build_sdist(epoch):
    """Build the sdist, all files of the time `epoch` and of no owner."""
    found = build("sdist", ROOT, BUILD / "sdist")
    with (
        tarfile.open(found) as old,
        (DIST / found.name).open("wb") as file,
        gzip.GzipFile("", "wb", mtime=epoch, fileobj=file) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old, key=lambda member: member.name):
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = epoch
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return DIST / found.name


def compiler(target):
    """Return the variables by which setuptools takes zig for its compiler."""
    compile_ = " ".join([*ZIG, "cc", "-target", target.zig, "-fno-sanitize=undefined"])
    if target.platform.startswith("win"):
        compile_ += f" -I{windows_headers()}"
    return {
        "CC": compile_,
        "LDSHARED": f"{compile_} -shared -s",
        "LDFLAGS": target.link,
        "_PYTHON_HOST_PLATFORM": target.platform,
    }


def windows_headers():
    """Return a folder of Python's headers with what pyconfig.h says on Windows."""
    folder = BUILD / "windows" / "include"
    if not folder.exists():
        shutil.copytree(sysconfig.get_path("include"), folder)
        shutil.copy(Path(__file__).parent / "windows_pyconfig.h", folder / "pyconfig.h")
    return folder


def write_windows_library(wheel):
    """Write what Windows links with: the names of python3.dll that a wheel for Linux asks for."""
    folder = WINDOWS_LIBRARY.parent
    folder.mkdir(parents=True, exist_ok=True)
    shutil.unpack_archive(wheel, folder / "linux", "zip")
    names = set()
    for module in folder.glob("linux/cnnkit/_native/*.so"):
        with module.open("rb") as file:
            symbols = ELFFile(file).get_section_by_name(".dynsym").iter_symbols()
            names |= {s.name for s in symbols if s.entry.st_shndx == "SHN_UNDEF"}
    names = [name for name in names if re.match("_?Py", name)]
    definition = folder / "python3.def"
    lines = ["LIBRARY python3.dll", "EXPORTS", *(f"{n}{data_mark(n)}" for n in sorted(names))]
    definition.write_text("\n".join(lines))
    run(*ZIG, "dlltool", "-m", "i386:x86-64", "-d", definition, "-l", WINDOWS_LIBRARY)


def data_mark(name):
    """Return what marks a name that is not a function: exceptions, types and objects."""
    data = re.fullmatch(r"PyExc_\w+|Py\w+_Type|_Py_\w+(Struct|Object)|Py_Version", name)
    return " DATA" if data else ""


def build_wheel(target, sdist, epoch):
    """Build a wheel from the sdist, check it, and return where it lies."""
    tree = BUILD / target.platform
    shutil.unpack_archive(sdist, tree, filter="data")
    (source,) = tree.iterdir()
    wheel = build("wheel", source, tree / "wheel", SOURCE_DATE_EPOCH=str(epoch), **compiler(target))
    if not target.published:
        UNTESTED.mkdir(exist_ok=True)
        return Path(shutil.copy(wheel, UNTESTED))
    check_symbols(wheel)
    run(sys.executable, "-m", "abi3audit", "--strict", wheel)
    return Path(shutil.copy(wheel, DIST))


def check_symbols(wheel):
    """Refuse a wheel that asks for a younger glibc than its name says."""
    audit = run(sys.executable, "-m", "auditwheel", "show", wheel)
    pattern = r"manylinux_(\d+)_(\d+)"
    named = re.search(pattern, wheel.name).groups()
    needed = re.search(pattern, re.search(r'following\s+platform tag:\s+"(.*?)"', audit)[1])
    if needed is None or tuple(map(int, needed.groups())) > tuple(map(int, named)):
        sys.exit(f"{wheel.name}: {audit}")


def write_checksums():
    files = sorted(path for path in DIST.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{sha256(path)}  {path.name}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    names = parser.parse_args().targets or list(TARGETS)
    unknown = ", ".join(name for name in names if name not in TARGETS)
    if unknown:
        parser.error(f"TARGET must be of {', '.join(TARGETS)}, got {unknown}.")
    os.umask(0o022)  # wheels hold the modes of files
    for folder in (BUILD, DIST):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct"))
    sdist = build_sdist(epoch)
    print(sdist.relative_to(ROOT), flush=True)
    needed = {*names, *filter(None, (TARGETS[name].after for name in names))}
    wheels = {}
    for name, target in TARGETS.items():
        if name not in needed:
            continue
        if target.after:
            write_windows_library(wheels[target.after])
        wheel = wheels[name] = build_wheel(target, sdist, epoch)
        print(f"{wheel.relative_to(ROOT)}  {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
    run(sys.executable, "-m", "twine", "check", "--strict", *DIST.iterdir())
    write_bill(DIST, epoch)
    write_checksums()


if __name__ == "__main__":
    main()
