"""Native modules: what pyproject.toml cannot say."""

import os
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SRC = Path("src")
MODULES = sorted(SRC.glob("*/*.pyx"))
KERNELS = sorted(map(str, SRC.glob("simd/*.c")))  # compiled for each instruction set
THREADS = sorted(map(str, SRC.glob("threads/*.c")))  # and what chooses and runs them
HEADERS = sorted(map(str, [*SRC.glob("*/*.h"), *SRC.glob("*/*.pxd")]))
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "freethreading_compatible": True,
}
# No -ffast-math: it turns denormals off for the whole process. These two change no result.
FLAGS = ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-pthread"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
# Builds that look for mistakes, by the value of CNNKIT_BUILD; later flags win over FLAGS
CHECKS = {"boundscheck": True, "initializedcheck": True, "nonecheck": True, "cdivision": False}
BUILDS = {
    "": {},
    "debug": {"flags": ["-O1", "-g", "-UNDEBUG"], "directives": CHECKS},
    # Python's own flags hold -fwrapv, with which no overflow is reported
    "sanitize": {
        "flags": ["-O1", "-g", "-UNDEBUG", "-fno-wrapv", "-fno-omit-frame-pointer", *SANITIZERS],
        "link": SANITIZERS,
    },
    # -O0 leaves no loop inline that must be; counters are atomic because threads share them
    "coverage": {
        "flags": ["-O1", "-g", "--coverage", "-fprofile-update=atomic"],
        "link": ["--coverage"],
    },
}
BUILD = os.environ.get("CNNKIT_BUILD", "")
if BUILD not in BUILDS:
    raise SystemExit(
        f"CNNKIT_BUILD must be one of {', '.join(filter(None, BUILDS))}, or empty, got {BUILD!r}."
    )
CHOSEN = BUILDS[BUILD]
FLAGS += CHOSEN.get("flags", [])
DIRECTIVES |= CHOSEN.get("directives", {})
BUILD_BASE = f"build/{BUILD}" if BUILD else "build"  # no build takes the objects of another
# The flags of every instruction set in src/simd/isa.h, by processor, the best set last
X86 = {
    "portable": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mfma"],
}
ARM = {"portable": [], "neon": []}  # every 64-bit processor has NEON and fused multiply-adds
PROCESSORS = {"x86_64": X86, "amd64": X86, "aarch64": ARM, "arm64": ARM}
# that of the target: _PYTHON_HOST_PLATFORM says which, where it is not the processor at hand
PROCESSOR = sysconfig.get_platform().rpartition("-")[2].lower()
INSTRUCTION_SETS = PROCESSORS.get(PROCESSOR, {"portable": []})
# CPython's stable ABI, so that one build serves Python 3.11 and all that follow; free-threaded
# Python has none before 3.15
STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")
ABI = [("Py_LIMITED_API", "0x030B0000")] if STABLE else []


class BuildExt(build_ext):
    """Compile the innermost loops once for each instruction set and real type."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        for extension in self.extensions:
            extension.extra_compile_args += FLAGS
            extension.extra_link_args += CHOSEN.get("link", [])
        super().build_extensions()

    def get_ext_filename(self, fullname):
        name = super().get_ext_filename(fullname)
        if sysconfig.get_platform().startswith("win"):  # has one suffix, whatever the ABI
            return str(Path(*fullname.split(".")).with_suffix(".pyd"))
        return name

    def build_extension(self, extension):
        built = Path(self.get_ext_fullpath(extension.name))
        for other in built.parent.glob(f"{built.name.partition('.')[0]}.*.so"):
            if other != built:
                other.unlink()  # of another ABI: Python would find it first
        if extension.name.endswith(".runtime"):
            extension.extra_objects = self.kernel_objects()
        super().build_extension(extension)

    def kernel_objects(self):
        def compiled(isa, real, kernel):
            return self.compiler.compile(
                [kernel],
                output_dir=str(Path(self.build_temp) / f"{isa}-{real}"),
                macros=[("ISA", isa), ("REAL", real)],
                depends=HEADERS,
                extra_postargs=[*FLAGS, *INSTRUCTION_SETS[isa]],
            )

        cases = product(INSTRUCTION_SETS, ("float", "double"), KERNELS)
        with ThreadPoolExecutor(self.parallel) as pool:
            return [path for (path,) in pool.map(compiled, *zip(*cases, strict=True))]


def extension(path):
    runtime = path.stem == "runtime"
    return Extension(
        f"cnnkit._native.{path.stem}",
        [str(path)] + (THREADS if runtime else []),
        include_dirs=["src/simd", "src/threads"],
        define_macros=ABI
        + [("CNNKIT_SETS(X)", " ".join(f"X({isa})" for isa in INSTRUCTION_SETS))] * runtime,
        py_limited_api=STABLE,
        depends=HEADERS + (KERNELS if runtime else []),
    )


setup(
    ext_modules=cythonize(
        [extension(path) for path in MODULES],
        include_path=[str(SRC)],
        build_dir=f"{BUILD_BASE}/cython",
        compiler_directives=DIRECTIVES,
    ),
    cmdclass={"build_ext": BuildExt},
    options={
        "build": {"build_base": BUILD_BASE},
        "bdist_wheel": {"py_limited_api": "cp311" if STABLE else False},
    },
)
