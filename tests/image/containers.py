"""Images without a daemon and without a registry: buildah builds them, podman runs them, in a store of the test's own.

The two images that the Dockerfile begins with cannot be had offline. Stand-ins take their names: Debian by debootstrap,
with this machine's Python in /usr/local as Docker's has it; and uv alone.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from tests.gate.machine import python

NEEDED = ("buildah", "podman", "runc", "debootstrap")
LIBRARIES = "libssl3,libffi8,libsqlite3-0,zlib1g,libbz2-1.0,liblzma5,libreadline8,libuuid1,passwd,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass
class Containers:
    store: Path
    driver: str = "vfs"  # copies every file for every layer: slow, and works everywhere

    def __post_init__(self) -> None:
        lower, upper, work, merged = (self.store / "try" / name for name in ("lower", "upper", "work", "merged"))
        for folder in (lower, upper, work, merged):
            folder.mkdir(parents=True)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        tried = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, merged], capture_output=True)
        if tried.returncode == 0:
            subprocess.run(["umount", merged], check=True)
            self.driver = "overlay"

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        options = ["--root", f"{self.store}/root", "--runroot", f"{self.store}/run", "--storage-driver", self.driver]
        if program == "podman":
            options += ["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        command = [program, *options, *arguments]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
        if check and ran.returncode:
            raise AssertionError(f"{' '.join(command)}\n{ran.stdout}\n{ran.stderr}")
        return ran

    def image(self, name: str, folders: dict[str, Path], **environment: str) -> None:
        """Make an image of what is in these folders."""
        container = self.run("buildah", "from", "scratch").stdout.strip()
        for target, source in folders.items():
            self.run("buildah", "add", container, str(source), target)
        for key, value in environment.items():
            self.run("buildah", "config", "--env", f"{key}={value}", container)
        self.run("buildah", "commit", "--rm", "--format", "docker", container, name)

    def build(self, service: Path, tag: str) -> None:
        """Build the service's Dockerfile, as it stands, on the stand-ins."""
        froms = re.findall(r"^FROM (\S+@\S+)", (service / "Dockerfile").read_text(), re.MULTILINE)
        contexts = [
            f"--build-context={name}=container-image://localhost/{'uv' if '/uv:' in name else 'python'}"
            for name in froms
        ]
        options = ["--format", "docker", "--network", "host", "--pull-never", *contexts]
        self.run("buildah", "build", *options, "--tag", tag, str(service))

    def size(self, tag: str) -> int:
        (image,) = json.loads(self.run("podman", "image", "inspect", tag).stdout)
        return int(image["Size"])


def unmount(folder: Path) -> None:
    """Leave nothing mounted there, whoever was interrupted."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed(places):
        if Path(place).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", place], check=False)


def bases(containers: Containers, version: str, folder: Path) -> None:
    """Make localhost/python and localhost/uv."""
    root = folder / "root"
    release = re.findall(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)[0]
    debootstrap = ["debootstrap", "--variant=minbase", f"--include={LIBRARIES}", release, str(root)]
    made = subprocess.run(debootstrap, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-2000:]
    shutil.copy(CERTIFICATES, root / "etc/ssl/certs")  # what this machine trusts, behind whatever proxy it is
    interpreter = python(version)
    assert interpreter, f"Python {version} is not on this machine"
    home = Path(interpreter).resolve().parents[1]
    ignore = shutil.ignore_patterns("test", "__pycache__", "*.a", "idlelib", "share", "include")
    shutil.copytree(home, root / "usr/local", dirs_exist_ok=True, symlinks=True, ignore=ignore)
    subprocess.run(["chroot", str(root), "/sbin/ldconfig"], check=True)  # for libpython
    for script in root.glob("usr/local/bin/pip*"):
        script.write_text(re.sub(r"\A#!.*", "#!/usr/local/bin/python3", script.read_text()))
    packages = root / f"usr/local/lib/python{version}/site-packages"
    for package in packages.iterdir():
        if not package.name.startswith("pip"):
            shutil.rmtree(package) if package.is_dir() else package.unlink()
    containers.image(
        "localhost/python",
        {"/": root},
        PATH="/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
        **({"SSL_CERT_FILE": str(CERTIFICATES)} if "SSL_CERT_FILE" in os.environ else {}),
    )
    uv = folder / "uv"
    uv.mkdir()
    shutil.copy(find_uv_bin(), uv / "uv")
    containers.image("localhost/uv", {"/": uv})


def missing() -> list[str]:
    found = [program for program in NEEDED if not shutil.which(program)]
    return found if sys.platform == "linux" and os.geteuid() == 0 else [*found, "root on Linux"]
